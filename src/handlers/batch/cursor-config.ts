import { z } from 'zod';
import type { Fields } from '../../model/fields.ts';
import { argumentsOf } from '../argument-forms.ts';
import { misuse, shown } from '../misuse.ts';

/** A range of items for one worker: from `startCursor` up to, but without, `endCursor`. */
export interface CursorConfig {
  startCursor: number;
  endCursor: number;
  /** For the worker: how many items it may take at once. */
  stepSize: number;
  metadata: Fields;
  /** Items in the range; default `endCursor - startCursor`. */
  batchSize?: number;
}

/** A range that says how many items it has. */
export type SizedCursor = CursorConfig & { batchSize: number };

/** A cursor as it is stored and as a worker finds it in `context.stepInputs.cursor`. Cursors may be any JSON. */
export interface RustCursorConfig {
  batch_id: string;
  start_cursor: unknown;
  end_cursor: unknown;
  batch_size: number;
  /** Absent when 1. */
  step_size?: number;
  /** Absent when empty. */
  metadata?: Fields;
}

/** A share of all items, as `createCursorConfigs` deals them out. */
export interface BatchWorkerConfig {
  /** `001`, `002` …; the worker's step is called after it. */
  batch_id: string;
  cursor_start: number;
  /** Not included. */
  cursor_end: number;
  row_count: number;
  /** Counted from 0. */
  worker_index: number;
  total_workers: number;
}

/** A range in any of the forms that analyzers give. */
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
 * A range of items for one worker, checked and with its defaults: `stepSize` 1, `metadata` empty, `batchSize` the
 * number of items. What makes no sense, and any other key, is refused by name.
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

/** The cursors as they are stored. Each has an id: its own, or the one that `idOf` makes from its index (`001` …). */
export function storedCursors(
  configs: readonly AnyCursor[],
  idOf = (index: number) => String(index + 1).padStart(3, '0'),
): RustCursorConfig[] {
  const seen = new Set<string>();
  return configs.map((config, index) => {
    const cursor = storedCursor(config, idOf(index));
    if (seen.has(cursor.batch_id)) {
      throw misuse(
        `batches: two of them have the id ${cursor.batch_id}; the id names the worker's step, so make them differ`,
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
  if (!('startCursor' in config)) throw misuse(`batch ${id}: a cursor has a startCursor and an endCursor`);
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

/** How many items a range has. The size of a non-numeric range is unknown, and then 0. */
export function sizeOf(start: unknown, end: unknown): number {
  return typeof start === 'number' && typeof end === 'number' ? end - start : 0;
}

/** Workers that one analyzer may ask for. */
export const MAX_BATCHES = 10_000;

/** A whole number above 0, or an error that names it. */
export function positive(where: string, name: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
  throw misuse(`${where}: ${name} must be a whole number above 0, not ${shown(value)}`);
}

/** A whole number from 0 on, or an error that names it. */
export function count(where: string, name: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw misuse(`${where}: ${name} must be a whole number from 0 on, not ${shown(value)}`);
}

/** Refuses more workers than one analyzer may ask for. */
export function refuseTooMany(where: string, workers: number): void {
  if (workers <= MAX_BATCHES) return;
  throw misuse(
    `${where}: that is ${workers} workers, and at most ${MAX_BATCHES} are possible; take larger batches, or set maxBatches`,
  );
}
