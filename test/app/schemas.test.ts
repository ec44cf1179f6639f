import { expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { type CreateTaskerOptions, createTasker } from '../../src/app/create-tasker.ts';
import { examine } from '../../src/app/project/doctor.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import { defineSubscriber } from '../../src/events/subscribing/define-subscriber.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { collectingLogger } from '../handlers/collecting-logger.ts';
import { freshDatabase, openSession, type Sql } from '../support/database.ts';
import { DEMO, template, until, withTestDefaults } from '../support/setup.ts';

/** A reserved word, so that a name without quotes would be an error. */
const OTHER = 'order';
const CHANNELS = ['work', 'ended', 'taken', 'events', 'worker', 'signals', 'schedules', 'changes', 'hear'];

const TEMPLATE = template(
  {
    charge: {
      publishes_events: [{ name: 'order.charged', description: 'An order was charged', schema: { type: 'object' } }],
    },
    ship: { dependencies: ['charge'] },
    wait: { type: 'signal', handler: undefined, signal: { name: 'paid' }, dependencies: ['ship'] },
  },
  { identity_strategy: 'caller_provided' },
);

/** A tasker whose handlers and subscribers note the schemas of the tasks that reach them. */
async function installation(url: string, schema: string | undefined, more: CreateTaskerOptions = {}) {
  const seen = { handlers: new Set<unknown>(), subscribers: new Set<unknown>(), events: 0 };
  const { logger, lines } = collectingLogger();
  const note = defineHandler('charge', { inputs: { of: 'of' } }, ({ of }) => {
    seen.handlers.add(of ?? 'schedule');
    return { of: of ?? 'schedule' };
  });
  const Audit = defineSubscriber(
    'order.*',
    z.object({ of: z.string() }),
    ({ payload }) => {
      seen.events++;
      seen.subscribers.add(payload.of);
    },
    { name: 'audit', from: 'beginning' },
  );
  const tasker = await createTasker(
    withTestDefaults({
      databaseUrl: url,
      schema,
      templates: TEMPLATE,
      handlers: [note, defineHandler('ship', {}, () => ({}))],
      subscribers: [Audit],
      logger,
      ...more,
    }),
  );
  onTestFinished(() => tasker.stop({ drainTimeoutMs: 1_000 }));
  return { tasker, seen, lines };
}

/** Runs tasks to their end, with a schedule, signals and events. Returns their ids. */
async function work(tasker: Tasker, of: string, tasks: number): Promise<string[]> {
  await tasker.schedules.create({ name: 'tick', template: 'test/demo@1.0.0', every: '1s', context: { of } });
  const ids: string[] = [];
  for (let i = 0; i < tasks; i += 20) {
    const requests = Array.from({ length: 20 }, (_, n) => ({
      ...DEMO,
      context: { of },
      idempotencyKey: `key ${i + n}`,
    }));
    ids.push(...(await tasker.createTasks(requests)).map(({ taskUuid }) => taskUuid));
  }
  await Promise.all(ids.map((id) => tasker.signal(id, 'paid', {})));
  await Promise.all(ids.map((id) => tasker.waitForTask(id, { timeoutMs: 120_000 })));
  return ids;
}

const idsOf = async (sql: Sql, schema: string) =>
  (await sql<{ id: string }>(`select task_uuid::text id from ${schema}.task`)).map(({ id }) => id);

/** Returns all notifications of both schemas. */
async function listening(url: string): Promise<{ channel: string; payload: string }[]> {
  const heard: { channel: string; payload: string }[] = [];
  const session = await openSession(url);
  session.on('notification', ({ channel, payload }) => heard.push({ channel, payload: payload ?? '' }));
  for (const channel of CHANNELS) await session.query(`listen tasker_${channel}; listen ${OTHER}_${channel}`);
  return heard;
}

it('two schemas of one database with workers, schedules and events do not notice each other', async () => {
  const { url, sql, drop } = await freshDatabase();
  onTestFinished(drop);
  const heard = await listening(url);
  const [one, other] = await Promise.all([installation(url, undefined), installation(url, OTHER)]);
  const [ofOne, ofOther] = await Promise.all([work(one.tasker, 'one', 100), work(other.tasker, 'other', 100)]);
  await until(
    () => [one.seen.events, other.seen.events],
    (counts) => counts.every((count) => count >= 101),
  );
  for (const { tasker } of [one, other]) {
    await tasker.engine.search.flush();
    expect((await tasker.schedules.firings('tick')).length).toBeGreaterThan(0);
    expect((await tasker.listTasks({ status: 'complete' }, {})).total).toBeGreaterThanOrEqual(100);
    expect(await tasker.listWorkers()).toHaveLength(1);
    expect(await tasker.events.groups()).toHaveLength(1);
  }
  await Promise.all([one.tasker.stop(), other.tasker.stop()]);

  expect([one.seen.handlers, one.seen.subscribers]).toEqual([new Set(['one']), new Set(['one'])]);
  expect([other.seen.handlers, other.seen.subscribers]).toEqual([new Set(['other']), new Set(['other'])]);
  const [tasks, others] = [await idsOf(sql, 'tasker'), await idsOf(sql, `"${OTHER}"`)];
  expect(tasks).toEqual(expect.arrayContaining(ofOne));
  expect(others).toEqual(expect.arrayContaining(ofOther));
  expect(tasks.filter((id) => others.includes(id))).toEqual([]);
  for (const [lines, foreign] of [
    [one.lines, others],
    [other.lines, tasks],
  ] as const) {
    const text = JSON.stringify(lines);
    expect(foreign.filter((id) => text.includes(id))).toEqual([]);
  }
  expect(new Set(heard.map(({ channel }) => channel.replace(/_.*/, '')))).toEqual(new Set(['tasker', OTHER]));
  for (const { channel, payload } of heard) {
    const foreign = channel.startsWith('tasker_') ? others : tasks;
    expect(foreign.filter((id) => payload.includes(id))).toEqual([]);
  }
});

it('a schema works while all tables and locks of another one are locked', async () => {
  const { url, sql, drop } = await freshDatabase();
  onTestFinished(drop);
  const { tasker: first } = await installation(url, undefined, { worker: false });
  await first.createTask({ ...DEMO, idempotencyKey: 'key 0' });
  await first.stop();
  const session = await openSession(url);
  await session.query('begin');
  const tables = await sql<{ name: string }>(`select tablename name from pg_tables where schemaname = 'tasker'`);
  await session.query(`lock table ${tables.map(({ name }) => `tasker.${name}`).join(', ')} in access exclusive mode`);
  await session.query(`select pg_advisory_xact_lock(7303014000 + n) from generate_series(0, 99) n`);
  await session.query(
    `select pg_advisory_xact_lock(7303014, n), pg_advisory_xact_lock(7303015, n) from generate_series(0, 9) n`,
  );
  await session.query(
    `select pg_advisory_xact_lock(hashtextextended(encode(hash, 'hex'), 0)) from tasker.task_identity`,
  );

  const { tasker, seen } = await installation(url, OTHER);
  const ids = await work(tasker, 'other', 20);
  await until(
    () => seen.events,
    (events) => events >= 20,
  );
  const [paused] = (await tasker.createTasks([{ ...DEMO, context: { of: 'other' }, idempotencyKey: 'paused' }])).map(
    ({ taskUuid }) => taskUuid,
  );
  await tasker.pause({ namespace: 'test' });
  await tasker.resume({ namespace: 'test' });
  await tasker.rerunTask(ids[0]!, { from: 'charge' });
  await tasker.cancelTask(paused!);
  await tasker.deadLetters.list();
  await tasker.status();
  await tasker.events.replay({ group: 'audit', name: 'order.*' });
  await tasker.engine.search.flush();
  await tasker.engine.analytics.flush();
  const page = await tasker.listTasks({}, {});
  expect(page.total).toBeGreaterThanOrEqual(21);
  await tasker.analytics({ since: '1h' });
  const checks = await examine({
    env: { DATABASE_URL: url, TASKER_SCHEMA: OTHER },
    templates: [],
    handlers: [],
  });
  expect(checks.filter(({ status }) => status === 'fail')).toEqual([]);
  await tasker.stop();
  await session.query('rollback');
});

it('a role that owns only its schema migrates it, and runs tasks, schedules and events', async () => {
  const { url, sql, drop } = await freshDatabase();
  const role = `shop_app_${process.pid}`;
  await sql(`create role ${role} login password 'secret'`);
  onTestFinished(async () => {
    await sql(`drop owned by ${role} cascade`);
    await sql(`drop role ${role}`);
    await drop();
  });
  await sql(`create schema shop_tasks authorization ${role}`);
  const [database] = await sql<{ name: string }>('select current_database() name');
  await sql(`grant temporary on database ${database!.name} to ${role}`);
  const own = new URL(url);
  own.username = role;
  own.password = 'secret';
  const { tasker, seen } = await installation(own.toString(), 'shop_tasks');
  await work(tasker, 'shop', 20);
  await until(
    () => seen.events,
    (events) => events >= 20,
  );
  await tasker.stop();
});
