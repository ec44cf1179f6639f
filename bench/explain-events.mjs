// Fills the log of domain events with many events for `npm run explain`, and runs every method of the log.
import { randomUUID } from 'node:crypto';
import { createTasker, silentLogger } from 'tasker-core';

/** Tables that keep the statistics of empty tables, as in the first minutes of a new system. */
const TABLES = ['domain_event', 'event_chunk', 'event_gap', 'event_cursor', 'event_retry', 'event_dead'];

/** The time between two events. */
const EVERY = '200 ms';

/**
 * Events of finished tasks, by number: ten of each task, one in a thousand with a rare name. The last event is an hour
 * old.
 */
async function fillEvents(probe, { from, to, last }) {
  const batch = 100_000;
  for (let done = from; done < to; done += batch) {
    await probe.query(
      `insert into tasker.domain_event (event_id, name, task_uuid, idx, attempt, publisher, payload, execution, fired_at)
       select ('01900000-' || lpad(to_hex(g >> 16), 4, '0') || '-7' || lpad(to_hex(g & 4095), 3, '0') || '-8000-' || lpad(to_hex(g), 12, '0'))::uuid,
              case when g % 1000 = 0 then 'rare.done' else 'demo.done' end,
              ('01900000-' || lpad(to_hex((g / 10) >> 16), 4, '0') || '-7' || lpad(to_hex((g / 10) & 4095), 3, '0') || '-8000-' || lpad(to_hex(g / 10), 12, '0'))::uuid,
              g % 4, 1, 'default', '{"ok": true}', '{"execution_time_ms": 1}', now() - interval '1 hour' - ($3::int - g) * interval '${EVERY}'
         from generate_series($1::int, $2::int) g`,
      [done, Math.min(done + batch, to) - 1, last],
    );
  }
}

/**
 * Leaves the given number of events in a log as after months of use: most events were deleted, and
 * later events reused their pages and were deleted too. Returns one of the oldest events.
 */
async function fillForMonths(probe, events) {
  const cycles = 5;
  const each = Math.ceil(events / cycles);
  const last = cycles * each + events;
  for (let cycle = 0; cycle < cycles; cycle++) {
    await fillEvents(probe, { from: cycle * each, to: (cycle + 1) * each, last });
    await probe.query(`delete from tasker.domain_event where id <= $1`, [cycle * each + Math.floor(each * 0.9)]);
    await probe.query('vacuum tasker.domain_event');
  }
  await fillEvents(probe, { from: cycles * each, to: last, last });
  const { rows } = await probe.query(`select event_id, fired_at from tasker.domain_event where id = $1`, [
    cycles * each + Math.ceil(events / 100),
  ]);
  return { eventId: rows[0].event_id, firedAt: rows[0].fired_at };
}

/** Adds events of open tasks, some of them rolled back, while another transaction holds an old snapshot. */
async function moreEvents(probe, log) {
  const insert = `
    insert into tasker.domain_event (event_id, name, task_uuid, idx, attempt, publisher, payload, execution)
    select gen_random_uuid(), 'demo.done', t.task_uuid, 0, 1, 'default', '{}', '{"execution_time_ms": 1}'
      from (select task_uuid from tasker.task limit 500) t`;
  for (const end of ['commit', 'rollback', 'commit', 'commit']) {
    await probe.query('begin');
    await probe.query('select pg_current_xact_id()');
    await probe.query(insert);
    await probe.query(end);
    await log.sequence();
  }
}

/** Takes all waiting events, at most `takes` times. One in ten fails, and the other events of its task wait behind it. */
async function deliver(log, groupId, takes) {
  const holder = randomUUID();
  for (let i = 0; i < takes; i++) {
    const taken = await log.take(groupId, holder, { leaseMs: 60_000 });
    if (!taken) break;
    const failing = new Set(taken.events.filter((_, n) => n % 10 === 0).map((event) => event.taskUuid));
    const first = new Map();
    const parked = [];
    for (const event of taken.events.filter(({ taskUuid }) => failing.has(taskUuid))) {
      if (event.parked || first.has(event.taskUuid)) parked.push(event);
      else first.set(event.taskUuid, event);
    }
    const ended = [...first.values()].map((event) => ({ ...event, error: 'no', delayMs: 0 }));
    const outcome = { failed: ended.filter((_, n) => n % 3 === 1), dead: ended.filter((_, n) => n % 3 === 0) };
    await log.extend(groupId, holder, 60_000);
    const slow = { deliveries: [...first.values()].filter((_, n) => n % 3 === 2), leaseMs: 1 };
    await log.finish(taken, { ...outcome, parked, slow });
  }
  await log.letGo(groupId, holder);
}

async function deliverAgain(log, groupId, takes) {
  const holder = randomUUID();
  for (let i = 0; i < takes; i++) {
    const events = await log.takeRetries(groupId, holder, { leaseMs: 60_000 });
    if (events.length === 0) return;
    await log.nextDueMs(groupId);
    const failed = events
      .filter((_, n) => n % 20 === 0)
      .map((one) => ({ ...one, attempts: 2, error: 'no', delayMs: 0 }));
    const dead = events.filter((_, n) => n % 20 === 1).map((one) => ({ ...one, attempts: 10, error: 'no' }));
    const delivered = events.filter((_, n) => n % 20 > 1);
    await log.finishRetries(groupId, holder, { delivered, failed, dead });
  }
}

/** Behaves like a process of another version, which joins and leaves the group. */
async function deferToOtherMembers(log, groupId) {
  const [holder, member] = [randomUUID(), randomUUID()];
  await log.joinGroup({ name: 'all', patterns: ['rare.*'], member });
  await log.signGroup({ groupId, member, patterns: ['rare.*'] });
  const left = await log.takeRetries(groupId, holder, { leaseMs: 60_000, limit: 5, matching: '^rare' });
  await log.finishRetries(groupId, holder, { left: left.map((one) => ({ ...one, delayMs: 0 })) });
  await log.leaveGroup({ groupId, member });
}

async function readEvents(log, old) {
  await log.groups();
  await log.list();
  const shortlyBefore = new Date(old.firedAt.getTime() - 60_000);
  const [event] = await log.list({ name: 'demo.*', before: old.firedAt, limit: 10 });
  await log.list({ beforeId: event.id, limit: 10 });
  await log.list({ name: 'none.*', after: shortlyBefore, before: old.firedAt });
  await log.list({ taskUuid: event.taskUuid });
  await log.get(old.eventId);
  await log.envelope([event]);
  const { place } = await log.follow({ chunk: 0, id: 0 }, { name: 'rare.*' });
  await log.follow(place);
}

async function operate(log, probe) {
  const [{ event }] = await log.dead({ group: 'all' });
  await log.redeliver({ group: 'all', eventId: event.eventId });
  await log.discard({ group: 'all', eventId: (await log.dead({ group: 'all' }))[0].event.eventId });
  await log.countReplay({ group: 'rare' });
  await log.replay({ group: 'rare' });
  await probe.query(`update tasker.event_chunk set made_at = now() - interval '8 days' where part < 2 and chunk < 20`);
  await log.tidy({ retentionMs: 7 * 86_400_000 });
}

/** Runs every method of the log on many events, with the statistics of empty tables and with correct statistics. */
export async function everyEventVerb(url, probe, events) {
  for (const table of TABLES) {
    await probe.query(`alter table tasker.${table} set (autovacuum_enabled = off)`);
    await probe.query(`analyze tasker.${table}`);
  }
  const old = await fillForMonths(probe, events);
  const tasker = await createTasker({ databaseUrl: url, worker: false, logger: silentLogger });
  const log = tasker.engine.events;
  const rare = await log.joinGroup({ name: 'rare', patterns: ['rare.*'], from: 'beginning' });
  const all = await log.joinGroup({ name: 'all', patterns: ['*'], from: 'beginning' });
  await log.sequence();
  for (const statistics of ['of an empty table', 'correct']) {
    if (statistics === 'correct') for (const table of TABLES) await probe.query(`analyze tasker.${table}`);
    await moreEvents(probe, log);
    await deliver(log, rare, events);
    await deliver(log, all, 300);
    await deferToOtherMembers(log, all);
    await deliverAgain(log, all, 100);
    await log.look([rare, all]);
    await readEvents(log, old);
    await operate(log, probe);
  }
  await tasker.stop();
}
