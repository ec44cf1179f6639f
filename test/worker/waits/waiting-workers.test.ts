import { describe, expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { completeLater, notYet } from '../../../src/handlers/later.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { setupBridge } from '../../support/bridge.ts';
import { startProxy } from '../../support/crash/proxy.ts';
import { DEMO, invariants, setup, template, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';
import { threadHandlers } from '../../support/thread-handlers.ts';

const shared = sharedDatabase();
const WAIT = { timeoutMs: 40_000 };
const timer = (settings: object) => ({ handler: null, type: 'timer', timer: settings });
const recordsWait = (sent: Buffer) => sent.includes('begin_waits');

/** A handler that returns `notYet` until its fourth call. */
const polling = (ran: number[] = []) =>
  defineHandler('poll', {}, ({ context }) => {
    const calls = Number(context.checkpointCursor ?? 0) + 1;
    ran.push(calls);
    return calls < 4 ? notYet({ retryInMs: 20, checkpoint: calls }) : { calls, attempt: context.attempt };
  });

describe('a worker that is lost', () => {
  it('does not affect steps that already wait', async () => {
    const { tasker, sql, url, another } = await setup({
      templates: template({ pause: timer({ for: '1h' }) }),
      worker: false,
      logger: silentLogger,
    });
    const proxy = await startProxy(url);
    await another({ databaseUrl: proxy.url, worker: true, handlers: [], leaseMs: 800 });
    const { taskUuid } = await tasker.createTask(DEMO);
    await until(
      () => tasker.getStep(taskUuid, 'pause'),
      (step) => step.currentState === 'waiting',
    );
    proxy.close();
    await another({ worker: true, handlers: [], leaseMs: 800 });
    await until(
      () => sql(`select 1 from tasker.worker where state <> 'alive'`),
      (lost) => lost.length > 0,
    );
    await sql('update tasker.wait set until = now(), due_at = now()');
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    const outcomes = (await tasker.getHistory(taskUuid)).map(({ what }) => what);
    expect(outcomes).toEqual(['completed']);
    await invariants(sql);
  });

  it('uses no attempt of a timer step that was not waiting yet, even if the step is not retryable', async () => {
    const { tasker, sql, url, another } = await setup({
      templates: template({ pause: { ...timer({ for: 0.1 }), retry: { retryable: false } } }),
      worker: false,
      logger: silentLogger,
    });
    const proxy = await startProxy(url);
    proxy.decide = (sent) => (recordsWait(sent) ? 'lost' : undefined);
    await another({ databaseUrl: proxy.url, worker: true, handlers: [], leaseMs: 800 });
    const { taskUuid } = await tasker.createTask(DEMO);
    await until(
      () => proxy.counts.lost,
      (count) => count > 0,
    );
    proxy.close();
    await another({ worker: true, handlers: [], leaseMs: 800 });
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    expect((await tasker.getStep(taskUuid, 'pause')).attempts).toBe(1);
    await invariants(sql);
  });

  it('loses an attempt whose completeLater was not recorded, but its token stays valid until the next attempt', async () => {
    const tokens: string[] = [];
    const later = defineHandler('charge', {}, async ({ context }) => {
      tokens.push(await context.completionToken());
      return completeLater();
    });
    const { tasker, sql, url, another } = await setup({
      templates: template({ charge: { retry: { backoff: 'linear', backoff_base_ms: 60_000 } } }),
      worker: false,
      logger: silentLogger,
    });
    const proxy = await startProxy(url);
    proxy.decide = (sent) => (recordsWait(sent) ? 'lost' : undefined);
    await another({ databaseUrl: proxy.url, worker: true, handlers: [later], leaseMs: 800 });
    const { taskUuid } = await tasker.createTask(DEMO);
    await until(
      () => proxy.counts.lost,
      (count) => count > 0,
    );
    proxy.close();
    // A worker of another namespace notices the loss, so that no worker runs the next attempt.
    await another({ worker: true, handlers: [], namespaces: ['other'], templates: [], leaseMs: 800 });
    await until(
      () => tasker.getStep(taskUuid, 'charge'),
      (step) => step.currentState === 'enqueued',
    );
    await tasker.completeByToken(tokens[0]!, { done: true });
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    await invariants(sql);
  });
});

describe('responses that are lost with their connections', () => {
  it.each(['answer_lost', 'lost', 'cut'] as const)('notYet is recorded once if it is %s', async (fate) => {
    const ran: number[] = [];
    const { tasker, sql, url, another } = await setup({
      templates: template({ poll: { retry: { max_attempts: 1 } } }),
      worker: false,
      logger: silentLogger,
    });
    const proxy = await startProxy(url);
    let seen = 0;
    proxy.decide = (sent) => (recordsWait(sent) && ++seen % 2 === 1 ? fate : undefined);
    const worker = await another({ databaseUrl: proxy.url, worker: true, handlers: [polling(ran)] });
    const { taskUuid } = await tasker.createTask(DEMO);
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    expect(proxy.counts[fate]).toBeGreaterThan(0);
    expect(ran).toEqual([1, 2, 3, 4]);
    const { refused } = await until(
      () => worker.stats!,
      ({ unrecorded }) => unrecorded === 0,
    );
    expect(refused).toBe(0);
    expect((await tasker.getStep(taskUuid, 'poll')).attempts).toBe(1);
    await invariants(sql);
  });
});

describe('two workers', () => {
  it('share the calls of a step, which run one after the other', async () => {
    const ran: number[] = [];
    const { tasker, demo, another } = await shared.setup({ poll: [] }, { handlers: [polling(ran)] });
    await another();
    const tasks = await tasker.createTasks(Array.from({ length: 20 }, () => demo));
    for (const { taskUuid } of tasks) {
      expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
      expect((await tasker.getStep(taskUuid, 'poll')).results!.result).toEqual({ calls: 4, attempt: 1 });
    }
    expect(ran.length).toBe(80);
    await invariants(shared.sql);
  });

  it('fire each of 100 timers once', async () => {
    const after = defineHandler('after', {}, ({ context }) => ({ task: context.taskUuid }));
    const steps = { pause: timer({ for: 0.3 }), after: ['pause'] };
    const { tasker, demo, another } = await shared.setup(steps, { handlers: [after] });
    await another();
    const tasks = await tasker.createTasks(Array.from({ length: 100 }, () => demo));
    for (const { taskUuid } of tasks) expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    const [{ n }] = (await shared.sql<{ n: number }>(
      `select count(*)::int n from tasker.history where task_uuid = any ($1::uuid[])`,
      [tasks.map(({ taskUuid }) => taskUuid)],
    )) as [{ n: number }];
    expect(n).toBe(200);
    await invariants(shared.sql);
  });
});

describe('a worker that drains', () => {
  it('does not wait for steps that wait, and another worker runs them when they become ready', async () => {
    const { tasker, demo, another } = await shared.setup({ pause: timer({ for: 1 }) }, { worker: false });
    const first = await another({ worker: true, handlers: [], name: 'draining' });
    const { taskUuid } = await tasker.createTask(demo);
    await until(
      () => tasker.getStep(taskUuid, 'pause'),
      (step) => step.currentState === 'waiting',
    );
    await tasker.drainWorker('draining');
    await until(
      () => first.stats?.phase,
      (phase) => phase === 'drained',
    );
    await another({ worker: true, handlers: [] });
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
  });
});

describe('handlers that do not run on the event loop of the worker', () => {
  it('can use completeLater and notYet in a thread', async () => {
    const inThread = (callable: string) => ({ handler: { callable, isolation: 'thread' } });
    const { tasker, demo } = await shared.setup(
      { poll: inThread('polls'), later: inThread('awaits') },
      { handlers: threadHandlers(), threads: 1 },
    );
    const { taskUuid } = await tasker.createTask(demo);
    await until(
      () => tasker.getSteps(taskUuid),
      (steps) => steps.find(({ name }) => name === 'later')!.currentState === 'waiting',
    );
    const [row] = await shared.sql<{ metadata: { token: string; isMainThread: boolean } }>(
      `select settings -> 'metadata' metadata from tasker.wait where task_uuid = $1 and kind = 'completion'`,
      [taskUuid],
    );
    expect(row!.metadata.isMainThread).toBe(false);
    await tasker.completeByToken(row!.metadata.token, { ok: true });
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    expect((await tasker.getStep(taskUuid, 'poll')).results!.result).toEqual({ calls: 3, isMainThread: false });
  });

  it('can use completeLater and notYet in a subscriber, which publishes no completion event for a wait', async () => {
    let token = '';
    const later = defineHandler('later', {}, async ({ context }) => {
      token = await context.completionToken();
      return completeLater();
    });
    const { bridge, create, tasker } = await setupBridge(
      shared,
      { pause: timer({ for: 0.1 }), poll: ['pause'], later: [] },
      { handlers: { poll: polling(), later } },
    );
    const completed: string[] = [];
    bridge.subscribe('step.execution.completed', ({ stepUuid }) => completed.push(stepUuid));
    const { taskUuid } = await create();
    await until(
      () => tasker.getSteps(taskUuid),
      (steps) => steps.find(({ name }) => name === 'later')!.currentState === 'waiting',
    );
    await tasker.completeByToken(token, {});
    expect((await tasker.waitForTask(taskUuid, WAIT)).status).toBe('complete');
    expect((await tasker.getStep(taskUuid, 'poll')).results!.result).toEqual({ calls: 4, attempt: 1 });
    expect(completed).toEqual([(await tasker.getStep(taskUuid, 'poll')).stepUuid]);
  });
});
