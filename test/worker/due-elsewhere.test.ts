import { expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { DEMO, deferred, setup, template, until } from '../support/setup.ts';

it('a due retry runs before the next poll on another worker if the worker that recorded it has no free slot', async () => {
  const gate = deferred();
  const starts: number[] = [];
  const handlers = [
    defineHandler('flaky', {}, ({ context }) => {
      starts.push(performance.now());
      if (context.retryCount === 0) throw new Error('again');
      return {};
    }),
    defineHandler('hold', {}, async () => {
      await gate.promise;
      return {};
    }),
  ];
  const retry = { backoff: 'linear', backoff_base_ms: 6_000, max_attempts: 2 };
  const flaky = template({ flaky: { retry } });
  const hold = template({ hold: [] }, { name: 'hold' });
  const { tasker, another } = await setup({ templates: [flaky, hold], handlers, concurrency: 1, pollMs: 60_000 });
  const { taskUuid } = await tasker.createTask(DEMO);
  await until(
    async () => (await tasker.getTask(taskUuid)).status,
    (status) => status === 'waiting_for_retry',
  );
  await tasker.createTask({ ...DEMO, name: 'hold' });
  await until(
    () => tasker.stats?.running,
    (running) => running === 1,
  );
  await another();
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  // The retry is due after six seconds with a jitter of 15 %. A busy machine takes longer, but the next poll is a minute
  // away.
  expect(starts[1]! - starts[0]!).toBeLessThan(40_000);
  gate.resolve();
});
