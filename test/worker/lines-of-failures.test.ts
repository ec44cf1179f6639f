import { expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { StepHandlerResult } from '../../src/handlers/step-handler.ts';
import { HandlerRegistry } from '../../src/registry/handler-registry.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { openSession } from '../support/database.ts';
import { heapMb } from '../support/heap.ts';
import { until } from '../support/setup.ts';
import { sharedDatabase } from '../support/shared-database.ts';

const shared = sharedDatabase();

it('a failed step and its immediate retry are both logged with the error type', async () => {
  const { logger, lines } = collectingLogger();
  const refuse = defineHandler('refuse', {}, () =>
    StepHandlerResult.failure({ message: 'no such card', errorType: 'card_unknown', retryable: true }),
  );
  const { tasker, demo } = await shared.setup(
    { a: { handler: 'refuse', retry: { max_attempts: 2, backoff: 'none' } } },
    { handlers: [refuse], logger },
  );
  const { taskUuid } = await tasker.createTask(demo);
  await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 });
  const fields = { task_uuid: taskUuid, step: 'a', error_type: 'card_unknown', error: 'no such card' };
  const own = () => lines.filter(({ fields: some }) => 'error_type' in some);
  await until(own, ({ length }) => length === 2);
  expect(own()).toMatchObject([
    { level: 'info', message: 'step failed; retrying now', fields: { ...fields, attempt: 1 } },
    { level: 'warn', message: 'step failed permanently', fields: { ...fields, attempt: 2 } },
  ]);
});

it('a step whose handler no worker has is logged when it starts to wait, and the log lists the registered handlers', async () => {
  const { logger, lines } = collectingLogger();
  const registry = new HandlerRegistry();
  registry.register(defineHandler('refund', {}, () => ({})));
  const { tasker, demo } = await shared.setup({ zip: [] }, { handlers: registry, logger, handlerMissingGraceMs: 100 });
  const { taskUuid } = await tasker.createTask(demo);
  const waits = () => lines.filter(({ message }) => message === 'no worker has the handler; its steps wait');
  await until(waits, ({ length }) => length > 0);
  expect(waits()).toMatchObject([
    {
      level: 'warn',
      fields: { handler: 'zip', reason: 'no worker has a handler named zip; registered handlers: refund' },
    },
  ]);
  expect(lines.filter(({ message }) => message === 'handler not registered here')).toMatchObject([
    { level: 'warn', fields: { task_uuid: taskUuid, handler: 'zip' } },
  ]);
});

it('a worker that stops wakes the other workers', async () => {
  const { tasker } = await shared.setup({ a: [] }, { handlers: [defineHandler('a', {}, () => ({}))] });
  const session = await openSession(shared.url);
  const heard: string[] = [];
  session.on('notification', ({ channel }) => heard.push(channel));
  await session.query('listen tasker_work');
  await tasker.stop();
  await until(
    () => heard,
    ([channel]) => channel === 'tasker_work',
  );
});

it("a worker frees the memory of a task's results when it no longer holds any of the task's steps", async () => {
  const large = defineHandler('large', {}, () => ({ text: 'x'.repeat(400_000) }));
  const small = defineHandler('small', {}, () => ({}));
  const { tasker, demo } = await shared.setup(
    { a: { handler: 'large' }, b: { handler: 'small', dependencies: ['a'] } },
    { handlers: [large, small] },
  );
  const run = async (count: number) => {
    const tasks = await tasker.createTasks(Array.from({ length: count }, () => demo));
    for (const { taskUuid } of tasks) await tasker.waitForTask(taskUuid, { timeoutMs: 40_000 });
    await until(
      () => tasker.stats!,
      ({ running, unrecorded }) => running === 0 && unrecorded === 0,
    );
  };
  await run(2);
  const before = await heapMb();
  await run(60);
  expect((await heapMb()) - before).toBeLessThan(12);
});
