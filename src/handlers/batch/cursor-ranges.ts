import type { Fields } from '../../model/fields.ts';
import { argumentsOf } from '../argument-forms.ts';
import { type BatchWorkerConfig, CursorConfig, type SizedCursor } from './cursor-config.ts';
import { count, positive, refuseTooMany } from './sizes.ts';

/** How items are cut into ranges. */
export interface CursorRangeOptions {
  totalItems: number;
  /** Items a batch. */
  batchSize: number;
  /** Handed to each worker; default 1. */
  stepSize?: number;
  /** When there would be more batches than this, they are made larger. Default: as many as it takes, up to 10,000. */
  maxBatches?: number;
}

/** The ways to write it: in one object, by position, or the sizes and then options. */
export type CursorRangeArguments =
  | [options: CursorRangeOptions]
  | [totalItems: number, batchSize: number, options?: Omit<CursorRangeOptions, 'totalItems' | 'batchSize'>]
  | [totalItems: number, batchSize: number, stepSize?: number, maxBatches?: number];

const RANGE_NAMES = ['totalItems', 'batchSize', 'stepSize', 'maxBatches'] as const;

/**
 * One range of items.
 *
 * @example
 * createCursorConfig(0, 500); // { startCursor: 0, endCursor: 500, batchSize: 500, stepSize: 1, metadata: {} }
 */
export function createCursorConfig(start: number, end: number, stepSize = 1, metadata: Fields = {}): SizedCursor {
  return CursorConfig({ startCursor: start, endCursor: end, stepSize, metadata });
}

/**
 * Cuts items into ranges of `batchSize`, the last one shorter; with `maxBatches` into at most that many. They adjoin,
 * begin at 0 and end at the total. No items: no ranges. Sizes that make no sense, and more than 10,000 ranges, throw.
 *
 * @example
 * createCursorRanges({ totalItems: 1000, batchSize: 100, maxBatches: 5 }).length; // 5, of 200 each
 */
export function createCursorRanges(...args: CursorRangeArguments): SizedCursor[] {
  const where = 'createCursorRanges';
  const { totalItems, batchSize, stepSize = 1, maxBatches } = argumentsOf<CursorRangeOptions>(args, RANGE_NAMES, 2);
  const total = count(where, 'totalItems', totalItems);
  positive(where, 'stepSize', stepSize);
  let size = positive(where, 'batchSize', batchSize);
  if (maxBatches !== undefined) size = Math.max(size, Math.ceil(total / positive(where, 'maxBatches', maxBatches)));

  refuseTooMany(where, Math.ceil(total / size));
  const ranges = [];
  for (let start = 0; start < total; start += size) {
    ranges.push(createCursorConfig(start, Math.min(start + size, total), stepSize));
  }
  return ranges;
}

/**
 * Deals items out to so many workers, each but the last the same number. Workers that would get nothing are left out.
 *
 * @example
 * createCursorConfigs(10, 3).map(({ row_count }) => row_count); // [4, 4, 2]
 */
export function createCursorConfigs(totalItems: number, workerCount: number): BatchWorkerConfig[] {
  const total = count('createCursorConfigs', 'totalItems', totalItems);
  const workers = positive('createCursorConfigs', 'workerCount', workerCount);
  refuseTooMany('createCursorConfigs', Math.min(workers, total));
  const share = Math.ceil(total / workers);
  return Array.from({ length: share === 0 ? 0 : Math.ceil(total / share) }, (_, index) => {
    const start = index * share;
    const end = Math.min(start + share, total);
    return {
      batch_id: String(index + 1).padStart(3, '0'),
      cursor_start: start,
      cursor_end: end,
      row_count: end - start,
      worker_index: index,
      total_workers: workers,
    };
  });
}
