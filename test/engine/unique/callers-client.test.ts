import { expect, it } from 'vitest';
import { openSession } from '../../support/database.ts';
import { DEMO, setup, template, until } from '../../support/setup.ts';

const unique = (on_conflict: string) => ({
  templates: [template({ a: [] }, { unique: { key: 'context.customer', on_conflict } })],
  worker: false,
});
const of = (customer: string) => ({ ...DEMO, context: { customer } });

async function bench(on_conflict: string) {
  const made = await setup(unique(on_conflict));
  const session = async () => {
    const client = await openSession(made.url);
    await client.query('begin');
    return client;
  };
  const open = async () =>
    (await made.sql<{ id: string }>('select task_uuid id from tasker.task where done_at is null')).map(({ id }) => id);
  return { ...made, session, open };
}

it('a task that replaces another one in a transaction of the caller commits together with the cancellation', async () => {
  const { tasker, session, open } = await bench('cancel_running');
  const first = await tasker.createTask(of('c-1'));
  const client = await session();
  const second = await tasker.createTask(of('c-1'), { client });
  expect(second).toMatchObject({ outcome: 'replaced', replacedTaskUuid: first.taskUuid });
  expect(await open()).toEqual([first.taskUuid]);
  await client.query('commit');
  expect(await open()).toEqual([second.taskUuid]);
});

it('a transaction that is rolled back leaves the key to the open task', async () => {
  const { tasker, session, open } = await bench('cancel_running');
  const first = await tasker.createTask(of('c-1'));
  const client = await session();
  await tasker.createTask(of('c-1'), { client });
  await client.query('rollback');
  expect(await open()).toEqual([first.taskUuid]);
  expect(await tasker.createTask(of('c-1'))).toMatchObject({ replacedTaskUuid: first.taskUuid });
});

it('another creation of the same key waits for the transaction of the caller, and sees its task', async () => {
  const { tasker, session, sql } = await bench('return');
  const client = await session();
  const first = await tasker.createTask(of('c-1'), { client });
  const second = tasker.createTask(of('c-1'));
  await until(
    () => sql('select 1 from pg_stat_activity where wait_event_type = $1 and datname = current_database()', ['Lock']),
    (rows) => rows.length > 0,
  );
  await client.query('commit');
  expect(await second).toMatchObject({ taskUuid: first.taskUuid, outcome: 'returned' });
});

it('a key that another transaction has locked for too long is a conflict that can be repeated', async () => {
  const { tasker, session } = await bench('return');
  const [one, two] = [await session(), await session()];
  await tasker.createTask(of('c-1'), { client: one });
  await two.query(`set local lock_timeout = '100ms'`);
  await expect(tasker.createTask(of('c-1'), { client: two })).rejects.toMatchObject({
    code: 'conflict',
    message:
      'no task was created: another transaction has the same key or its task locked (unique); roll the transaction back, and try again',
    details: { retryable: true },
  });
});

it('a deadlock with the locks of the caller is a conflict that can be repeated', async () => {
  const { tasker, session, sql } = await bench('return');
  await sql('create table account (id int primary key)');
  await sql('insert into account values (1)');
  const [one, two] = [await session(), await session()];
  // The server detects deadlocks after a second.
  await one.query('select * from account where id = 1 for update');
  await tasker.createTask(of('c-1'), { client: two });
  const waiting = two.query('select * from account where id = 1 for update');
  const created = tasker.createTask(of('c-1'), { client: one });
  const [answer, other] = await Promise.allSettled([created, waiting]);
  // The server ends one of the two.
  if (answer.status === 'rejected') {
    expect(answer.reason).toMatchObject({ code: 'conflict', details: { retryable: true } });
  } else expect(other).toMatchObject({ status: 'rejected', reason: { code: '40P01' } });
});

it('the lock timeout of the session is the same after a creation, also after a conflict', async () => {
  const { tasker, session } = await bench('reject');
  const client = await session();
  const timeout = async () => (await client.query('show lock_timeout')).rows[0];
  await client.query(`set local lock_timeout = '7s'`);
  await tasker.createTask(of('c-1'), { client });
  expect(await timeout()).toEqual({ lock_timeout: '7s' });
  await expect(tasker.createTask(of('c-1'), { client })).rejects.toMatchObject({ details: { rule: 'unique' } });
  expect(await timeout()).toEqual({ lock_timeout: '7s' });
  await client.query('commit');
});

it('workers delete the keys of tasks that have ended, and keep the others', async () => {
  const { tasker, sql, session } = await bench('return');
  const tasks = await tasker.createTasks(['a', 'b', 'c'].map(of));
  await tasker.cancelTask(tasks[0]!.taskUuid);
  await tasker.cancelTask(tasks[1]!.taskUuid);
  const client = await session();
  // Another creation takes the key of the first task.
  const again = await tasker.createTask(of('a'), { client });
  await tasker.engine.tidyTaskKeys('');
  await client.query('commit');
  const rows = await sql<{ id: string }>('select task_uuid id from tasker.task_key');
  expect(rows.map(({ id }) => id).sort()).toEqual([tasks[2]!.taskUuid, again.taskUuid].sort());
});
