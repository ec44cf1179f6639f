import { expect, it, onTestFinished } from 'vitest';
import { openSession } from '../support/database.ts';
import { DEMO, setup, template } from '../support/setup.ts';

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
