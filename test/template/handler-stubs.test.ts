import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { handlersOf } from '../../src/template/generate/handler-stubs.ts';
import { zodTypesOf } from '../../src/template/generate/zod-types.ts';
import { mustParseTemplate } from '../../src/template/parse-template.ts';
import { testTasker } from '../../src/testing/index.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';

const TEMPLATE = mustParseTemplate(`name: rates
namespace: billing
version: 1.0.0
steps:
  - name: fetch_rate
    handler: fetch_rate
    result_schema: { type: object, required: [rate], properties: { rate: { type: number } } }
  - name: analyze
    type: batchable
    handler: analyze
    dependencies: [fetch_rate]
    result_schema: { type: object, required: [batch_processing_outcome], properties: { batch_processing_outcome: { type: object } } }
  - name: price
    type: batch_worker
    handler: price
    dependencies: [analyze, fetch_rate]
    result_schema: { type: object, required: [items_processed], properties: { items_processed: { type: integer } } }
    batch_config: { batch_size: 10, parallelism: 2, cursor_field: id, worker_template: price, failure_strategy: fail_fast }
  - { name: count, handler: count, dependencies: [price] }
  - name: sum
    type: deferred_convergence
    handler: sum
    dependencies: [price, fetch_rate]
    result_schema: { type: object, required: [rows], properties: { rows: { type: integer } } }
  - { name: route, type: decision, handler: route, dependencies: [sum] }
  - { name: big, handler: big, dependencies: [route], result_schema: { type: object } }
  - { name: small, handler: small, dependencies: [route], result_schema: { type: object } }
  - { name: join, type: deferred_convergence, handler: join, dependencies: [big, small] }
`);

/** Creates a project with these stubs, and returns a tasker for them and the warnings of its start. */
async function kitOf(stubs: string, models: string) {
  const root = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'tasker-stubs-')));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const folder of ['node_modules', 'handlers', 'models']) mkdirSync(path.join(root, folder));
  writeFileSync(path.join(root, 'package.json'), '{"type":"module"}');
  symlinkSync(path.resolve('.'), path.join(root, 'node_modules', 'tasker-core'));
  symlinkSync(path.resolve('node_modules/zod'), path.join(root, 'node_modules', 'zod'));
  writeFileSync(path.join(root, 'models', 'rates.ts'), models);
  writeFileSync(path.join(root, 'handlers', 'rates.ts'), stubs);
  const { logger, lines } = collectingLogger();
  const kit = await testTasker({
    databaseUrl: inject('servers')[inject('postgres')]!,
    templates: TEMPLATE,
    handlers: path.join(root, 'handlers'),
    logger,
  });
  onTestFinished(() => kit.stop());
  return { kit, warnings: lines.flatMap(({ level, message }) => (level === 'warn' ? [message] : [])) };
}

const { text: models, names } = zodTypesOf([TEMPLATE]);
const stubs = handlersOf(TEMPLATE, { models: { names: names.get(TEMPLATE)!, from: '../models/rates.ts' } })!;

describe('the handler stubs of a template', () => {
  it('have the function for the type of each step, with the schemas that are known', () => {
    const [, ...made] = stubs.split(/(?=\/\*\* Runs step )/);
    expect(stubs.split('\n')[0]).toBe(
      "import { defineBatchAnalyzer, defineBatchWorker, defineConvergence, defineDecisionHandler, defineHandler } from 'tasker-core';",
    );
    const optionsOf = (stub: string) => /= (\w+)\(\n {2}'\w+',\n {2}(.*),\n/.exec(stub)!.slice(1);
    expect(made.map(optionsOf)).toEqual([
      ['defineHandler', '{}'],
      [
        'defineBatchAnalyzer',
        "{ workerTemplate: 'price', depends: { fetchRate: ['fetch_rate', BillingFetchRateResultSchema] } }",
      ],
      [
        'defineBatchWorker',
        "{ analyzerStep: ['analyze', BillingAnalyzeResultSchema], depends: { fetchRate: ['fetch_rate', BillingFetchRateResultSchema] } }",
      ],
      ['defineConvergence', "{ analyzerStep: 'analyze', workerTemplate: ['price', BillingPriceResultSchema] }"],
      [
        'defineConvergence',
        "{ analyzerStep: 'analyze', workerTemplate: ['price', BillingPriceResultSchema], depends: { fetchRate: ['fetch_rate', BillingFetchRateResultSchema] } }",
      ],
      ['defineDecisionHandler', "{ depends: { sum: ['sum', BillingSumResultSchema] } }"],
      ['defineHandler', "{ depends: { route: 'route' } }"],
      ['defineHandler', "{ depends: { route: 'route' } }"],
      [
        'defineConvergence',
        "{ depends: { big: ['big', BillingBigResultSchema.nullable()], small: ['small', BillingSmallResultSchema.nullable()] } }",
      ],
    ]);
    expect(made[5]).toContain(
      "Return Decision.route([…]) with one or more of 'big', 'small', or Decision.skip('reason').",
    );
  });

  it('start without a warning and fail until they are implemented', async () => {
    const { kit, warnings } = await kitOf(stubs, models);
    const { errors } = await kit.run();
    expect({ warnings, message: errors.fetch_rate?.message }).toEqual({
      warnings: [],
      message: 'fetch_rate is not implemented',
    });
  });

  it('run to the end of the task with an implementation for each type of step', async () => {
    const bodies: Record<string, string> = {
      fetch_rate: 'return { rate: 2 };',
      analyze: 'return { totalItems: 10 * fetchRate.rate + 5 };',
      price: 'return { items_processed: batchContext!.batchSize * (analyzer ? fetchRate.rate : 0) };',
      count: 'return { batches: scenario.workerCount };',
      sum: 'return { rows: results.reduce((rows, one) => rows + one.items_processed, 0) / fetchRate.rate };',
      route: "return Decision.route([sum.rows > 20 ? 'big' : 'small']);",
      big: 'return { big: true };',
      small: 'return { small: true };',
      join: 'return { big, small };',
    };
    const implemented = stubs.replace(
      /throw new Error\('(\w+) is not implemented'\);/g,
      (_, name: string) => bodies[name]!,
    );
    const { kit, warnings } = await kitOf(`import { Decision } from 'tasker-core';\n${implemented}`, models);
    const { task, results, errors } = await kit.run();
    expect({ warnings, errors, status: task.status }).toEqual({ warnings: [], errors: {}, status: 'complete' });
    expect(results).toMatchObject({
      count: { batches: 3 },
      sum: { rows: 25 },
      big: { big: true },
      join: { big: { big: true }, small: null },
    });
  });
});

it('the handler of an undo has a stub of its own', () => {
  const template = mustParseTemplate(
    'name: trip\nnamespace: shop\nversion: 1.0.0\nsteps:\n  - { name: flight, handler: book, undo: { handler: shop.cancel } }\n',
  );
  expect(handlersOf(template)).toContain(`export const undoFlight = defineHandler('shop.cancel', {}, ({ context }) => {
  // Undoes flight: \`context.undo\` has its result and its last failure.
  throw new Error('shop.cancel is not implemented');
});
`);
});
