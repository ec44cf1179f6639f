import { type Fields, isFields } from '../../model/fields.ts';
import { misuse, shown } from '../misuse.ts';
import type { StepContext } from '../step-context.ts';
import { StepHandlerResult } from '../step-handler.ts';
import { isCreateBatches, outcomeIn } from './batch-processing-outcome.ts';
import { type CursorConfig, type RustCursorConfig, type SizedCursor, sizeOf } from './cursor-config.ts';

/**
 * What a worker may know of its batch: which items, which of how many batches, how far an earlier attempt came.
 *
 * @example
 * const batch = getBatchContext(context);
 * if (!batch) return this.failure('this is no batch worker', { retryable: false });
 * const start = Number(batch.checkpointCursor ?? batch.startCursor);
 * for (let row = start; row < batch.endCursor; row++) await post(row);
 */
export class BatchWorkerContext {
  readonly #data: Fields;
  readonly #siblings: () => readonly RustCursorConfig[];
  /** The cursor as it is stored: its ends may be any JSON. */
  readonly cursor: RustCursorConfig;
  /** What the template tells each worker, or the analyzer: cursor field, failure strategy. */
  readonly batchMetadata: Fields;
  /** What an earlier attempt saved; empty when none did. */
  readonly checkpoint: Fields;

  constructor(data: Fields, { checkpoint, siblings }: BatchWorkerContextOptions = {}) {
    this.#data = data;
    this.#siblings = siblings ?? (() => []);
    this.cursor = cursorOf(data) ?? refuse(data, 'batch context');
    this.batchMetadata = isFields(data.batch_metadata) ? data.batch_metadata : {};
    this.checkpoint = checkpoint ?? {};
  }

  /**
   * The batch of a step: `stepInputs.cursor`, else `batch_context` in `stepConfig`, `inputData` or `stepInputs`. Null
   * when the step has none of these. Throws when the `batch_context` is not a batch.
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

  /** The batch in a worker's inputs, or in flat form. Throws when there is none. */
  static fromStepData(batchData: Fields, checkpoint?: Fields | null): BatchWorkerContext {
    return new BatchWorkerContext(batchData, { checkpoint });
  }

  /** `001`, `002` …, or with `defineBatchAnalyzer` `batch_000`, `batch_001` …; `000` is the placeholder. */
  get batchId(): string {
    return this.cursor.batch_id;
  }

  get cursorConfig(): SizedCursor {
    const { startCursor, endCursor, stepSize, batchSize } = this;
    return { startCursor, endCursor, stepSize, batchSize, metadata: this.cursor.metadata ?? {} };
  }

  /** Which batch this is, counted from 0. */
  get batchIndex(): number {
    const told = this.#data.batch_index;
    if (typeof told === 'number') return told;
    const found = this.#siblings().findIndex(({ batch_id }) => batch_id === this.batchId);
    return found >= 0 ? found : indexIn(this.batchId);
  }

  /** How many batches there are; of a context made by hand that does not say, 1. */
  get totalBatches(): number {
    const told = this.#data.total_batches;
    return typeof told === 'number' ? told : Math.max(1, this.#siblings().length);
  }

  /** The first item. 0 when the cursor is no number: see `cursor`. */
  get startCursor(): number {
    return numberOr(this.cursor.start_cursor, 0);
  }

  /** The end, which is not an item any more. 0 when the cursor is no number: see `cursor`. */
  get endCursor(): number {
    return numberOr(this.cursor.end_cursor, 0);
  }

  get stepSize(): number {
    return numberOr(this.cursor.step_size, 1);
  }

  /** Items in the batch. */
  get batchSize(): number {
    return numberOr(this.cursor.batch_size, this.endCursor - this.startCursor);
  }

  /** Whether this is the placeholder of an analyzer that found nothing to do. */
  get isNoOp(): boolean {
    return this.#data.is_no_op === true;
  }

  /** Where to go on; undefined without a checkpoint. */
  get checkpointCursor(): string | number | Fields | undefined {
    return (this.checkpoint.cursor ?? undefined) as string | number | Fields | undefined;
  }

  /** What earlier attempts gathered; undefined without a checkpoint. */
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

/** What a {@link BatchWorkerContext} is made of besides the worker's inputs. */
export interface BatchWorkerContextOptions {
  checkpoint?: Fields | null;
  /** The cursors of all workers of the analyzer; asked only when somebody wants to know which batch this is. */
  siblings?: () => readonly RustCursorConfig[];
}

/**
 * The batch of a step: `stepInputs.cursor`, else `batch_context` in `stepConfig`, `inputData` or `stepInputs`. Null
 * when the step has none of these.
 *
 * @example
 * const batch = getBatchContext(context);
 * if (batch) console.log(`batch ${batch.batchIndex + 1} of ${batch.totalBatches}`);
 */
export function getBatchContext(context: StepContext): BatchWorkerContext | null {
  return BatchWorkerContext.fromStepContext(context);
}

/**
 * Creates a batch context by hand, for example in a test, from a worker's inputs or
 * `{ batch_id, start_cursor, end_cursor, step_size }`, and from the checkpoint of an earlier attempt. Throws when the
 * data has neither form.
 *
 * @example
 * const cursor = { batch_id: '001', start_cursor: 0, end_cursor: 500, batch_size: 500 };
 * createBatchWorkerContext({ cursor }, { cursor: 100, items_processed: 100 }).checkpointCursor; // 100
 */
export function createBatchWorkerContext(batchData: Fields, checkpoint?: Fields | null): BatchWorkerContext {
  return BatchWorkerContext.fromStepData(batchData, checkpoint);
}

/** A batch context of a range and its place among all. `batchIndex` counts from 0. */
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

/** The index in an id: `batch_000` and `001` come first. */
function indexIn(batchId: string): number {
  const number = Number(/\d+$/.exec(batchId)?.[0] ?? 1);
  return /^batch_\d+$/.test(batchId) ? number : Math.max(0, number - 1);
}

/** Places of `batch_context`, in the order in which they are read. */
const PLACES = ['stepConfig', 'inputData', 'stepInputs'] as const;

function batchDataOf(context: StepContext): Fields | null {
  const { stepInputs } = context;
  // Only the nested form: a plain step's own configuration may have keys of these names.
  if (nestedCursor(stepInputs)) return stepInputs;
  for (const place of PLACES) {
    const data = context[place].batch_context;
    if (data === undefined || data === null) continue;
    return isFields(data) && cursorOf(data) ? data : refuse(data, `batch_context of ${place}`);
  }
  return null;
}

/** The cursor in `{ batch_id, start_cursor, end_cursor }`, or in these fields under `cursor`. Otherwise null. */
function cursorOf(data: unknown): RustCursorConfig | null {
  if (!isFields(data)) return null;
  const nested = nestedCursor(data);
  if (nested || !isRange(data)) return nested;
  const { batch_id, start_cursor, end_cursor, batch_size, step_size, metadata } = data;
  return whole({ start_cursor, end_cursor, batch_size, step_size, metadata }, batch_id);
}

/** The engine's cursors have an id and any other fields of the analyzer. */
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

/** The cursors of the analyzer whose worker this is: among the ancestors, the one with the same worker template. */
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

/** What a failed worker does to the others of its batch, as the template's `batch_config.failure_strategy` says. */
export type FailureStrategy = 'continue_on_failure' | 'fail_fast' | 'isolate';

/** What the template's `batch_config` tells each worker. */
export interface BatchMetadata {
  cursor_field: string;
  failure_strategy: FailureStrategy;
}

/** `context.stepInputs` of a worker, besides its `initialization`. */
export interface RustBatchWorkerInputs {
  cursor: RustCursorConfig;
  batch_metadata: BatchMetadata;
  /** True in the placeholder of an analyzer that found nothing to do. */
  is_no_op: boolean;
}

/** The inputs of a worker; null in a step that is none. */
export function getBatchWorkerInputs(context: StepContext): Partial<RustBatchWorkerInputs> | null {
  const { cursor, batch_metadata, is_no_op } = context.stepInputs as Partial<RustBatchWorkerInputs>;
  if (typeof cursor !== 'object' || cursor === null || !('batch_id' in cursor)) return null;
  return { cursor, batch_metadata, is_no_op: is_no_op === true };
}

/**
 * The result of a placeholder, which an analyzer without batches has for its only worker; null when the step has a real
 * batch to work on, or is no worker.
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
