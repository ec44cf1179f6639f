import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aggregateBatchResults } from '../../../src/handlers/batch/aggregation.ts';
import { noBatchesResult } from '../../../src/handlers/batch/analyzer-result.ts';
import {
  createBatches,
  isCreateBatches,
  isNoBatches,
  noBatches,
} from '../../../src/handlers/batch/batch-processing-outcome.ts';
import { BatchWorkerContext, createBatchWorkerContext } from '../../../src/handlers/batch/batch-worker-context.ts';
import { BatchableMixin, BatchableStepHandler } from '../../../src/handlers/batch/batchable-mixin.ts';
import { CursorConfig } from '../../../src/handlers/batch/cursor-config.ts';
import { dependencyResult } from '../../../src/handlers/dependency-result.ts';
import { StepContext, type StepContextParams } from '../../../src/handlers/step-context.ts';

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

describe('ranges', () => {
  const sizes = (ranges: readonly CursorConfig[]) => ranges.map(({ batchSize }) => batchSize);

  it('are as large as asked for, the last one shorter, and no more than asked for', () => {
    expect(sizes(handler.createCursorRanges({ totalItems: 250, batchSize: 100, maxBatches: 5 }))).toEqual([
      100, 100, 50,
    ]);
    expect(sizes(handler.createCursorRanges({ totalItems: 1000, batchSize: 100, maxBatches: 5 }))).toEqual(
      Array(5).fill(200),
    );
    expect(handler.createCursorRanges({ totalItems: 0, batchSize: 100 })).toEqual([]);
    expect(handler.createCursorRanges(10, 10)).toEqual([
      { startCursor: 0, endCursor: 10, batchSize: 10, stepSize: 1, metadata: {} },
    ]);
  });

  it('are the same in all forms', () => {
    const ranges = handler.createCursorRanges({ totalItems: 1000, batchSize: 100, stepSize: 10, maxBatches: 5 });
    expect(handler.createCursorRanges(1000, 100, 10, 5)).toEqual(ranges);
    expect(handler.createCursorRanges(1000, 100, { stepSize: 10, maxBatches: 5 })).toEqual(ranges);
  });

  it('adjoin, begin at 0 and end at the total, whatever the sizes', () => {
    const natural = fc.integer({ min: 0, max: 5000 });
    const size = fc.integer({ min: 1, max: 600 });
    fc.assert(
      fc.property(
        natural,
        size,
        fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined }),
        (total, batch, max) => {
          const ranges = handler.createCursorRanges({ totalItems: total, batchSize: batch, maxBatches: max });
          let at = 0;
          for (const { startCursor, endCursor } of ranges) {
            expect(startCursor).toBe(at);
            expect(endCursor).toBeGreaterThan(startCursor);
            at = endCursor;
          }
          expect(at).toBe(total);
          if (max !== undefined) expect(ranges.length).toBeLessThanOrEqual(max);
        },
      ),
    );
  });

  it('can be dealt out to a number of workers', () => {
    const shares = handler.createCursorConfigs(10, 3);
    expect(shares.map(({ row_count }) => row_count)).toEqual([4, 4, 2]);
    expect(shares[2]).toEqual({
      batch_id: '003',
      cursor_start: 8,
      cursor_end: 10,
      row_count: 2,
      worker_index: 2,
      total_workers: 3,
    });
    expect(handler.createCursorConfigs(0, 3)).toEqual([]);
    expect(handler.createCursorConfigs(10, 6).map(({ row_count }) => row_count)).toEqual([2, 2, 2, 2, 2]);
  });

  it.each([
    [() => handler.createCursorRanges(10, 0), 'createCursorRanges: batchSize must be a whole number above 0, not 0'],
    [() => handler.createCursorRanges(10, Number.NaN), 'batchSize must be a whole number above 0, not NaN'],
    [() => handler.createCursorRanges(-1, 10), 'totalItems must be a whole number from 0 on, not -1'],
    [() => handler.createCursorRanges('10' as never, 10), "totalItems must be a whole number from 0 on, not '10'"],
    [() => handler.createCursorRanges(10, 2.5), 'batchSize must be a whole number above 0, not 2.5'],
    [() => handler.createCursorRanges(10, 2, 0), 'stepSize must be a whole number above 0, not 0'],
    [() => handler.createCursorRanges({ totalItems: 10, batchSize: 2, maxBatches: 0 }), 'maxBatches must be'],
    [() => handler.createCursorRanges(10_001, 1), 'that is 10001 workers, and at most 10000 are possible'],
    [
      () => handler.createCursorConfigs(10, 0),
      'createCursorConfigs: workerCount must be a whole number above 0, not 0',
    ],
    [() => handler.createCursorConfigs(20_000, 20_000), 'that is 20000 workers'],
    [() => CursorConfig({ startCursor: 5, endCursor: 4 }), 'CursorConfig: endCursor: is before startCursor'],
    [() => CursorConfig({ startCursor: 0, endCursor: 4, size: 4 } as never), 'CursorConfig: Unrecognized key: "size"'],
  ])('that make no sense throw what is wrong (%#)', (make, message) => {
    expect(make).toThrow(refused(message));
  });

  it('may be made by CursorConfig, with its defaults', () => {
    expect(CursorConfig({ batchSize: 100, startCursor: 0, endCursor: 1000 })).toEqual({
      batchSize: 100,
      startCursor: 0,
      endCursor: 1000,
      stepSize: 1,
      metadata: {},
    });
    expect(CursorConfig({ startCursor: 10, endCursor: 30 }).batchSize).toBe(20);
  });
});

describe("an analyzer's result", () => {
  const cursorConfigs = handler.createCursorRanges(250, 200);
  const stored = {
    batch_processing_outcome: {
      type: 'create_batches',
      worker_template_name: 'process_csv_batch',
      worker_count: 2,
      cursor_configs: [
        { batch_id: '001', start_cursor: 0, end_cursor: 200, batch_size: 200 },
        { batch_id: '002', start_cursor: 200, end_cursor: 250, batch_size: 50 },
      ],
      total_items: 250,
    },
    worker_count: 2,
    total_items: 250,
    batch_metadata: { csv_path: '/tmp/a.csv' },
  };
  const analysis = {
    cursorConfigs,
    totalItems: 250,
    workerTemplateName: 'process_csv_batch',
    batchMetadata: { csv_path: '/tmp/a.csv' },
  };

  it('is stored the same however it was written', () => {
    const written = [
      handler.batchAnalyzerSuccess({ ...analysis, metadata: { by: 'Ada' } }),
      handler.batchAnalyzerSuccess(analysis, { by: 'Ada' }),
      handler.batchAnalyzerSuccess({ ...analysis, totalItems: null }, { by: 'Ada' }),
    ];
    for (const one of written) {
      expect(one.result).toEqual(stored);
      expect(one.metadata).toEqual({ by: 'Ada', batch_analyzer: true });
    }
    const { workerTemplateName, batchMetadata } = analysis;
    expect(handler.batchAnalyzerSuccess(cursorConfigs, 250, workerTemplateName, batchMetadata).result).toEqual(stored);
  });

  it('leaves the worker template to the template when none is given', () => {
    const { batch_processing_outcome } = handler.batchAnalyzerSuccess(handler.createBatchOutcome(250, 200)).result!;
    expect(batch_processing_outcome).not.toHaveProperty('worker_template_name');
    expect(batch_processing_outcome).toMatchObject({ type: 'create_batches', worker_count: 2, total_items: 250 });
  });

  it('takes ranges in any form: shares, stored cursors, ranges of its own', () => {
    const cursorsOf = (configs: Parameters<typeof handler.batchSuccess>[1]) =>
      (handler.batchSuccess('w', configs).result!.batch_processing_outcome as { cursor_configs: unknown })
        .cursor_configs;
    const first = { batch_id: '001', start_cursor: 0, end_cursor: 5, batch_size: 5 };
    expect(cursorsOf(handler.createCursorConfigs(5, 1))).toEqual([first]);
    expect(cursorsOf([{ startCursor: 0, endCursor: 5, stepSize: 1, metadata: {} }])).toEqual([first]);
    const names = { batch_id: 'a_to_m', start_cursor: 'a', end_cursor: 'm', batch_size: 40 };
    expect(cursorsOf([names])).toEqual([names]);
    expect(cursorsOf([CursorConfig({ startCursor: 0, endCursor: 1000, batchSize: 100 })])).toMatchObject([
      { batch_size: 100 },
    ]);
    expect(cursorsOf([CursorConfig({ startCursor: 0, endCursor: 5, stepSize: 2, metadata: { shard: 1 } })])).toEqual([
      { ...first, step_size: 2, metadata: { shard: 1 } },
    ]);
    const outcome = handler.createBatchOutcomeFromRanges(
      [
        [0, 10],
        [10, 15],
      ],
      1,
      undefined,
      { reason: 'sharded' },
    );
    expect(outcome).toMatchObject({ totalItems: 15, batchMetadata: { reason: 'sharded' } });
  });

  it('is no_batches when there are no ranges', () => {
    expect(
      handler.batchAnalyzerSuccess({ cursorConfigs: [], totalItems: 0, batchMetadata: { csv_path: 'a' } }),
    ).toMatchObject({
      success: true,
      result: {
        batch_processing_outcome: { type: 'no_batches' },
        reason: 'empty_dataset',
        batch_metadata: { csv_path: 'a' },
      },
      metadata: { batch_analyzer: true },
    });
    expect(
      handler.batchAnalyzerSuccess(handler.createBatchOutcome(0, 10, 1, { reason: 'weekend' })).result,
    ).toMatchObject({
      reason: 'weekend',
    });
    expect(handler.noBatchesResult('empty', { day: 'Sunday' }).result).toEqual({
      batch_processing_outcome: { type: 'no_batches' },
      reason: 'empty',
      day: 'Sunday',
    });
    expect(handler.noBatchesOutcome('empty')).toEqual(noBatchesResult('empty'));
  });

  it('has the metadata of batchSuccess and noBatchesResult also as the metadata of the result', () => {
    const batches = handler.batchSuccess('w', handler.createCursorConfigs(5, 1), { csv_path: 'a' });
    expect(batches.metadata).toEqual({ csv_path: 'a', batch_analyzer: true });
    const none = handler.noBatchesResult('empty', { csv_path: 'a' });
    expect(none.metadata).toEqual({ csv_path: 'a', batch_analyzer: true, no_batches: true });
    expect(none.result).toMatchObject({ csv_path: 'a', reason: 'empty' });
  });

  it('is refused when createBatches gets a different number of cursors than workers', () => {
    const cursor = { batch_id: '001', start_cursor: 0, end_cursor: 5, batch_size: 5 };
    expect(() => createBatches('w', 2, [cursor], 5)).toThrow(
      refused('^createBatches: workerCount is 2, but cursorConfigs.length is 1; make them equal$'),
    );
    expect(() => createBatches('w', 0, [cursor], 5)).toThrow(refused('workerCount is 0'));
    expect(createBatches('w', 1, [cursor], 5)).toMatchObject({ worker_count: 1, cursor_configs: [cursor] });
  });

  it('of batchSuccess has the metadata beside the outcome', () => {
    expect(handler.batchSuccess('w', handler.createCursorConfigs(5, 1), { csv_path: 'a' }).result).toMatchObject({
      csv_path: 'a',
      batch_processing_outcome: { type: 'create_batches', worker_template_name: 'w' },
    });
  });

  it.each([
    [
      () => handler.batchAnalyzerSuccess({ cursorConfigs: undefined as never }),
      'cursorConfigs must be a list, not undefined',
    ],
    [() => handler.batchAnalyzerSuccess([7 as never]), 'batch 001: a cursor must be an object, not 7'],
    [() => handler.batchAnalyzerSuccess([{} as never]), 'batch 001: a cursor has a startCursor and an endCursor'],
    [
      () => handler.batchAnalyzerSuccess(cursorConfigs, Number.NaN),
      'totalItems must be a whole number from 0 on, not NaN',
    ],
    [
      () => {
        const cursor = { batch_id: 'x', start_cursor: 0, end_cursor: 1, batch_size: 1 };
        return handler.batchAnalyzerSuccess([cursor, cursor]);
      },
      'batches: two of them have the id x',
    ],
  ])('that makes no sense throws what is wrong (%#)', (make, message) => {
    expect(make).toThrow(refused(message));
  });

  it('can be made of its parts', () => {
    const outcome = createBatches('w', 0, [], 0);
    expect([isCreateBatches(outcome), isNoBatches(outcome), isNoBatches(noBatches())]).toEqual([true, false, true]);
  });
});

describe("a worker's result", () => {
  const stored = {
    items_processed: 100,
    items_succeeded: 97,
    items_failed: 3,
    items_skipped: 0,
    last_cursor: 100,
    batch_metadata: {},
    results: [{ id: 1 }],
  };

  it('is stored the same, flat, however it was written', () => {
    const work = { itemsProcessed: 100, itemsSucceeded: 97, itemsFailed: 3, results: [{ id: 1 }], lastCursor: 100 };
    const written = [
      handler.batchWorkerSuccess({ ...work, metadata: { ms: 5 } }),
      handler.batchWorkerSuccess(work, { ms: 5 }),
      handler.batchWorkerSuccess(100, 97, 3, [{ id: 1 }], 100, { ms: 5 }),
      handler.batchWorkerSuccess(handler.createWorkerOutcome(100, 97, 3, 0, [{ id: 1 }], [], 100), { ms: 5 }),
    ];
    for (const one of written) {
      expect(one.result).toEqual(stored);
      expect(one.metadata).toEqual({ ms: 5, batch_worker: true });
    }
  });

  it('keeps a zero, and counts the rest as succeeded when that is not said', () => {
    expect(
      handler.batchWorkerSuccess({ itemsProcessed: 5, itemsSucceeded: 0, itemsFailed: 5 }).result?.items_succeeded,
    ).toBe(0);
    expect(handler.createWorkerOutcome(5, 0).itemsSucceeded).toBe(0);
    const rest = handler.batchWorkerSuccess({ itemsProcessed: 10, itemsFailed: 2, itemsSkipped: 1 });
    expect(rest.result).toMatchObject({ items_succeeded: 7, items_failed: 2, items_skipped: 1 });
    expect(handler.batchWorkerSuccess({ itemsSucceeded: 4, itemsFailed: 1 }).result?.items_processed).toBe(5);
  });

  it('may tell failures of a batch that counts as done', () => {
    const result = handler.batchWorkerPartialFailure({ itemsProcessed: 5, itemsFailed: 2 }, 'two rows are broken', {
      ms: 1,
    });
    expect(result).toMatchObject({
      success: true,
      result: { items_failed: 2, partial_failure: true, partial_failure_message: 'two rows are broken' },
      metadata: { ms: 1, batch_worker: true, had_failures: true },
    });
  });

  it('that says nothing fails for good, and one that makes no sense throws', () => {
    const silent = { success: false, errorType: 'invalid_args', retryable: false };
    expect(handler.batchWorkerSuccess({})).toMatchObject(silent);
    expect(handler.batchWorkerPartialFailure({})).toMatchObject(silent);
    expect(() => handler.batchWorkerSuccess({ itemsProcessed: -1 })).toThrow(
      refused('batch worker: itemsProcessed must be a whole number from 0 on, not -1'),
    );
  });
});

describe('a checkpoint', () => {
  it('is the same by position and in one object, and its cursor may be an object', () => {
    const yielded = handler.checkpointYield(50, 50, { sum: 1275 });
    expect(yielded).toMatchObject({
      success: true,
      result: { type: 'checkpoint_yield', cursor: 50, items_processed: 50, accumulated_results: { sum: 1275 } },
      metadata: { checkpoint_yield: true, batch_worker: true },
    });
    expect(handler.checkpointYield({ cursor: 50, itemsProcessed: 50, accumulatedResults: { sum: 1275 } })).toEqual(
      yielded,
    );
    expect(handler.checkpointYield({ page: 'x', at: 3 }, 7).result).toEqual({
      type: 'checkpoint_yield',
      cursor: { page: 'x', at: 3 },
      items_processed: 7,
    });
  });

  it.each([
    [
      () => handler.checkpointYield({ itemsProcessed: 3 } as never),
      'checkpointYield: the cursor says where to go on; it is missing',
    ],
    [() => handler.checkpointYield(1, -3), 'itemsProcessed must be a whole number from 0 on, not -3'],
    [() => handler.checkpointYield(1, 3, [] as never), 'accumulatedResults must be an object, not a list of 0'],
  ])('that makes no sense throws what is wrong (%#)', (make, message) => {
    expect(make).toThrow(refused(message));
  });
});

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

  it('tells the batch', () => {
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

  it('has what an earlier attempt saved', () => {
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

  it('is null in a plain step, also in one whose own configuration speaks of a cursor', () => {
    expect(handler.getBatchContext(contextOf())).toBeNull();
    expect(handler.getBatchContext(contextOf({ stepInputs: { cursor: 5 } }))).toBeNull();
    expect(handler.getBatchWorkerInputs(contextOf({ stepInputs: { carrier: 'x' } }))).toBeNull();
  });

  it('can be made by hand, of inputs or of its parts', () => {
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

  it('reads a cursor of stepInputs that has no id', () => {
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
  ])('refuses %j, which is not a batch, and does not read it as an empty range', (wrong, what) => {
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

  it('takes a cursor of any form from the engine', () => {
    const context = contextOf({ stepInputs: { cursor: { batch_id: 'x', shard: 3 } } });
    expect(handler.getBatchContext(context)).toMatchObject({ batchId: 'x', cursor: { shard: 3 } });
    expect(handler.getBatchContext(contextOf({ stepInputs: { cursor: { batch_id: 'x' } } }))?.batchId).toBe('x');
  });

  it('keeps cursors that are no numbers', () => {
    const names = { batch_id: '001', start_cursor: 'a', end_cursor: 'm', batch_size: 40 };
    const batch = handler.getBatchContext(contextOf({ stepInputs: { ...stepInputs, cursor: names } }))!;
    expect(batch).toMatchObject({ cursor: names, startCursor: 0, endCursor: 0, batchSize: 40 });
  });

  it('answers for a placeholder, and leaves a real batch and a plain step alone', () => {
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

describe('aggregation', () => {
  const work = { items_processed: 100, items_succeeded: 97, items_failed: 3, items_skipped: 0 };

  it('adds up flat, nested and enveloped results, and leaves out what is absent', () => {
    const results = [
      { ...work, errors: [{ row: 1 }, { row: 2 }, { row: 3 }] },
      null,
      undefined,
      { batch_worker_outcome: { ...work, items_succeeded: 100, items_failed: 0 } },
      dependencyResult({ stepUuid: 's', result: { processed: 10, succeeded: 9, failed: 1, skipped: 0 } }),
    ];
    const expected = {
      total_processed: 210,
      total_succeeded: 206,
      total_failed: 4,
      total_skipped: 0,
      batch_count: 3,
      success_rate: 206 / 210,
      errors: [{ row: 1 }, { row: 2 }],
      error_count: 3,
    };
    expect(handler.aggregateWorkerResults(results, 2)).toEqual(expected);
    expect(BatchableMixin.aggregateWorkerResults(results, 2)).toEqual(expected);
    expect(Handler.aggregateWorkerResults(results, 2)).toEqual(expected);
    expect(aggregateBatchResults(results, 2)).toEqual(expected);
  });

  it('of two workers of 100 with three failures has a rate of 0.985, and of none 0', () => {
    const all = { ...work, items_succeeded: 100, items_failed: 0 };
    expect(aggregateBatchResults([work, all])).toMatchObject({
      total_processed: 200,
      total_failed: 3,
      success_rate: 0.985,
    });
    expect(aggregateBatchResults([])).toMatchObject({ success_rate: 0, batch_count: 0 });
  });

  it('keeps 100 errors unless told otherwise', () => {
    const errors = Array.from({ length: 150 }, (_, row) => ({ row }));
    const { errors: kept, error_count } = aggregateBatchResults([{ errors }]);
    expect([kept.length, error_count]).toEqual([100, 150]);
  });

  const made = { batch_processing_outcome: createBatches('post', 0, [], 2), total_items: 2 };
  const envelopes = {
    load: dependencyResult({ stepUuid: 'l', result: {} }),
    analyze: dependencyResult({ stepUuid: 'a', result: made }),
    post_1000: dependencyResult({ stepUuid: 'w2', result: { items_processed: 2 } }),
    post_999: dependencyResult({ stepUuid: 'w1', result: { items_processed: 1 } }),
  };

  it('knows whether there were batches', () => {
    const scenario = handler.detectAggregationScenario(envelopes, 'analyze', 'post_');
    expect(scenario).toEqual({
      isNoBatches: false,
      batchableResult: made,
      batchResults: { post_999: { items_processed: 1 }, post_1000: { items_processed: 2 } },
      workerCount: 2,
    });
    expect(Object.keys(scenario.batchResults)).toEqual(['post_999', 'post_1000']);
    expect(handler.aggregateBatchWorkerResults(scenario).result).toEqual({
      batch_results: scenario.batchResults,
      worker_count: 2,
      scenario: 'with_batches',
    });
    const summed = handler.aggregateBatchWorkerResults(scenario, {}, (all) => ({ posted: Object.keys(all).length }));
    expect(summed.result).toEqual({ posted: 2, worker_count: 2, scenario: 'with_batches' });
  });

  it('gives the zero metrics without batches, bare results or not', () => {
    const nothing = { analyze: { batch_processing_outcome: { type: 'no_batches' } }, post_000: { no_op: true } };
    const scenario = handler.detectAggregationScenario(nothing, 'analyze', 'post_');
    expect(scenario).toMatchObject({ isNoBatches: true, batchResults: {}, workerCount: 0 });
    expect(handler.aggregateBatchWorkerResults(scenario, { total: 0 }).result).toEqual({
      total: 0,
      worker_count: 0,
      scenario: 'no_batches',
    });
    const elsewhere = { analyze: { batch_analyzer_outcome: { cursor_configs: [], total_items: 0 } } };
    expect(handler.detectAggregationScenario(elsewhere, 'analyze', 'post_').isNoBatches).toBe(true);
  });

  it('finds the results in { result } as context.getDependencyResult does', () => {
    const outcome = { batch_processing_outcome: createBatches('w', 0, [], 0), total_items: 10 };
    const results = { analyze: { result: outcome }, w_001: { result: work }, w_002: work, w_003: { result: null } };
    const scenario = handler.detectAggregationScenario(results, 'analyze', 'w_');
    const context = contextOf({ dependencyResults: results });
    expect(scenario).toEqual({
      isNoBatches: false,
      batchableResult: context.getDependencyResult('analyze'),
      batchResults: { w_001: context.getDependencyResult('w_001'), w_002: work, w_003: {} },
      workerCount: 3,
    });
    const none = { analyze: { result: { batch_processing_outcome: noBatches() } } };
    expect(handler.detectAggregationScenario(none, 'analyze', 'w_').isNoBatches).toBe(true);
  });

  it('says which dependency is missing', () => {
    expect(() => handler.detectAggregationScenario(envelopes, 'analyse', 'post_')).toThrow(
      refused('missing batchable step dependency: analyse; there are load, analyze, post_1000, post_999'),
    );
    expect(() => handler.detectAggregationScenario({ analyze: made }, 'analyze', 'post_')).toThrow(
      refused('no batch workers found with prefix post_; there are analyze'),
    );
  });
});
