import { expect, it } from 'vitest';
import { createTasker } from '../../../src/app/create-tasker.ts';
import { template, until } from '../../support/setup.ts';
import { ask, secured } from './secured.ts';

const on = secured([
  template({
    agree: { type: 'approval', handler: undefined, approval: { title: 'Pay it?', assignees: ['managers'] } },
  }),
]);

it('a person who may decide approvals cannot assign one to themselves without the permission to reassign', async () => {
  const app = on.app();
  const decider = { 'x-api-key': await on.key({ name: 'eve', permissions: ['approvals:read', 'approvals:decide'] }) };
  const boss = { 'x-api-key': await on.key({ name: 'boss', permissions: ['approvals:read', 'approvals:reassign'] }) };
  const operator = { 'x-api-key': await on.key({ name: 'olga', roles: ['operator'] }) };
  const worker = await createTasker({ databaseUrl: on.url, poolSize: 3, handlers: [], namespaces: ['test'] });
  const { taskUuid } = await on.tasker.createTask({ name: 'demo', namespace: 'test' });
  await until(
    () => on.tasker.getStep(taskUuid, 'agree'),
    ({ currentState }) => currentState === 'waiting',
  );
  await worker.stop();
  const path = `/v1/approvals/${taskUuid}/agree`;
  for (const body of [{ to: ['key:eve'] }, { everyone: true }, { to: ['bob'] }]) {
    const { status, body: answer } = await ask(app, `POST ${path}/reassign`, decider, body);
    expect([body, status, JSON.stringify(answer)]).toEqual([body, 403, expect.stringContaining('approvals:reassign')]);
  }
  expect((await ask(app, `POST ${path}/vote`, decider, { decision: 'approve' })).status).not.toBe(200);
  expect((await ask(app, `GET ${path}`, decider)).body).toMatchObject({ status: 'open', assignees: ['managers'] });
  expect((await ask(app, `POST ${path}/vote`, boss, { decision: 'approve' })).status).toBe(403);
  expect((await ask(app, `POST ${path}/reassign`, operator, { to: ['key:nobody'] })).status).toBe(200);
  expect((await ask(app, `POST ${path}/reassign`, boss, { to: ['key:eve'] })).status).toBe(200);
  expect((await ask(app, `POST ${path}/vote`, decider, { decision: 'approve' })).body).toMatchObject({
    status: 'approved',
  });
});
