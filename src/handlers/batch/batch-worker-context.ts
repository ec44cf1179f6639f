import { type Fields, isFields } from '../../model/json.ts';
import { misuse, shown } from '../misuse.ts';
import type { StepContext } from '../step-context.ts';
import { StepHandlerResult } from '../step-handler.ts';
import { isCreateBatches, outcomeIn } from './batch-processing-outcome.ts';
import { type CursorConfig, type RustCursorConfig, type SizedCursor, sizeOf } from './cursor-config.ts';

/**
 * The batch of a worker: its items, its index among all batches, and the progress of an earlier attempt.
 *
 * @example
 * const batch = getBatchContext(context);
 * if (!batch) return this.failure('this step is not a batch worker', { retryable: false });
 * const start = Number(batch.checkpointCursor ?? batch.startCursor);
 * for (let row = start; row < batch.endCursor; row++) await post(row);
 */
export class BatchWorkerContext {
  readonly #data: Fields;
  readonly #siblings: () => readonly RustCursorConfig[];
  /** The stored cursor. Its start and end can be any JSON value. */
  readonly cursor: RustCursorConfig;
  /** Metadata from the template or the analyzer, such as the cursor field and the failure strategy. */
  readonly batchMetadata: Fields;
  /** The checkpoint of an earlier attempt. Empty if there is none. */
  readonly checkpoint: Fields;

  constructor(data: Fields, { checkpoint, siblings }: BatchWorkerContextOptions = {}) {
    this.#data = data;
    this.#siblings = siblings ?? (() => []);
    this.cursor = cursorOf(data) ?? refuse(data, 'batch context');
    this.batchMetadata = isFields(data.batch_metadata) ? data.batch_metadata : {};
    this.checkpoint = checkpoint ?? {};
  }

  /**
   * Returns the batch of a step: `stepInputs.cursor`, otherwise `batch_context` in `stepConfig`, `inputData` or
   * `stepInputs`. Null if the step has none of these. Throws if the `batch_context` is not a batch.
   */
  static fromStepContext(context: StepContext): BatchWorkerContext | null {
    const data = batchDataOf(context);
    if (!data) return null;
    const { batch_id } = cursorOf(data)!;
    return new BatchWorkerContext(data, {
      checkpoint: context.checkpoint,
      siblings: () => siblingsOf(context, batch_id),
    });
  }

  /** Creates a context from a worker's inputs or from the flat form of a batch. Throws if there is no batch. */
  static fromStepData(batchData: Fields, checkpoint?: Fields | null): BatchWorkerContext {
    return new BatchWorkerContext(batchData, { checkpoint });
  }

  /** The id: `001`, `002` …, or `batch_000`, `batch_001` … with `defineBatchAnalyzer`. The placeholder has `000`. */
  get batchId(): string {
    return this.cursor.batch_id;
  }

  get cursorConfig(): SizedCursor {
    const { startCursor, endCursor, stepSize, batchSize } = this;
    return { startCursor, endCursor, stepSize, batchSize, metadata: this.cursor.metadata ?? {} };
  }

  /** The index of this batch, starting at 0. */
  get batchIndex(): number {
    const known = this.#data.batch_index;
    if (typeof known === 'number') return known;
    const found = this.#siblings().findIndex(({ batch_id }) => batch_id === this.batchId);
    return found >= 0 ? found : indexIn(this.batchId);
  }

  /** The number of batches. 1 in a context created by hand without this number. */
  get totalBatches(): number {
    const known = this.#data.total_batches;
    return typeof known === 'number' ? known : Math.max(1, this.#siblings().length);
  }

  /** The first item. 0 if the cursor is not a number; see `cursor`. */
  get startCursor(): number {
    return numberOr(this.cursor.start_cursor, 0);
  }

  /** The exclusive end of the range. 0 if the cursor is not a number; see `cursor`. */
  get endCursor(): number {
    return numberOr(this.cursor.end_cursor, 0);
  }

  get stepSize(): number {
    return numberOr(this.cursor.step_size, 1);
  }

  /** Number of items in the batch. */
  get batchSize(): number {
    return numberOr(this.cursor.batch_size, this.endCursor - this.startCursor);
  }

  /** Whether this is the placeholder of an analyzer that found nothing to do. */
  get isNoOp(): boolean {
    return this.#data.is_no_op === true;
  }

  /** The position to resume from. Undefined without a checkpoint. */
  get checkpointCursor(): string | number | Fields | undefined {
    return (this.checkpoint.cursor ?? undefined) as string | number | Fields | undefined;
  }

  /** Intermediate results of earlier attempts. Undefined without a checkpoint. */
  get accumulatedResults(): Fields | undefined {
    const results = this.checkpoint.accumulated_results;
    return isFields(results) ? results : undefined;
  }

  get checkpointItemsProcessed(): number {
    return numberOr(this.checkpoint.items_processed, 0);
  }

  hasCheckpoint(): boolean {
    return this.checkpointCursor !== undefined;
  }
}

/** Options of a {@link BatchWorkerContext}. */
export interface BatchWorkerContextOptions {
  checkpoint?: Fields | null;
  /** Returns the cursors of all workers of the analyzer. Called only when the batch index or the total is read. */
  siblings?: () => readonly RustCursorConfig[];
}

/**
 * Returns the batch of a step: `stepInputs.cursor`, otherwise `batch_context` in `stepConfig`, `inputData` or
 * `stepInputs`. Null if the step has none of these.
 *
 * @example
 * const batch = getBatchContext(context);
 * if (batch) console.log(`batch ${batch.batchIndex + 1} of ${batch.totalBatches}`);
 */
export function getBatchContext(context: StepContext): BatchWorkerContext | null {
  return BatchWorkerContext.fromStepContext(context);
}

/**
 * Creates a batch context by hand, for example in a test, from a worker's inputs or `{ batch_id, start_cursor,
 * end_cursor, step_size }`, and from the checkpoint of an earlier attempt. Throws if the data has neither form.
 *
 * @example
 * const cursor = { batch_id: '001', start_cursor: 0, end_cursor: 500, batch_size: 500 };
 * createBatchWorkerContext({ cursor }, { cursor: 100, items_processed: 100 }).checkpointCursor; // 100
 */
export function createBatchWorkerContext(batchData: Fields, checkpoint?: Fields | null): BatchWorkerContext {
  return BatchWorkerContext.fromStepData(batchData, checkpoint);
}

/** Creates a batch context from a range and its index among all batches. `batchIndex` starts at 0. */
export function createBatchContext(
  cursorConfig: CursorConfig,
  batchIndex: number,
  totalBatches: number,
  batchMetadata: Fields = {},
): BatchWorkerContext {
  const { startCursor, endCursor, batchSize = endCursor - startCursor, stepSize, metadata } = cursorConfig;
  return new BatchWorkerContext({
    batch_id: String(batchIndex + 1).padStart(3, '0'),
    cursor: { start_cursor: startCursor, end_cursor: endCursor, batch_size: batchSize, step_size: stepSize, metadata },
    batch_index: batchIndex,
    total_batches: totalBatches,
    batch_metadata: batchMetadata,
  });
}

/** Returns the index in an id. `batch_000` and `001` both have index 0. */
function indexIn(batchId: string): number {
  const number = Number(/\d+$/.exec(batchId)?.[0] ?? 1);
  return /^batch_\d+$/.test(batchId) ? number : Math.max(0, number - 1);
}

/** The places where `batch_context` is looked up, in this order. */
const PLACES = ['stepConfig', 'inputData', 'stepInputs'] as const;

function batchDataOf(context: StepContext): Fields | null {
  const { stepInputs } = context;
  // Accepts only the nested form, because the configuration of an ordinary step may have keys with these names.
  if (nestedCursor(stepInputs)) return stepInputs;
  for (const place of PLACES) {
    const data = context[place].batch_context;
    if (data === undefined || data === null) continue;
    return isFields(data) && cursorOf(data) ? data : refuse(data, `batch_context of ${place}`);
  }
  return null;
}

/** Returns the cursor in `{ batch_id, start_cursor, end_cursor }`, or under `cursor`. Null if there is none. */
function cursorOf(data: unknown): RustCursorConfig | null {
  if (!isFields(data)) return null;
  const nested = nestedCursor(data);
  if (nested || !isRange(data)) return nested;
  const { batch_id, start_cursor, end_cursor, batch_size, step_size, metadata } = data;
  return whole({ start_cursor, end_cursor, batch_size, step_size, metadata }, batch_id);
}

/** Returns a nested cursor. Cursors from the engine have an id and any other fields that the analyzer set. */
function nestedCursor(data: Fields): RustCursorConfig | null {
  const cursor = data.cursor ?? data.cursor_config;
  if (!isFields(cursor)) return null;
  return isId(cursor.batch_id) || isRange(cursor) ? whole(cursor, cursor.batch_id ?? data.batch_id) : null;
}

function whole(cursor: Fields, batchId: unknown): RustCursorConfig {
  const { start_cursor, end_cursor, batch_size } = cursor;
  const size = batch_size ?? sizeOf(start_cursor, end_cursor);
  const all = { ...cursor, batch_id: isId(batchId) ? String(batchId) : '', batch_size: size };
  const given = Object.entries(all).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as unknown as RustCursorConfig;
}

function isRange(cursor: Fields): boolean {
  return cursor.start_cursor !== undefined && cursor.end_cursor !== undefined;
}

function isId(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}

function refuse(data: unknown, where: string): never {
  const keys = isFields(data) ? Object.keys(data).slice(0, 10).join(', ') : '';
  const got = isFields(data) ? `an object ${keys === '' ? 'without keys' : `with ${keys}`}` : shown(data);
  throw misuse(
    `${where}: expected { batch_id, start_cursor, end_cursor, step_size }, or the same under cursor, got ${got}`,
  );
}

/** Returns the cursors of this worker's analyzer, which is the ancestor with the same worker template. */
function siblingsOf(context: StepContext, batchId: string): readonly RustCursorConfig[] {
  const template = context.stepInputs.__template_step_name;
  for (const name of context.getDependencyResultKeys()) {
    const outcome = outcomeIn(context.getDependencyResult(name));
    if (!outcome || !isCreateBatches(outcome)) continue;
    const { worker_template_name, cursor_configs } = outcome;
    const mine = worker_template_name === undefined || template === undefined || worker_template_name === template;
    if (mine && cursor_configs.some(({ batch_id }) => batch_id === batchId)) return cursor_configs;
  }
  return [];
}

function numberOr(value: unknown, otherwise: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : otherwise;
}

/** The effect of a failed worker on the other workers: the template's `batch_config.failure_strategy`. */
export type FailureStrategy = 'continue_on_failure' | 'fail_fast' | 'isolate';

/** The part of the template's `batch_config` that each worker receives. */
export interface BatchMetadata {
  cursor_field: string;
  failure_strategy: FailureStrategy;
}

/** The `context.stepInputs` of a worker, in addition to its `initialization`. */
export interface RustBatchWorkerInputs {
  cursor: RustCursorConfig;
  batch_metadata: BatchMetadata;
  /** Whether this is the placeholder of an analyzer that found nothing to do. */
  is_no_op: boolean;
}

/** Returns the inputs of a worker. Null if the step is not a worker. */
export function getBatchWorkerInputs(context: StepContext): Partial<RustBatchWorkerInputs> | null {
  const { cursor, batch_metadata, is_no_op } = context.stepInputs as Partial<RustBatchWorkerInputs>;
  if (typeof cursor !== 'object' || cursor === null || !('batch_id' in cursor)) return null;
  return { cursor, batch_metadata, is_no_op: is_no_op === true };
}

/**
 * Returns the result of a placeholder, which is the only worker of an analyzer without batches. Null if the step has a
 * real batch or is not a worker.
 *
 * @example
 * const nothing = handleNoOpWorker(context);
 * if (nothing) return nothing;
 */
export function handleNoOpWorker(context: StepContext): StepHandlerResult | null {
  if (context.stepInputs.is_no_op !== true) return null;
  const result = {
    batch_id: getBatchWorkerInputs(context)?.cursor?.batch_id ?? '000',
    no_op: true,
    processed_count: 0,
    items_processed: 0,
    items_succeeded: 0,
    items_failed: 0,
    items_skipped: 0,
    message: 'No batches to process',
    processed_at: new Date().toISOString(),
  };
  return StepHandlerResult.success(result, { batch_worker: true, no_op: true });
}
