import { expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { startProxy } from '../support/crash/proxy.ts';
import { DEMO, invariants, setup, TAKES_CHILDREN, template, until } from '../support/setup.ts';

it('a worker that is declared dead before the response to its recording does not run the steps in that response', async () => {
  const { tasker, url, sql, another } = await setup({ templates: template({ a: [], b: ['a'] }), worker: false });
  const proxy = await startProxy(url);
  proxy.decide = (sent) => (sent.includes('record_steps') && proxy.counts.held === 0 ? 'held' : undefined);
  let ran = 0;
  const handlers = [
    defineHandler('a', {}, () => ({})),
    defineHandler('b', {}, () => {
      ran++;
      return {};
    }),
  ];
  const worker = await another({ databaseUrl: proxy.url, worker: true, handlers, leaseMs: 3_000, ...TAKES_CHILDREN });
  const { taskUuid } = await tasker.createTask(DEMO);
  const child = () =>
    sql<{ state: string; claim: string }>('select state::text, claim::text from tasker.step where idx = 1');
  await until(child, ([b]) => b!.state === 'in_progress');
  const [held] = await child();
  await sql(`update tasker.worker set state = 'dead' where id = $1::bigint >> 24`, [held!.claim]);
  // The worker registers again under another id.
  await until(
    () => sql(`select 1 from tasker.worker where state = 'alive'`),
    ({ length }) => length === 1,
  );
  proxy.release();
  await until(
    () => worker.stats!,
    ({ unrecorded }) => unrecorded === 0,
  );
  expect((await tasker.waitForTask(taskUuid, { timeoutMs: 30_000 })).status).toBe('complete');
  expect(ran).toBe(1);
  await invariants(sql);
});
