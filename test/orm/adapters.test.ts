import { describe, expect, it, onTestFinished } from 'vitest';
import type { UserClient } from '../../src/index.ts';
import { emptyDatabase } from '../support/database.ts';
import { LIBRARIES, type Library, VALUES } from '../support/orm/libraries.ts';
import { states, until } from '../support/setup.ts';
import { sharedWaitingBenches, signalStep } from '../support/waits/waiting.ts';

const waitingBench = sharedWaitingBenches();

const CHARGES = `create table if not exists charge (
  id bigint generated always as identity primary key, note text, big bigint, at timestamptz, data jsonb)`;

async function connected(library: Library, url: string, odd = true) {
  const open = await library.open(url, odd);
  onTestFinished(async () => void (await open.close()));
  return open;
}

async function bench(library: Library, task: Record<string, unknown> = {}) {
  const made = await waitingBench({ pay: signalStep('paid') }, task);
  await made.sql(CHARGES);
  await made.sql('truncate charge');
  const request = { namespace: made.namespace, name: 'demo', version: '1.0.0' };
  return {
    ...made,
    request,
    open: await connected(library, made.url),
    notes: async () => (await made.sql('select note from charge order by id')).map((row) => row['note']),
    tasks: async () => (await made.sql('select task_uuid id from tasker.task')).map((row) => row['id']),
  };
}

/** An identity that a task in this test has. */
const STRICT = { identity_strategy: 'caller_provided' };

const message = (text: string | RegExp) => ({
  code: 'bad_request',
  message: typeof text === 'string' ? expect.stringContaining(text) : expect.stringMatching(text),
});

describe.each(LIBRARIES)('with a transaction of $name', (library) => {
  it('a task commits together with the rows of the caller', async () => {
    const { tasker, open, request, notes, tasks, work } = await bench(library);
    const context = { text: 'it\'s "5" \\ {a,b} $1 ? ü 你', n: 9_007_199_254_740_991, list: [null, true, {}] };
    const created = await open.transaction(async (tx) => {
      await tx.insert('one');
      const task = await tasker.createTask(
        { ...request, context, tags: ['a"b', 'c\\d', '{e,f}', 'null'], initiator: 'Anne\'s "shop", \\ null' },
        { client: tx.client },
      );
      expect(await tasks()).toEqual([]);
      return task;
    });
    expect(await notes()).toEqual(['one']);
    expect(await tasker.getTask(created.taskUuid)).toMatchObject({
      context,
      tags: ['a"b', 'c\\d', '{e,f}', 'null'],
      initiator: 'Anne\'s "shop", \\ null',
    });
    await work();
    expect(await states(tasker, created.taskUuid)).toEqual({ pay: 'waiting' });
  });

  it('a row as the library returns it can be the context, except a BigInt', async () => {
    const { tasker, url, request, tasks } = await bench(library);
    const open = await connected(library, url, false);
    const { taskUuid } = await open.transaction(async (tx) => {
      const { big, at, data } = (await tx.insertAndReturn())!;
      expect([BigInt(big as string), at, data]).toEqual(Object.values(VALUES));
      if (typeof big === 'bigint') {
        const refused = tasker.createTask({ ...request, context: { big } }, { client: tx.client });
        await expect(refused).rejects.toMatchObject({
          code: 'invalid_context',
          message: expect.stringContaining('BigInt'),
        });
      }
      return tasker.createTask({ ...request, context: { big: String(big), at, data } }, { client: tx.client });
    });
    expect(await tasks()).toEqual([taskUuid]);
    const context = { big: String(VALUES.big), at: VALUES.at.toISOString(), data: VALUES.data };
    expect(await tasker.getTask(taskUuid)).toMatchObject({ context });
  });

  it('many tasks commit together, also tasks that start later or have limits', async () => {
    const { tasker, open, request, tasks, sql } = await bench(library, { lifecycle: { max_duration_minutes: 60 } });
    const requests = [
      { ...request, context: { n: 1 }, reason: null as never },
      { ...request, context: { n: 2 }, startAt: '2999-01-02T03:04:05.678Z' },
      { ...request, version: undefined as never, context: { n: 3 }, priority: -7 },
      { ...request, context: { n: 4 }, delayMs: 86_400_000 },
    ];
    const created = await open.transaction((tx) => tasker.createTasks(requests, { client: tx.client }));
    expect(await tasks()).toHaveLength(4);
    const [, later, lowest] = await Promise.all(created.map(({ taskUuid }) => tasker.getTask(taskUuid)));
    expect(later).toMatchObject({ startsAt: '2999-01-02T03:04:05.678000Z' });
    expect(lowest).toMatchObject({ priority: -7 });
    expect(await sql('select count(*)::int n from tasker.task_watch')).toEqual([{ n: 2 }]);
  });

  it('a duplicate is found, whatever the version, and a pruned one is reported with its time', async () => {
    const { tasker, open, request, sql } = await bench(library, STRICT);
    const keyed = { ...request, version: undefined as never, idempotencyKey: 'k' };
    const first = await open.transaction((tx) => tasker.createTask(keyed, { client: tx.client }));
    const again = await open.transaction((tx) =>
      tasker.createTasks([keyed, { ...keyed, idempotencyKey: 'l' }, keyed], {
        client: tx.client,
        onDuplicate: 'return',
      }),
    );
    expect(again.map(({ taskUuid, created }) => [taskUuid === first.taskUuid, created])).toEqual([
      [true, false],
      [false, true],
      [true, false],
    ]);
    const conflict = open.transaction((tx) => tasker.createTask(keyed, { client: tx.client }));
    await expect(conflict).rejects.toMatchObject({ code: 'conflict', details: { task_uuid: first.taskUuid } });
    await sql(`update tasker.task_identity set pruned_at = '2024-05-06 07:08:09.123+00' where task_uuid = $1`, [
      first.taskUuid,
    ]);
    const pruned = open.transaction((tx) => tasker.createTask(keyed, { client: tx.client }));
    await expect(pruned).rejects.toMatchObject({ details: { pruned_at: '2024-05-06T07:08:09.123000Z' } });
  });

  it('the open task of a key is returned or replaced, and locks do not wait longer than before', async () => {
    const unique = { key: 'context.customer', on_conflict: 'replace_pending' };
    const { tasker, open, request, sql } = await bench(library, { unique });
    const of = (n: number) => ({ ...request, context: { customer: 'c-1', n } });
    const first = await open.transaction((tx) => tasker.createTask(of(1), { client: tx.client }));
    expect(first.outcome).toBe('created');
    const [second, third] = await open.transaction((tx) => tasker.createTasks([of(2), of(3)], { client: tx.client }));
    expect(second).toMatchObject({ outcome: 'replaced', replacedTaskUuid: first.taskUuid });
    expect(third).toMatchObject({ outcome: 'replaced', replacedTaskUuid: second!.taskUuid });
    expect(await sql('select task_uuid id from tasker.task where done_at is null')).toEqual([{ id: third!.taskUuid }]);
    await sql(`update tasker.step set attempts = 1 where task_uuid = $1`, [third!.taskUuid]);
    const again = await open.transaction((tx) => tasker.createTask(of(4), { client: tx.client }));
    expect(again).toMatchObject({ taskUuid: third!.taskUuid, outcome: 'returned', rule: 'unique' });
  });

  it('a signal is used after the commit, even for a task of the same transaction', async () => {
    const { tasker, open, request, create, work, resultOf } = await bench(library);
    const waiting = await create();
    await work();
    const payload = { amount: 7, text: 'it\'s "5" \\ $1 ?', at: new Date(0) };
    const sent = await open.transaction(async (tx) => {
      const task = await tasker.createTask(request, { client: tx.client });
      const own = await tasker.signal(task.taskUuid, 'paid', null, { client: tx.client });
      const other = await tasker.signal(waiting, 'paid', payload, {
        client: tx.client,
        by: 'shop',
        idempotencyKey: 'k',
      });
      return [own, other];
    });
    for (const { signalId, status } of sent) {
      expect(status).toBe('pending');
      await until(
        () => tasker.getSignal(signalId),
        (signal) => signal?.status === 'received',
      );
    }
    expect(await resultOf(waiting, 'pay')).toEqual({ ...payload, at: '1970-01-01T00:00:00.000Z' });
    expect(await tasker.getSignal(sent[1]!.signalId)).toMatchObject({ by: 'shop', idempotencyKey: 'k' });
  });

  it('nothing is left after a rollback', async () => {
    const { tasker, open, request, notes, tasks, create, sql } = await bench(library);
    const waiting = await create();
    const rolledBack = open.transaction(async (tx) => {
      await tx.insert('one');
      await tasker.createTask(request, { client: tx.client });
      await tasker.signal(waiting, 'paid', 1, { client: tx.client });
      throw new Error('out of stock');
    });
    await expect(rolledBack).rejects.toThrow('out of stock');
    expect(await notes()).toEqual([]);
    expect(await tasks()).toEqual([waiting]);
    expect(await sql('select 1 from tasker.signal_inbox')).toEqual([]);
  });

  it('a nested transaction commits and rolls back on its own', async () => {
    const { tasker, open, request, notes, tasks } = await bench(library);
    const kept = await open.transaction(async (tx) => {
      const outer = await tasker.createTask(request, { client: tx.client });
      const undone = tx.nested(async (inner) => {
        await inner.insert('undone');
        await tasker.createTask(request, { client: inner.client });
        throw new Error('undo');
      });
      await expect(undone).rejects.toThrow('undo');
      const inner = await tx.nested(async (nested) => {
        await nested.insert('kept');
        return tasker.createTask(request, { client: nested.client });
      });
      const last = await tasker.createTask(request, { client: tx.client });
      return [outer, inner, last].map(({ taskUuid }) => taskUuid);
    });
    expect(await notes()).toEqual(['kept']);
    expect((await tasks()).sort()).toEqual(kept.sort());
  });

  it('concurrent calls run one after another', async () => {
    const { tasker, open, request, tasks } = await bench(library);
    await open.transaction((tx) =>
      Promise.all([1, 2, 3].map((n) => tasker.createTask({ ...request, context: { n } }, { client: tx.client }))),
    );
    expect(await tasks()).toHaveLength(3);
  });

  it('a call after its end is an error, also if its connection is in the next transaction', async () => {
    const { tasker, open, request, tasks } = await bench(library);
    let client!: UserClient;
    await open.transaction(async (tx) => {
      client = tx.client;
      await tasker.createTask(request, { client });
    });
    await expect(tasker.createTask(request, { client })).rejects.toMatchObject({ code: 'bad_request' });
    await expect(tasker.signal((await tasks())[0] as string, 'paid', 1, { client })).rejects.toMatchObject({
      code: 'bad_request',
    });
    // The client of pg belongs to its connection, so it can be used in the next transaction too.
    if (library.name !== 'pg') {
      await open.transaction(async () => {
        await expect(tasker.createTask(request, { client })).rejects.toMatchObject({ code: 'bad_request' });
      });
    }
    expect(await tasks()).toHaveLength(1);
  });

  it('a read-only transaction is an error', async () => {
    const { tasker, open, request } = await bench(library);
    const created = open.readOnly((client) => tasker.createTask(request, { client }));
    await expect(created).rejects.toMatchObject(message('is read-only'));
  });

  it('a failed transaction is an error', async () => {
    const { tasker, open, request, tasks } = await bench(library);
    const failed = open.transaction(async (tx) => {
      await expect(tx.fail()).rejects.toThrow();
      return tasker.createTask(request, { client: tx.client });
    });
    await expect(failed).rejects.toMatchObject(message('roll back to a savepoint'));
    expect(await tasks()).toEqual([]);
  });

  it('a client that is not in a transaction is an error that recommends one', async () => {
    const { tasker, open, request, tasks } = await bench(library);
    const outside = async () => tasker.createTask(request, { client: open.outside() });
    await expect(outside()).rejects.toMatchObject(message(library.recommends));
    expect(await tasks()).toEqual([]);
  });

  it('another database is an error at the first use', async () => {
    const { tasker, request, create } = await bench(library);
    const waiting = await create();
    const { url, drop } = await emptyDatabase();
    onTestFinished(drop);
    const elsewhere = await connected(library, url);
    const use = (work: (client: UserClient) => Promise<unknown>) => elsewhere.transaction(({ client }) => work(client));
    const other = message(/^the client is connected to the database \w+, and not to the database \w+ of this tasker/);
    await expect(use((client) => tasker.createTask(request, { client }))).rejects.toMatchObject(other);
    await expect(use((client) => tasker.signal(waiting, 'paid', 1, { client }))).rejects.toMatchObject(other);
  });
});
