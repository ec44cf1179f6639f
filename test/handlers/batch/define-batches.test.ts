import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { batchAnalyzerSuccess } from '../../../src/handlers/batch/analyzer-result.ts';
import { createBatches, noBatches } from '../../../src/handlers/batch/batch-processing-outcome.ts';
import { checkpointYield } from '../../../src/handlers/batch/checkpoint-yield.ts';
import { createCursorRanges } from '../../../src/handlers/batch/cursor-config.ts';
import { BatchConfig, defineBatchAnalyzer } from '../../../src/handlers/batch/define-batch-analyzer.ts';
import { defineBatchWorker } from '../../../src/handlers/batch/define-batch-worker.ts';
import { defineConvergence } from '../../../src/handlers/batch/define-convergence.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { StepContext } from '../../../src/handlers/step-context.ts';
import type { StepContextParams } from '../../../src/handlers/step-context-params.ts';
import { type StepHandlerClass, StepHandlerResult } from '../../../src/handlers/step-handler.ts';

function run(handler: StepHandlerClass, params: Partial<StepContextParams> = {}) {
  return new handler().call(new StepContext({ taskUuid: 't', stepUuid: 's', handlerName: 'x', ...params }));
}

describe('a defined analyzer', () => {
  it('splits the items that it counted', async () => {
    const analyze = defineBatchAnalyzer(
      'analyze_csv',
      { workerTemplate: 'process_csv_batch', inputs: { rows: z.number() } },
      async ({ rows }) => ({ totalItems: rows, batchSize: 100, metadata: { csv_path: 'a.csv' } }),
    );
    expect(new analyze().capabilities).toEqual(['process', 'batchable']);
    expect(await run(analyze, { inputData: { rows: 250 } })).toMatchObject({
      success: true,
      result: {
        batch_processing_outcome: {
          type: 'create_batches',
          worker_template_name: 'process_csv_batch',
          worker_count: 3,
          total_items: 250,
        },
        batch_metadata: { csv_path: 'a.csv' },
      },
      metadata: { batch_count: 3, total_items: 250, csv_path: 'a.csv', batch_analyzer: true },
    });
  });

  it('names its batches batch_000, batch_001 and so on, whereas class handlers use 001, 002', async () => {
    const ids = async (handler: StepHandlerClass) => {
      const { batch_processing_outcome } = (await run(handler)).result!;
      const { cursor_configs } = batch_processing_outcome as { cursor_configs: { batch_id: string }[] };
      return cursor_configs.map(({ batch_id }) => batch_id);
    };
    const sizes = defineBatchAnalyzer('a', {}, () => ({ totalItems: 1_001, batchSize: 1 }));
    const of = await ids(sizes);
    expect([of[0], of[1], of[999], of[1_000]]).toEqual(['batch_000', 'batch_001', 'batch_999', 'batch_1000']);
    const ranges = createCursorRanges({ totalItems: 2, batchSize: 1 });
    expect(await ids(defineBatchAnalyzer('a', {}, () => ({ cursorConfigs: ranges })))).toEqual(of.slice(0, 2));
    const made = () => batchAnalyzerSuccess({ cursorConfigs: ranges, totalItems: 2 });
    expect(await ids(defineBatchAnalyzer('a', {}, made))).toEqual(['001', '002']);
    expect(await ids(defineHandler('a', {}, made))).toEqual(['001', '002']);
  });

  it('without items returns no_batches with the name of the worker template', async () => {
    const analyze = defineBatchAnalyzer('a', { workerTemplate: 'w' }, () =>
      BatchConfig({ totalItems: 0, batchSize: 10 }),
    );
    expect((await run(analyze)).result).toMatchObject({
      batch_processing_outcome: { type: 'no_batches', worker_template_name: 'w' },
      reason: 'empty_dataset',
    });
  });

  it('can request fewer, larger batches, or return custom ranges or a result', async () => {
    const fewer = defineBatchAnalyzer('a', {}, () => ({ totalItems: 1000, batchSize: 100, maxBatches: 5 }));
    expect((await run(fewer)).result).toMatchObject({ worker_count: 5 });
    const own = defineBatchAnalyzer('a', { workerTemplate: 'w' }, () => ({
      cursorConfigs: [{ batch_id: 'x', start_cursor: 'a', end_cursor: 'm', batch_size: 4 }],
    }));
    expect((await run(own)).result).toMatchObject({
      batch_processing_outcome: { worker_template_name: 'w', total_items: 4 },
    });
    const byHand = { batch_processing_outcome: noBatches(), reason: 'empty' };
    expect((await run(defineBatchAnalyzer('a', {}, () => byHand))).result).toEqual(byHand);
    const result = StepHandlerResult.failure('no file');
    expect(await run(defineBatchAnalyzer('a', {}, () => result))).toBe(result);
  });

  it.each([
    [{ totalItems: 10, batchSize: 0 }, /^BatchConfig: batchSize: /],
    [{ totalItems: Number.NaN, batchSize: 1 }, /^BatchConfig: totalItems: /],
    [{ totalItems: 10, batchSize: 1, size: 2 }, /^BatchConfig: Unrecognized key: "size"$/],
    [{ totalItems: 10_001, batchSize: 1 }, /^createCursorRanges: 10001 workers are more than the maximum of 10000/],
    [7, /^analyzer a: its function returned 7; return { totalItems, batchSize }$/],
    [undefined, /^analyzer a: its function returned undefined/],
  ])('fails permanently if it returns an invalid value: %j', async (returned, message) => {
    expect(await run(defineBatchAnalyzer('a', {}, (() => returned) as never))).toMatchObject({
      success: false,
      errorType: 'validation_error',
      retryable: false,
      errorMessage: expect.stringMatching(message),
    });
  });
});

describe('a defined worker', () => {
  const cursor = { batch_id: '001', start_cursor: 0, end_cursor: 10, batch_size: 10 };
  const params = {
    stepInputs: { cursor, is_no_op: false },
    dependencyResults: { analyze: { batch_metadata: { path: 'a' } } },
  };
  const analyzerStep = ['analyze', z.object({ batch_metadata: z.object({ path: z.string() }) })] as const;

  it('receives its batch and the result of its analyzer', async () => {
    const worker = defineBatchWorker('w', { analyzerStep }, ({ batchContext, analyzer }) => ({
      path: analyzer.batch_metadata.path,
      size: batchContext?.batchSize,
    }));
    expect((await run(worker, params)).result).toEqual({ path: 'a', size: 10 });
  });

  it('stores counts in the form that aggregators read, and anything else unchanged', async () => {
    const counting = defineBatchWorker('w', {}, async () => ({ itemsProcessed: 10, itemsFailed: 1 }));
    expect(await run(counting, params)).toMatchObject({
      result: { items_processed: 10, items_succeeded: 9, items_failed: 1 },
      metadata: { batch_worker: true },
    });
    expect(
      (
        await run(
          defineBatchWorker('w', {}, () => [1]),
          params,
        )
      ).result,
    ).toEqual({ result: [1] });
    const going = defineBatchWorker('w', {}, () => checkpointYield(5, 5));
    expect(await run(going, params)).toMatchObject({ metadata: { checkpoint_yield: true } });
  });

  it('is not called for a placeholder', async () => {
    const worker = defineBatchWorker('w', { analyzerStep }, () => {
      throw new Error('called');
    });
    const placeholder = { ...cursor, batch_id: '000', end_cursor: 0, batch_size: 0 };
    expect(await run(worker, { stepInputs: { cursor: placeholder, is_no_op: true } })).toMatchObject({
      success: true,
      result: { batch_id: '000', no_op: true, items_processed: 0 },
    });
  });

  it('also finds its batch in batch_context, and fails permanently if that is not a batch', async () => {
    const worker = defineBatchWorker('w', {}, ({ batchContext }) => ({ itemsProcessed: batchContext!.batchSize }));
    const batch_context = { batch_id: '001', start_cursor: 0, end_cursor: 50, step_size: 10 };
    expect((await run(worker, { stepConfig: { batch_context } })).result).toMatchObject({ items_processed: 50 });
    expect(await run(worker, { stepConfig: { batch_context: 'all' } })).toMatchObject({
      success: false,
      errorType: 'validation_error',
      errorMessage: expect.stringMatching(/^batch_context of stepConfig: /),
      retryable: false,
    });
  });

  it('has null for a missing batch and analyzer', async () => {
    const worker = defineBatchWorker('w', {}, ({ batchContext, analyzer }) => ({ batchContext, analyzer }));
    expect((await run(worker)).result).toEqual({ batchContext: null, analyzer: null });
  });

  it('names the step and the path if the result of the analyzer is invalid', async () => {
    const worker = defineBatchWorker('w', { analyzerStep }, () => 1);
    expect(await run(worker, { ...params, dependencyResults: { analyze: { batch_metadata: {} } } })).toMatchObject({
      success: false,
      errorType: 'validation_error',
      errorMessage: expect.stringMatching(/^result of step analyze: batch_metadata\.path: /),
      retryable: false,
    });
  });

  it('does not allow its argument names for other arguments', () => {
    expect(() => defineBatchWorker('w', { inputs: { batchContext: 'x' } }, () => 1)).toThrow(
      expect.objectContaining({
        code: 'handler_invalid',
        message: 'handler w: a parameter cannot be named batchContext; choose another name',
      }),
    );
    expect(() => defineBatchWorker('w', { workers: 1 } as never, () => 1)).toThrow(
      'handler w: unknown option workers; the options are inputs, depends, version, isolation, analyzerStep',
    );
  });
});

describe('a defined convergence', () => {
  const cursors = ['001', '002', '003'].map((batch_id, index) => ({
    batch_id,
    start_cursor: index,
    end_cursor: index + 1,
    batch_size: 1,
  }));
  const analyze = { batch_processing_outcome: createBatches('post', 3, cursors, 3), batch_metadata: { path: 'a' } };
  const posted = {
    post_003: { items_processed: 3, items_succeeded: 3 },
    post_001: { items_processed: 1, items_succeeded: 1 },
  };
  const dependencyResults = { load: {}, analyze, post_summary_001: {}, ...posted };
  const everything = defineConvergence('sum', {}, ({ results, scenario, analyzer, totals }) => ({
    results,
    scenario,
    analyzer,
    totals,
  }));

  it('receives the existing results of workers in the order of the batches', async () => {
    expect((await run(everything, { dependencyResults })).result).toMatchObject({
      results: [posted.post_001, posted.post_003],
      scenario: { isNoBatches: false, workerCount: 2, batchResults: posted, batchableResult: analyze },
      analyzer: analyze,
      totals: { total_processed: 4, batch_count: 2, success_rate: 1 },
    });
  });

  it('finds the workers by their ids if the result of the analyzer does not name them', async () => {
    const { worker_template_name: _, ...outcome } = analyze.batch_processing_outcome;
    const unnamed = { load: {}, analyze: { batch_processing_outcome: outcome }, ...posted };
    expect((await run(everything, { dependencyResults: unnamed })).result).toMatchObject({
      results: [posted.post_001, posted.post_003],
    });
    const named = defineConvergence('sum', { workerTemplate: 'post' }, ({ results }) => results);
    expect((await run(named, { dependencyResults: { ...unnamed, post_summary_001: {} } })).result).toEqual({
      result: [posted.post_001, posted.post_003],
    });
  });

  it('fails if no worker has the misspelt workerTemplate, even in a context without a template', async () => {
    const misspelt = defineConvergence('sum', { workerTemplate: 'psot' }, ({ results }) => results);
    expect(await run(misspelt, { dependencyResults })).toMatchObject({
      success: false,
      errorType: 'validation_error',
      retryable: false,
      errorMessage: 'convergence: no batch worker belongs to psot, but post_001 exists; correct workerTemplate',
    });
  });

  it('is called without results if there were no batches or the analyzer was not chosen', async () => {
    const nothing = {
      scenario: { isNoBatches: true, batchResults: {}, workerCount: 0 },
      results: [],
      totals: { total_processed: 0 },
    };
    const analyzed = { batch_processing_outcome: noBatches() };
    expect(
      (await run(everything, { dependencyResults: { analyze: analyzed, post_000: { no_op: true } } })).result,
    ).toMatchObject({
      ...nothing,
      analyzer: analyzed,
    });
    expect((await run(everything, { dependencyResults: { approve: {} } })).result).toMatchObject({
      ...nothing,
      analyzer: null,
    });
  });

  it('joins the branches of a decision, including branches that were not chosen', async () => {
    const join = defineConvergence(
      'join',
      { depends: { auto: ['auto_approve', z.object({ by: z.string() }).nullable()], manager: 'manager_approval' } },
      ({ auto, manager }) => ({ by: auto?.by ?? null, manager }),
    );
    expect((await run(join, { dependencyResults: { auto_approve: { by: 'rule' } } })).result).toEqual({
      by: 'rule',
      manager: null,
    });
  });

  it('checks and types results with synchronous and asynchronous schemas', async () => {
    const later = z.object({ items_processed: z.number() }).transform(async ({ items_processed }) => items_processed);
    const sum = defineConvergence(
      'sum',
      {
        analyzerStep: ['analyze', z.object({ batch_metadata: z.object({ path: z.string() }) })],
        workerTemplate: ['post', later],
      },
      ({ results, analyzer }) => ({ sum: results.reduce((a, b) => a + b, 0), path: analyzer.batch_metadata.path }),
    );
    expect((await run(sum, { dependencyResults })).result).toEqual({ sum: 4, path: 'a' });
    const wrong = { ...dependencyResults, post_003: { items_processed: 'three' } };
    expect(await run(sum, { dependencyResults: wrong })).toMatchObject({
      success: false,
      errorType: 'validation_error',
      retryable: false,
      errorMessage: expect.stringMatching(/^result of step post_003: items_processed: /),
    });
  });

  it('fails if there are several analyzers and no option names one', async () => {
    const both = { ...dependencyResults, analyze_more: { batch_processing_outcome: noBatches() } };
    expect(await run(everything, { dependencyResults: both })).toMatchObject({
      success: false,
      errorMessage: 'convergence: there are several analyzers (analyze, analyze_more); set analyzerStep to one of them',
    });
    const explicit = defineConvergence('sum', { analyzerStep: 'analyze' }, ({ results }) => ({
      count: results.length,
    }));
    expect((await run(explicit, { dependencyResults: both })).result).toEqual({ count: 2 });
  });
});
