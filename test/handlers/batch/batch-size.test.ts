import { expect, it } from 'vitest';
import { Batchable } from '../../../src/handlers/batch/batchable-mixin.ts';
import { defineBatchAnalyzer } from '../../../src/handlers/batch/define-batch-analyzer.ts';
import { defineBatchWorker } from '../../../src/handlers/batch/define-batch-worker.ts';
import type { StepContext } from '../../../src/handlers/step-context.ts';
import { StepHandler, type StepHandlerClass } from '../../../src/handlers/step-handler.ts';
import { withMixins } from '../../../src/handlers/with-mixins.ts';
import { runHandler } from '../../../src/testing/run-handler.ts';
import { createTestContext } from '../../../src/testing/test-context.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();
const TOTAL = 25;

const worker = (batchSize: number | null) => ({
  type: 'batch_worker',
  dependencies: ['analyze'],
  handler: 'work',
  batch_config: {
    ...(batchSize !== null && { batch_size: batchSize }),
    parallelism: 4,
    cursor_field: 'id',
    worker_template: 'work',
    failure_strategy: 'fail_fast',
  },
});

/** Returns the sizes of the batches that an analyzer creates, and its error. */
async function sizes(analyze: StepHandlerClass, workers: Record<string, number | null>, more = {}) {
  const work = defineBatchWorker('work', {}, ({ batchContext }) => ({ itemsProcessed: batchContext!.batchSize }));
  const { tasker, demo } = await shared.setup(
    {
      analyze: { type: 'batchable', dependencies: [], retry: { max_attempts: 1 }, ...more },
      ...Object.fromEntries(Object.entries(workers).map(([name, size]) => [name, worker(size)])),
    },
    { handlers: [analyze, work] },
  );
  const { taskUuid } = await tasker.createTask(demo);
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const [analyzer, ...created] = await tasker.getSteps(taskUuid);
  return {
    sizes: created.map(({ results }) => (results!.result as { items_processed: number }).items_processed),
    error: analyzer!.results?.error?.message,
  };
}

const unsized = (workerTemplate?: string) =>
  defineBatchAnalyzer('analyze', workerTemplate === undefined ? {} : { workerTemplate }, () => ({ totalItems: TOTAL }));

it('an analyzer that returns no size creates batches of the batch_size of the template', async () => {
  expect(await sizes(unsized(), { work: 10 })).toEqual({ sizes: [10, 10, 5], error: undefined });
});

it('a size that the analyzer returns takes precedence over that of the template', async () => {
  const own = defineBatchAnalyzer('analyze', {}, () => ({ totalItems: TOTAL, batchSize: 20 }));
  expect((await sizes(own, { work: 10 })).sizes).toEqual([20, 5]);
});

it('with several batch_worker steps, the size is that of the step that the analyzer names', async () => {
  const workers = { work: 10, other: 15 };
  expect((await sizes(unsized('other'), workers)).sizes).toEqual([15, 10]);
  const named = { handler: { callable: 'analyze', initialization: { worker_template_name: 'other' } } };
  expect((await sizes(unsized(), workers, named)).sizes).toEqual([15, 10]);
});

it('an analyzer without a size, in a template without one, fails permanently unless there is nothing to do', async () => {
  expect(await sizes(unsized(), { work: null })).toEqual({
    sizes: [],
    error:
      'analyzer analyze: the batch size is unknown; return batchSize, or set batch_config.batch_size of the batch_worker step',
  });
  const nothing = defineBatchAnalyzer('analyze', {}, () => ({ totalItems: 0 }));
  expect(await runHandler(nothing, createTestContext())).toMatchObject({ success: true });
});

it('a class handler and a test read the size of the template from the context', async () => {
  class Analyze extends withMixins(StepHandler, Batchable) {
    static override readonly handlerName = 'analyze';
    call(context: StepContext) {
      const batchSize = context.batchSizeOf() ?? 1;
      return this.batchAnalyzerSuccess(this.createCursorRanges({ totalItems: TOTAL, batchSize }), TOTAL);
    }
  }
  expect((await sizes(Analyze, { work: 10 })).sizes).toEqual([10, 10, 5]);
  const context = createTestContext({ batchSizes: { work: 7 } });
  expect([context.batchSizeOf(), context.batchSizeOf('work'), context.batchSizeOf('toString')]).toEqual([
    7,
    7,
    undefined,
  ]);
});
