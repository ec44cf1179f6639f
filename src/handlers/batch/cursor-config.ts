import { z } from 'zod';
import type { Fields } from '../../model/json.ts';
import { argumentsOf } from '../argument-forms.ts';
import { misuse, shown } from '../misuse.ts';

/** A range of items for one worker: from `startCursor` to `endCursor`, excluding `endCursor`. */
export interface CursorConfig {
  startCursor: number;
  endCursor: number;
  /** The number of items that the worker should process at a time. */
  stepSize: number;
  metadata: Fields;
  /** Number of items in the range. Default `endCursor - startCursor`. */
  batchSize?: number;
}

/** A range with its number of items. */
export type SizedCursor = CursorConfig & { batchSize: number };

/** A stored cursor, as workers find it in `context.stepInputs.cursor`. Its start and end can be any JSON value. */
export interface RustCursorConfig {
  batch_id: string;
  start_cursor: unknown;
  end_cursor: unknown;
  batch_size: number;
  /** Omitted if 1. */
  step_size?: number;
  /** Omitted if empty. */
  metadata?: Fields;
}

/** One worker's share of the items, as `createCursorConfigs` distributes them. */
export interface BatchWorkerConfig {
  /** `001`, `002` …. The worker's step name ends with it. */
  batch_id: string;
  cursor_start: number;
  /** The exclusive end. */
  cursor_end: number;
  row_count: number;
  /** The index of the worker, starting at 0. */
  worker_index: number;
  total_workers: number;
}

/** A range in any of the forms that analyzers return. */
export type AnyCursor = CursorConfig | RustCursorConfig | BatchWorkerConfig;

const Options = z
  .strictObject({
    startCursor: z.number(),
    endCursor: z.number(),
    batchSize: z.int().min(0).optional(),
    stepSize: z.int().min(1).default(1),
    metadata: z.record(z.string(), z.unknown()).default({}),
  })
  .refine(({ startCursor, endCursor }) => endCursor >= startCursor, {
    path: ['endCursor'],
    error: 'is before startCursor',
  });

/**
 * Creates and checks a range of items for one worker. Defaults: `stepSize` 1, `metadata` empty, `batchSize` the number
 * of items. Throws an error that names the invalid value or unknown key.
 *
 * @example
 * CursorConfig({ startCursor: 0, endCursor: 1000 }).batchSize; // 1000
 */
export function CursorConfig(options: z.input<typeof Options>): SizedCursor {
  const parsed = Options.safeParse(options);
  if (parsed.success) {
    const { startCursor, endCursor, batchSize = endCursor - startCursor, ...rest } = parsed.data;
    return { startCursor, endCursor, batchSize, ...rest };
  }
  const [issue] = parsed.error.issues;
  throw misuse(`CursorConfig: ${[...(issue?.path ?? []), issue?.message].join(': ')}`);
}

/** Options for splitting items into ranges. */
export interface CursorRangeOptions {
  totalItems: number;
  /** Number of items per batch. */
  batchSize: number;
  /** Passed to each worker. Default 1. */
  stepSize?: number;
  /**
   * Maximum number of batches. Larger batches are used if there would be more. Default: no maximum, but at most 10,000.
   */
  maxBatches?: number;
}

/** The argument forms: one object, all by position, or the sizes followed by options. */
export type CursorRangeArguments =
  | [options: CursorRangeOptions]
  | [totalItems: number, batchSize: number, options?: Omit<CursorRangeOptions, 'totalItems' | 'batchSize'>]
  | [totalItems: number, batchSize: number, stepSize?: number, maxBatches?: number];

const RANGE_NAMES = ['totalItems', 'batchSize', 'stepSize', 'maxBatches'] as const;

/**
 * Creates a range of items.
 *
 * @example
 * createCursorConfig(0, 500); // { startCursor: 0, endCursor: 500, batchSize: 500, stepSize: 1, metadata: {} }
 */
export function createCursorConfig(start: number, end: number, stepSize = 1, metadata: Fields = {}): SizedCursor {
  return CursorConfig({ startCursor: start, endCursor: end, stepSize, metadata });
}

/**
 * Splits items into contiguous ranges of `batchSize`, from 0 to the total. The last range may be shorter. With
 * `maxBatches`, the ranges are enlarged so that there are at most that many. Without items there are no ranges. Throws
 * for invalid sizes and for more than 10,000 ranges.
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
 * Distributes items among workers. Each worker except the last receives the same number of items. Workers without items
 * are omitted.
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

/**
 * Returns the stored form of cursors. Each has an id: its own, or the one that `idOf` returns for its index (`001` …).
 */
export function storedCursors(
  configs: readonly AnyCursor[],
  idOf = (index: number) => String(index + 1).padStart(3, '0'),
): RustCursorConfig[] {
  const seen = new Set<string>();
  return configs.map((config, index) => {
    const cursor = storedCursor(config, idOf(index));
    if (seen.has(cursor.batch_id)) {
      throw misuse(
        `batches: two have the id ${cursor.batch_id}, which is part of the worker's step name; make the ids unique`,
      );
    }
    seen.add(cursor.batch_id);
    return cursor;
  });
}

function storedCursor(config: AnyCursor, id: string): RustCursorConfig {
  if (typeof config !== 'object' || config === null)
    throw misuse(`batch ${id}: a cursor must be an object, not ${shown(config)}`);
  if ('cursor_start' in config) {
    const { batch_id = id, cursor_start, cursor_end, row_count = cursor_end - cursor_start } = config;
    return { batch_id, start_cursor: cursor_start, end_cursor: cursor_end, batch_size: row_count };
  }
  if ('start_cursor' in config) {
    const { batch_id = id, start_cursor, end_cursor, batch_size = sizeOf(start_cursor, end_cursor), ...more } = config;
    return { batch_id, start_cursor, end_cursor, batch_size, ...more };
  }
  if (!('startCursor' in config)) throw misuse(`batch ${id}: the cursor has no startCursor and endCursor`);
  const { startCursor, endCursor, batchSize = sizeOf(startCursor, endCursor), stepSize = 1, metadata = {} } = config;
  return {
    batch_id: id,
    start_cursor: startCursor,
    end_cursor: endCursor,
    batch_size: batchSize,
    ...(stepSize === 1 ? {} : { step_size: stepSize }),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
  };
}

/** Returns the number of items in a range. The size of a non-numeric range is unknown, and 0 is returned. */
export function sizeOf(start: unknown, end: unknown): number {
  return typeof start === 'number' && typeof end === 'number' ? end - start : 0;
}

/** Maximum number of workers that one analyzer can request. */
export const MAX_BATCHES = 10_000;

/** Returns the value if it is an integer above 0. Otherwise throws an error that names it. */
export function positive(where: string, name: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
  throw misuse(`${where}: ${name} must be > 0 and an integer, not ${shown(value)}`);
}

/** Returns the value if it is a non-negative integer. Otherwise throws an error that names it. */
export function count(where: string, name: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw misuse(`${where}: ${name} must be a non-negative integer, not ${shown(value)}`);
}

/** Throws if there are more workers than one analyzer can request. */
export function refuseTooMany(where: string, workers: number): void {
  if (workers <= MAX_BATCHES) return;
  throw misuse(
    `${where}: ${workers} workers are more than the maximum of ${MAX_BATCHES}; use larger batches, or set maxBatches`,
  );
}
