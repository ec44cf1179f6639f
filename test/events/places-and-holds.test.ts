import { describe, expect, it, onTestFinished } from 'vitest';
import { Database } from '../../src/db/database.ts';
import type { TakenEvent } from '../../src/engine/events/log.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { eventsAfter } from '../../src/store/events/list.ts';
import { forgetEvents } from '../../src/store/events/retention.ts';
import { holdRetries } from '../../src/store/events/retries.ts';
import { openSession, type Sql } from '../support/database.ts';
import { drain, eventLog, writeEvents } from '../support/events/event-log.ts';
import { until } from '../support/setup.ts';

const ME = '00000000-0000-7000-8000-000000000001';
const HOLD = { leaseMs: 60_000 };
const names = (events: readonly { name: string }[]) => events.map((event) => event.name);
const named = (taskUuid: string, ...of: string[]) => of.map((name) => ({ taskUuid, name }));
/** The part of the log that a task's events are in. */
const partOf = (taskUuid: string) => Number.parseInt(taskUuid.at(-1)!, 16);

/** Makes new sessions of this database plan without hash aggregates, which keep the order of their rows by chance. */
async function disableHashAggregates(sql: Sql): Promise<void> {
  await sql(`do $$ begin execute format('alter database %I set enable_hashagg = off', current_database()); end $$`);
}

describe('a replay', () => {
  it('skips events that the group has not reached, in its current list and in later lists', async () => {
    const { log, sql, taskUuids } = await eventLog();
    const [taskUuid] = taskUuids as [string];
    const group = await log.joinGroup({ name: 'one', patterns: ['*'] });
    await writeEvents(sql, ...named(taskUuid, 'a.one', 'a.two'));
    await log.sequence();
    await writeEvents(sql, ...named(taskUuid, 'a.three', 'a.four'));
    await log.sequence();
    const taken = (await log.take(group, ME, { ...HOLD, limit: 1 }))!;
    expect(names(taken.events)).toEqual(['a.one']);
    await log.finish(taken);
    expect(await log.countReplay({ group: 'one' })).toBe(1);
    expect(await log.replay({ group: 'one' })).toBe(1);
    expect(names(await drain(log, group))).toEqual(['a.two', 'a.three', 'a.four']);
  });

  it('fails if the database rejects its last statement', async () => {
    const { log, sql, taskUuids } = await eventLog();
    const group = await log.joinGroup({ name: 'one', patterns: ['*'] });
    await writeEvents(sql, ...named(taskUuids[0]!, 'a.one'));
    await log.sequence();
    await drain(log, group);
    await sql(`create function refuse() returns trigger language plpgsql as
      $$ begin if strpos(current_query(), 'r.id = d.id') > 0 then raise 'not now'; end if; return null; end $$`);
    await sql(`create trigger refuse before delete on tasker.event_dead execute function refuse()`);
    await expect(log.replay({ group: 'one' })).rejects.toThrow('not now');
  });
});

describe('a reader that follows the log', () => {
  it('continues after the events that it scanned, whether they matched or not', async () => {
    const { log, tasker, sql, taskUuids } = await eventLog();
    const ids = await writeEvents(sql, ...named(taskUuids[0]!, 'a.one', 'a.two', 'b.three'));
    await log.sequence();
    const limits = { matching: '^b', scan: 2, events: 10, bytes: 100_000 };
    const first = await eventsAfter(tasker.engine.database, { chunk: 0, id: 0 }, limits);
    expect(first).toEqual({ events: [], place: { chunk: 1, id: ids[1] } });
    const second = await eventsAfter(tasker.engine.database, first.place, limits);
    expect(names(second.events)).toEqual(['b.three']);
  });
});

describe('retention', () => {
  it('shortens only the list whose events it deletes', async () => {
    const { log, tasker, sql, taskUuids } = await eventLog();
    const [taskUuid] = taskUuids as [string];
    const group = await log.joinGroup({ name: 'one', patterns: ['*'] });
    const old = await writeEvents(sql, ...named(taskUuid, 'a.one', 'a.two', 'a.three'));
    await log.sequence();
    const taken = (await log.take(group, ME, HOLD))!;
    const [one, , three] = taken.events as [TakenEvent, TakenEvent, TakenEvent];
    await log.finish(taken, { dead: [one, three].map((event) => ({ ...event, error: 'no' })) });
    const recent = await writeEvents(sql, ...named(taskUuid, 'a.four', 'a.five', 'a.six'));
    await log.sequence();
    await drain(log, group);
    await sql(`update tasker.event_chunk set made_at = now() - interval '8 days' where chunk = 1`);
    const week = 7 * 86_400_000;
    const portion = { part: partOf(taskUuid), retentionMs: week, limit: 10, after: -1 };
    expect(await forgetEvents(tasker.engine.database, portion)).toEqual({ events: 1, far: 1 });
    const lists = await sql<{ ids: string[]; size: number }>(
      'select ids::text[] ids, size from tasker.event_chunk order by chunk',
    );
    expect(lists).toEqual([
      { ids: [old[0], old[2]].map(String), size: 2 },
      { ids: recent.map(String), size: 3 },
    ]);
  });

  it('keeps the order of the remaining events in a list, whatever plan PostgreSQL chooses', async () => {
    const { log, url, sql, taskUuids } = await eventLog();
    const [taskUuid] = taskUuids as [string];
    const group = await log.joinGroup({ name: 'one', patterns: ['*'] });
    for (let list = 0; list < 2; list++) {
      await writeEvents(sql, ...Array.from({ length: 60 }, (_, i) => ({ taskUuid, name: `a.n${i}` })));
      await log.sequence();
    }
    const taken = (await log.take(group, ME, HOLD))!;
    const stay = taken.events.filter(({ name }) => name !== 'a.n7');
    await log.finish(taken, { dead: stay.map((event) => ({ ...event, error: 'no' })) });
    // Updating the rows moves the second list before the first in the table.
    for (const chunk of [2, 1])
      await sql(`update tasker.event_chunk set made_at = now() - interval '8 days' where chunk = $1`, [chunk]);
    await disableHashAggregates(sql);
    const database = await Database.connect({ url, poolSize: 1, logger: silentLogger });
    onTestFinished(() => database.close());
    const portion = { part: partOf(taskUuid), retentionMs: 7 * 86_400_000, limit: 10, after: -1 };
    expect(await forgetEvents(database, portion)).toEqual({ events: 2, far: 2 });
    const lists = await sql<{ ids: string[] }>('select ids::text[] ids from tasker.event_chunk order by chunk');
    expect(lists.flatMap(({ ids }) => ids)).toEqual(stay.map(({ id }) => String(id)));
  });
});

describe('deliveries that are due again', () => {
  /** Two tasks with a failed delivery each, and one with a large event that was delivered. */
  async function twoFailed() {
    const made = await eventLog({ tasks: 3 });
    const { log, sql, taskUuids } = made;
    const [one, two, large] = taskUuids as [string, string, string];
    const group = await log.joinGroup({ name: 'all', patterns: ['*'] });
    const numbers = Array.from({ length: 2_000 }, () => Math.random());
    await writeEvents(sql, { taskUuid: large, name: 'a.large', payload: { numbers } });
    await writeEvents(sql, { taskUuid: one, name: 'a.one' }, { taskUuid: two, name: 'a.two' });
    await log.sequence();
    for (let taken = await log.take(group, ME, HOLD); taken; taken = await log.take(group, ME, HOLD)) {
      const failed = taken.events.filter((event) => event.name !== 'a.large');
      await log.finish(taken, { failed: failed.map((event) => ({ ...event, error: 'no', delayMs: 0 })) });
    }
    return { ...made, group };
  }

  it('are taken up to a total size, which does not include delivered events', async () => {
    const { tasker, group } = await twoFailed();
    const hold = { groupId: group, holder: ME, leaseMs: 60_000, limit: 10, matching: '', bytes: 2_000 };
    const held = await holdRetries(tasker.engine.database, hold);
    expect(names(held.events).sort()).toEqual(['a.one', 'a.two']);
  });

  it('are locked in order when their lease is extended', async () => {
    const { log, sql, url, group } = await twoFailed();
    expect(await log.takeRetries(group, ME, HOLD)).toHaveLength(2);
    const rows = await sql<{ id: string }>('select id from tasker.event_retry order by task_uuid, id');
    const [first, second] = rows.map(({ id }) => id);
    // Updating the rows moves the second before the first in the table.
    for (const id of [second, first])
      await sql('update tasker.event_retry set attempts = attempts where id = $1', [id]);
    const session = await openSession(url);
    const lock = 'select 1 from tasker.event_retry where id = $1 for update nowait';
    await session.query('begin');
    await session.query(lock, [first]);
    const extending = log.extend(group, ME, 90_000);
    await until(
      () => sql(`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`),
      (waiting) => waiting.length === 1,
    );
    await session.query(lock, [second]);
    await session.query('commit');
    expect((await extending).events).toHaveLength(2);
  });

  it('wait for the first delivery of their task, even if a later delivery is due earlier', async () => {
    const { log, sql, taskUuids } = await eventLog();
    const group = await log.joinGroup({ name: 'one', patterns: ['*'] });
    await writeEvents(sql, ...named(taskUuids[0]!, 'a.one', 'a.two'));
    await log.sequence();
    const taken = (await log.take(group, ME, HOLD))!;
    await log.finish(taken, { failed: [{ ...taken.events[1]!, error: 'no', delayMs: 1_000 }] });
    expect(await log.replay({ group: 'one', name: 'a.one' })).toBe(1);
    expect(names(await log.takeRetries(group, ME, HOLD))).toEqual(['a.one']);
    expect(await log.nextDueMs(group)).toBeGreaterThan(10_000);
  });
});
