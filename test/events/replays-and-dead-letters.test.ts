import { describe, expect, it } from 'vitest';
import type { EventLog } from '../../src/engine/events/log.ts';
import { eventLog, writeEvents } from '../support/events/event-log.ts';

const ME = '00000000-0000-7000-8000-000000000001';
const HOLD = { leaseMs: 60_000 };
const names = (events: readonly { name: string }[]) => events.map((event) => event.name);

/** A group, and events of one task with these names in a single list of the log. */
async function oneTask(...written: string[]) {
  const bench = await eventLog();
  const { log, sql, taskUuids } = bench;
  const group = await log.joinGroup({ name: 'one', patterns: ['*'] });
  await writeEvents(sql, ...written.map((name) => ({ taskUuid: taskUuids[0]!, name })));
  await log.sequence();
  return { ...bench, group };
}

async function giveUp(log: EventLog, group: number) {
  const taken = (await log.take(group, ME, HOLD))!;
  await log.finish(taken, { dead: taken.events.map((event) => ({ ...event, error: 'closed' })) });
}

describe('a replay', () => {
  it('repeats only the events of a list that the group has passed', async () => {
    const { log, group } = await oneTask('a.one', 'a.two', 'a.three', 'a.four');
    const taken = (await log.take(group, ME, { ...HOLD, limit: 2 }))!;
    expect(names(taken.events)).toEqual(['a.one', 'a.two']);
    await log.finish(taken);
    expect(await log.countReplay({ group: 'one' })).toBe(2);
    expect(await log.replay({ group: 'one' })).toBe(2);
    const again: string[] = [];
    for (;;) {
      const retries = await log.takeRetries(group, ME, HOLD);
      if (retries.length === 0) break;
      again.push(...names(retries));
      await log.finishRetries(group, ME, { delivered: retries });
    }
    expect(again).toEqual(['a.one', 'a.two']);
    expect(names((await log.take(group, ME, HOLD))!.events)).toEqual(['a.three', 'a.four']);
  });

  it('of one event keeps the dead deliveries of other events and groups', async () => {
    const { log, sql, taskUuids, group } = await oneTask('a.one', 'a.two');
    const other = await log.joinGroup({ name: 'other', patterns: ['*'], from: 'beginning' });
    await giveUp(log, group);
    await giveUp(log, other);
    expect(await log.replay({ group: 'one', name: 'a.one', taskUuid: taskUuids[0]! })).toBe(1);
    expect((await log.dead({ group: 'one' })).map(({ event }) => event.name)).toEqual(['a.two']);
    expect((await log.dead({ group: 'other' })).map(({ event }) => event.name)).toEqual(['a.two', 'a.one']);
    expect(await sql('select count(*)::int n from tasker.event_retry')).toEqual([{ n: 1 }]);
  });
});

describe('dead deliveries', () => {
  it('are listed newest first, by their time and then by their event', async () => {
    const { log, sql, group } = await oneTask('a.one', 'a.two', 'a.three');
    await giveUp(log, group);
    const listed = async (limit: number) => (await log.dead({ limit })).map(({ event }) => event.name);
    expect(await listed(10)).toEqual(['a.three', 'a.two', 'a.one']);
    expect(await listed(2)).toEqual(['a.three', 'a.two']);
    await sql(`update tasker.event_dead set died_at = died_at + interval '1 hour'
                where id = (select min(id) from tasker.event_dead)`);
    expect(await listed(10)).toEqual(['a.one', 'a.three', 'a.two']);
    expect(await listed(1)).toEqual(['a.one']);
  });
});
