import { expect, it } from 'vitest';
import { startProxy } from '../support/crash/proxy.ts';
import { DEMO, setup, template } from '../support/setup.ts';

it('a task is created even if the connection is lost repeatedly for half a second', async () => {
  const { url, another, sql } = await setup({ templates: template({ a: [] }), worker: false });
  const proxy = await startProxy(url);
  const tasker = await another({ databaseUrl: proxy.url, poolSize: 2 });
  await tasker.createTask(DEMO);
  let goneAt: number | undefined;
  proxy.decide = (sent) => {
    if (!sent.includes('create_tasks')) return undefined;
    goneAt ??= performance.now();
    return performance.now() - goneAt < 500 ? 'lost' : undefined;
  };
  const { taskUuid } = await tasker.createTask(DEMO);
  expect(proxy.counts.lost).toBeGreaterThan(0);
  expect(await sql('select count(*)::int n from tasker.task')).toEqual([{ n: 2 }]);
  expect((await tasker.getTask(taskUuid)).status).toBe('pending');
});
