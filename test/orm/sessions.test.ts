import { expect, it, onTestFinished } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { freshDatabase, openSession } from '../support/database.ts';
import { LIBRARIES } from '../support/orm/libraries.ts';
import { DEMO, setup, template } from '../support/setup.ts';

const STRICT = { identity_strategy: 'strict' };

it('a role needs rights only on the schema of tasker to create a task and to send a signal', async () => {
  const { tasker, url, sql } = await setup({ templates: [template({ a: [] })], worker: false });
  const role = `shop_${process.pid}`;
  await sql(`create role ${role}`);
  onTestFinished(async () => {
    await sql(`drop owned by ${role}`);
    await sql(`drop role ${role}`);
  });
  await sql(`grant usage on schema tasker to ${role}`);
  await sql(`grant select, insert, update on all tables in schema tasker to ${role}`);
  const client = await openSession(url);
  await client.query('begin isolation level serializable');
  await client.query(`set local role ${role}`);
  const { taskUuid } = await tasker.createTask(DEMO, { client });
  await tasker.signal(taskUuid, 'paid', 1, { client });
  await client.query('commit');
  expect(await sql('select task_uuid id from tasker.task')).toEqual([{ id: taskUuid }]);
});

it('in a repeatable read transaction, a duplicate that was created meanwhile is a serialization error', async () => {
  const { tasker, url } = await setup({ templates: [template({ a: [] }, STRICT)], worker: false });
  const client = await openSession(url);
  await client.query('begin isolation level repeatable read');
  await client.query('select 1');
  const keyed = { ...DEMO, idempotencyKey: 'k' };
  await tasker.createTask(keyed);
  const again = tasker.createTask(keyed, { client, onDuplicate: 'return' });
  await expect(again).rejects.toMatchObject({ code: '40001' });
});

it('a client whose server process ends is an error of the connection', async () => {
  const { tasker, url, sql } = await setup({ templates: [template({ a: [] })], worker: false });
  for (const library of LIBRARIES) {
    const open = await library.open(url, false);
    const lost = open.transaction(async ({ client }) => {
      await tasker.createTask(DEMO, { client });
      await sql(
        `select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction' and datname = current_database()`,
      );
      const error = await tasker.createTask(DEMO, { client }).catch((error: unknown) => error);
      expect([library.name, (error as { code?: unknown }).code === 'bad_request']).toEqual([library.name, false]);
      throw error;
    });
    await expect(lost).rejects.toThrow();
    await open.close();
  }
  expect(await sql('select task_uuid from tasker.task')).toEqual([]);
});

it('a handler can create tasks in its own transaction', async () => {
  const parent = defineHandler('a', {}, async ({ context }) => {
    const request = { ...DEMO, name: 'other' };
    const child = await context.transaction(async (tx) => (await tasker.createTask(request, { client: tx })).taskUuid);
    return { child };
  });
  const templates = [template({ a: [] }), template({ a: { handler: 'none' } }, { name: 'other' })];
  const { tasker } = await setup({ templates, handlers: [parent] });
  const { taskUuid } = await tasker.createTask(DEMO);
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  const { child } = (await tasker.getStep(taskUuid, 'a')).results!.result as { child: string };
  expect(await tasker.getTask(child)).toMatchObject({ name: 'other' });
});

it('the tasks are in the schema of the tasker', async () => {
  const options = { templates: [template({ a: [] }, STRICT)], worker: false, schema: 'shop_tasks' };
  const { tasker, url, sql } = await setup(options, freshDatabase);
  for (const library of LIBRARIES) {
    const open = await library.open(url, false);
    await open.transaction(({ client }) =>
      tasker.createTask({ ...DEMO, context: { of: library.name } }, { client, onDuplicate: 'return' }),
    );
    await open.close();
  }
  expect(await sql('select count(*)::int n from shop_tasks.task')).toEqual([{ n: LIBRARIES.length }]);
});
