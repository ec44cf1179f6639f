import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { startProxy } from '../support/crash/proxy.ts';
import type { Sql } from '../support/database.ts';
import {
  DEMO,
  deferred,
  invariants,
  itOnce,
  setup,
  states,
  TAKES_CHILDREN,
  template,
  until,
} from '../support/setup.ts';
import { leastOf } from '../support/suite/measure.ts';

const LEASE_MS = 2_000;
const ONCE = { retry: { retryable: false } };

/** Returns the remaining leases of live workers in milliseconds, the shortest first. */
async function leases(sql: Sql): Promise<{ name: string; left: number; until: number }[]> {
  return sql(
    `select name, (extract(epoch from lease_until - now()) * 1000)::float8 as left,
            (extract(epoch from lease_until) * 1000)::float8 as until
       from tasker.worker where state = 'alive' order by lease_until`,
  );
}

async function workersBehindProxy(names: string[]) {
  const go = deferred();
  const started: string[] = [];
  const { tasker, sql, url, another } = await setup({
    templates: template({ a: ONCE }),
    worker: false,
    logger: silentLogger,
  });
  const proxy = await startProxy(url);
  for (const name of names) {
    const a = defineHandler('a', {}, async () => {
      started.push(name);
      await go.promise;
      return { by: name };
    });
    await another({
      databaseUrl: proxy.url,
      worker: true,
      handlers: [a],
      leaseMs: LEASE_MS,
      pollMs: 200,
      concurrency: 1,
      name,
    });
  }
  const tasks = await tasker.createTasks(names.map(() => DEMO));
  await until(
    () => started.length,
    (count) => count === names.length,
  );
  const completed = async () => {
    go.resolve();
    for (const { taskUuid } of tasks) await tasker.waitForTask(taskUuid, { timeoutMs: 20_000, throwOnFailure: true });
    await invariants(sql);
  };
  return { tasker, sql, proxy, another, started, completed };
}

describe('a live worker', () => {
  it('a worker keeps its lease if its connections go silent and it can open new connections', async () => {
    const { sql, proxy, another, completed } = await workersBehindProxy(['first']);
    const sweeper = defineHandler('a', {}, () => ({ by: 'sweeper' }));
    await another({ worker: true, handlers: [sweeper], leaseMs: LEASE_MS, name: 'sweeper', concurrency: 1 });
    const from = (await leases(sql)).find((lease) => lease.name === 'first')!.until;
    proxy.silence();
    await until(
      () => leases(sql),
      (seen) => seen.some((lease) => lease.name === 'first' && lease.until > from + 2 * LEASE_MS),
    );
    await completed();
  });

  it('a worker keeps its steps after an outage of all workers that outlasts their leases', async () => {
    const { sql, proxy, completed } = await workersBehindProxy(['first', 'second', 'third']);
    proxy.decide = () => 'lost';
    proxy.cutAll();
    await until(
      () => leases(sql),
      (seen) => seen.every((lease) => lease.left < -LEASE_MS / 4),
    );
    proxy.decide = () => undefined;
    await until(
      () => leases(sql),
      (seen) => seen.every((lease) => lease.left > 0),
    );
    expect((await leases(sql)).length).toBe(3);
    await completed();
  });
});

describe('stopping a worker', () => {
  itOnce('stopping fires the signal of running handlers and ends in time while the server is silent', async () => {
    const untilSignalled = async () => {
      const signalled = deferred();
      const { another, tasker, proxy, started } = await workersBehindProxy(['first']);
      const name = 'second';
      const a = defineHandler('a', {}, async ({ signal }) => {
        started.push(name);
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        signalled.resolve();
      });
      const stopped = await another({
        databaseUrl: proxy.url,
        worker: true,
        handlers: [a],
        leaseMs: 60_000,
        pollMs: 50,
        concurrency: 2,
        name,
      });
      await tasker.createTask(DEMO);
      await until(
        () => started,
        (names) => names.includes(name),
      );
      proxy.freeze();
      await tasker.createTask(DEMO);
      const from = performance.now();
      const ending = stopped.stop({ drainTimeoutMs: 1_000 });
      await signalled.promise;
      const took = performance.now() - from;
      await ending;
      expect(performance.now() - from).toBeLessThan(25_000);
      proxy.thaw();
      return took;
    };
    // Statements without a response fail only after 20 seconds or more.
    expect(await leastOf(5_000, untilSignalled, 3)).toBeLessThan(5_000);
  });

  it('a stopping worker releases the children of a recording whose response comes later', async () => {
    const handlers = ['a', 'b', 'c'].map((name) => defineHandler(name, {}, () => ({ name })));
    const { tasker, sql, url, another } = await setup({
      templates: template({ a: [], b: ['a'], c: ['a'] }),
      worker: false,
      logger: silentLogger,
    });
    const proxy = await startProxy(url);
    const worker = await another({ databaseUrl: proxy.url, worker: true, handlers, ...TAKES_CHILDREN });
    proxy.decide = (sent) => (sent.includes('record_steps') ? 'held' : undefined);
    const { taskUuid } = await tasker.createTask(DEMO);
    await until(
      () => states(tasker, taskUuid),
      (seen) => seen.a === 'complete' && seen.b === 'in_progress',
    );
    const ending = worker.stop({ drainTimeoutMs: 2_000 });
    proxy.decide = () => undefined;
    proxy.release();
    await ending;
    expect(await states(tasker, taskUuid)).toEqual({ a: 'complete', b: 'enqueued', c: 'enqueued' });
    expect(await sql(`select state::text from tasker.worker`)).toEqual([{ state: 'stopped' }]);
    await invariants(sql);
  });
});
