import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineBatchAnalyzer } from '../../src/handlers/batch/define-batch-analyzer.ts';
import { defineBatchWorker } from '../../src/handlers/batch/define-batch-worker.ts';
import { defineConvergence } from '../../src/handlers/batch/define-convergence.ts';
import { Decision } from '../../src/handlers/decision/decision.ts';
import { defineDecisionHandler } from '../../src/handlers/decision/define-decision-handler.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import type { AnyInputs } from '../../src/handlers/handler-arguments.ts';
import type { StepHandlerClass } from '../../src/handlers/step-handler.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { template } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';
import { threadHandlers } from '../support/thread-handlers.ts';

const shared = sharedDatabase();
type Steps = Parameters<typeof template>[0];
const ONCE = { retry: { max_attempts: 1 } };
const place = 'template shop/demo@1.0.0';

/** Runs a task with these handlers, and returns its end, its steps, and the warnings of the start. */
async function run(
  steps: Steps,
  handlers: StepHandlerClass[],
  { context = {}, task = {} }: { context?: object; task?: Record<string, unknown> } = {},
) {
  const { logger, lines } = collectingLogger();
  const { tasker, demo } = await shared.setup(steps, { handlers, logger, task });
  const { taskUuid } = await tasker.createTask({ ...demo, context: context as Record<string, unknown> });
  const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const all = await tasker.getSteps(taskUuid);
  const nameless = (text: string) => text.replaceAll(demo.namespace, 'shop');
  return {
    status,
    results: Object.fromEntries(all.map(({ name, results }) => [name, results?.result])),
    errors: Object.fromEntries(
      all.flatMap(({ name, results }) => (results?.error ? [[name, results.error.message]] : [])),
    ),
    warnings: lines.flatMap(({ message }) => (message.startsWith('handler ') ? [nameless(message)] : [])),
  };
}

describe('a convergence whose workerTemplate is misspelt', () => {
  const ROWS = 500;
  const steps = {
    analyze: { type: 'batchable' },
    price: {
      type: 'batch_worker',
      dependencies: ['analyze'],
      batch_config: {
        batch_size: 100,
        parallelism: 5,
        cursor_field: 'id',
        worker_template: 'price',
        failure_strategy: 'continue_on_failure',
      },
    },
    sum: { type: 'deferred_convergence', dependencies: ['price'], ...ONCE },
    route: { type: 'decision', dependencies: ['sum'] },
    big: { dependencies: ['route'] },
    small: { dependencies: ['route'] },
  };
  const Priced = z.object({ items_processed: z.number() });
  const handlers = (sum: StepHandlerClass, rows = ROWS) => [
    defineBatchAnalyzer('analyze', {}, () => ({ totalItems: rows, batchSize: 100 })),
    defineBatchWorker('price', {}, ({ batchContext }) => ({ itemsProcessed: batchContext!.batchSize })),
    sum,
    defineDecisionHandler('route', { depends: { sum: ['sum', z.object({ rows: z.number() })] } }, ({ sum: { rows } }) =>
      Decision.route([rows > 100 ? 'big' : 'small']),
    ),
    defineHandler('big', {}, () => ({})),
    defineHandler('small', {}, () => ({})),
  ];
  const total = (workerTemplate: string) =>
    defineConvergence('sum', { workerTemplate: [workerTemplate, Priced] }, ({ results }) => ({
      rows: results.reduce((sum, { items_processed }) => sum + items_processed, 0),
    }));
  const message = 'workerTemplate names step prise, which its template does not have; did you mean price?';

  it('fails with a similar name instead of combining no results, and no branch is chosen', async () => {
    const right = await run(steps, handlers(total('price')));
    expect(right).toMatchObject({ status: 'complete', results: { sum: { rows: ROWS }, big: {} }, warnings: [] });
    const { status, errors, results, warnings } = await run(steps, handlers(total('prise')));
    expect({ status, errors }).toEqual({ status: 'blocked_by_failures', errors: { sum: message } });
    expect(results).not.toHaveProperty('small');
    expect(warnings).toEqual([
      'handler sum: workerTemplate names step prise, which template shop/demo@1.0.0 does not have; did you mean price?',
    ]);
  });

  it('fails too if there is nothing to do, or without a schema', async () => {
    const plain = defineConvergence('sum', { workerTemplate: 'prise' }, ({ totals }) => ({
      rows: totals.total_processed,
    }));
    expect((await run(steps, handlers(plain, 0))).errors).toEqual({ sum: message });
  });

  it('fails if the name is that of a step that is not a batch worker', async () => {
    const { errors } = await run(steps, handlers(total('analyze')));
    expect(errors).toEqual({
      sum: 'workerTemplate names step analyze, which is not a batch_worker in its template; did you mean price?',
    });
  });

  it('fails for a misspelt analyzerStep', async () => {
    const sum = defineConvergence('sum', { analyzerStep: 'analyse' }, ({ totals }) => ({
      rows: totals.total_processed,
    }));
    expect((await run(steps, handlers(sum))).errors).toEqual({
      sum: 'analyzerStep names step analyse, which its template does not have; did you mean analyze?',
    });
  });

  it('fails in the one of two templates that lacks the step, although the start only warns', async () => {
    const { analyze, sum } = steps;
    const other = template(
      { analyze, prise: { ...steps.price, handler: 'price' }, sum: { ...sum, dependencies: ['prise'] } },
      { name: 'other', namespace: 'shared' },
    );
    const { price } = steps;
    const mine = template({ analyze, price, sum }, { name: 'mine', namespace: 'shared' });
    const { tasker } = await shared.setup({ a: [] }, { templates: [mine, other], handlers: handlers(total('prise')) });
    const ends = await Promise.all(
      ['mine', 'other'].map(async (name) => {
        const { taskUuid } = await tasker.createTask({ namespace: 'shared', name, version: '1.0.0' });
        await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
        const { results } = await tasker.getStep(taskUuid, 'sum');
        return results?.error?.message ?? results?.result;
      }),
    );
    expect(ends).toEqual([message, { rows: ROWS }]);
  });
});

describe('a decision that routes to a misspelt step', () => {
  const steps = {
    first: { dependencies: [] },
    route: { type: 'decision', dependencies: ['first'], ...ONCE },
    premium: { dependencies: ['route'] },
    plain: { dependencies: ['route'] },
  };
  const others = ['first', 'premium', 'plain'].map((name) => defineHandler(name, {}, () => ({})));
  const routing = (name: string, choose: () => Decision) => defineDecisionHandler(name, {}, choose);

  it('is reported at startup and fails the step', async () => {
    const { errors, warnings } = await run(steps, [...others, routing('route', () => Decision.route(['premum']))]);
    expect(warnings).toEqual([
      `handler route: routes to step premum, which ${place} does not have; did you mean premium?`,
    ]);
    expect(errors.route).toMatch(/"premum" is not a step; did you mean premium\?/);
  });

  it('is also reported if the step exists but is not a branch of the decision', async () => {
    const { warnings } = await run(steps, [...others, routing('route', () => Decision.route(['first', 'plain']))]);
    expect(warnings).toEqual([
      `handler route: routes to step first, which is not downstream of it in ${place}, or is created by other rules`,
    ]);
  });

  it('is reported only if the name is a string literal in the call, not in a comment, a string or an expression', async () => {
    const computed = 'plain';
    const amount = Number('1');
    const choose = () => {
      // Decision.route(['in_a_comment'])
      const text: string = "Decision.route(['in_a_text'])";
      if (text === 'gold') return Decision.route([`${computed}_1`, computed, ['listed', computed][1]!]);
      return Decision.route([amount > 10 ? 'premium' : text === 'silver' ? 'sliver' : 'plain'], { kind: 'context' });
    };
    const { status, warnings } = await run(steps, [...others, routing('route', choose)]);
    expect(status).toBe('complete');
    expect(warnings).toEqual([`handler route: routes to step sliver, which ${place} does not have`]);
  });
});

describe('a handler that reads an input that a closed input_schema does not allow', () => {
  const closed = {
    input_schema: {
      type: 'object',
      properties: { amount: { type: 'number' }, über: { type: 'string' } },
      patternProperties: { '^x_': {} },
      additionalProperties: false,
    },
  };
  const one = { a: { dependencies: [], ...ONCE } };
  const reads = (inputs: AnyInputs) => defineHandler('a', { inputs }, (args) => ({ read: JSON.stringify(args) }));
  const ended = async (inputs: AnyInputs, task: Record<string, unknown> = closed) => {
    const { errors, warnings } = await run(one, [reads(inputs)], { context: { amount: 3 }, task });
    return { error: errors.a, warnings };
  };
  const suggests = (key: string, near: string) => ({
    error: `input ${key} is not allowed by the input_schema of its template; did you mean ${near}?`,
    warnings: [`handler a: input ${key} is not allowed by the input_schema of ${place}; did you mean ${near}?`],
  });

  it('is reported at startup with a similar name and fails, also if the input has a default', async () => {
    expect(await ended({ amount: 'amuont' })).toEqual(suggests('amuont', 'amount'));
    expect(await ended({ amuont: z.number().default(0) })).toEqual(suggests('amuont', 'amount'));
    expect(await ended(z.object({ uber: z.string().optional() }))).toEqual(suggests('uber', 'über'));
    const error =
      'input cents is not allowed by the input_schema of its template; add it there, or remove it from the inputs';
    expect(await ended({ cents: z.number() })).toMatchObject({ error });
  });

  it('runs if the schema is open or allows the key by a pattern', async () => {
    const fine = { error: undefined, warnings: [] };
    expect(await ended({ amount: z.number(), x_1: 'x_1' })).toEqual(fine);
    expect(await ended({ amount: 'amuont' }, { input_schema: { type: 'object', properties: { amount: {} } } })).toEqual(
      fine,
    );
    expect(await ended({ amount: 'amuont' }, {})).toEqual(fine);
  });

  it('runs if the input is optional and no allowed key has a similar name, with a warning', async () => {
    const { error, warnings } = await ended({ locale: z.string().default('en') });
    expect({ error, count: warnings.length }).toEqual({ error: undefined, count: 1 });
  });

  it('may be defined with a schema that refers to a schema defined later', async () => {
    const whole = z.object({
      get amuont() {
        return Later;
      },
    });
    const handler = reads(whole);
    const Later = z.number().optional();
    expect((await run(one, [handler], { context: { amount: 3 }, task: closed })).errors.a).toBe(
      'input amuont is not allowed by the input_schema of its template; did you mean amount?',
    );
  });

  it('fails in a thread too', async () => {
    const { tasker, demo } = await shared.setup(
      { a: { ...ONCE, handler: { callable: 'describes', isolation: 'thread' } } },
      { handlers: threadHandlers(), task: closed },
    );
    const { taskUuid } = await tasker.createTask({ ...demo, context: { amount: 1 } });
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    expect((await tasker.getStep(taskUuid, 'a')).results?.error).toMatchObject({
      message: expect.stringMatching(/^input n is not allowed by the input_schema of its template/) as string,
      error_type: 'validation_error',
      retryable: false,
    });
  });
});
