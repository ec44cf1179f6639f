import { describe, expect, it } from 'vitest';
import { createBatches } from '../../../src/handlers/batch/batch-processing-outcome.ts';
import { BatchWorkerContext, createBatchWorkerContext } from '../../../src/handlers/batch/batch-worker-context.ts';
import { BatchableStepHandler } from '../../../src/handlers/batch/batchable-mixin.ts';
import { dependencyResult } from '../../../src/handlers/dependency-result.ts';
import { StepContext } from '../../../src/handlers/step-context.ts';
import type { StepContextParams } from '../../../src/handlers/step-context-params.ts';

class Handler extends BatchableStepHandler {
  static override handlerName = 'batches';
  call() {
    return this.success();
  }
}
const handler = new Handler();
const contextOf = (params: Partial<StepContextParams> = {}) =>
  new StepContext({ taskUuid: 't', stepUuid: 's', handlerName: 'x', ...params });
const refused = (message: string | RegExp) =>
  expect.objectContaining({ message: expect.stringMatching(message), errorType: 'validation_error', retryable: false });

describe("a worker's context", () => {
  const cursor = { batch_id: '002', start_cursor: 500, end_cursor: 1000, batch_size: 500 };
  const stepInputs = {
    currency: 'EUR',
    cursor,
    batch_metadata: { cursor_field: 'row_number', failure_strategy: 'continue_on_failure' },
    is_no_op: false,
    __template_step_name: 'process_csv_batch',
  };
  const analyzer = {
    batch_processing_outcome: createBatches('process_csv_batch', 2, [{ ...cursor, batch_id: '001' }, cursor], 1000),
  };

  it('describes the batch', () => {
    const context = contextOf({
      stepInputs,
      dependencyResults: { load: {}, analyze_csv: dependencyResult({ stepUuid: 'a', result: analyzer }) },
    });
    const batch = handler.getBatchContext(context)!;
    expect(batch).toMatchObject({
      batchId: '002',
      batchIndex: 1,
      totalBatches: 2,
      startCursor: 500,
      endCursor: 1000,
      stepSize: 1,
      batchSize: 500,
      isNoOp: false,
      batchMetadata: stepInputs.batch_metadata,
      cursorConfig: { startCursor: 500, endCursor: 1000, batchSize: 500, stepSize: 1, metadata: {} },
      checkpoint: {},
      checkpointCursor: undefined,
      accumulatedResults: undefined,
      checkpointItemsProcessed: 0,
    });
    expect(batch.hasCheckpoint()).toBe(false);
    expect(handler.getBatchWorkerInputs(context)).toEqual({
      cursor,
      batch_metadata: stepInputs.batch_metadata,
      is_no_op: false,
    });
  });

  it('has the checkpoint of an earlier attempt', () => {
    const checkpoint = { cursor: 750, items_processed: 250, accumulated_results: { sum: 9 }, history: [] };
    const batch = handler.getBatchContext(contextOf({ stepInputs, checkpoint }))!;
    expect(batch).toMatchObject({
      checkpoint,
      checkpointCursor: 750,
      checkpointItemsProcessed: 250,
      accumulatedResults: { sum: 9 },
    });
    expect(batch.hasCheckpoint()).toBe(true);
  });

  it("is null in an ordinary step, even if the step's configuration has a cursor", () => {
    expect(handler.getBatchContext(contextOf())).toBeNull();
    expect(handler.getBatchContext(contextOf({ stepInputs: { cursor: 5 } }))).toBeNull();
    expect(handler.getBatchWorkerInputs(contextOf({ stepInputs: { carrier: 'x' } }))).toBeNull();
  });

  it('can be created by hand, from inputs or from its parts', () => {
    const byHand = createBatchWorkerContext({ ...stepInputs, batch_index: 4, total_batches: 9 }, { cursor: 'k' });
    expect(byHand).toMatchObject({ batchId: '002', batchIndex: 4, totalBatches: 9, checkpointCursor: 'k' });
    expect(
      BatchWorkerContext.fromStepData({ batch_id: '001', cursor_config: { start_cursor: 1, end_cursor: 3 } }),
    ).toMatchObject({
      batchId: '001',
      batchIndex: 0,
      totalBatches: 1,
      startCursor: 1,
      batchSize: 2,
    });
    const parts = handler.createBatchContext(handler.createCursorConfig(10, 30, 5), 2, 4, { a: 1 });
    expect(parts).toMatchObject({
      batchId: '003',
      batchIndex: 2,
      totalBatches: 4,
      stepSize: 5,
      batchSize: 20,
      batchMetadata: { a: 1 },
    });
  });

  const flat = { batch_id: 'batch_004', start_cursor: 300, end_cursor: 400, step_size: 25 };
  const nested = { batch_id: 'batch_004', cursor: { start_cursor: 300, end_cursor: 400, step_size: 25 } };
  const nestedConfig = { cursor_config: { ...flat, batch_id: 'batch_004' }, batch_index: 4 };

  it.each([
    ['stepConfig', flat],
    ['stepConfig', nested],
    ['inputData', flat],
    ['inputData', nestedConfig],
    ['stepInputs', nested],
    ['stepInputs', flat],
  ])('is read from batch_context of %s, in the form %j', (where, batch_context) => {
    const batch = handler.getBatchContext(contextOf({ [where]: { batch_context }, checkpoint: { cursor: 350 } }))!;
    expect(batch).toMatchObject({
      batchId: 'batch_004',
      batchIndex: 4,
      startCursor: 300,
      endCursor: 400,
      stepSize: 25,
      batchSize: 100,
      checkpointCursor: 350,
    });
  });

  it('is read from stepInputs.cursor first, then from stepConfig, inputData and stepInputs', () => {
    const at = (start_cursor: number) => ({ batch_context: { ...flat, start_cursor } });
    const all = { stepConfig: at(1), inputData: at(2), stepInputs: { ...stepInputs, ...at(3) } };
    const start = (params: Partial<StepContextParams>) => handler.getBatchContext(contextOf(params))?.startCursor;
    expect(start(all)).toBe(500);
    expect(start({ ...all, stepInputs: at(3) })).toBe(1);
    expect(start({ inputData: at(2), stepInputs: at(3) })).toBe(2);
    expect(start({ stepConfig: { batch_context: null }, stepInputs: at(3) })).toBe(3);
  });

  it('accepts a cursor without an id in stepInputs', () => {
    const context = contextOf({ stepInputs: { cursor: { start_cursor: 0, end_cursor: 10 } } });
    expect(handler.getBatchContext(context)).toMatchObject({
      batchId: '',
      startCursor: 0,
      endCursor: 10,
      batchSize: 10,
    });
  });

  it.each([
    [5, '5'],
    [[flat], 'a list of 1'],
    [{}, 'an object without keys'],
    [{ batch_id: '001' }, 'an object with batch_id'],
    [{ batch_id: '001', start_cursor: 0 }, 'an object with batch_id, start_cursor'],
    [{ batch_id: '001', cursor: { size: 5 } }, 'an object with batch_id, cursor'],
    [{ startCursor: 0, endCursor: 5 }, 'an object with startCursor, endCursor'],
  ])('throws for %j, which is not a batch, instead of reading an empty range', (wrong, what) => {
    const message = new RegExp(`^batch_context of inputData: .*start_cursor.*, got ${what}$`);
    expect(() => handler.getBatchContext(contextOf({ inputData: { batch_context: wrong } }))).toThrow(refused(message));
    expect(() => createBatchWorkerContext(wrong as Record<string, unknown>)).toThrow(
      refused(`^batch context: .*, got ${what}$`),
    );
  });

  it('can be created by hand from the flat form', () => {
    expect(createBatchWorkerContext(flat)).toMatchObject({
      batchId: 'batch_004',
      cursor: { ...flat, batch_size: 100 },
      startCursor: 300,
      endCursor: 400,
      stepSize: 25,
      cursorConfig: { startCursor: 300, endCursor: 400, stepSize: 25, batchSize: 100, metadata: {} },
    });
    const names = { batch_id: 1, start_cursor: 'a', end_cursor: 'm' };
    expect(createBatchWorkerContext(names)).toMatchObject({
      batchId: '1',
      cursor: { start_cursor: 'a' },
      batchSize: 0,
    });
  });

  it('accepts a cursor of any form from the engine', () => {
    const context = contextOf({ stepInputs: { cursor: { batch_id: 'x', shard: 3 } } });
    expect(handler.getBatchContext(context)).toMatchObject({ batchId: 'x', cursor: { shard: 3 } });
    expect(handler.getBatchContext(contextOf({ stepInputs: { cursor: { batch_id: 'x' } } }))?.batchId).toBe('x');
  });

  it('keeps cursors that are not numbers', () => {
    const names = { batch_id: '001', start_cursor: 'a', end_cursor: 'm', batch_size: 40 };
    const batch = handler.getBatchContext(contextOf({ stepInputs: { ...stepInputs, cursor: names } }))!;
    expect(batch).toMatchObject({ cursor: names, startCursor: 0, endCursor: 0, batchSize: 40 });
  });

  it('returns a result for a placeholder, but not for a real batch or an ordinary step', () => {
    const placeholder = { cursor: { batch_id: '000', start_cursor: 0, end_cursor: 0, batch_size: 0 }, is_no_op: true };
    const context = contextOf({ stepInputs: placeholder });
    expect(handler.getBatchContext(context)).toMatchObject({ isNoOp: true, batchIndex: 0, batchSize: 0 });
    expect(handler.handleNoOpWorker(context)).toMatchObject({
      success: true,
      result: {
        batch_id: '000',
        no_op: true,
        processed_count: 0,
        items_processed: 0,
        processed_at: expect.any(String),
      },
    });
    expect(handler.handleNoOpWorker(contextOf({ stepInputs }))).toBeNull();
    expect(handler.handleNoOpWorker(contextOf())).toBeNull();
  });
});
