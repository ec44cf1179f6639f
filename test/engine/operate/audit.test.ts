import { expect, it } from 'vitest';
import { openClient } from '../../../src/app/project/database-admin.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { age, checkForStale } from '../../support/lifecycle.ts';
import { DEMO, setup, template } from '../../support/setup.ts';

const FAILS = defineHandler('a', {}, () => {
  throw new PermanentError('declined');
});

async function blocked() {
  const made = await setup({ templates: [template({ a: [] })], handlers: [FAILS], logger: silentLogger });
  const { taskUuid } = await made.tasker.createTask(DEMO);
  await made.tasker.waitForTask(taskUuid);
  return { ...made, taskUuid };
}

it('the audit lists the actions of all doors from the newest, each with actor, reason and change of state', async () => {
  const { tasker, url, taskUuid } = await blocked();
  await tasker.retryStep(taskUuid, 'a', { actor: 'ada', reason: 'bank is back' });
  await tasker.waitForTask(taskUuid);
  const client = await openClient({ databaseUrl: url, logger: silentLogger, mayMake: false, listen: false });
  await client.cancelTask(taskUuid, { actor: 'ben' }).finally(() => client.stop());
  const { entries, nextCursor } = await tasker.audit();
  expect(nextCursor).toBeNull();
  expect(entries).toMatchObject([
    { action: 'cancel', actor: 'ben', door: 'cli', taskUuid, step: null, fromState: 'blocked_by_failures' },
    { action: 'reset', actor: 'ada', door: 'library', reason: 'bank is back', step: 'a', toState: 'enqueued' },
  ]);
  expect(entries[0]).toMatchObject({ toState: 'cancelled', template: 'test/demo@1.0.0', bulkId: null, details: null });
});

it('actions are found by each condition, and each page continues where the previous page ended', async () => {
  const { tasker, sql, taskUuid } = await blocked();
  await sql(`
    insert into tasker.operator_action (action, target, actor, door, bulk_id, at)
    select 'replay_events', 'event group g' || i % 3, 'op' || i % 2, 'cli', case when i % 5 = 0 then 7 end,
           now() - i * interval '1 hour' from generate_series(1, 30) i`);
  await tasker.retryStep(taskUuid, 'a');
  const count = async (filter: object) => (await tasker.audit(filter)).entries.length;
  expect(await count({})).toBe(31);
  expect(await count({ actor: 'op1' })).toBe(15);
  expect(await count({ action: 'reset' })).toBe(1);
  expect(await count({ door: 'cli' })).toBe(30);
  expect(await count({ target: 'event group g0' })).toBe(10);
  expect(await count({ bulk: 7 })).toBe(6);
  expect(await count({ task: taskUuid.toUpperCase() })).toBe(1);
  expect(await count({ after: '2.5h' })).toBe(3);
  expect(await count({ before: '28.5h' })).toBe(2);
  expect(await count({ actor: 'op1', bulk: 7, after: '10.5h' })).toBe(1);
  const seen: number[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await tasker.audit({}, { limit: 7, cursor });
    seen.push(...page.entries.map((entry) => entry.id));
    if (page.nextCursor === null) break;
    cursor = page.nextCursor;
  }
  expect(new Set(seen).size).toBe(31);
  expect(seen).toHaveLength(31);
});

it('an invalid filter of the audit is rejected with advice', async () => {
  const { tasker } = await setup();
  const refusal = (filter: object, page = {}) => tasker.audit(filter, page).then(() => 'accepted', String);
  expect(await refusal({ actr: 'ada' })).toContain('did you mean actor?');
  expect(await refusal({ task: 'x' })).toContain('task is not a UUID');
  expect(await refusal({ after: 'last week' })).toContain('after: last week is not a time');
  expect(await refusal({ bulk: 1.5 })).toContain('bulk must be the number of a bulk action');
  expect(await refusal({ actor: 'a\0' })).toContain('actor has characters');
  expect(await refusal({ actor: 7 })).toContain('actor must be a string');
  expect(await refusal({}, { limit: 0 })).toContain('limit must be a whole number');
  expect(await refusal({}, { cursor: 'abc' })).toContain('the cursor is not from a page of actions');
});

it('actions of lifecycles have the door `lifecycle`', async () => {
  const lifecycle = { max_waiting_for_dependencies_minutes: 5 };
  const { tasker, sql } = await setup({ templates: [template({ a: [] }, { lifecycle })], worker: false });
  const { taskUuid } = await tasker.createTask(DEMO);
  await age(sql, 6, taskUuid);
  await checkForStale(tasker);
  const { entries } = await tasker.audit({ task: taskUuid });
  expect(entries).toMatchObject([
    { action: 'dlq_add', door: 'lifecycle', actor: 'lifecycle' },
    { action: 'note', door: 'lifecycle', actor: 'lifecycle' },
  ]);
});

it('actions on event groups are in the audit', async () => {
  const { tasker, sql } = await setup({ worker: false });
  await sql(`insert into tasker.event_group (name, patterns, matching) values ('mails', '{*}', '.*')`);
  await tasker.events.replay({ group: 'mails', name: 'order.*' }, { actor: 'ada', reason: 'mails were lost' });
  await tasker.events.removeGroup('mails', { actor: 'ada' });
  const { entries } = await tasker.audit({ target: 'event group mails' });
  expect(entries).toMatchObject([
    { action: 'remove_event_group', door: 'library', taskUuid: null },
    { action: 'replay_events', reason: 'mails were lost', details: { name: 'order.*' } },
  ]);
});

it('only actions older than the given age are deleted', async () => {
  const { tasker, sql, taskUuid } = await blocked();
  await tasker.retryStep(taskUuid, 'a');
  await sql(
    `insert into tasker.operator_action (action, target, actor, at) values ('drain', 'worker w1', 'ada', now() - interval '91 days')`,
  );
  await sql(`
    insert into tasker.bulk (action, actor, door, state, seen_at) values
      ('task_retry', 'ada', 'cli', 'done', now() - interval '91 days'), ('task_retry', 'ada', 'cli', 'done', now())`);
  expect(await tasker.engine.forgetActs(90 * 86_400_000)).toBe(1);
  expect((await tasker.audit()).entries).toMatchObject([{ action: 'reset' }]);
  expect(await sql('select id::int from tasker.bulk')).toEqual([{ id: 2 }]);
});
