import { describe, expect, it } from 'vitest';
import { uuidV7 } from '../../../src/model/ids.ts';
import { openSession } from '../../support/database.ts';
import { drain, eventLog, writeEvents } from '../../support/events/event-log.ts';

const OLD = '00000000-0000-7000-8000-000000000001';
const NEW = '00000000-0000-7000-8000-000000000002';
const ORDERS = { member: OLD, patterns: ['order.*'] };
const BOTH = { member: NEW, patterns: ['payment.*', 'order.*'] };
const NAMES = ['order.done', 'payment.done', 'parcel.lost'];

/** A group with a member of the new version and, joined later, a member of the old version that wants fewer events. */
async function rollingDeployment() {
  const { log, sql, url, taskUuids } = await eventLog();
  const groupId = await log.joinGroup({ name: 'receipts', ...BOTH });
  await log.joinGroup({ name: 'receipts', ...ORDERS });
  const [taskUuid] = taskUuids as [string];
  return {
    log,
    sql,
    url,
    groupId,
    /** Publishes one event of each name, and returns the names of the events that the group receives. */
    async gets(): Promise<string[]> {
      await writeEvents(sql, ...NAMES.map((name) => ({ taskUuid, name })));
      await log.sequence();
      return (await drain(log, groupId)).map(({ name }) => name);
    },
    async how() {
      const [group] = await log.groups('receipts');
      const { patterns, members, membersDiffer } = group!;
      return { patterns, members, membersDiffer };
    },
    /** Ages a membership, as if it had not been renewed for this long. */
    silent: (member: string, time: string) =>
      sql(`update tasker.event_group_member set seen_at = now() - $2::interval where member = $1`, [member, time]),
    sign: (who: { member: string; patterns: string[] }) => log.signGroup({ groupId, ...who }),
  };
}

describe('a group', () => {
  it('receives the events that any of its members wants, whichever member joined last', async () => {
    const { gets, how } = await rollingDeployment();
    expect(await how()).toEqual({ patterns: ['order.*', 'payment.*'], members: 2, membersDiffer: true });
    expect(await gets()).toEqual(['order.done', 'payment.done']);
  });

  it('treats the same patterns in a different order as equal', async () => {
    const { log, how } = await rollingDeployment();
    await log.joinGroup({ name: 'receipts', member: OLD, patterns: ['order.*', 'payment.*', 'order.*'] });
    expect(await how()).toEqual({ patterns: ['order.*', 'payment.*'], members: 2, membersDiffer: false });
  });

  it('drops the patterns of a member a minute after the member left, but not those of the last member', async () => {
    const { log, sql, groupId, gets, how, sign } = await rollingDeployment();
    await log.leaveGroup({ groupId, member: NEW });
    const left = { patterns: ['order.*', 'payment.*'], members: 1, membersDiffer: false };
    expect(await how()).toEqual(left);
    const passed = (seconds: number) =>
      sql(`update tasker.event_group_member set seen_at = seen_at - $1 * interval '1 second' where has_left`, [
        seconds,
      ]);
    await passed(58);
    await sign(ORDERS);
    expect(await how()).toEqual(left);
    expect(await gets()).toEqual(['order.done', 'payment.done']);
    await passed(3);
    await sign(ORDERS);
    expect(await how()).toEqual({ ...left, patterns: ['order.*'] });
    expect(await gets()).toEqual(['order.done']);
    await log.leaveGroup({ groupId, member: OLD });
    expect(await how()).toEqual({ patterns: ['order.*'], members: 0, membersDiffer: false });
    expect(await gets()).toEqual(['order.done']);
  });

  it('misses no events for a member that restarts while others run', async () => {
    const { log, groupId, gets, how, sign } = await rollingDeployment();
    await log.leaveGroup({ groupId, member: NEW });
    await sign(ORDERS);
    await log.joinGroup({ name: 'receipts', ...BOTH, member: uuidV7() });
    expect(await how()).toEqual({ patterns: ['order.*', 'payment.*'], members: 2, membersDiffer: true });
    expect(await gets()).toEqual(['order.done', 'payment.done']);
  });

  it('keeps its patterns after all members have left', async () => {
    const { log, groupId, gets, how } = await rollingDeployment();
    await log.leaveGroup({ groupId, member: OLD });
    await log.leaveGroup({ groupId, member: NEW });
    expect(await how()).toEqual({ patterns: ['order.*', 'payment.*'], members: 0, membersDiffer: false });
    expect(await gets()).toEqual(['order.done', 'payment.done']);
  });

  it('ignores the patterns of a member that has not renewed for three minutes, until it returns', async () => {
    const { sign, silent, gets, how } = await rollingDeployment();
    await silent(NEW, '179 seconds');
    expect(await sign(ORDERS)).toBe(true);
    expect(await gets()).toEqual(['order.done', 'payment.done']);
    await silent(NEW, '181 seconds');
    expect(await how()).toMatchObject({ members: 1, membersDiffer: false });
    expect(await sign(ORDERS)).toBe(true);
    expect(await gets()).toEqual(['order.done']);
    // The member was suspended, and resumes.
    expect(await sign(BOTH)).toBe(true);
    expect(await how()).toEqual({ patterns: ['order.*', 'payment.*'], members: 2, membersDiffer: true });
    expect(await gets()).toEqual(['order.done', 'payment.done']);
  });

  it('does not expire its members if none of them could renew for a while', async () => {
    const { log, sql, silent, gets, how } = await rollingDeployment();
    const away = async () => {
      for (const member of [OLD, NEW]) await silent(member, '10 minutes');
      await sql(`update tasker.event_group set seen_at = now() - interval '10 minutes'`);
    };
    await away();
    await log.joinGroup({ name: 'receipts', member: uuidV7(), patterns: ['order.*'] });
    expect(await gets()).toEqual(['order.done', 'payment.done']);
    await silent(NEW, '181 seconds');
    await log.joinGroup({ name: 'receipts', member: uuidV7(), patterns: ['order.*'] });
    expect(await how()).toMatchObject({ patterns: ['order.*'], members: 3 });
  });

  it('rejects a renewal immediately while the group is locked, and accepts it afterwards', async () => {
    const { sign, silent, url, how } = await rollingDeployment();
    const session = await openSession(url);
    await session.query('begin');
    await session.query('select 1 from tasker.event_group for update');
    await silent(NEW, '181 seconds');
    expect(await sign(BOTH)).toBe(false);
    await session.query('commit');
    expect(await how()).toMatchObject({ members: 1 });
    expect(await sign(BOTH)).toBe(true);
    expect(await how()).toMatchObject({ members: 2 });
  });

  it('can be joined, renewed and left during a replay', async () => {
    const { log, groupId, sign, url, how } = await rollingDeployment();
    const session = await openSession(url);
    await session.query('begin');
    await session.query('select 1 from tasker.event_group for key share');
    await log.joinGroup({ name: 'receipts', ...ORDERS });
    expect(await sign(BOTH)).toBe(true);
    await log.leaveGroup({ groupId, member: OLD });
    expect(await how()).toMatchObject({ members: 1 });
    await session.query('commit');
  });

  it('has no members after its removal, and cannot be renewed or left', async () => {
    const { log, groupId, sql, sign } = await rollingDeployment();
    expect(await log.removeGroup('receipts')).toBe(true);
    expect(await sql('select * from tasker.event_group_member')).toEqual([]);
    expect(await sign(BOTH)).toBe(false);
    await log.leaveGroup({ groupId, member: NEW });
    expect(await log.groups()).toEqual([]);
  });

  it('has exactly the remaining members after many members join and leave at the same time', async () => {
    const { log, sql, groupId, how, sign } = await rollingDeployment();
    const passing = Array.from({ length: 8 }, (_, n) => ({ member: uuidV7(), patterns: [`passing.${n}`] }));
    await Promise.all(
      passing.map(async (one) => {
        await log.joinGroup({ name: 'receipts', ...one });
        await log.signGroup({ groupId, ...one });
        await log.leaveGroup({ groupId, member: one.member });
      }),
    );
    const patterns = ['order.*', 'payment.*'];
    const members = { members: 2, membersDiffer: true };
    expect(await how()).toEqual({
      patterns: [...patterns, ...passing.flatMap((one) => one.patterns)].sort(),
      ...members,
    });
    await sql(`update tasker.event_group_member set seen_at = seen_at - interval '61 seconds' where has_left`);
    await sign(ORDERS);
    expect(await how()).toEqual({ patterns, ...members });
  });
});
