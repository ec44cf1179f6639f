import { expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError, RetryableError } from '../../../src/handlers/failures/handler-errors.ts';
import { deferred, setup, template } from '../../support/setup.ts';

const minutes = (ms: number) => ms / 60_000;

it('the status lists workers, queues, open tasks, problems and rates', async () => {
  const running = deferred();
  const release = deferred();
  const work = defineHandler('work', { inputs: { mood: 'mood' } }, async ({ mood }) => {
    if (mood === 'bad') throw new PermanentError('no');
    if (mood === 'later') throw new RetryableError('busy', { retryAfter: 3600 });
    if (mood !== 'slow') return {};
    running.resolve();
    await release.promise;
  });
  const { tasker, another, sql } = await setup({ worker: false, templates: template({ work: [] }) });
  expect(await tasker.status()).toMatchObject({
    workers: { alive: 0, lost: 0, slots: 0, slotsUsed: 0 },
    queues: [],
    open: {},
    attention: { blocked: 0, stale: 0, unserved: 0, deadLetters: 0, deadDeliveries: 0 },
    unserved: [],
    perMinute: { created: 0, ended: 0, attempts: 0, failures: 0, estimated: false },
  });

  const create = (namespace: string, mood: string) => tasker.createTask({ namespace, name: 'demo', context: { mood } });
  await tasker.registerTemplates(template({ label: [] }, { namespace: 'lonely' }));
  await Promise.all([create('lonely', 'good'), create('lonely', 'good')]);
  await tasker.engine.search.flush();
  for (const table of ['task', 'task_search']) {
    await sql(`update tasker.${table} set created_at = created_at - interval '7 minutes'`);
  }
  await another({ worker: true, handlers: [work], namespaces: ['test'], concurrency: 7 });
  await Promise.all(['good', 'bad', 'later', 'slow'].map((mood) => create('test', mood)));
  await running.promise;
  await expect
    .poll(async () => (await tasker.status()).open)
    .toEqual({ pending: 2, steps_in_process: 1, blocked_by_failures: 1, waiting_for_retry: 1 });
  await expect.poll(async () => (await tasker.status()).workers.slotsUsed).toBe(1);
  // Attempts are counted in the background.
  await expect
    .poll(() => tasker.status())
    .toMatchObject({
      workers: { alive: 1, lost: 0, slots: 7, slotsUsed: 1 },
      queues: [
        { namespace: 'lonely', ready: 2, running: 0, workers: 0, unserved: 2 },
        { namespace: 'test', ready: 0, oldestAt: null, running: 1, workers: 1, unserved: 0 },
      ],
      attention: { blocked: 1, stale: 0, unserved: 2, deadLetters: 0, deadDeliveries: 0 },
      unserved: [{ namespace: 'lonely', reason: 'no_worker', handler: 'label', steps: 2, templates: ['demo@1.0.0'] }],
      perMinute: { created: 0.8, ended: 0.2, attempts: 0.6, failures: 0.4, estimated: false },
    });
  const status = await tasker.status();
  const age = minutes(Date.parse(status.at) - Date.parse(status.queues[0]!.oldestAt!));
  expect(age).toBeGreaterThan(7);
  expect(age).toBeLessThan(8);
  await tasker.pause({ template: 'test/demo' }, { actor: 'ann', reason: 'the bank is down' });
  expect((await tasker.status()).pauses).toMatchObject([
    { scope: 'template', target: 'test/demo', pausedBy: 'ann', reason: 'the bank is down' },
  ]);
  release.resolve();
});

it('the age of a queued step starts when the step becomes ready, not when its task is created', async () => {
  const first = defineHandler('first', {}, () => ({}));
  const { tasker, another, sql } = await setup({
    worker: false,
    templates: template({ first: [], second: ['first'] }),
  });
  const task = await tasker.createTask({ namespace: 'test', name: 'demo' });
  await sql(`update tasker.task set created_at = created_at - interval '1 hour'`);
  const oldest = async () => {
    const { at, queues } = await tasker.status();
    return queues[0]?.oldestAt ? minutes(Date.parse(at) - Date.parse(queues[0].oldestAt)) : undefined;
  };
  expect(await oldest()).toBeGreaterThan(59);
  const worker = await another({ worker: true, handlers: [first] });
  await expect.poll(async () => (await tasker.getStep(task.taskUuid, 'first')).currentState).toBe('complete');
  await worker.stop();
  await expect.poll(async () => (await tasker.getStep(task.taskUuid, 'second')).currentState).toBe('enqueued');
  expect(await oldest()).toBeLessThan(5);
});
