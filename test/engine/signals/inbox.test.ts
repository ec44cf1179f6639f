import { describe, expect, it } from 'vitest';
import { SignalInbox } from '../../../src/engine/waits/signal-inbox.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { openSession } from '../../support/database.ts';
import { until } from '../../support/setup.ts';
import { leastOf, msOf } from '../../support/suite/measure.ts';
import { sharedWaitingBenches, signalStep } from '../../support/waits/waiting.ts';

const waitingBench = sharedWaitingBenches();

const SCHEMA = { type: 'object', required: ['amount'] };
const STEPS = { pay: signalStep('paid', { schema: SCHEMA }), ship: ['pay'] };

async function bench() {
  const made = await waitingBench(STEPS);
  const client = await openSession(made.url);
  return { ...made, client };
}

describe('a signal that is sent with the client of a caller', () => {
  it('is used immediately after the commit, and its outcome can be read', async () => {
    const { tasker, client, create, work, resultOf } = await bench();
    const fromCommitToUse = async () => {
      const task = await create();
      await work();
      await client.query('begin');
      const sent = await tasker.signal(task, 'paid', { amount: 7 }, { client, by: 'shop', idempotencyKey: 'k' });
      expect(sent).toEqual({ signalId: sent.signalId, status: 'pending', tasks: [] });
      expect(await tasker.getSignal(sent.signalId)).toBeUndefined();
      const took = await msOf(async () => {
        await client.query('commit');
        await until(
          () => tasker.getSignal(sent.signalId),
          (signal) => signal?.status === 'received',
        );
      });
      expect(await resultOf(task, 'pay')).toEqual({ amount: 7 });
      expect(await tasker.getSignal(sent.signalId)).toMatchObject({
        name: 'paid',
        by: 'shop',
        idempotencyKey: 'k',
        payload: { amount: 7 },
        error: null,
        tasks: [{ taskUuid: task, status: 'used', step: 'pay', duplicate: false }],
      });
      return took;
    };
    expect(await leastOf(1_000, fromCommitToUse)).toBeLessThan(1_000);
  });

  it('does not exist if the transaction is rolled back', async () => {
    const { tasker, client, create, engine, sql } = await bench();
    const task = await create();
    await client.query('begin');
    const { signalId } = await tasker.signal(task, 'paid', { amount: 7 }, { client });
    await client.query('rollback');
    expect(await engine.signalInbox.use()).toBe(0);
    expect(await tasker.getSignal(signalId)).toBeUndefined();
    expect(await sql('select 1 from tasker.signal union all select 1 from tasker.signal_inbox')).toEqual([]);
  });

  it('does not lock the task, so that operators can act on the task while the transaction is open', async () => {
    const { tasker, client, create, work, resultOf } = await bench();
    const task = await create();
    await work();
    await client.query('begin');
    await tasker.signal(task, 'paid', { amount: 1 }, { client });
    expect((await tasker.signal(task, 'paid', { amount: 2 })).tasks[0]!.status).toBe('used');
    await work();
    await client.query('commit');
    expect(await resultOf(task, 'pay')).toEqual({ amount: 2 });
  });

  it('is rejected immediately if the error is already known, and otherwise after the commit', async () => {
    const { tasker, client, create, work, engine } = await bench();
    const task = await create();
    await expect(tasker.signal(task, 'paid', {}, { client })).rejects.toMatchObject({ code: 'signal_refused' });
    await expect(tasker.signal(task, 'other', 1, { client })).rejects.toMatchObject({ code: 'signal_refused' });
    await work();
    await client.query('begin');
    const late = await tasker.signal(task, 'paid', { amount: 1 }, { client });
    const lost = await tasker.signal('0199aaaa-0000-7000-8000-00000000aaaa', 'paid', 1, { client });
    await tasker.cancelTask(task);
    await client.query('commit');
    await engine.signalInbox.use();
    expect(await tasker.getSignal(late.signalId)).toMatchObject({
      status: 'refused',
      error: { code: 'wait_over', message: expect.stringContaining('was cancelled at') },
      payload: { amount: 1 },
      tasks: [],
    });
    expect(await tasker.getSignal(lost.signalId)).toMatchObject({
      status: 'refused',
      error: { code: 'task_not_found' },
    });
  });

  it('is a duplicate of an earlier signal with the same key', async () => {
    const { tasker, client, create, engine } = await bench();
    const task = await create();
    const first = await tasker.signal(task, 'paid', { amount: 1 }, { idempotencyKey: 'k' });
    await client.query('begin');
    const second = await tasker.signal(task, 'paid', { amount: 2 }, { idempotencyKey: 'k', client });
    await client.query('commit');
    await engine.signalInbox.use();
    expect(await tasker.getSignal(second.signalId)).toMatchObject({
      status: 'received',
      payload: { amount: 1 },
      tasks: [{ duplicate: true }],
    });
    expect((await tasker.getSignal(first.signalId))!.tasks).toHaveLength(1);
  });

  it('is used only once even if several processes deliver it', async () => {
    const { tasker, client, create, work, another, sql } = await bench();
    const other = await another();
    const tasks = await Promise.all(Array.from({ length: 30 }, () => create()));
    await work();
    await client.query('begin');
    for (const task of tasks) await tasker.signal(task, 'paid', { amount: 1 }, { client });
    await client.query('commit');
    await Promise.all([tasker, other].map(({ engine }) => engine.signalInbox.use()));
    await until(
      () => sql('select 1 from tasker.signal_inbox where done_at is null'),
      (rows) => rows.length === 0,
    );
    const [counts] = await sql(
      `select count(*)::int n, count(distinct task_uuid)::int tasks, count(used_at)::int used from tasker.signal`,
    );
    expect(counts).toEqual({ n: 30, tasks: 30, used: 30 });
  });

  it('waits for a task that another transaction has locked, and does not block other signals', async () => {
    const { tasker, client, create, work, url, engine } = await bench();
    const [locked, free] = [await create(), await create()];
    await work();
    const holder = await openSession(url);
    await holder.query('begin');
    await holder.query('select 1 from tasker.task where task_uuid = $1 for update', [locked]);
    await client.query('begin');
    const first = await tasker.signal(locked, 'paid', { amount: 1 }, { client });
    const second = await tasker.signal(free, 'paid', { amount: 1 }, { client });
    await client.query('commit');
    await until(
      () => tasker.getSignal(second.signalId),
      (signal) => signal?.status === 'received',
    );
    expect((await tasker.getSignal(first.signalId))!.status).toBe('pending');
    await holder.query('rollback');
    await until(
      async () => {
        await engine.signalInbox.use();
        return tasker.getSignal(first.signalId);
      },
      (signal) => signal?.status === 'received',
    );
  });

  it('does not wait for another process that delivers it, and rejects an invalid client', async () => {
    const { tasker, client, create, engine, url, sql } = await bench();
    const task = await create();
    const { signalId } = await tasker.signal(task, 'paid', { amount: 1 }, { client: undefined });
    expect((await tasker.getSignal(signalId))!.tasks[0]!.status).toBe('kept');
    await expect(tasker.signal(task, 'paid', { amount: 1 }, { client: 7 as never })).rejects.toMatchObject({
      code: 'bad_request',
      message: 'client must be a pg client or the result of an adapter of tasker-core/orm, got 7',
    });
    const other = await openSession(url);
    await other.query('begin');
    await tasker.signal(task, 'paid', { amount: 1 }, { client: other });
    await other.query('commit');
    await until(
      () => sql('select 1 from tasker.signal_inbox where done_at is null'),
      (rows) => rows.length === 0,
    );
    await client.query('begin');
    await client.query(
      `insert into tasker.signal_inbox (id, target, name, payload) values (gen_random_uuid(), $1, 'paid', '{"amount": 1}')`,
      [JSON.stringify(task)],
    );
    expect(await engine.signalInbox.use()).toBe(0);
    await client.query('commit');
    expect(await engine.signalInbox.use()).toBe(1);
  });

  it('reports that the client is on another database', async () => {
    const { tasker, create, url } = await bench();
    const task = await create();
    const postgres = new URL(url);
    postgres.pathname = '/postgres';
    const elsewhere = await openSession(postgres.toString());
    await expect(tasker.signal(task, 'paid', { amount: 1 }, { client: elsewhere })).rejects.toMatchObject({
      code: 'bad_request',
      message: expect.stringContaining('is connected to the database postgres, and not'),
    });
  });
});

it('all old rows of the inbox are deleted, even if there are many', async () => {
  const { engine, sql } = await bench();
  await sql(`insert into tasker.signal_inbox (id, target, name, payload, done_at, outcome)
    select gen_random_uuid(), '"x"', 'paid', 'null', now() - interval '40 days', '{}' from generate_series(1, 2500)`);
  // Another process, which has not deleted any rows in this hour.
  await new SignalInbox(engine, silentLogger).use();
  expect(await sql('select count(*)::int remaining from tasker.signal_inbox')).toEqual([{ remaining: 0 }]);
});
