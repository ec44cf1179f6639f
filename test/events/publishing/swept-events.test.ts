import { expect, it } from 'vitest';
import { openSession } from '../../support/database.ts';
import { handWorker } from '../../support/hand-worker.ts';
import { invariants, until } from '../../support/setup.ts';

const LOST = { name: 'step.lost', description: 'it is lost', schema: {}, condition: 'permanent_failure' };
const STEPS = { a: { publishes_events: [LOST], retry: { max_attempts: 1 } } };

it('a sweep that stores events of lost steps notifies the processes that deliver them', async () => {
  const { claim, die, url } = await handWorker(STEPS);
  await claim();
  const session = await openSession(url);
  const heard: string[] = [];
  session.on('notification', ({ channel }) => heard.push(channel));
  await session.query('listen tasker_events');
  await die();
  await until(
    () => heard,
    ([channel]) => channel === 'tasker_events',
  );
});

it('a sweep is rolled back if the database rejects its events, and the next sweep repeats the work', async () => {
  const { claim, engine, sql, taskUuid, tasker } = await handWorker(STEPS);
  await claim();
  await sql(`update tasker.worker set lease_until = now() - interval '1 minute'`);
  await sql(`create function refuse() returns trigger language plpgsql as $$ begin raise 'no room'; end $$`);
  await sql('create trigger refuse before insert on tasker.domain_event execute function refuse()');
  await expect(engine.sweep(0)).rejects.toThrow('no room');
  expect((await tasker.getTask(taskUuid)).status).toBe('steps_in_process');
  await sql('drop trigger refuse on tasker.domain_event');
  expect(await engine.sweep(0)).toMatchObject({ eventsStored: true });
  expect(await sql('select name from tasker.domain_event')).toEqual([{ name: 'step.lost' }]);
  await invariants(sql);
});
