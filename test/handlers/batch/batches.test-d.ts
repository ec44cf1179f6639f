import { expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import type { BatchAggregationResult, BatchAggregationScenario } from '../../../src/handlers/batch/aggregation.ts';
import type { BatchWorkerContext } from '../../../src/handlers/batch/batch-worker-context.ts';
import { applyBatchable, Batchable, BatchableStepHandler } from '../../../src/handlers/batch/batchable-mixin.ts';
import { CursorConfig } from '../../../src/handlers/batch/cursor-config.ts';
import { defineBatchAnalyzer } from '../../../src/handlers/batch/define-batch-analyzer.ts';
import { defineBatchWorker } from '../../../src/handlers/batch/define-batch-worker.ts';
import { defineConvergence } from '../../../src/handlers/batch/define-convergence.ts';
import type { StepContext } from '../../../src/handlers/step-context.ts';
import { StepHandler, type StepHandlerClass } from '../../../src/handlers/step-handler.ts';
import { withMixins } from '../../../src/handlers/with-mixins.ts';

test('a class has the methods of the mixin, whether it mixes, wraps or applies it', () => {
  class Mixed extends withMixins(StepHandler, Batchable) {
    call(context: StepContext) {
      expectTypeOf(this.getBatchContext(context)).toEqualTypeOf<BatchWorkerContext | null>();
      return this.batchWorkerSuccess({ itemsProcessed: 1 }, { ms: 1 });
    }
  }
  class Wrapped extends BatchableStepHandler {
    call() {
      return this.batchAnalyzerSuccess({ cursorConfigs: this.createCursorRanges(10, 5), totalItems: 10 });
    }
  }
  class Applied extends StepHandler {
    readonly batches: Batchable = applyBatchable(this);
    call() {
      return this.batches.checkpointYield({ cursor: 1 });
    }
  }
  expectTypeOf<typeof Mixed>().toExtend<StepHandlerClass>();
  expectTypeOf<typeof Wrapped>().toExtend<StepHandlerClass>();
  expectTypeOf<typeof Applied>().toExtend<StepHandlerClass>();
  expectTypeOf(Mixed.aggregateWorkerResults([null])).toEqualTypeOf<BatchAggregationResult>();
});

test('a cursor is a plain object, and a misspelt key does not compile', () => {
  const plain: CursorConfig = { startCursor: 0, endCursor: 1, stepSize: 1, metadata: {} };
  expectTypeOf(CursorConfig({ startCursor: 0, endCursor: 1 }).batchSize).toBeNumber();
  expectTypeOf(plain).toExtend<CursorConfig>();
  // @ts-expect-error the end is missing
  CursorConfig({ startCursor: 0 });
});

test('an analyzer returns sizes and has typed arguments', () => {
  defineBatchAnalyzer('a', { workerTemplate: 'w', inputs: { rows: z.number() } }, ({ rows }) => {
    expectTypeOf(rows).toBeNumber();
    return { totalItems: rows, batchSize: 10 };
  });
  // The size of a batch may be in the template.
  defineBatchAnalyzer('a', {}, () => ({ totalItems: 3 }));
  // @ts-expect-error the number of items is missing
  defineBatchAnalyzer('a', {}, () => ({ batchSize: 3 }));
  // @ts-expect-error unknown option worker
  defineBatchAnalyzer('a', { worker: 'w' }, () => ({ totalItems: 3, batchSize: 1 }));
});

test('the analyzer argument of a worker has the output type of its schema', () => {
  const schema = z.object({ batch_metadata: z.object({ path: z.string() }) });
  defineBatchWorker('w', { analyzerStep: ['analyze', schema], depends: { rate: ['rate', z.number()] } }, (args) => {
    expectTypeOf(args.analyzer.batch_metadata.path).toBeString();
    expectTypeOf(args.rate).toBeNumber();
    expectTypeOf(args.batchContext).toEqualTypeOf<BatchWorkerContext | null>();
    expectTypeOf(args.context).toEqualTypeOf<StepContext>();
  });
  defineBatchWorker('w', { analyzerStep: 'analyze' }, ({ analyzer }) => expectTypeOf(analyzer).toBeUnknown());
  defineBatchWorker('w', {}, ({ analyzer }) => expectTypeOf(analyzer).toBeNull());
});

test("an aggregator has a list of the output type of its workers' schema", () => {
  const work = z.object({ items_processed: z.number() });
  defineConvergence('sum', { workerTemplate: { step: 'post', schema: work }, inputs: { id: z.string() } }, (args) => {
    expectTypeOf(args.results).toEqualTypeOf<{ items_processed: number }[]>();
    expectTypeOf(args.scenario).toEqualTypeOf<BatchAggregationScenario>();
    expectTypeOf(args.totals).toEqualTypeOf<BatchAggregationResult>();
    expectTypeOf(args.analyzer).toBeUnknown();
    expectTypeOf(args.id).toBeString();
  });
  defineConvergence('sum', {}, ({ results }) => expectTypeOf(results).toEqualTypeOf<unknown[]>());
  // @ts-expect-error there is no argument result
  defineConvergence('sum', {}, ({ result }) => result);
});
