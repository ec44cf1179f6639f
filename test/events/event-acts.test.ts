import { describe, expect, it, onTestFinished } from 'vitest';
import { Database } from '../../src/db/database.ts';
import { opening } from '../../src/db/opening.ts';
import type { EventLog, TakenEvent } from '../../src/engine/events/log.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { uuidV7 } from '../../src/model/ids.ts';
import { finishRetries } from '../../src/store/events/retries.ts';
import { openSession } from '../support/database.ts';
import { drain, eventLog, writeEvents } from '../support/events/event-log.ts';
import { until } from '../support/setup.ts';

const ME = '00000000-0000-7000-8000-000000000001';
const HOLD = { leaseMs: 60_000 };
const WEEK = { retentionMs: 7 * 86_400_000 };
const names = (events: readonly { name: string }[]) => events.map((event) => event.name);

/** The due retries of a group, in order. */
async function again(log: EventLog, groupId: number) {
  const got = [];
  for (;;) {
    const events = await log.takeRetries(groupId, ME, HOLD);
    if (events.length === 0) return got;
    got.push(...events);
    await log.finishRetries(groupId, ME, { delivered: events });
  }
}

/** Turns all undelivered events of a group into dead deliveries. */
async function giveUp(log: EventLog, groupId: number) {
  for (let taken = await log.take(groupId, ME, HOLD); taken; taken = await log.take(groupId, ME, HOLD))
    await log.finish(taken, { dead: taken.events.map((event) => ({ ...event, error: `no ${event.name}` })) });
}

describe('dead deliveries', () => {
  it('can be listed with their errors, delivered again and discarded', async () => {
    const { log, sql, taskUuids } = await eventLog({ tasks: 2 });
    const [one, two] = taskUuids as [string, string];
    const group = await log.joinGroup({ name: 'fragile', patterns: ['*'] });
    await log.joinGroup({ name: 'other', patterns: ['*'] });
    const eventId = uuidV7();
    await writeEvents(sql, { taskUuid: one, name: 'a.one', eventId }, { taskUuid: one, name: 'a.two' });
    await writeEvents(sql, { taskUuid: two, name: 'b.one' }, { taskUuid: two, name: 'b.two' });
    await log.sequence();
    await giveUp(log, group);
    const dead = await log.dead();
    expect(dead.map((each) => `${each.event.name}: ${each.error}`).sort()).toEqual([
      'a.one: no a.one',
      'a.two: no a.two',
      'b.one: no b.one',
      'b.two: no b.two',
    ]);
    expect(await log.dead({ group: 'other' })).toEqual([]);
    expect(await log.dead({ eventId })).toMatchObject([{ group: 'fragile', attempts: 1, event: { eventId } }]);
    expect(await log.dead({ eventId: uuidV7() })).toEqual([]);
    expect(await log.redeliver({ group: 'fragile', eventId })).toBe(1);
    expect(await again(log, group)).toMatchObject([{ name: 'a.one', attempts: 0, replayed: true }]);
    const last = (await log.dead({ limit: 1 }))[0]!;
    expect(await log.discard({ group: 'fragile', eventId: last.event.eventId })).toBe(1);
    expect(await log.redeliver({ group: 'fragile' })).toBe(2);
    expect(await again(log, group)).toHaveLength(2);
    expect(await log.dead()).toEqual([]);
    expect(await log.discard({ group: 'fragile' })).toBe(0);
    await expect(log.redeliver({ group: 'fragil' })).rejects.toMatchObject({
      code: 'event_group_not_found',
      message: 'event group fragil not found; did you mean fragile?',
    });
  });
});

describe('an event that is replayed while the delivery of an earlier event ends', () => {
  const twoOfATask = async () => {
    const { log, sql, url, taskUuids } = await eventLog();
    const [taskUuid] = taskUuids as [string];
    const group = await log.joinGroup({ name: 'one', patterns: ['*'] });
    await writeEvents(sql, { taskUuid, name: 'a.one' }, { taskUuid, name: 'a.two' });
    await log.sequence();
    const taken = (await log.take(group, ME, HOLD))!;
    const [one, two] = taken.events as [TakenEvent, TakenEvent];
    await log.finish(taken, {
      failed: [{ ...one, error: 'no', delayMs: 0 }],
      dead: [{ ...two, error: 'no' }],
    });
    expect(names(await log.takeRetries(group, ME, HOLD))).toEqual(['a.one']);
    return { log, sql, url, group, one };
  };

  it.each([
    ['redelivered', (log: EventLog) => log.redeliver({ group: 'one' })],
    ['replayed', (log: EventLog) => log.replay({ group: 'one', name: 'a.two' })],
  ])('is delivered, regardless of which transaction commits first (%s)', async (_, act) => {
    const { log, sql, url, group, one } = await twoOfATask();
    const elsewhere = await Database.connect({ url, poolSize: 1, logger: silentLogger });
    onTestFinished(() => elsewhere.close());
    const end = { taskUuid: one.taskUuid, id: one.id, attempts: 1, next: 'delivered', error: null } as const;
    const waiting = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    // The other process has stored the end of the first delivery, and cannot see the event that is queued behind it.
    const { acting } = await elsewhere.transaction(opening(), async (tx) => {
      await finishRetries(tx, { groupId: group, holder: ME }, [end]);
      let over = false;
      const acting = act(log).finally(() => {
        over = true;
      });
      await until(
        async () => over || (await sql(waiting)).length > 0,
        (overOrWaiting) => overOrWaiting,
      );
      return { acting };
    });
    expect(await acting).toBe(1);
    expect(names(await again(log, group))).toEqual(['a.two']);
    expect(await sql('select * from tasker.event_retry')).toEqual([]);
  });
});

describe('a replay', () => {
  it('delivers past events to one group again, in order within each task', async () => {
    const { log, sql, taskUuids } = await eventLog({ tasks: 3 });
    const [one] = taskUuids as [string];
    const group = await log.joinGroup({ name: 'one', patterns: ['a.*'] });
    const other = await log.joinGroup({ name: 'other', patterns: ['*'] });
    for (const n of [1, 2, 3])
      await writeEvents(
        sql,
        ...taskUuids.flatMap((taskUuid) => [`a.n${n}`, `b.n${n}`].map((name) => ({ taskUuid, name }))),
      );
    await log.sequence();
    await drain(log, group);
    await drain(log, other);
    await writeEvents(sql, { taskUuid: one, name: 'a.n4' });
    await log.sequence();
    expect(await log.countReplay({ group: 'one' })).toBe(9);
    expect(await log.replay({ group: 'one' })).toBe(9);
    expect(await log.replay({ group: 'one', taskUuid: one })).toBe(0);
    const got = await again(log, group);
    for (const taskUuid of taskUuids)
      expect(names(got.filter((event) => event.taskUuid === taskUuid))).toEqual(['a.n1', 'a.n2', 'a.n3']);
    expect(got.every((event) => event.replayed)).toBe(true);
    expect(names(await drain(log, group))).toEqual(['a.n4']);
    expect(await again(log, other)).toEqual([]);
    expect(await log.replay({ group: 'other', name: '*.n2', taskUuid: one })).toBe(2);
    expect(names(await again(log, other))).toEqual(['a.n2', 'b.n2']);
    expect(await log.replay({ group: 'other', after: new Date(Date.now() + 86_400_000) })).toBe(0);
    expect(await log.replay({ group: 'other', before: new Date(Date.now() - 86_400_000) })).toBe(0);
    await expect(log.replay({ group: 'none' })).rejects.toMatchObject({ code: 'event_group_not_found' });
  });

  it('delivers an event once, whether it waits behind a failed delivery or is a dead delivery', async () => {
    const { log, sql, taskUuids } = await eventLog();
    const [taskUuid] = taskUuids as [string];
    const group = await log.joinGroup({ name: 'one', patterns: ['*'] });
    await writeEvents(sql, ...['a.one', 'a.two', 'a.three', 'a.four'].map((name) => ({ taskUuid, name })));
    await log.sequence();
    const taken = (await log.take(group, ME, HOLD))!;
    const [one, two, three] = taken.events;
    await log.finish(taken, {
      dead: [{ ...one!, error: 'no' }],
      failed: [{ ...two!, error: 'no', delayMs: 0 }],
      parked: [three!],
    });
    expect(await log.replay({ group: 'one' })).toBe(2);
    expect(await log.dead()).toEqual([]);
    expect(names(await again(log, group))).toEqual(['a.one', 'a.two', 'a.three', 'a.four']);
  });

  it('leaves no dead delivery for an event whose delivery fails permanently at the same time', async () => {
    const { log, sql, url, taskUuids } = await eventLog();
    const [taskUuid] = taskUuids as [string];
    const group = await log.joinGroup({ name: 'one', patterns: ['*'] });
    await writeEvents(sql, { taskUuid, name: 'a.one' });
    await log.sequence();
    await giveUp(log, group);
    await log.redeliver({ group: 'one' });
    const [taken] = await log.takeRetries(group, ME, HOLD);
    const elsewhere = await Database.connect({ url, poolSize: 1, logger: silentLogger });
    onTestFinished(() => elsewhere.close());
    const end = { taskUuid, id: taken!.id, attempts: 1, next: 'dead', error: 'no a.one' } as const;
    const waiting = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    // The other process has stored a dead delivery, which the replay cannot see yet.
    const { replayed } = await elsewhere.transaction(opening(), async (tx) => {
      await finishRetries(tx, { groupId: group, holder: ME }, [end]);
      const replayed = log.replay({ group: 'one' });
      await until(
        () => sql(waiting),
        (rows) => rows.length > 0,
      );
      return { replayed };
    });
    expect(await replayed).toBe(1);
    expect(await log.dead()).toEqual([]);
    expect(names(await again(log, group))).toEqual(['a.one']);
  });

  it('does not deadlock with a concurrent redelivery of the same events', async () => {
    const { log, another, sql, url, taskUuids } = await eventLog();
    const [taskUuid] = taskUuids as [string];
    const [eventId, groupId] = [uuidV7(), await log.joinGroup({ name: 'one', patterns: ['*'] })];
    const [, second] = await writeEvents(sql, { taskUuid, name: 'a.one', eventId }, { taskUuid, name: 'a.two' });
    await log.sequence();
    await giveUp(log, groupId);
    // The replay has added one event, and waits for the other.
    const session = await openSession(url);
    await session.query('begin');
    const insert = 'insert into tasker.event_retry (group_id, task_uuid, id) values ($1, $2, $3)';
    await session.query(insert, [groupId, taskUuid, second]);
    const waiting = () =>
      sql(`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`);
    const replayed = log.replay({ group: 'one' });
    await until(waiting, (rows) => rows.length === 1);
    const redelivered = (await another()).redeliver({ group: 'one', eventId });
    await until(waiting, (rows) => rows.length === 2);
    await session.query('rollback');
    expect(await Promise.allSettled([replayed, redelivered])).toEqual([
      { status: 'fulfilled', value: 2 },
      { status: 'fulfilled', value: 0 },
    ]);
    expect(await log.dead()).toEqual([]);
    expect(names(await again(log, groupId))).toEqual(['a.one', 'a.two']);
  });
});

describe('removing a group', () => {
  it("takes the group's events from the processes that hold them, and a process that joins later recreates the group", async () => {
    const { log, sql, taskUuids } = await eventLog();
    const [taskUuid] = taskUuids as [string];
    const group = await log.joinGroup({ name: 'one', patterns: ['*'] });
    await writeEvents(sql, { taskUuid, name: 'a.one' });
    await log.sequence();
    const first = (await log.take(group, ME, HOLD))!;
    await log.finish(first, { failed: [{ ...first.events[0]!, error: 'no', delayMs: 0 }] });
    await writeEvents(sql, { taskUuid, name: 'a.two' });
    await log.sequence();
    const taken = (await log.take(group, ME, HOLD))!;
    const [retry] = await log.takeRetries(group, ME, HOLD);
    expect(await log.removeGroup('one')).toBe(true);
    expect(await log.removeGroup('one')).toBe(false);
    expect(await log.finish(taken, { parked: taken.events })).toBe(false);
    const dead = [{ ...retry!, attempts: 2, error: 'no' }];
    expect(await log.finishRetries(group, ME, { dead })).toEqual({ finished: 0, next: 0 });
    expect(await log.extend(group, ME, 1_000)).toEqual({ parts: [], events: [] });
    await log.letGo(group, ME);
    expect(await log.take(group, ME, HOLD)).toBeUndefined();
    expect(await log.nextDueMs(group)).toBeNull();
    for (const table of ['event_cursor', 'event_retry', 'event_dead'])
      expect(await sql(`select * from tasker.${table}`)).toEqual([]);
    const recreated = await log.joinGroup({ name: 'one', patterns: ['*'] });
    expect(recreated).not.toBe(group);
    expect(await drain(log, recreated)).toEqual([]);
  });

  it('does not deadlock with a process that parks an event behind another', async () => {
    const { log, another, sql, url, taskUuids } = await eventLog();
    const [taskUuid] = taskUuids as [string];
    const group = await log.joinGroup({ name: 'one', patterns: ['*'] });
    await writeEvents(sql, { taskUuid, name: 'a.one' });
    await log.sequence();
    const first = (await log.take(group, ME, HOLD))!;
    await log.finish(first, { failed: [{ ...first.events[0]!, error: 'no', delayMs: 0 }] });
    await writeEvents(sql, { taskUuid, name: 'a.two' });
    await log.sequence();
    const taken = (await log.take(group, ME, HOLD))!;
    // Both wait for the cursor, which another session has locked; the removal is first.
    const session = await openSession(url);
    await session.query('begin');
    await session.query('select 1 from tasker.event_cursor where holder is not null for update');
    const waiting = () =>
      sql(`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`);
    const removed = log.removeGroup('one');
    await until(waiting, (rows) => rows.length === 1);
    const finished = (await another()).finish(taken, { parked: taken.events });
    await until(waiting, (rows) => rows.length === 2);
    await session.query('commit');
    expect(await Promise.allSettled([removed, finished])).toEqual([
      { status: 'fulfilled', value: true },
      { status: 'fulfilled', value: false },
    ]);
    expect(await sql('select * from tasker.event_retry')).toEqual([]);
  });
});

describe('old events', () => {
  const age = (interval: string) => `
    update tasker.event_chunk set made_at = made_at - interval '${interval}'`;

  it('are deleted once every group has passed them, except those with retries or dead deliveries', async () => {
    const { log, sql, taskUuids } = await eventLog({ tasks: 4 });
    const [one, two, three, four] = taskUuids as [string, string, string, string];
    const group = await log.joinGroup({ name: 'quick', patterns: ['*'] });
    const slow = await log.joinGroup({ name: 'slow', patterns: ['*'] });
    await writeEvents(sql, ...[one, two, three, four].map((taskUuid, i) => ({ taskUuid, name: `a.n${i}` })));
    await log.sequence();
    for (let taken = await log.take(group, ME, HOLD); taken; taken = await log.take(group, ME, HOLD)) {
      const failed = taken.events.filter((event) => event.taskUuid === one);
      const dead = taken.events.filter((event) => event.taskUuid === two);
      await log.finish(taken, {
        failed: failed.map((event) => ({ ...event, error: 'no', delayMs: 0 })),
        dead: dead.map((event) => ({ ...event, error: 'no' })),
      });
    }
    await sql(age('8 days'));
    expect(await log.tidy(WEEK)).toBe(0);
    await drain(log, slow);
    expect(await log.tidy(WEEK)).toBe(2);
    expect(names(await log.list()).sort()).toEqual(['a.n0', 'a.n1']);
    expect(names(await again(log, group))).toEqual(['a.n0']);
    await sql(`update tasker.event_dead set died_at = died_at - interval '8 days'`);
    expect(await log.tidy(WEEK)).toBe(2);
    expect(await log.dead()).toEqual([]);
    expect(await sql('select * from tasker.event_chunk')).toEqual([]);
    await writeEvents(sql, { taskUuid: one, name: 'a.young' });
    await log.sequence();
    expect(await log.tidy(WEEK)).toBe(0);
    expect(await log.groups()).toMatchObject([{ waiting: 1 }, { waiting: 1 }]);
    expect(names(await drain(log, group))).toEqual(['a.young']);
  });

  it('are deleted only by age if no group exists', async () => {
    const { log, sql, taskUuids, another } = await eventLog({ tasks: 20 });
    for (let i = 0; i < 5; i++) {
      await writeEvents(sql, ...taskUuids.map((taskUuid) => ({ taskUuid })));
      expect(await log.tidy(WEEK)).toBe(0);
    }
    await sql(age('8 days'));
    await writeEvents(sql, { taskUuid: taskUuids[0]!, name: 'a.young' });
    const elsewhere = await another();
    const counts = await Promise.all([log.tidy(WEEK), elsewhere.tidy(WEEK)]);
    expect(counts[0]! + counts[1]!).toBe(100);
    expect(names(await log.list())).toEqual(['a.young']);
  });
});
