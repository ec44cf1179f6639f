import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { DEMO, setup, template } from '../../support/setup.ts';

/** A template with a limited step between two others. */
function limited(limits: object, step: object = {}) {
  return template(
    {
      before: [],
      charge: { dependencies: ['before'], limits: Object.keys(limits), ...step },
      after: ['charge'],
    },
    { limits },
  );
}

/** A service that counts its calls, at once and by key. */
function service(ms = 5) {
  const seen = {
    now: 0,
    most: 0,
    calls: 0,
    starts: [] as number[],
    order: [] as string[],
    byKey: new Map<string, number>(),
  };
  const mostOf = new Map<string, number>();
  const call = async (key = ''): Promise<Record<string, never>> => {
    seen.starts.push(performance.now());
    seen.order.push(key);
    seen.calls++;
    seen.most = Math.max(seen.most, ++seen.now);
    const own = (seen.byKey.get(key) ?? 0) + 1;
    seen.byKey.set(key, own);
    mostOf.set(key, Math.max(mostOf.get(key) ?? 0, own));
    await sleep(ms);
    seen.now--;
    seen.byKey.set(key, seen.byKey.get(key)! - 1);
    return {};
  };
  const charge = defineHandler('charge', {}, ({ context }) => call((context.inputData as { tenant?: string }).tenant));
  return {
    seen,
    mostOf,
    call,
    handlers: [charge, ...['before', 'after'].map((name) => defineHandler(name, {}, () => ({})))],
  };
}

it('no more attempts than the limit run at the same time, and all complete', async () => {
  const { seen, handlers } = service();
  const { tasker, sql } = await setup({ templates: limited({ stripe: { concurrent: 3 } }), handlers });
  const created = await tasker.createTasks(Array.from({ length: 60 }, () => DEMO));
  for (const { taskUuid } of created) expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  expect(seen).toMatchObject({ most: 3, calls: 60 });
  await tasker.engine.admission.look();
  expect(await sql('select count(*)::int n from tasker.limit_holder')).toEqual([{ n: 0 }]);
  expect(await sql('select count(*)::int n from tasker.limit_line')).toEqual([{ n: 0 }]);
  expect(await sql('select count(*)::int n from tasker.queue')).toEqual([{ n: 0 }]);
});

it('each value of a key has the limit for itself', async () => {
  const { seen, mostOf, handlers } = service(20);
  const limits = { all: { concurrent: 6 }, tenant: { key: 'context.tenant', concurrent: 2 } };
  const { tasker } = await setup({ templates: limited(limits), handlers });
  const contexts = Array.from({ length: 40 }, (_, i) => ({ tenant: `t${i % 4}` }));
  const created = await tasker.createTasks(contexts.map((context) => ({ ...DEMO, context })));
  for (const { taskUuid } of created) expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  expect(seen.most).toBeLessThanOrEqual(6);
  expect(seen.most).toBeGreaterThan(3);
  expect(Math.max(...mostOf.values())).toBeLessThanOrEqual(2);
});

it('starts follow the rate, and no more than the burst start at once', async () => {
  const { seen, handlers } = service(1);
  const { tasker } = await setup({ templates: limited({ stripe: { rate: '50/s', burst: 5 } }), handlers });
  const created = await tasker.createTasks(Array.from({ length: 40 }, () => DEMO));
  for (const { taskUuid } of created) await tasker.waitForTask(taskUuid);
  const took = seen.starts.at(-1)! - seen.starts[0]!;
  expect(took).toBeGreaterThan((35 / 50) * 1_000 - 60);
  expect(took).toBeLessThan(3_000);
});

it('fair keys take turns, so a tenant with many steps does not delay the others', async () => {
  const { seen, handlers } = service(3);
  const limits = { one: { concurrent: 1 }, tenant: { key: 'context.tenant', concurrent: 1, fair: true } };
  const { tasker } = await setup({ templates: limited(limits), handlers });
  const flood = await tasker.createTasks(Array.from({ length: 60 }, () => ({ ...DEMO, context: { tenant: 'flood' } })));
  const others = await tasker.createTasks(['a', 'b', 'c'].map((tenant) => ({ ...DEMO, context: { tenant } })));
  for (const { taskUuid } of [...others, ...flood]) await tasker.waitForTask(taskUuid);
  for (const tenant of ['a', 'b', 'c']) expect(seen.order.indexOf(tenant)).toBeLessThan(30);
});

it('a cancelled step releases the limit, and a reset one uses it again', async () => {
  const { seen, handlers } = service(60);
  const { tasker } = await setup({ templates: limited({ stripe: { concurrent: 1 } }), handlers });
  const created = await tasker.createTasks(Array.from({ length: 4 }, () => DEMO));
  await expect.poll(() => seen.calls).toBeGreaterThan(0);
  await tasker.cancelTask(created[3]!.taskUuid);
  for (const { taskUuid } of created.slice(0, 3)) expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  expect(seen.most).toBe(1);
});

it('a key that cannot be computed is refused when the task is created', async () => {
  const { handlers } = service();
  const { tasker } = await setup({
    templates: limited({ tenant: { key: 'context.tenant', concurrent: 1 } }),
    handlers,
  });
  await expect(tasker.createTask({ ...DEMO, context: {} })).rejects.toMatchObject({
    code: 'bad_request',
    message: expect.stringContaining('limits.tenant.key') as string,
  });
  await expect(tasker.createTask({ ...DEMO, context: { tenant: ['a'] } })).rejects.toMatchObject({
    code: 'bad_request',
  });
});

it('the limit holds for all processes, and after failures, retries and releases', async () => {
  const { seen, call, handlers } = service(4);
  const failed = new Set<string>();
  const flaky = defineHandler('charge', {}, async ({ context }) => {
    await call();
    if (failed.size < 20 && !failed.has(context.taskUuid)) {
      failed.add(context.taskUuid);
      throw new Error('not yet');
    }
    return {};
  });
  const templates = limited({ stripe: { concurrent: 3 } }, { retry: { backoff: 'none', max_attempts: 9 } });
  const { tasker, another, sql } = await setup({
    templates,
    handlers: [flaky, ...handlers.slice(1)],
    logger: silentLogger,
  });
  const second = await another();
  const third = await another();
  const created = await tasker.createTasks(Array.from({ length: 60 }, () => DEMO));
  await expect.poll(() => seen.calls, { timeout: 10_000 }).toBeGreaterThan(10);
  await third.stop();
  const ends = await Promise.all(created.map(({ taskUuid }) => second.waitForTask(taskUuid)));
  expect(new Set(ends.map(({ status }) => status))).toEqual(new Set(['complete']));
  expect(seen.most).toBe(3);
  await tasker.engine.admission.look();
  expect(await sql('select count(*)::int n from tasker.limit_holder')).toEqual([{ n: 0 }]);
});

it('a paused template admits nothing, and a resumed one continues within its limit', async () => {
  const { seen, handlers } = service(20);
  const { tasker } = await setup({ templates: limited({ stripe: { concurrent: 2 } }), handlers });
  const created = await tasker.createTasks(Array.from({ length: 20 }, () => DEMO));
  await expect.poll(() => seen.calls).toBeGreaterThan(1);
  await tasker.pause({ template: 'test/demo' });
  const calls = seen.calls;
  await sleep(300);
  expect(seen.calls).toBe(calls);
  await tasker.resume({ template: 'test/demo' });
  for (const { taskUuid } of created) expect((await tasker.waitForTask(taskUuid)).status).toBe('complete');
  expect(seen).toMatchObject({ most: 2, calls: 20 });
});

it('a step that waits for its turn can be cancelled, retried and completed by hand', async () => {
  const { seen, handlers } = service(150);
  const { tasker, sql } = await setup({ templates: limited({ stripe: { concurrent: 1 } }), handlers });
  const created = await tasker.createTasks(Array.from({ length: 6 }, () => DEMO));
  await expect.poll(() => seen.calls).toBe(1);
  const waiting = created.slice(2);
  await tasker.cancelTask(waiting[0]!.taskUuid);
  await tasker.rerunTask(waiting[1]!.taskUuid, { from: 'charge', reason: 'again' }).catch(() => undefined);
  const ends = await Promise.all(created.map(({ taskUuid }) => tasker.waitForTask(taskUuid)));
  expect(ends.map(({ status }) => status).filter((status) => status === 'complete')).toHaveLength(5);
  expect(seen.most).toBe(1);
  await tasker.engine.admission.look();
  expect(await sql('select count(*)::int n from tasker.limit_line')).toEqual([{ n: 0 }]);
});
