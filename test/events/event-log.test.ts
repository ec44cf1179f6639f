import { describe, expect, it } from 'vitest';
import { uuidV7 } from '../../src/model/ids.ts';
import { openSession } from '../support/database.ts';
import { drain, eventLog, insertEvents, noGaps, writeEvents } from '../support/events/event-log.ts';

const ME = '00000000-0000-7000-8000-000000000001';
const OTHER = '00000000-0000-7000-8000-000000000002';
const HOLD = { leaseMs: 60_000 };
const names = (events: readonly { name: string }[]) => events.map((event) => event.name);

describe('an event', () => {
  it('reaches each group that wants it once, with all its recorded fields', async () => {
    const { log, sql, taskUuids } = await eventLog();
    const [taskUuid] = taskUuids as [string];
    const [payments, all, others] = [
      await log.joinGroup({ name: 'payments', patterns: ['payment.*', 'order.done', 'payment.d[no]ne'] }),
      await log.joinGroup({ name: 'all', patterns: ['*'] }),
      await log.joinGroup({ name: 'others', patterns: ['payment'] }),
    ];
    const eventId = uuidV7();
    await writeEvents(sql, { taskUuid, name: 'payment.done', payload: { amount: 12.5 }, eventId, idx: 1 });
    expect(await log.sequence()).toBe(1);
    expect(await drain(log, payments)).toEqual([
      {
        id: expect.any(Number),
        eventId,
        name: 'payment.done',
        version: '1.0',
        taskUuid,
        stepUuid: expect.stringContaining(taskUuid.slice(0, 28)),
        stepName: 'b',
        namespace: 'test',
        correlationId: taskUuid,
        attempt: 1,
        publisher: 'default',
        firedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        payload: { amount: 12.5 },
        metadata: {},
        executionResult: expect.objectContaining({ success: true, status: 'completed', result: { amount: 12.5 } }),
        parked: false,
        after: expect.anything(),
      },
    ]);
    expect(names(await drain(log, all))).toEqual(['payment.done']);
    expect(await drain(log, others)).toEqual([]);
    for (const group of [payments, all, others]) expect(await drain(log, group)).toEqual([]);
  });

  it('is delivered after the earlier events of its task, whether few or many events are taken at a time', async () => {
    const { log, sql, taskUuids } = await eventLog({ tasks: 5 });
    const group = await log.joinGroup({ name: 'all', patterns: ['*'] });
    const written = new Map<string, number[]>(taskUuids.map((taskUuid) => [taskUuid, []]));
    for (let round = 0; round < 6; round++) {
      for (const taskUuid of taskUuids)
        written.get(taskUuid)!.push(...(await writeEvents(sql, { taskUuid }, { taskUuid })));
      if (round % 2 === 0) await log.sequence();
    }
    await log.sequence();
    const got = new Map<string, number[]>();
    for (const { taskUuid, id } of await drain(log, group, { limit: 5 }))
      got.set(taskUuid, [...(got.get(taskUuid) ?? []), id]);
    expect(Object.fromEntries(got)).toEqual(Object.fromEntries(written));
  });

  it('is delivered even if a later event was committed first or an earlier event was rolled back', async () => {
    const { log, sql, url, taskUuids } = await eventLog({ tasks: 3 });
    const [slow, lost, quick] = taskUuids as [string, string, string];
    const group = await log.joinGroup({ name: 'all', patterns: ['*'] });
    const session = await openSession(url);
    const query = async <Row>(text: string, values?: unknown[]) => (await session.query(text, values)).rows as Row[];
    await session.query('begin');
    await insertEvents(query, [{ taskUuid: slow, name: 'slow.one' }]);
    await sql('begin');
    await insertEvents(sql, [{ taskUuid: lost, name: 'lost.one' }]);
    await sql('rollback');
    await writeEvents(sql, { taskUuid: quick, name: 'quick.one' });
    expect(await log.sequence()).toBe(1);
    expect(names(await drain(log, group))).toEqual(['quick.one']);
    expect(await sql('select first_id::int, last_id::int from tasker.event_gap')).toEqual([
      { first_id: 1, last_id: 2 },
    ]);
    await session.query('commit');
    expect(await log.sequence()).toBe(1);
    expect(names(await drain(log, group))).toEqual(['slow.one']);
    await noGaps(log, sql);
  });
});

describe('a group', () => {
  it('starts at its creation or at the oldest event, and keeps its position when a process joins it again', async () => {
    const { log, sql, taskUuids, another } = await eventLog();
    const [taskUuid] = taskUuids as [string];
    await writeEvents(sql, { taskUuid, name: 'a.one' });
    const early = await log.joinGroup({ name: 'early', patterns: ['a.*'], from: 'beginning' });
    const late = await log.joinGroup({ name: 'late', patterns: ['a.*'] });
    await writeEvents(sql, { taskUuid, name: 'a.two' }, { taskUuid, name: 'b.two' });
    await log.sequence();
    expect(names(await drain(log, early))).toEqual(['a.one', 'a.two']);
    expect(names(await drain(log, late))).toEqual(['a.two']);
    await writeEvents(sql, { taskUuid, name: 'a.three' }, { taskUuid, name: 'b.three' });
    const elsewhere = await another();
    expect(await elsewhere.joinGroup({ name: 'late', patterns: ['b.*'], from: 'beginning' })).toBe(late);
    await elsewhere.sequence();
    expect(names(await drain(elsewhere, late))).toEqual(['a.three', 'b.three']);
  });

  it('is created once when many processes join it at the same time', async () => {
    const { another } = await eventLog();
    const logs = await Promise.all([another(), another(), another()]);
    const ids = await Promise.all(
      logs.flatMap((log) => [1, 2].map(() => log.joinGroup({ name: 'one', patterns: ['*'] }))),
    );
    expect(new Set(ids).size).toBe(1);
  });
});

describe('a part of the log', () => {
  it('is held by one process until it is released, its lease expires, or it is finished', async () => {
    const { log, sql, taskUuids } = await eventLog();
    const [taskUuid] = taskUuids as [string];
    const group = await log.joinGroup({ name: 'all', patterns: ['*'] });
    await writeEvents(sql, { taskUuid, name: 'a.one' }, { taskUuid, name: 'a.two' }, { taskUuid, name: 'a.three' });
    await log.sequence();
    const first = (await log.take(group, ME, HOLD))!;
    expect(names(first.events)).toEqual(['a.one', 'a.two', 'a.three']);
    expect(await log.take(group, OTHER, HOLD)).toBeUndefined();
    expect(await log.take(group, ME, HOLD)).toBeUndefined();
    await log.letGo(group, ME);
    const second = (await log.take(group, OTHER, HOLD))!;
    expect(await log.finish(first)).toBe(false);
    expect(await log.finish(second, { upTo: second.events[0]!.after, keepMs: 60_000 })).toBe(true);
    expect(await log.take(group, ME, HOLD)).toBeUndefined();
    await sql(`update tasker.event_cursor set held_until = now() - interval '1 second' where holder is not null`);
    const third = (await log.take(group, ME, { ...HOLD, limit: 1 }))!;
    expect(names(third.events)).toEqual(['a.two']);
    expect(await log.finish(second)).toBe(false);
    expect(await log.finish(third)).toBe(true);
    const rest = (await log.take(group, OTHER, HOLD))!;
    expect(names(rest.events)).toEqual(['a.three']);
    expect(await log.finish(rest)).toBe(true);
    expect(await log.take(group, ME, HOLD)).toBeUndefined();
    expect(await sql('select * from tasker.event_cursor where holder is not null')).toEqual([]);
  });

  it('can be finished again after a lost response, until another process holds the part', async () => {
    const { log, sql, taskUuids } = await eventLog();
    const [taskUuid] = taskUuids as [string];
    const group = await log.joinGroup({ name: 'all', patterns: ['*'] });
    await writeEvents(sql, { taskUuid, name: 'a.one' }, { taskUuid, name: 'a.two' });
    await log.sequence();
    const taken = (await log.take(group, ME, { ...HOLD, limit: 1 }))!;
    const outcome = { failed: [{ ...taken.events[0]!, error: 'no', delayMs: 0 }] };
    expect(await log.finish(taken, outcome)).toBe(true);
    const [retry] = await log.takeRetries(group, OTHER, HOLD);
    await log.finishRetries(group, OTHER, { delivered: [retry!] });
    expect(await log.finish(taken, outcome)).toBe(true);
    // The parked event has been delivered in the meantime, and is not parked again.
    expect(await sql('select * from tasker.event_retry')).toEqual([]);
    expect(names((await log.take(group, OTHER, HOLD))!.events)).toEqual(['a.two']);
    expect(await log.finish(taken, outcome)).toBe(false);
  });

  it('does not park events twice when progress is saved again after a lost response', async () => {
    const { log, sql, taskUuids } = await eventLog();
    const [taskUuid] = taskUuids as [string];
    const group = await log.joinGroup({ name: 'all', patterns: ['*'] });
    await writeEvents(sql, { taskUuid, name: 'a.one' }, { taskUuid, name: 'a.two' }, { taskUuid, name: 'a.three' });
    await log.sequence();
    const taken = (await log.take(group, ME, HOLD))!;
    const [one, two, three] = taken.events;
    const outcome = {
      upTo: two!.after,
      failed: [{ ...one!, error: 'no', delayMs: 0 }],
      dead: [{ ...two!, error: 'never' }],
      keepMs: 60_000,
    };
    expect(await log.finish(taken, outcome)).toBe(true);
    const [retry] = await log.takeRetries(group, OTHER, HOLD);
    await log.finishRetries(group, OTHER, { delivered: [retry!] });
    await log.discard({ group: 'all' });
    expect(await log.finish(taken, outcome)).toBe(true);
    expect(await sql('select id from tasker.event_retry union all select id from tasker.event_dead')).toEqual([]);
    expect(await log.finish(taken, { failed: [{ ...three!, error: 'no', delayMs: 0 }] })).toBe(true);
    expect(names(await log.takeRetries(group, OTHER, HOLD))).toEqual(['a.three']);
  });

  it('stays held as long as its process renews the lease', async () => {
    const { log, sql, taskUuids } = await eventLog();
    const group = await log.joinGroup({ name: 'all', patterns: ['*'] });
    await writeEvents(sql, { taskUuid: taskUuids[0]! });
    await log.sequence();
    const { part } = (await log.take(group, ME, { leaseMs: 1 }))!;
    expect(await log.extend(group, ME, 60_000)).toEqual({ parts: [part], events: [] });
    expect(await log.extend(group, OTHER, 60_000)).toEqual({ parts: [], events: [] });
    expect(await log.take(group, OTHER, HOLD)).toBeUndefined();
  });

  it('can be released while its holder keeps slow deliveries and the events behind them', async () => {
    const { log, sql, taskUuids } = await eventLog({ tasks: 2 });
    const [one, two] = taskUuids as [string, string];
    const group = await log.joinGroup({ name: 'all', patterns: ['*'] });
    await writeEvents(sql, { taskUuid: one, name: 'a.one' }, { taskUuid: one, name: 'a.two' });
    await log.sequence();
    const taken = (await log.take(group, ME, HOLD))!;
    const [first, second] = taken.events;
    expect(await log.finish(taken, { slow: { deliveries: [first!], leaseMs: 60_000 }, parked: [second!] })).toBe(true);
    await writeEvents(sql, { taskUuid: one, name: 'a.three' }, { taskUuid: two, name: 'b.one' });
    await log.sequence();
    const later = [];
    for (let more = await log.take(group, OTHER, HOLD); more; more = await log.take(group, OTHER, HOLD)) {
      later.push(...more.events);
      await log.finish(more, { parked: more.events.filter(({ parked }) => parked) });
    }
    expect(later.map(({ name, parked }) => [name, parked]).sort()).toEqual([
      ['a.three', true],
      ['b.one', false],
    ]);
    expect(await log.takeRetries(group, OTHER, HOLD)).toEqual([]);
    expect(await log.extend(group, ME, 60_000)).toEqual({ parts: [], events: [first!.id] });
    expect(await log.finishRetries(group, ME, { delivered: [first!] })).toEqual({ finished: 1, next: 1 });
    expect(names(await log.takeRetries(group, OTHER, HOLD))).toEqual(['a.two']);
  });

  it('returns at most 8 MB at a time, or a single larger event', async () => {
    const { log, sql, taskUuids } = await eventLog();
    const [taskUuid] = taskUuids as [string];
    const group = await log.joinGroup({ name: 'all', patterns: ['*'] });
    const large = { taskUuid, payload: { text: 'x'.repeat(3_000_000) } };
    await writeEvents(sql, { taskUuid, payload: { text: 'y'.repeat(9_000_000) } }, large, large, large);
    await log.sequence();
    const counts: number[] = [];
    for (let taken = await log.take(group, ME, HOLD); taken; taken = await log.take(group, ME, HOLD)) {
      counts.push(taken.events.length);
      await log.finish(taken);
    }
    expect(counts).toEqual([1, 2, 1]);
  });

  it('advances past events that its group does not want', async () => {
    const { log, sql, taskUuids } = await eventLog();
    const [taskUuid] = taskUuids as [string];
    const group = await log.joinGroup({ name: 'rare', patterns: ['rare.*'] });
    await sql('begin');
    await insertEvents(
      sql,
      Array.from({ length: 5_000 }, () => ({ taskUuid })),
    );
    await insertEvents(sql, [{ taskUuid, name: 'rare.one' }]);
    await sql('commit');
    expect(await log.sequence()).toBe(5_001);
    let takes = 0;
    const got: string[] = [];
    for (let taken = await log.take(group, ME, HOLD); taken; taken = await log.take(group, ME, HOLD)) {
      takes++;
      got.push(...names(taken.events));
      await log.finish(taken);
    }
    expect(got).toEqual(['rare.one']);
    expect(takes).toBeLessThan(5);
  });
});

describe('a delivery that failed', () => {
  it('delays later events of its task until its retry, but not the events of other tasks', async () => {
    const { log, sql, taskUuids } = await eventLog({ tasks: 2 });
    const [taskUuid, other] = taskUuids as [string, string];
    const group = await log.joinGroup({ name: 'all', patterns: ['*'] });
    const events = ['one', 'two', 'three'].map((name) => ({ taskUuid, name: `a.${name}` }));
    await writeEvents(sql, ...events, { taskUuid: other, name: 'b.one' });
    await log.sequence();
    for (;;) {
      const taken = await log.take(group, ME, HOLD);
      if (!taken) break;
      const [first, ...behind] = taken.events.filter((event) => event.taskUuid === taskUuid);
      const failed = first ? [{ ...first, error: 'closed', delayMs: 60_000 }] : [];
      expect(await log.finish(taken, { failed, parked: behind })).toBe(true);
    }
    expect(await log.takeRetries(group, ME, HOLD)).toEqual([]);
    expect(await log.nextDueMs(group)).toBeGreaterThan(10_000);
    await writeEvents(sql, { taskUuid, name: 'a.four' });
    await log.sequence();
    const later = (await log.take(group, ME, HOLD))!;
    expect(later.events).toMatchObject([{ name: 'a.four', parked: true }]);
    await log.finish(later, { parked: later.events });
    await sql(`update tasker.event_retry set due_at = now() where attempts > 0`);
    const order: string[] = [];
    for (;;) {
      const [event, ...more] = await log.takeRetries(group, ME, HOLD);
      if (!event) break;
      expect(more).toEqual([]);
      expect(await log.takeRetries(group, OTHER, HOLD)).toEqual([]);
      order.push(`${event.name} after ${event.attempts}`);
      expect((await log.finishRetries(group, ME, { delivered: [event] })).finished).toBe(1);
    }
    expect(order).toEqual(['a.one after 1', 'a.two after 0', 'a.three after 0', 'a.four after 0']);
    expect(await log.nextDueMs(group)).toBeNull();
  });

  it('becomes a dead delivery after enough attempts, and the next event of its task continues', async () => {
    const { log, sql, taskUuids } = await eventLog();
    const [taskUuid] = taskUuids as [string];
    const group = await log.joinGroup({ name: 'all', patterns: ['*'] });
    await writeEvents(sql, { taskUuid, name: 'a.one' }, { taskUuid, name: 'a.two' }, { taskUuid, name: 'a.three' });
    await log.sequence();
    const taken = (await log.take(group, ME, HOLD))!;
    const [one, two, three] = taken.events;
    await log.finish(taken, {
      dead: [{ ...one!, error: 'no such\0thing' }],
      failed: [{ ...two!, error: 'closed', delayMs: 0 }],
      parked: [three!],
    });
    const [again] = await log.takeRetries(group, ME, HOLD);
    expect(again).toMatchObject({ name: 'a.two', attempts: 1, replayed: false });
    const failed = [{ ...again!, attempts: 2, error: 'closed still', delayMs: 0 }];
    expect(await log.finishRetries(group, ME, { failed })).toEqual({ finished: 1, next: 0 });
    const [last] = await log.takeRetries(group, OTHER, HOLD);
    expect(last).toMatchObject({ name: 'a.two', attempts: 2 });
    const dead = [{ ...last!, attempts: 3, error: 'closed permanently' }];
    expect(await log.finishRetries(group, ME, { dead })).toEqual({ finished: 0, next: 0 });
    expect(await log.finishRetries(group, OTHER, { dead })).toEqual({ finished: 1, next: 1 });
    expect(await log.takeRetries(group, ME, HOLD)).toMatchObject([{ name: 'a.three', attempts: 0 }]);
    expect(await sql('select id::int, attempts, error from tasker.event_dead order by id')).toEqual([
      { id: one!.id, attempts: 1, error: 'no suchthing' },
      { id: two!.id, attempts: 3, error: 'closed permanently' },
    ]);
  });

  it('is due again when the lease of its process expires, or as soon as the process releases it', async () => {
    const { log, sql, taskUuids } = await eventLog();
    const group = await log.joinGroup({ name: 'all', patterns: ['*'] });
    await writeEvents(sql, { taskUuid: taskUuids[0]! });
    await log.sequence();
    const taken = (await log.take(group, ME, HOLD))!;
    await log.finish(taken, { failed: [{ ...taken.events[0]!, error: 'no', delayMs: 0 }] });
    expect(await log.takeRetries(group, ME, { leaseMs: 1 })).toHaveLength(1);
    await sql('select pg_sleep(0.005)');
    expect(await log.takeRetries(group, OTHER, HOLD)).toHaveLength(1);
    expect(await log.nextDueMs(group)).toBeGreaterThan(10_000);
    await log.letGo(group, ME);
    expect(await log.takeRetries(group, ME, HOLD)).toEqual([]);
    await log.letGo(group, OTHER);
    expect(await log.takeRetries(group, ME, HOLD)).toHaveLength(1);
  });

  it('is dropped and reported if its event no longer exists, and the next event of its task continues', async () => {
    const { log, sql, taskUuids } = await eventLog({ tasks: 2 });
    const [taskUuid, other] = taskUuids as [string, string];
    const group = await log.joinGroup({ name: 'all', patterns: ['*'] });
    const [lost] = await writeEvents(
      sql,
      { taskUuid, name: 'a.lost' },
      { taskUuid, name: 'a.next' },
      { taskUuid: other },
    );
    await log.sequence();
    for (let taken = await log.take(group, ME, HOLD); taken; taken = await log.take(group, ME, HOLD)) {
      const parked = taken.events.filter((event) => event.name === 'a.next');
      const failed = taken.events.filter((event) => event.name !== 'a.next');
      await log.finish(taken, { failed: failed.map((event) => ({ ...event, error: 'no', delayMs: 0 })), parked });
    }
    await sql('delete from tasker.domain_event where id = $1', [lost]);
    const reported: number[] = [];
    const again = () => log.takeRetries(group, OTHER, { ...HOLD, gone: (count) => reported.push(count) });
    expect(names(await again())).toEqual(['demo.done']);
    expect(reported).toEqual([1]);
    expect(names(await again())).toEqual(['a.next']);
    expect(reported).toEqual([1]);
    expect(await sql('select id::int from tasker.event_retry where id = $1', [lost])).toEqual([]);
  });

  it('never blocks a later event of its task, which may be queued before or after the delivery ends', async () => {
    const { log, sql, taskUuids, another } = await eventLog({ tasks: 20 });
    const group = await log.joinGroup({ name: 'all', patterns: ['*'] });
    const elsewhere = await another();
    await writeEvents(sql, ...taskUuids.map((taskUuid) => ({ taskUuid, name: 'a.one' })));
    await log.sequence();
    for (let taken = await log.take(group, ME, HOLD); taken; taken = await log.take(group, ME, HOLD))
      await log.finish(taken, { failed: taken.events.map((event) => ({ ...event, error: 'no', delayMs: 0 })) });
    await writeEvents(sql, ...taskUuids.map((taskUuid) => ({ taskUuid, name: 'a.two' })));
    await log.sequence();
    const delivered = new Set<string>();
    const deliver = async () => {
      const retries = await elsewhere.takeRetries(group, OTHER, { ...HOLD, limit: 3 });
      await elsewhere.finishRetries(group, OTHER, { delivered: retries });
      for (const event of retries) delivered.add(`${event.taskUuid} ${event.name}`);
      return retries.length;
    };
    const park = async () => {
      for (let taken = await log.take(group, ME, HOLD); taken; taken = await log.take(group, ME, HOLD))
        await log.finish(taken, { parked: taken.events });
    };
    await Promise.all([park(), deliver(), deliver(), deliver()]);
    while ((await deliver()) > 0);
    expect(delivered.size).toBe(40);
    expect(await sql('select * from tasker.event_retry')).toEqual([]);
  });
});
