import { describe, expect, it } from 'vitest';
import { opening } from '../../src/db/opening.ts';
import type { EventLog } from '../../src/engine/events/log.ts';
import { holdRetries } from '../../src/store/events/retries.ts';
import { drain, eventLog, writeEvents } from '../support/events/event-log.ts';

const ME = '00000000-0000-7000-8000-000000000001';
const OTHER = '00000000-0000-7000-8000-000000000002';
const HOLD = { leaseMs: 60_000 };
const names = (events: readonly { name: string }[]) => events.map((event) => event.name);

/** Fails the first delivery of each event, so that it is due for a retry immediately. */
async function failAll(log: EventLog, groupId: number) {
  for (let taken = await log.take(groupId, ME, HOLD); taken; taken = await log.take(groupId, ME, HOLD))
    await log.finish(taken, { failed: taken.events.map((event) => ({ ...event, error: 'closed', delayMs: 0 })) });
}

/** Two groups that get different events of two tasks. Both deliveries have failed, the first group's delivery first. */
async function twoGroups() {
  const bench = await eventLog({ tasks: 2 });
  const { log, sql, taskUuids } = bench;
  const [one, two] = taskUuids as [string, string];
  const first = await log.joinGroup({ name: 'first', patterns: ['a.*'] });
  const second = await log.joinGroup({ name: 'second', patterns: ['b.*'] });
  await writeEvents(sql, { taskUuid: one, name: 'a.one' }, { taskUuid: two, name: 'b.one' });
  await log.sequence();
  await failAll(log, first);
  await failAll(log, second);
  return { ...bench, first, second };
}

describe('a process that works for two event groups', () => {
  it('the process keeps the deliveries of one group when it releases the other', async () => {
    const { log, first, second } = await twoGroups();
    expect(names(await log.takeRetries(first, ME, HOLD))).toEqual(['a.one']);
    expect(names(await log.takeRetries(second, ME, HOLD))).toEqual(['b.one']);
    await log.letGo(first, ME);
    expect(names(await log.takeRetries(first, OTHER, HOLD))).toEqual(['a.one']);
    expect(await log.takeRetries(second, OTHER, HOLD)).toEqual([]);
  });

  it('the process extends its holds of one group without extending those of the other', async () => {
    const { log, first, second } = await twoGroups();
    const [held] = await log.takeRetries(first, ME, HOLD);
    await log.takeRetries(second, ME, { leaseMs: 1 });
    expect(await log.extend(first, ME, 60_000)).toEqual({ parts: [], events: [held!.id] });
    // Two statements may run within one millisecond.
    await expect.poll(async () => names(await log.takeRetries(second, OTHER, HOLD))).toEqual(['b.one']);
  });

  it('the process keeps its part for one group when it releases the other', async () => {
    const { log, sql, taskUuids } = await eventLog();
    const first = await log.joinGroup({ name: 'first', patterns: ['*'] });
    const second = await log.joinGroup({ name: 'second', patterns: ['*'] });
    await writeEvents(sql, { taskUuid: taskUuids[0]!, name: 'a.one' });
    await log.sequence();
    await log.take(first, ME, HOLD);
    await log.take(second, ME, HOLD);
    await log.letGo(first, ME);
    expect(names((await log.take(first, OTHER, HOLD))!.events)).toEqual(['a.one']);
    expect(await log.take(second, OTHER, HOLD)).toBeUndefined();
  });
});

describe('two event groups', () => {
  it('a process that leaves one group stays a member of the other', async () => {
    const { log } = await eventLog();
    const ids: number[] = [];
    for (const name of ['first', 'second'])
      for (const member of [ME, OTHER]) ids.push(await log.joinGroup({ name, patterns: [`${name}.*`], member }));
    const members = async () => (await log.groups()).map((group) => group.members);
    expect(await members()).toEqual([2, 2]);
    await log.leaveGroup({ groupId: ids[0]!, member: ME });
    expect(await members()).toEqual([1, 2]);
  });

  it('removing one group does not affect the other', async () => {
    const { log, sql, taskUuids, first } = await twoGroups();
    await log.joinGroup({ name: 'first', patterns: ['a.*'], member: ME });
    await writeEvents(sql, { taskUuid: taskUuids[0]!, name: 'a.dead' });
    await log.sequence();
    const taken = (await log.take(first, ME, HOLD))!;
    await log.finish(taken, { dead: taken.events.map((event) => ({ ...event, error: 'closed' })) });
    const [before] = await log.groups('first');
    expect(before).toMatchObject({ retrying: 1, dead: 1, members: 2 });
    expect(await log.removeGroup('third')).toBe(false);
    expect(await log.removeGroup('second')).toBe(true);
    expect(
      (await log.groups()).map(({ name, retrying, dead, members }) => ({ name, retrying, dead, members })),
    ).toEqual([{ name: 'first', retrying: 1, dead: 1, members: 2 }]);
    await writeEvents(sql, { taskUuid: taskUuids[0]!, name: 'a.two' });
    await log.sequence();
    expect((await log.take(first, ME, HOLD))!.events).toMatchObject([{ name: 'a.two' }]);
  });
});

describe('a delivery that is due for a retry', () => {
  it('the delivery is taken even if deliveries of another group have been due for longer', async () => {
    const { log, second } = await twoGroups();
    expect(names(await log.takeRetries(second, ME, { ...HOLD, limit: 1 }))).toEqual(['b.one']);
  });

  it('a process does not wait for a delivery that another process is taking', async () => {
    const { tasker, log, first } = await twoGroups();
    const hold = { groupId: first, holder: ME, leaseMs: 60_000, limit: 10, bytes: 1_000_000, matching: '' };
    await tasker.engine.database.transaction(opening(), async (tx) => {
      expect((await holdRetries(tx, hold)).events).toHaveLength(1);
      expect(await log.takeRetries(first, OTHER, HOLD)).toEqual([]);
    });
  });

  it('the delivery is reported as due only to its own group', async () => {
    const { log, sql, first, second } = await twoGroups();
    await log.takeRetries(first, ME, HOLD);
    await sql('delete from tasker.event_retry where group_id = $1', [second]);
    const look = await log.look([first, second]);
    expect(look.get(first)!.dueMs).toBeGreaterThan(10_000);
    expect(look.get(second)!.dueMs).toBeNull();
  });
});

it('a group has waiting events until its position is after all of them', async () => {
  const { log, sql, taskUuids } = await eventLog({ tasks: 3 });
  const group = await log.joinGroup({ name: 'all', patterns: ['*'] });
  const look = async () => (await log.look([group])).get(group);
  expect(await look()).toEqual({ unplaced: false, waiting: false, dueMs: null });
  await writeEvents(sql, ...taskUuids.map((taskUuid) => ({ taskUuid })));
  expect(await look()).toMatchObject({ unplaced: true, waiting: false });
  await log.sequence();
  expect(await look()).toMatchObject({ unplaced: false, waiting: true });
  await drain(log, group);
  expect(await look()).toEqual({ unplaced: false, waiting: false, dueMs: null });
});
