import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineBatchAnalyzer } from '../../src/handlers/batch/define-batch-analyzer.ts';
import { defineBatchWorker } from '../../src/handlers/batch/define-batch-worker.ts';
import { defineConvergence } from '../../src/handlers/batch/define-convergence.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { StepHandler, type StepHandlerClass } from '../../src/handlers/step-handler.ts';
import { HandlerRegistry } from '../../src/registry/handler-registry.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { deferred, invariants, until } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();
const registryOf = (...names: string[]) => {
  const registry = new HandlerRegistry({ baseFolder: null });
  for (const name of names) registry.register(defineHandler(name, {}, () => ({ by: name })));
  return registry;
};
const ONCE = { retry: { max_attempts: 1 } };

describe('a step that names a method, but whose handler is a function', () => {
  it('calls the function, and causes a warning at startup', async () => {
    const { logger, lines } = collectingLogger();
    class Payment extends StepHandler {
      static override readonly handlerName = 'payment';
      call() {
        return this.success({ by: 'call' });
      }
      refund() {
        return this.success({ by: 'refund' });
      }
    }
    const handlers = registryOf('charge');
    handlers.register(Payment);
    const { tasker, demo } = await shared.setup(
      {
        charge: { handler: { callable: 'charge', method: 'process' } },
        again: { handler: { callable: 'charge', method: 'call' } },
        refund: { handler: { callable: 'payment', method: 'refund' } },
      },
      { handlers, logger },
    );
    const warned = lines.filter(({ message }) => message.includes('method'));
    expect(warned.map(({ level, message }) => [level, message])).toEqual([
      [
        'warn',
        `template ${demo.namespace}/${demo.name}@1.0.0: step charge names method process, but handler charge is a function and has no methods; its function is called`,
      ],
    ]);
    const { taskUuid } = await tasker.createTask(demo);
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    const results = (await tasker.getSteps(taskUuid)).map(({ name, results: found }) => [name, found?.result]);
    expect(Object.fromEntries(results)).toEqual({
      charge: { by: 'charge' },
      again: { by: 'charge' },
      refund: { by: 'refund' },
    });
  });
});

describe('a step whose handler this worker does not have', () => {
  it('the step is released to a live worker that has the handler, without spending an attempt', async () => {
    const { tasker, demo, another } = await shared.setup(
      { charge: ONCE, other: ONCE },
      {
        handlers: registryOf('other'),
        handlerMissingGraceMs: 20_000,
        pollMs: 60_000,
        name: 'without',
      },
    );
    const able = await another({ handlers: registryOf('charge'), name: 'with' });
    const tasks = await tasker.createTasks(Array.from({ length: 20 }, () => demo));
    for (const { taskUuid } of tasks) {
      expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
      expect(await tasker.getStep(taskUuid, 'charge')).toMatchObject({ attempts: 1, worker: 'with' });
      expect(await tasker.getStep(taskUuid, 'other')).toMatchObject({ attempts: 1, worker: 'without' });
    }
    // The worker that has the handler is now known, so later steps go there immediately, too.
    const later = await tasker.createTask(demo);
    expect((await tasker.waitForTask(later.taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect(able.stats!.processed + tasker.stats!.processed).toBeGreaterThanOrEqual(40);
  });

  it('the step waits after the grace period if no worker has the handler, and the worker suggests a similar name', async () => {
    const { logger, lines } = collectingLogger();
    const { tasker, demo } = await shared.setup(
      { charge_card: [] },
      {
        handlers: registryOf('charge_cart', 'refund'),
        handlerMissingGraceMs: 1_500,
        logger,
        name: 'lonely',
      },
    );
    const start = performance.now();
    const { taskUuid } = await tasker.createTask(demo);
    const {
      steps: [why],
      summary,
    } = await until(
      () => tasker.why(taskUuid),
      ({ steps: [step] }) => step!.state === 'in_progress',
    );
    expect(why).toMatchObject({ heldBy: 'lonely', handler: 'charge_card' });
    expect(why!.why).toMatch(
      /held by lonely, which does not have handler charge_card \(did you mean charge_cart\?\); if no worker gets the handler soon, the step waits/,
    );
    expect(summary).toBe(`charge_card: ${why!.why}`);
    const step = await until(
      () => tasker.getStep(taskUuid, 'charge_card'),
      ({ currentState }) => currentState === 'enqueued',
    );
    expect(performance.now() - start).toBeGreaterThanOrEqual(1_500);
    expect(step.attempts).toBe(0);
    expect(lines.map(({ message, fields }) => [message, (fields as { reason?: string }).reason])).toContainEqual([
      'no worker has the handler; its steps wait',
      'no worker has a handler named charge_card; did you mean charge_cart?',
    ]);
    expect(lines.map((line) => line.message)).toContain(
      'no handler here for charge_card of step charge_card (did you mean charge_cart?); correct the name in the template, export the handler from a file of the handler folder (--handlers), or run a worker that has it',
    );
  });

  it('the step fails permanently if no worker can ever have the handler', async () => {
    const { tasker, demo } = await shared.setup(
      { file: { handler: './charge' }, reserved: { handler: 'tasker.timer' } },
      { handlers: registryOf('other'), handlerMissingGraceMs: 300 },
    );
    const { taskUuid } = await tasker.createTask(demo);
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('blocked_by_failures');
    const errors = (await tasker.getSteps(taskUuid)).map(({ name, results }) => [name, results?.error]);
    expect(Object.fromEntries(errors)).toMatchObject({
      file: {
        error_type: 'handler_not_found',
        message:
          'step file: no worker has a handler named ./charge; to name handlers by file, give the registry a baseFolder',
      },
      reserved: { error_type: 'handler_not_found' },
    });
  });

  it('the step runs when its handler is registered during the grace period', async () => {
    const registry = registryOf('other');
    const { tasker, demo } = await shared.setup({ late: ONCE }, { handlers: registry, handlerMissingGraceMs: 20_000 });
    const { taskUuid } = await tasker.createTask(demo);
    await until(
      () => tasker.getStep(taskUuid, 'late'),
      (step) => step.currentState === 'in_progress',
    );
    registry.register(defineHandler('late', {}, () => ({})));
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect((await tasker.getStep(taskUuid, 'late')).attempts).toBe(1);
  });

  it('when the handler is registered, the waiting steps run within the slots of the worker', async () => {
    const registry = registryOf('other');
    const { tasker, demo } = await shared.setup({ late: ONCE }, { handlers: registry, concurrency: 2 });
    const tasks = await tasker.createTasks(Array.from({ length: 30 }, () => demo));
    await until(
      async () =>
        (await tasker.listTasks({ namespace: demo.namespace })).filter((task) => task.inProgressSteps > 0).length,
      (held) => held >= 4,
    );
    let running = 0;
    let most = 0;
    registry.register(
      defineHandler('late', {}, async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running--;
      }),
    );
    await tasker.refresh();
    for (const { taskUuid } of tasks) await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    expect(most).toBe(2);
    for (const { taskUuid } of tasks) expect((await tasker.getStep(taskUuid, 'late')).attempts).toBe(1);
  });

  it('the step is released without spending an attempt when the worker stops', async () => {
    const { tasker, demo, another } = await shared.setup({ charge: ONCE }, { handlers: registryOf('other') });
    const { taskUuid } = await tasker.createTask(demo);
    await until(
      () => tasker.getStep(taskUuid, 'charge'),
      (step) => step.currentState === 'in_progress',
    );
    await tasker.stop();
    const able = await another({ handlers: registryOf('charge') });
    expect((await able.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
    expect((await able.getStep(taskUuid, 'charge')).attempts).toBe(1);
  });

  it('the step can be cancelled while it waits', async () => {
    const { tasker, demo } = await shared.setup(
      { charge: ONCE },
      { handlers: registryOf('other'), handlerMissingGraceMs: 1_500 },
    );
    const { taskUuid } = await tasker.createTask(demo);
    await until(
      () => tasker.getStep(taskUuid, 'charge'),
      (step) => step.currentState === 'in_progress',
    );
    await tasker.cancelTask(taskUuid);
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('cancelled');
    // This task waits for the same handler, but started later. By the time it is released, the first would have been, too.
    const later = await tasker.createTask(demo);
    await until(
      () => tasker.getHistory(later.taskUuid),
      (history) => history.length > 0,
    );
    expect((await tasker.getStep(taskUuid, 'charge')).currentState).toBe('cancelled');
    expect(tasker.stats).toMatchObject({ running: 0, unrecorded: 0, refused: 0 });
  });
});

describe('concurrency', () => {
  it('the concurrency is fully used and never exceeded, for any shape of tasks', async () => {
    let running = 0;
    let most = 0;
    const work = defineHandler('work', {}, async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    });
    const fan = Object.fromEntries(
      Array.from({ length: 12 }, (_, i) => [`f${i}`, { handler: 'work', dependencies: ['root'] }]),
    );
    const steps = { root: { handler: 'work' }, ...fan, last: { handler: 'work', dependencies: Object.keys(fan) } };
    const { tasker, demo } = await shared.setup(steps, { handlers: [work], concurrency: 7 });
    const tasks = await tasker.createTasks(Array.from({ length: 40 }, () => demo));
    await Promise.all(tasks.map(({ taskUuid }) => tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })));
    expect(most).toBe(7);
    expect(running).toBe(0);
  });

  it('with a concurrency of 10, ten steps of 100 ms take about 100 ms', async () => {
    const slow = defineHandler('a', {}, () => new Promise((resolve) => setTimeout(resolve, 100)));
    const { tasker, demo } = await shared.setup({ a: [] }, { handlers: [slow], concurrency: 10 });
    const round = async () => {
      const start = performance.now();
      const tasks = await tasker.createTasks(Array.from({ length: 10 }, () => demo));
      await Promise.all(tasks.map(({ taskUuid }) => tasker.waitForTask(taskUuid)));
      return performance.now() - start;
    };
    // The machine may be busy, so the best of several rounds counts. If the steps ran one after another, each round would
    // take a second.
    let best = await round();
    for (let tries = 0; best >= 195 && tries < 10; tries++) best = Math.min(best, await round());
    expect(best).toBeLessThan(800);
  });

  it('the concurrency also limits claims, so that other workers can claim the remaining steps', async () => {
    const gate = deferred();
    const wait = defineHandler('a', {}, () => gate.promise);
    const { tasker, demo, another } = await shared.setup(
      { a: [], b: { handler: 'a', dependencies: ['a'] } },
      {
        handlers: [wait],
        concurrency: 2,
      },
    );
    await tasker.createTasks(Array.from({ length: 10 }, () => demo));
    const counts = () =>
      shared.sql<{ state: string; n: number }>(
        `select s.state::text, count(*)::int n from tasker.step s join tasker.task t using (task_uuid)
           join tasker.template m on m.id = t.template_id join tasker.namespace n on n.id = m.namespace_id
          where n.name = $1 and s.idx = 0 group by 1 order by 1`,
        [demo.namespace],
      );
    await until(
      () => tasker.stats!.running,
      (running) => running === 2,
    );
    expect(await counts()).toEqual([
      { state: 'enqueued', n: 8 },
      { state: 'in_progress', n: 2 },
    ]);
    const other = await another({ concurrency: 5 });
    await until(
      () => other.stats!.running,
      (running) => running === 5,
    );
    expect(tasker.stats!.running).toBe(2);
    gate.resolve();
    await until(
      () => tasker.listTasks({ namespace: demo.namespace, openOnly: true }),
      (open) => open.length === 0,
    );
  });
});

describe('a step that a handler names but its template does not have', () => {
  const on = defineHandler('charge', { depends: { price: ['on', z.object({ total: z.number() })] } }, () => ({}));
  const BATCH = {
    analyze: { type: 'batchable' },
    work: {
      type: 'batch_worker',
      dependencies: ['analyze'],
      batch_config: {
        batch_size: 10,
        parallelism: 2,
        cursor_field: 'id',
        worker_template: 'work',
        failure_strategy: 'continue_on_failure',
      },
    },
    join: { type: 'deferred_convergence', dependencies: ['work'] },
  };
  const warnings = async (steps: Parameters<typeof shared.setup>[0], handlers: StepHandlerClass[], more = {}) => {
    const { logger, lines } = collectingLogger();
    const made = await shared.setup(steps, { handlers, logger, ...more });
    const line = (text: string) => text.replaceAll(made.demo.namespace, 'shop');
    return {
      ...made,
      logged: lines.filter(({ message }) => message.startsWith('handler ')).map(({ message }) => line(message)),
    };
  };

  it('the warning at startup and the error of the step suggest a similar name', async () => {
    const one = defineHandler('one', {}, () => ({ total: 3 }));
    const { tasker, demo, logged } = await warnings({ one: [], charge: { dependencies: ['one'], ...ONCE } }, [one, on]);
    expect(logged).toEqual([
      'handler charge: depends on step on, which template shop/demo@1.0.0 does not have; did you mean one?',
    ]);
    const { taskUuid } = await tasker.createTask(demo);
    await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
    expect((await tasker.getStep(taskUuid, 'charge')).results?.error?.message).toMatch(
      /^result of step on \(its template has no such step; did you mean one\?\): /,
    );
  });

  it('the check includes workerTemplate and analyzerStep of batch handlers', async () => {
    const analyze = (workerTemplate: string) =>
      defineBatchAnalyzer('analyze', { workerTemplate }, () => ({ totalItems: 0, batchSize: 10 }));
    const work = defineBatchWorker('work', { analyzerStep: 'analyse' }, () => ({ itemsProcessed: 1 }));
    const join = defineConvergence('join', { workerTemplate: 'wrk', depends: { first: 'work_000' } }, () => ({}));
    const { logged } = await warnings(BATCH, [analyze('join'), work, join]);
    const place = 'template shop/demo@1.0.0';
    expect(logged).toEqual([
      [
        `handler analyze: workerTemplate names step join, which is not a batch_worker in ${place}; did you mean work?`,
        `handler work: analyzerStep names step analyse, which ${place} does not have; did you mean analyze?`,
        `handler join: workerTemplate names step wrk, which ${place} does not have; did you mean work?`,
      ].join('; '),
    ]);
    const sound = defineConvergence('join', { workerTemplate: 'work', depends: { first: 'work_000' } }, () => ({}));
    expect((await warnings(BATCH, [analyze('work'), defineBatchWorker('work', {}, () => ({})), sound])).logged).toEqual(
      [],
    );
  });
});

it('the database satisfies the invariants after all tests', () => invariants(shared.sql));

it('batch workers whose handler this worker does not have are run by the worker that has it', async () => {
  const parts = Array.from({ length: 30 }, (_, i) => ({ batch_id: String(i), start_cursor: i, end_cursor: i + 1 }));
  const analyzer = new HandlerRegistry();
  analyzer.register(
    defineHandler('analyze', {}, () => ({
      batch_processing_outcome: { type: 'create_batches', worker_template_name: 'work', cursor_configs: parts },
    })),
  );
  const { tasker, demo, another } = await shared.setup(
    {
      analyze: { type: 'batchable', dependencies: [] },
      work: {
        ...ONCE,
        type: 'batch_worker',
        dependencies: ['analyze'],
        batch_config: {
          batch_size: 1,
          parallelism: 1,
          cursor_field: 'id',
          worker_template: 'work',
          failure_strategy: 'fail_fast',
        },
      },
    },
    { handlers: analyzer, handlerMissingGraceMs: 20_000, pollMs: 60_000, name: 'without' },
  );
  await another({ handlers: registryOf('work'), name: 'with' });
  const { taskUuid } = await tasker.createTask(demo);
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  // Once this worker knows the other one, it stops claiming the steps. It has claimed some of them before.
  const released = await shared.sql(
    `select count(*)::int n from tasker.history where task_uuid = $1 and outcome = 'released'`,
    [taskUuid],
  );
  expect(released[0]!.n).toBeLessThan(6);
  await invariants(shared.sql);
});
