import { expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { uuidV7 } from '../../../src/model/ids.ts';
import { openSession } from '../../support/database.ts';
import { consumer, deliveries } from '../../support/events/deliveries.ts';
import { deferred, until } from '../../support/setup.ts';

const OLD = ['order.*'];
const NEW = ['order.*', 'payment.*'];
/** Polls often, so that one process soon finds the events that the other has parked. */
const OFTEN = { pollMs: 50 };

/** Events of a task. Some have a name that both versions want, others a name that only the new version wants. */
const mixed = (taskUuid = uuidV7()) =>
  ['payment.1', 'order.2', 'payment.3', 'order.4', 'order.5', 'payment.6'].map((name) => ({ taskUuid, name }));

type Got = ReturnType<typeof consumer>['got'];
const namesOf = (got: Got) => got.map(({ name }) => name);
const onlyOrders = (got: Got) => got.every(({ name }) => name.startsWith('order.'));

it('processes of a group can have different patterns, and an event waits in order for a process that wants it', async () => {
  const { start, publish, sql } = await deliveries();
  const handled: { taskUuid: string; id: number }[] = [];
  const note = ({ taskUuid, id }: { taskUuid: string; id: number }) => void handled.push({ taskUuid, id });
  const [wide, narrow] = [consumer({ patterns: NEW }, note), consumer({ patterns: OLD }, note)];
  await start([wide], OFTEN);
  await start([narrow], OFTEN);
  const tasks = Array.from({ length: 40 }, () => uuidV7());
  await publish(...tasks.flatMap((taskUuid) => mixed(taskUuid)));
  await until(
    () => handled.length,
    (count) => count >= 240,
    30_000,
  );
  expect(onlyOrders(narrow.got)).toBe(true);
  expect(narrow.got.length).toBeGreaterThan(0);
  expect(new Set(handled.map(({ id }) => id)).size).toBe(240);
  expect([...wide.got, ...narrow.got].every(({ attempt }) => attempt === 1)).toBe(true);
  for (const task of tasks) {
    const ids = handled.filter(({ taskUuid }) => taskUuid === task).map(({ id }) => id);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
  }
  await until(
    () => sql('select 1 from tasker.event_retry'),
    (rows) => rows.length === 0,
  );
  expect(await sql('select 1 from tasker.event_dead')).toEqual([]);
});

/** Returns the id of a task whose events are in this part of the log. */
const taskOf = (part: number) => `${uuidV7().slice(0, -1)}${part.toString(16)}`;

/**
 * Starts a busy process of the new version, and a process of the old version. The old one parks all events of a task
 * for the new one, because the first event is a payment.
 */
async function parkedPayments() {
  const { start, startOn, connect, publish, sql } = await deliveries();
  const may = deferred();
  const wide = consumer({ patterns: NEW, concurrency: 1 }, () => may.promise);
  const database = await connect();
  const newer = await startOn(database, [wide], OFTEN);
  await publish(...[0, 1].map((part) => ({ taskUuid: taskOf(part), name: 'payment.0' })));
  // One event runs and another waits for it, so the process takes no further events.
  await until(
    () => newer.load[0]!.held,
    (held) => held === 2,
  );
  const narrow = consumer({ patterns: OLD });
  await start([narrow], { ...OFTEN, signEveryMs: 50 });
  await publish(...mixed(taskOf(2)));
  await until(
    () => sql('select 1 from tasker.event_retry'),
    (rows) => rows.length === 6,
  );
  const nothingWaits = async () => {
    // Makes the parked events due now instead of in a few seconds.
    const due = `update tasker.event_retry set due_at = now() where due_at < 'infinity' and holder is null`;
    await until(
      () => sql(due).then(() => sql('select 1 from tasker.event_retry')),
      (rows) => rows.length === 0,
    );
    expect(await sql('select 1 from tasker.event_dead')).toEqual([]);
  };
  return { newer, database, wide, narrow, sql, publish, nothingWaits, finish: () => may.resolve() };
}

it('a minute after a process stopped, the events parked for it are dropped, and the later events of their task are delivered', async () => {
  const { newer, wide, narrow, sql, publish, nothingWaits, finish } = await parkedPayments();
  expect(narrow.got).toEqual([]);
  const stopped = newer.stop({ drainTimeoutMs: 60_000 });
  finish();
  await stopped;
  // Simulates that a minute has passed.
  await sql(`update tasker.event_group_member set seen_at = seen_at - interval '61 seconds' where has_left`);
  await nothingWaits();
  expect(namesOf(wide.got)).toEqual(['payment.0']);
  expect(namesOf(narrow.got)).toEqual(['order.2', 'order.4', 'order.5']);
  await publish(...mixed());
  await until(
    () => narrow.got.length,
    (count) => count === 6,
  );
  expect(onlyOrders(narrow.got)).toBe(true);
  expect(await sql('select 1 from tasker.event_retry')).toEqual([]);
});

it('events parked for a killed process are dropped after three minutes', async () => {
  const { database, narrow, sql, publish, nothingWaits, finish } = await parkedPayments();
  await database.close();
  finish();
  const members = () =>
    sql<{ member: string; patterns: string[] }>('select member, patterns from tasker.event_group_member');
  const silent = `update tasker.event_group_member set seen_at = now() - interval '4 minutes' where patterns = $1`;
  expect(await members()).toHaveLength(2);
  const killed = (await members()).find(({ patterns }) => patterns.length === NEW.length)!.member;
  await sql(silent, [NEW]);
  await until(members, (rows) => rows.length === 1);
  // Simulates that the lease of the killed process has expired, too.
  await sql('update tasker.event_cursor set held_until = now() where holder = $1', [killed]);
  await sql('update tasker.event_retry set holder = null, due_at = now() where holder = $1', [killed]);
  await nothingWaits();
  expect(onlyOrders(narrow.got)).toBe(true);
  await publish(...mixed());
  await until(
    () => narrow.got.length,
    (count) => count === 6,
  );
  expect(onlyOrders(narrow.got)).toBe(true);
  expect(await sql('select 1 from tasker.event_retry')).toEqual([]);
});

it('parking an event for other processes does not change its attempts and its error', async () => {
  const { start, connect, publish, sql } = await deliveries();
  // A member that wants these events but never takes any.
  await new Engine(await connect(), silentLogger).events.joinGroup({ name: 'audit', patterns: NEW });
  const narrow = consumer({ patterns: OLD });
  await start([narrow], OFTEN);
  const taskUuid = uuidV7();
  await publish({ taskUuid, name: 'payment.1' }, { taskUuid, name: 'order.2' });
  const waiting = () =>
    sql<{ attempts: number; error: string | null; replayed: boolean; later: boolean; first: boolean }>(
      `select attempts, error, replayed, due_at > now() later, due_at < 'infinity' first
         from tasker.event_retry where holder is null order by id`,
    );
  const [first, behind] = await until(waiting, (rows) => rows.length === 2);
  expect(first).toMatchObject({ attempts: 0, error: null, first: true });
  expect(behind).toMatchObject({ attempts: 0, first: false });
  const failed = `
    update tasker.event_retry set attempts = 3, error = 'closed', replayed = true, due_at = now() - interval '1 minute'
     where attempts = 0 and due_at < 'infinity' and holder is null`;
  const [again] = await until(
    () => sql(failed).then(waiting),
    (rows) => rows.length === 2 && rows[0]!.attempts === 3 && rows[0]!.later,
  );
  expect(again).toMatchObject({ attempts: 3, error: 'closed', replayed: true });
  expect(narrow.got).toEqual([]);
  const newer = consumer({ patterns: NEW });
  await start([newer], OFTEN);
  await sql(`update tasker.event_retry set due_at = now() where due_at < 'infinity' and holder is null`);
  await until(
    () => sql('select 1 from tasker.event_retry'),
    (rows) => rows.length === 0,
  );
  expect(newer.got).toMatchObject([{ name: 'payment.1', attempt: 4, replayed: true }, ...newer.got.slice(1)]);
  expect([...newer.got.slice(1), ...narrow.got]).toMatchObject([{ name: 'order.2', attempt: 1 }]);
});

it('a process that restarts with other patterns receives the matching events that were committed while it was stopped', async () => {
  const { start, publish, sql } = await deliveries();
  const before = consumer({ patterns: ['order.*'] });
  const delivery = await start([before], OFTEN);
  await publish({ name: 'order.1' });
  await until(
    () => before.got.length,
    (count) => count === 1,
  );
  await delivery.stop();
  await publish(...['order.2', 'payment.3', 'order.4', 'payment.5'].map((name) => ({ name })));
  const after = consumer({ patterns: ['payment.*'] });
  await start([after], OFTEN);
  await until(
    () => after.got.length,
    (count) => count >= 2,
  );
  await publish({ name: 'payment.6' });
  await until(
    () => after.got.length,
    (count) => count >= 3,
  );
  expect(namesOf(after.got).toSorted()).toEqual(['payment.3', 'payment.5', 'payment.6']);
  expect(await sql('select 1 from tasker.event_retry')).toEqual([]);
});

it('a process is one member of a group for any number of consumers, and leaves the group when it stops', async () => {
  const { start, sql } = await deliveries();
  const members = () => sql('select patterns from tasker.event_group_member');
  const twice = consumer({ patterns: ['order.*'] });
  const delivery = await start([twice, twice, consumer({ patterns: ['payment.*'] })], OFTEN);
  expect(await members()).toEqual([{ patterns: ['order.*', 'payment.*'] }]);
  await delivery.stop();
  expect(await members()).toEqual([]);
});

it('a process whose membership expired while it was suspended registers its patterns again', async () => {
  const { start, publish, sql } = await deliveries();
  const [wide, narrow] = [consumer({ patterns: NEW }), consumer({ patterns: OLD })];
  for (const one of [wide, narrow]) await start([one], { ...OFTEN, signEveryMs: 50 });
  const members = () => sql('select patterns from tasker.event_group_member order by patterns');
  await sql('delete from tasker.event_group_member where patterns = $1', [NEW]);
  await until(members, (rows) => rows.length === 2);
  expect(await members()).toEqual([{ patterns: OLD }, { patterns: NEW }]);
  await publish(...mixed());
  await until(
    () => wide.got.length + narrow.got.length,
    (count) => count === 6,
  );
  expect(onlyOrders(narrow.got)).toBe(true);
});

it('a process that stops waits only briefly for its locked group, and has left it once the lock is released', async () => {
  const { url, start, sql } = await deliveries();
  const delivery = await start([consumer({ patterns: OLD })], OFTEN);
  const members = () => sql('select 1 from tasker.event_group_member');
  const session = await openSession(url);
  await session.query('begin');
  await session.query('select 1 from tasker.event_group for update');
  await delivery.stop();
  expect(await members()).toHaveLength(1);
  await session.query('commit');
  await until(members, (rows) => rows.length === 0);
});
