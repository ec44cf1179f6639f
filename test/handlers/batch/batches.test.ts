import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { noBatchesResult } from '../../../src/handlers/batch/analyzer-result.ts';
import {
  createBatches,
  isCreateBatches,
  isNoBatches,
  noBatches,
} from '../../../src/handlers/batch/batch-processing-outcome.ts';
import { BatchableStepHandler } from '../../../src/handlers/batch/batchable-mixin.ts';
import { CursorConfig } from '../../../src/handlers/batch/cursor-config.ts';

class Handler extends BatchableStepHandler {
  static override handlerName = 'batches';
  call() {
    return this.success();
  }
}
const handler = new Handler();
const refused = (message: string | RegExp) =>
  expect.objectContaining({ message: expect.stringMatching(message), errorType: 'validation_error', retryable: false });

describe('ranges', () => {
  const sizes = (ranges: readonly CursorConfig[]) => ranges.map(({ batchSize }) => batchSize);

  it('have the requested size, except for the last range, and do not exceed the requested number', () => {
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

  it('are the same in all argument forms', () => {
    const ranges = handler.createCursorRanges({ totalItems: 1000, batchSize: 100, stepSize: 10, maxBatches: 5 });
    expect(handler.createCursorRanges(1000, 100, 10, 5)).toEqual(ranges);
    expect(handler.createCursorRanges(1000, 100, { stepSize: 10, maxBatches: 5 })).toEqual(ranges);
  });

  it('are contiguous from 0 to the total, for all sizes', () => {
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

  it('can be distributed among a number of workers', () => {
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
    [() => handler.createCursorRanges(10, 0), 'createCursorRanges: batchSize must be > 0 and an integer, not 0'],
    [() => handler.createCursorRanges(10, Number.NaN), 'batchSize must be > 0 and an integer, not NaN'],
    [() => handler.createCursorRanges(-1, 10), 'totalItems must be a non-negative integer, not -1'],
    [() => handler.createCursorRanges('10' as never, 10), "totalItems must be a non-negative integer, not '10'"],
    [() => handler.createCursorRanges(10, 2.5), 'batchSize must be > 0 and an integer, not 2.5'],
    [() => handler.createCursorRanges(10, 2, 0), 'stepSize must be > 0 and an integer, not 0'],
    [() => handler.createCursorRanges({ totalItems: 10, batchSize: 2, maxBatches: 0 }), 'maxBatches must be'],
    [() => handler.createCursorRanges(10_001, 1), '10001 workers are more than the maximum of 10000'],
    [() => handler.createCursorConfigs(10, 0), 'createCursorConfigs: workerCount must be > 0 and an integer, not 0'],
    [() => handler.createCursorConfigs(20_000, 20_000), '20000 workers are more'],
    [() => CursorConfig({ startCursor: 5, endCursor: 4 }), 'CursorConfig: endCursor: is before startCursor'],
    [() => CursorConfig({ startCursor: 0, endCursor: 4, size: 4 } as never), 'CursorConfig: Unrecognized key: "size"'],
  ])('throw an error that names the invalid argument (%#)', (make, message) => {
    expect(make).toThrow(refused(message));
  });

  it('can be created by CursorConfig, with defaults', () => {
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

  it('is stored in the same form for all argument forms', () => {
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

  it('uses the worker template of the template by default', () => {
    const { batch_processing_outcome } = handler.batchAnalyzerSuccess(handler.createBatchOutcome(250, 200)).result!;
    expect(batch_processing_outcome).not.toHaveProperty('worker_template_name');
    expect(batch_processing_outcome).toMatchObject({ type: 'create_batches', worker_count: 2, total_items: 250 });
  });

  it('accepts ranges in any form: shares, stored cursors, custom ranges', () => {
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

  it('is no_batches without ranges', () => {
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

  it('has the given metadata, which noBatchesResult adds to the result', () => {
    const batches = handler.batchSuccess('w', handler.createCursorConfigs(5, 1), { csv_path: 'a' });
    expect(batches.metadata).toEqual({ csv_path: 'a', batch_analyzer: true });
    const none = handler.noBatchesResult('empty', { csv_path: 'a' });
    expect(none.metadata).toEqual({ csv_path: 'a', batch_analyzer: true, no_batches: true });
    expect(none.result).toMatchObject({ csv_path: 'a', reason: 'empty' });
  });

  it('throws if createBatches gets a different number of cursors than workers', () => {
    const cursor = { batch_id: '001', start_cursor: 0, end_cursor: 5, batch_size: 5 };
    expect(() => createBatches('w', 2, [cursor], 5)).toThrow(
      refused('^createBatches: workerCount is 2, but cursorConfigs.length is 1; make them equal$'),
    );
    expect(() => createBatches('w', 0, [cursor], 5)).toThrow(refused('workerCount is 0'));
    expect(createBatches('w', 1, [cursor], 5)).toMatchObject({ worker_count: 1, cursor_configs: [cursor] });
  });

  it('from batchSuccess has the metadata next to the outcome', () => {
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
    [() => handler.batchAnalyzerSuccess([{} as never]), 'batch 001: the cursor has no startCursor and endCursor'],
    [
      () => handler.batchAnalyzerSuccess(cursorConfigs, Number.NaN),
      'totalItems must be a non-negative integer, not NaN',
    ],
    [
      () => {
        const cursor = { batch_id: 'x', start_cursor: 0, end_cursor: 1, batch_size: 1 };
        return handler.batchAnalyzerSuccess([cursor, cursor]);
      },
      'batches: two have the id x',
    ],
  ])('throws an error that names the invalid argument (%#)', (make, message) => {
    expect(make).toThrow(refused(message));
  });

  it('can be built from its parts', () => {
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

  it('is stored in the same flat form for all argument forms', () => {
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

  it('keeps a zero, and by default counts the remaining items as succeeded', () => {
    expect(
      handler.batchWorkerSuccess({ itemsProcessed: 5, itemsSucceeded: 0, itemsFailed: 5 }).result?.items_succeeded,
    ).toBe(0);
    expect(handler.createWorkerOutcome(5, 0).itemsSucceeded).toBe(0);
    const rest = handler.batchWorkerSuccess({ itemsProcessed: 10, itemsFailed: 2, itemsSkipped: 1 });
    expect(rest.result).toMatchObject({ items_succeeded: 7, items_failed: 2, items_skipped: 1 });
    expect(handler.batchWorkerSuccess({ itemsSucceeded: 4, itemsFailed: 1 }).result?.items_processed).toBe(5);
  });

  it('can report failures in a batch that is complete', () => {
    const result = handler.batchWorkerPartialFailure({ itemsProcessed: 5, itemsFailed: 2 }, 'two rows are broken', {
      ms: 1,
    });
    expect(result).toMatchObject({
      success: true,
      result: { items_failed: 2, partial_failure: true, partial_failure_message: 'two rows are broken' },
      metadata: { ms: 1, batch_worker: true, had_failures: true },
    });
  });

  it('without counts fails permanently, and with invalid counts throws', () => {
    const silent = { success: false, errorType: 'invalid_args', retryable: false };
    expect(handler.batchWorkerSuccess({})).toMatchObject(silent);
    expect(handler.batchWorkerPartialFailure({})).toMatchObject(silent);
    expect(() => handler.batchWorkerSuccess({ itemsProcessed: -1 })).toThrow(
      refused('batch worker: itemsProcessed must be a non-negative integer, not -1'),
    );
  });
});

describe('a checkpoint', () => {
  it('is the same whether arguments are positional or one object, and its cursor can be an object', () => {
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
      'checkpointYield: cursor is missing; pass the position to resume from',
    ],
    [() => handler.checkpointYield(1, -3), 'itemsProcessed must be a non-negative integer, not -3'],
    [() => handler.checkpointYield(1, 3, [] as never), 'accumulatedResults must be an object, not a list of 0'],
  ])('throws an error that names the invalid argument (%#)', (make, message) => {
    expect(make).toThrow(refused(message));
  });
});
