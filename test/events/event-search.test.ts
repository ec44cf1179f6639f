import { describe, expect, it } from 'vitest';
import { uuidV7 } from '../../src/model/ids.ts';
import { openSession } from '../support/database.ts';
import { eventLog, writeEvents } from '../support/events/event-log.ts';
import { until } from '../support/setup.ts';

const ME = '00000000-0000-7000-8000-000000000001';
const HOLD = { leaseMs: 60_000 };
const names = (events: readonly { name: string }[]) => events.map((event) => event.name);

describe('the log', () => {
  it('lists events by task, name, time and page, newest first, and finds one by its id', async () => {
    const { log, sql, taskUuids } = await eventLog({ tasks: 2 });
    const [one, two] = taskUuids as [string, string];
    const eventId = uuidV7();
    await writeEvents(sql, { taskUuid: one, name: 'a.one' }, { taskUuid: two, name: 'b.one', eventId });
    const [{ at }] = (await sql<{ at: string }>(`select tasker.iso(clock_timestamp()) at`)) as [{ at: string }];
    await writeEvents(sql, { taskUuid: one, name: 'a.two' }, { taskUuid: two, name: 'b.two' });
    expect(names(await log.list())).toEqual(['b.two', 'a.two', 'b.one', 'a.one']);
    expect(names(await log.list({ taskUuid: one }))).toEqual(['a.two', 'a.one']);
    expect(names(await log.list({ name: '*.one' }))).toEqual(['b.one', 'a.one']);
    expect(names(await log.list({ after: at }))).toEqual(['b.two', 'a.two']);
    expect(names(await log.list({ before: at, name: 'b.*' }))).toEqual(['b.one']);
    const [newest] = await log.list({ limit: 1 });
    expect(names(await log.list({ limit: 2, beforeId: newest!.id }))).toEqual(['a.two', 'b.one']);
    expect(await log.get(eventId)).toMatchObject({ name: 'b.one', taskUuid: two });
    expect(await log.get(uuidV7())).toBeUndefined();
    await expect(log.list({ after: 'yesterday' })).rejects.toMatchObject({ code: 'bad_request' });
    await expect(log.list({ limit: 0 })).rejects.toMatchObject({ code: 'bad_request' });
    await expect(log.get('b.one')).rejects.toMatchObject({ code: 'invalid_uuid' });
  });

  it('finds all events of a period, including events that were written late', async () => {
    const { log, sql, taskUuids } = await eventLog();
    const [taskUuid] = taskUuids as [string];
    const minutes = Array.from({ length: 60 }, (_, i) => 60 - i);
    await writeEvents(sql, ...minutes.map((minute) => ({ taskUuid, name: `a.m${minute}` })));
    // One event a minute. Some were written later than others, and many have been deleted.
    await sql(`update tasker.domain_event set fired_at = date_trunc('minute', now())
                 - substr(name, 4)::int * interval '1 minute' - (id % 3) * interval '2 minutes'`);
    await sql(`delete from tasker.domain_event where substr(name, 4)::int between 20 and 40`);
    const all = await log.list();
    expect(all).toHaveLength(39);
    const times = [...all.map((event) => event.firedAt), '2000-01-01T00:00:00Z', '2100-01-01T00:00:00Z'];
    for (const time of times) {
      const at = Date.parse(time);
      const fits = (fit: (ms: number) => boolean) => names(all.filter((event) => fit(Date.parse(event.firedAt))));
      expect(names(await log.list({ before: time }))).toEqual(fits((ms) => ms < at));
      expect(names(await log.list({ after: time }))).toEqual(fits((ms) => ms > at));
      const around = { after: new Date(at - 120_000), before: new Date(at + 120_000) };
      expect(names(await log.list(around))).toEqual(fits((ms) => ms > at - 120_000 && ms < at + 120_000));
    }
    expect(await log.list({ after: times[0]!, before: times[0]! })).toEqual([]);
  });

  it('finds no events for any period if it is empty', async () => {
    const { log } = await eventLog();
    expect(await log.list({ after: '2000-01-01T00:00:00Z', before: '2100-01-01T00:00:00Z' })).toEqual([]);
  });

  it('suggests a narrower filter when a search times out', async () => {
    const { log, sql, url } = await eventLog();
    const blocker = await openSession(url);
    await blocker.query('begin');
    await blocker.query('lock table tasker.domain_event in access exclusive mode');
    const refused = expect(log.list({ name: 'rare.*' })).rejects.toMatchObject({
      code: 'timeout',
      message: expect.stringContaining('--after'),
    });
    // Cancels the query, as the server does on a statement timeout.
    const cancel = `select pg_cancel_backend(pid) from pg_stat_activity
                     where datname = current_database() and query like '/* list_events */%' and wait_event_type = 'Lock'`;
    await until(
      () => sql(cancel),
      (rows) => rows.length > 0,
    );
    await refused;
  });

  it('can be followed from a position in pages of any size without missing events', async () => {
    const { log, sql, taskUuids } = await eventLog({ tasks: 7 });
    const [taskUuid] = taskUuids as [string];
    await writeEvents(sql, { taskUuid, name: 'a.before' });
    let { place } = await log.follow();
    const written: string[] = [];
    for (let round = 0; round < 3; round++) {
      const events = taskUuids.map((task, i) => ({ taskUuid: task, name: `a.n${round}_${i}` }));
      await writeEvents(sql, ...events, { taskUuid, name: 'b.other' });
      await log.sequence();
      written.push(...names(events));
    }
    const got: string[] = [];
    for (let more = true; more; ) {
      const next = await log.follow(place, { name: 'a.*', limit: 4 });
      place = next.place;
      more = next.events.length > 0;
      expect(next.events.length).toBeLessThanOrEqual(4);
      got.push(...names(next.events));
    }
    expect(got).toEqual(written);
    await writeEvents(sql, { taskUuid, name: 'a.last' });
    expect(names((await log.follow(place)).events)).toContain('a.last');
  });

  it('reports the state of each group', async () => {
    const { log, sql, taskUuids } = await eventLog({ tasks: 4 });
    const group = await log.joinGroup({ name: 'one', patterns: ['a.*'] });
    await log.joinGroup({ name: 'two', patterns: ['*'] });
    expect(await log.groups()).toMatchObject([
      { name: 'one', patterns: ['a.*'], waiting: 0, secondsBehind: 0, retrying: 0, dead: 0 },
      { name: 'two', waiting: 0 },
    ]);
    const events = taskUuids.map((taskUuid) => ({ taskUuid, name: 'a.one' }));
    await writeEvents(sql, ...events, ...events, ...events);
    expect(await log.groups('one')).toMatchObject([{ name: 'one', waiting: 12 }]);
    await log.sequence();
    await sql(`update tasker.event_chunk set made_at = now() - interval '1 hour'`);
    const [one] = await log.groups();
    expect(one).toMatchObject({ waiting: 12, retrying: 0, dead: 0 });
    expect(one!.secondsBehind).toBeGreaterThan(3_599);
    for (let taken = await log.take(group, ME, HOLD); taken; taken = await log.take(group, ME, HOLD)) {
      const dead = [{ ...taken.events[0]!, error: 'no' }];
      const parked = taken.events.slice(1).map((event) => ({ ...event, error: 'no', delayMs: 60_000 }));
      await log.finish(taken, { dead, failed: parked });
    }
    const [after, two] = await log.groups();
    expect(after).toMatchObject({ waiting: 0, secondsBehind: 0 });
    expect(after!.dead + after!.retrying).toBe(12);
    expect(two).toMatchObject({ waiting: 12 });
  });
});
