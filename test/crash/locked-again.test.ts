import { expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { openSession } from '../support/database.ts';
import { DEMO, deferred, invariants, setup, template, until } from '../support/setup.ts';

it('a result whose task is locked twice is recorded when the second lock is released', async () => {
  let gate = deferred();
  const { logger, lines } = collectingLogger();
  const handlers = [defineHandler('a', {}, () => gate.promise.then(() => ({})))];
  const { tasker, sql, url } = await setup({ templates: template({ a: [] }), handlers, logger });
  const holder = await openSession(url);
  for (let round = 0; round < 2; round++) {
    gate = deferred();
    lines.length = 0;
    const { taskUuid } = await tasker.createTask(DEMO);
    await until(
      () => tasker.stats?.running,
      (running) => running === 1,
    );
    await holder.query('begin');
    await holder.query('select 1 from tasker.task where task_uuid = $1 for update', [taskUuid]);
    gate.resolve();
    // The second message is logged when the result has been sent on its own.
    await until(
      () => lines.filter(({ message }) => message.includes('recording of results failed')),
      ({ length }) => length >= 2,
      60_000,
    );
    await holder.query('rollback');
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  }
  await invariants(sql);
});
