import { describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import { type Logger, silentLogger } from '../../../src/logging/logger.ts';
import { TaskerMetrics } from '../../../src/metrics/metrics.ts';
import { uuidV7 } from '../../../src/model/ids.ts';
import { OF_THIS_DATABASE, openSession } from '../../support/database.ts';
import { consumer, deliveries, numbered } from '../../support/events/deliveries.ts';
import { deferred, until } from '../../support/setup.ts';

/** A logger that keeps its lines of level `info` and above. */
function keptLines(): { lines: string[]; logger: Logger } {
  const lines: string[] = [];
  const keep = (level: string) => (fields: unknown, message?: string) =>
    lines.push(`${level}: ${message ?? String(fields)}`);
  const logger = {
    trace() {},
    debug() {},
    info: keep('info'),
    warn: keep('warn'),
    error: keep('error'),
    child: () => logger,
    isLevelEnabled: () => true,
  } as Logger;
  return { lines, logger };
}

const sorted = (ns: readonly unknown[]) => (ns as number[]).toSorted((a, b) => a - b);

describe('the delivery of events', () => {
  it('logs a database outage once and continues on its own', async () => {
    const { start, publish, sql, url } = await deliveries();
    const { lines, logger } = keptLines();
    const [one, two] = [consumer({ group: 'one' }), consumer({ group: 'two' })];
    await start([one, two], { logger });
    // The sequencer waits for this lock, and its connection is cut while it waits.
    const blocker = await openSession(url);
    await blocker.query('select pg_advisory_lock(7303014004)');
    await publish(...numbered(2));
    const cut = await until(
      () =>
        sql(
          `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and not granted and ${OF_THIS_DATABASE}`,
        ),
      (rows) => rows.length > 0,
    );
    await until(
      () => lines,
      (seen) => seen.some((line) => line.startsWith('warn')),
    );
    expect(cut).toHaveLength(1);
    await blocker.query('select pg_advisory_unlock(7303014004)');
    await until(
      () => [one.got.length, two.got.length],
      ([a, b]) => a === 2 && b === 2,
    );
    await until(
      () => lines,
      (seen) => seen.length >= 2,
    );
    expect(lines).toEqual([
      'warn: event log not readable, so domain events wait; retrying',
      'info: event log readable again; domain events continue',
    ]);
  });

  it("drops and reports a failed event that no longer exists, and continues with the task's later events", async () => {
    const { start, publish, sql } = await deliveries();
    const { lines, logger } = keptLines();
    const taskUuid = uuidV7();
    // Fails until its event has been deleted.
    const audit = consumer({}, async ({ id, name }) => {
      if (name !== 'a.lost') return;
      await sql('delete from tasker.domain_event where id = $1', [id]);
      throw Object.assign(new Error('not now'), { retryAfter: 0 });
    });
    await start([audit], { logger });
    await publish({ taskUuid, name: 'a.lost' }, { taskUuid, name: 'a.next' });
    await until(
      () => audit.got.map(({ name }) => name),
      (got) => got.includes('a.next'),
    );
    expect(audit.got.map(({ name }) => name)).toEqual(['a.lost', 'a.next']);
    expect(lines.filter((line) => line.includes('longer in the log'))).toEqual([
      'warn: deliveries dropped: events no longer in the log',
    ]);
  });

  it('waits a second before it delivers a failed event again, and then twice as long each time', async () => {
    const { start, publish, sql } = await deliveries();
    const delays: number[] = [];
    const { logger } = keptLines();
    logger.info = (fields: unknown) => {
      const { delay_ms: delay } = fields as { delay_ms?: number };
      if (delay !== undefined) delays.push(delay);
    };
    const audit = consumer({}, () => {
      throw new Error('not now');
    });
    await start([audit], { logger });
    await publish({ name: 'a.failing' });
    await until(
      async () => {
        await sql(`update tasker.event_retry set due_at = now() where holder is null`);
        return delays;
      },
      (seen) => seen.length >= 3,
    );
    // A random share of up to 15 % is added or subtracted.
    const shares = delays.slice(0, 3).map((delay, i) => delay / (1_000 * 2 ** i));
    expect(
      shares.filter((share) => share < 0.85 || share > 1.15),
      String(delays),
    ).toEqual([]);
  });

  it('delivers due events despite many failed events that no longer exist', async () => {
    const { start, publish, sql } = await deliveries();
    const audit = consumer({ concurrency: 1 }, ({ name }, { attempt }) => {
      if (attempt === 1) throw Object.assign(new Error('not now'), { retryAfter: name === 'a.lost' ? 3_000 : 0 });
    });
    await start([audit]);
    await publish(...numbered(40, { name: 'a.lost' }));
    await until(
      () => sql('select 1 from tasker.event_retry'),
      (waiting) => waiting.length === 40,
    );
    await sql(`delete from tasker.domain_event`);
    await sql(`update tasker.event_retry set due_at = now() - interval '1 minute'`);
    await publish({ name: 'a.kept' });
    await until(
      () => audit.got.filter(({ name }) => name === 'a.kept').map(({ attempt }) => attempt),
      (attempts) => attempts.includes(2),
    );
    // Results are stored a moment later.
    await until(
      () => sql('select 1 from tasker.event_retry'),
      (waiting) => waiting.length === 0,
    );
  });

  it('continues for other groups if a group is slow, hangs or fails, and holds a limited number of events', async () => {
    const { start, publish } = await deliveries();
    const never = deferred();
    const good = consumer({ group: 'good' });
    const slow = consumer({ group: 'slow' }, () => new Promise((resolve) => setTimeout(resolve, 1_000)));
    const hanging = consumer({ group: 'hanging', timeoutMs: 20, concurrency: 2 }, () => never.promise);
    const throwing = consumer({ group: 'throwing' }, () => {
      throw new Error('always');
    });
    const metrics = new TaskerMetrics();
    const delivery = await start([slow, hanging, throwing, good], { metrics });
    for (let i = 0; i < 10; i++) await publish(...numbered(300));
    await until(
      () => good.got.length,
      (count) => count === 3_000,
    );
    await until(
      () => throwing.got.length,
      (count) => count >= 3_000,
    );
    // Two deliveries run at a time, and twenty continue after their timeout. No others start until one of them settles.
    const load = await until(
      () => delivery.load,
      ([, hangs]) => hangs!.late >= 20,
    );
    for (const { held } of load) expect(held).toBeLessThanOrEqual(400);
    const late = (await metrics.json())['tasker_domain_events_late{group="hanging"}']!.value;
    expect([20, 21]).toContain(late);
    expect(slow.got.length).toBeLessThan(3_000);
    expect(hanging.got.length).toBeLessThan(22);
    never.resolve();
    await until(
      () => hanging.got.length,
      (count) => count > 100,
    );
  });

  it('stores no result if its process resumes after the lease has expired', async () => {
    const { start, publish, sql } = await deliveries();
    const { lines, logger } = keptLines();
    const may = deferred();
    const paused = consumer({ concurrency: 1 }, async (_, { attempt }) => {
      await may.promise;
      if (attempt === 1) throw new Error('too late to count');
    });
    await start([paused], { logger, leaseMs: 300_000, slowMs: 600_000, pollMs: 600_000 });
    // The second of two parts waits for the only slot, so the process takes no further part, not even its own after the
    // lease has expired.
    await publish(...[0, 1].map((n) => ({ taskUuid: `${uuidV7().slice(0, -1)}${n}`, payload: { n } })));
    await until(
      () => sql('select 1 from tasker.event_cursor where holder is not null'),
      (held) => held.length === 2,
    );
    // Simulates a process that was suspended for that long.
    await sql(`update tasker.event_cursor set held_until = now() - interval '1 ms' where holder is not null`);
    const other = consumer();
    await start([other]);
    await until(
      () => other.ns,
      (ns) => ns.length === 2,
    );
    may.resolve();
    await until(
      () => lines.filter((line) => line.includes('part of the event log lost')).length,
      (count) => count === 2,
    );
    expect(await sql('select 1 from tasker.event_retry union all select 1 from tasker.event_dead')).toEqual([]);
    expect(sorted(other.ns)).toEqual([0, 1]);
  });

  it('starts no further events of a part that another process has taken over', async () => {
    const { start, connect, publish, sql } = await deliveries();
    const { lines, logger } = keptLines();
    const may = deferred();
    const aborted: unknown[] = [];
    const paused = consumer({ timeoutMs: 600_000 }, async (_, { halt: { signal } }) => {
      signal.addEventListener('abort', () => aborted.push(signal.reason));
      await may.promise;
    });
    await start([paused], { logger, leaseMs: 300, slowMs: 600_000, pollMs: 600_000 });
    const taskUuid = uuidV7();
    await publish(...numbered(3, { taskUuid }));
    await until(
      () => paused.got.length,
      (count) => count === 1,
    );
    // One statement ends the lease and takes the part over. Between two statements, the process could extend its lease.
    const [taken] = await sql<{ group_id: number; part: number; hold: string; chunk: number }>(`
      update tasker.event_cursor
         set holder = gen_random_uuid(), hold = gen_random_uuid(), held_until = now() + interval '1 hour'
       where holder is not null returning group_id, part, hold, chunk::int`);
    const { group_id: groupId, part, hold, chunk } = taken!;
    const other = new Engine(await connect(), silentLogger).events;
    const upTo = { chunk: chunk + 1, done: 0 };
    expect(await other.finish({ groupId, part, hold, events: [], upTo })).toBe(true);
    await until(
      () => aborted.length,
      (count) => count === 1,
    );
    may.resolve();
    await until(
      () => lines,
      (seen) => seen.some((line) => line.includes('part of the event log lost')),
    );
    await publish({ taskUuid, payload: { n: 3 } });
    await until(
      () => paused.ns,
      (ns) => ns.includes(3),
    );
    expect(paused.ns).toEqual([0, 3]);
  });

  it('continues with the remaining retries if another process has taken over some of them', async () => {
    const { start, publish, sql } = await deliveries();
    const may = deferred();
    const aborted: unknown[] = [];
    const paused = consumer({ timeoutMs: 600_000 }, async ({ payload }, { attempt, halt: { signal } }) => {
      if (attempt === 1) throw Object.assign(new Error('once more'), { retryAfter: 0 });
      signal.addEventListener('abort', () => aborted.push((payload as { n: unknown }).n));
      await may.promise;
    });
    await start([paused], { leaseMs: 5_000, pollMs: 600_000 });
    await publish(...numbered(2));
    await until(
      () => paused.got.length,
      (count) => count === 4,
    );
    const [taken] = await sql<{ n: number }>(`
      with one as (select id from tasker.event_retry order by id limit 1)
      update tasker.event_retry r set holder = gen_random_uuid(), due_at = now() + interval '1 hour'
        from tasker.domain_event e where r.id = (select id from one) and e.id = r.id
      returning (e.payload ->> 'n')::int n`);
    await until(
      () => aborted.length,
      (count) => count === 1,
    );
    // Waits longer than the lease of the retries.
    await sql('select pg_sleep(6)');
    may.resolve();
    await until(
      () => sql('select 1 from tasker.event_retry'),
      (waiting) => waiting.length === 1,
    );
    expect(aborted).toEqual([taken!.n]);
    expect(paused.got).toHaveLength(4);
  });

  it('reports results that the database rejects, and delivers the events again', async () => {
    const { start, publish, sql } = await deliveries();
    const { lines, logger } = keptLines();
    const fails = consumer({}, () => {
      throw Object.assign(new Error('no'), { retryAfter: 0 });
    });
    await sql(`alter table tasker.event_retry add constraint refused check (attempts < 1) not valid`);
    await start([fails], { logger, leaseMs: 600, pollMs: 100 });
    await publish({ payload: { n: 0 } });
    await until(
      () => lines,
      (seen) => seen.some((line) => line.startsWith('error: the database rejected the results of deliveries')),
    );
    await sql('alter table tasker.event_retry drop constraint refused');
    await until(
      () => fails.got.map(({ attempt }) => attempt),
      (attempts) => attempts.filter((attempt) => attempt === 1).length > 1 && attempts.includes(2),
    );
  });

  it('backs off after the database rejects a result, without reporting that the outage is over', async () => {
    const { start, publish, sql } = await deliveries();
    const { lines, logger } = keptLines();
    const deliveredAt: number[] = [];
    const fails = consumer({ maxDeliveries: 1 }, () => {
      deliveredAt.push(performance.now());
      throw new Error('no');
    });
    await sql(`alter table tasker.event_dead add constraint refused check (false) not valid`);
    await start([fails], { logger, leaseMs: 6_000, pollMs: 100 });
    await publish({ payload: { n: 0 } });
    await until(
      () => deliveredAt,
      (times) => times.length === 2,
    );
    expect(deliveredAt[1]! - deliveredAt[0]!).toBeGreaterThan(4_000);
    expect(lines.filter((line) => /rejected the results|readable again/.test(line))).toEqual([
      'error: the database rejected the results of deliveries; the events will be delivered again',
    ]);
  });

  it('does not retry an event after another process has taken over the retry', async () => {
    const { start, publish, sql } = await deliveries();
    const may = deferred();
    const aborted: unknown[] = [];
    const paused = consumer({ timeoutMs: 600_000 }, async (_, { attempt, halt: { signal } }) => {
      if (attempt === 1) throw new Error('once more');
      signal.addEventListener('abort', () => aborted.push(signal.reason));
      await may.promise;
    });
    await start([paused], { leaseMs: 3_000, pollMs: 600_000 });
    await publish(...numbered(1));
    await until(
      () => paused.got.length,
      (count) => count === 2,
    );
    await sql(`
      update tasker.event_retry set holder = gen_random_uuid(), due_at = now() + interval '1 hour'
       where holder is not null`);
    await until(
      () => aborted.length,
      (count) => count === 1,
    );
    may.resolve();
    expect(aborted).toEqual([expect.objectContaining({ message: expect.stringContaining('taken over') })]);
    expect(paused.got.map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(await sql('select attempts from tasker.event_retry')).toEqual([{ attempts: 1 }]);
  });
});
