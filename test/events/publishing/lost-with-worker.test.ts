import { expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { handWorker, partsFor, workers } from '../../support/hand-worker.ts';
import { invariants } from '../../support/setup.ts';

const event = (name: string, more: Record<string, unknown> = {}) => ({
  name,
  description: 'it happened',
  schema: {},
  condition: 'permanent_failure',
  ...more,
});

const EVENTS = [
  event('step.lost'),
  event('step.ended', { condition: 'always', delivery_mode: 'broadcast' }),
  event('step.failed', { condition: 'failure', schema: { required: ['amount'] } }),
  event('step.again', { condition: 'retryable_failure' }),
  event('step.told', { delivery_mode: 'fast' }),
  event('step.done', { condition: 'success' }),
];

it('a step that is lost with its worker publishes only its permanent failure, not the attempts that are retried', async () => {
  const { claim, die, sql, tasker, taskUuid } = await handWorker({
    a: { publishes_events: EVENTS, retry: { max_attempts: 2 } },
  });
  const rows = () =>
    sql(`select name, attempt, publisher, payload, metadata, execution from tasker.domain_event order by id`);
  await claim();
  await die();
  expect(await rows()).toEqual([]);
  await claim();
  await die();
  const error = {
    error_type: 'worker_lost',
    retryable: true,
    message: expect.stringContaining('attempts are used up'),
  };
  const row = {
    attempt: 2,
    publisher: 'default',
    payload: {},
    metadata: { final: true },
    execution: { error, result: {} },
  };
  expect(await rows()).toEqual([
    { name: 'step.lost', ...row },
    { name: 'step.ended', ...row },
  ]);
  expect((await tasker.getTask(taskUuid)).status).toBe('blocked_by_failures');
  await invariants(sql);
});

it('each lost batch worker publishes its permanent failure, whether or not the sweeper has loaded the template', async () => {
  const hand = await handWorker({
    analyze: { type: 'batchable', dependencies: [] },
    work: { ...workers(['analyze']), retry: { max_attempts: 1 }, publishes_events: EVENTS },
    join: { type: 'deferred_convergence', dependencies: ['work'] },
  });
  await hand.claim();
  await hand.record(hand.completed('analyze', partsFor('work', '1', '2')));
  expect(await hand.claim()).toEqual(['work_1', 'work_2']);
  await hand.sql(`update tasker.worker set lease_until = now() - interval '1 minute'`);
  const another = new Engine(hand.engine.database, silentLogger);
  expect(await another.sweep(0)).toMatchObject({ eventsStored: true });
  const rows = await hand.sql(`select name, count(*)::int from tasker.domain_event group by 1 order by 1`);
  expect(rows).toEqual([
    { name: 'step.ended', count: 2 },
    { name: 'step.lost', count: 2 },
  ]);
  await invariants(hand.sql);
});
