import { describe, expect, it } from 'vitest';
import { aggregateBatchResults } from '../../../src/handlers/batch/aggregation.ts';
import { createBatches, noBatches } from '../../../src/handlers/batch/batch-processing-outcome.ts';
import { BatchableMixin, BatchableStepHandler } from '../../../src/handlers/batch/batchable-mixin.ts';
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

describe('aggregation', () => {
  const work = { items_processed: 100, items_succeeded: 97, items_failed: 3, items_skipped: 0 };

  it('adds up flat, nested and enveloped results, and skips missing results', () => {
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

  it('has a success rate of 0.985 for 3 failures in 200 items, and of 0 without items', () => {
    const all = { ...work, items_succeeded: 100, items_failed: 0 };
    expect(aggregateBatchResults([work, all])).toMatchObject({
      total_processed: 200,
      total_failed: 3,
      success_rate: 0.985,
    });
    expect(aggregateBatchResults([])).toMatchObject({ success_rate: 0, batch_count: 0 });
  });

  it('keeps 100 errors by default', () => {
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

  it('detects whether there were batches', () => {
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

  it('returns the zero metrics without batches, for bare and enveloped results', () => {
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

  it('reads the results in { result } like context.getDependencyResult', () => {
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

  it('names the missing dependency', () => {
    expect(() => handler.detectAggregationScenario(envelopes, 'analyse', 'post_')).toThrow(
      refused('missing batchable step dependency: analyse; the dependencies are load, analyze, post_1000, post_999'),
    );
    expect(() => handler.detectAggregationScenario({ analyze: made }, 'analyze', 'post_')).toThrow(
      refused('no batch workers found with prefix post_; the dependencies are analyze'),
    );
  });
});
