import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { Assembly } from '../../../src/app/assembly.ts';
import * as workerCode from '../../../src/app/process/worker-code.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import {
  createTasker,
  defineHandler,
  EventNames,
  EventPoller,
  type FfiDispatchMetrics,
  getFfiLayer,
  getHealthCheck,
  getMetrics,
  setLogger,
  silentLogger,
  stopWorker,
  TaskerEventEmitter,
  type WorkerErrorPayload,
} from '../../../src/index.ts';
import { collectingLogger } from '../../handlers/collecting-logger.ts';
import { setupBridge } from '../../support/bridge.ts';
import { projectWith } from '../../support/config-folder.ts';
import { type FaultyProxy, startProxy } from '../../support/crash/proxy.ts';
import { deferred, until } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';
import { OwnModule, stepEvent } from '../../support/step-events.ts';

const shared = sharedDatabase();
const nothing = () => defineHandler('a', {}, () => ({}));

/** Starts everything except the poller. */
const UNPOLLED: ('bridge' | 'subscriber')[] = ['bridge', 'subscriber'];

describe('a poller of a foreign module', () => {
  afterEach(() => vi.useRealTimers());

  function setup(config: ConstructorParameters<typeof EventPoller>[2] = {}) {
    vi.useFakeTimers();
    setLogger(silentLogger);
    const module = new OwnModule();
    const emitter = new TaskerEventEmitter();
    const poller = new EventPoller(module, emitter, config);
    onTestFinished(async () => {
      setLogger(undefined);
      await poller.stop();
    });
    return { module, emitter, poller };
  }

  it('a poller polls every 10 ms by default, or at the interval given by either option', async () => {
    const { module, poller } = setup();
    poller.start();
    await vi.advanceTimersByTimeAsync(100);
    expect(module.polls).toBe(10);
    await poller.stop();
    for (const config of [{ pollIntervalMs: 50 }, { pollingIntervalMs: 50 }]) {
      const other = setup(config);
      other.poller.start();
      await vi.advanceTimersByTimeAsync(100);
      expect(other.module.polls).toBe(2);
      await other.poller.stop();
    }
  });

  it('a poller checks for starving events and reports metrics every second, and cleans up every ten seconds', async () => {
    const { module, poller, emitter } = setup();
    const metrics = vi.fn();
    const updated = vi.fn();
    poller.onMetrics(metrics);
    emitter.on('metrics.updated', updated);
    poller.start();
    await vi.advanceTimersByTimeAsync(999);
    expect([module.starvationChecks, module.cleanups, metrics.mock.calls.length]).toEqual([0, 0, 0]);
    await vi.advanceTimersByTimeAsync(1);
    expect([module.starvationChecks, module.cleanups, metrics.mock.calls.length]).toEqual([1, 0, 1]);
    await vi.advanceTimersByTimeAsync(9_000);
    expect([module.starvationChecks, module.cleanups]).toEqual([10, 1]);
    expect(updated).toHaveBeenCalledTimes(10);
    expect(metrics).toHaveBeenLastCalledWith({ pendingCount: 0, starvationDetected: false, starvingEventCount: 0 });
  });

  it('a poller passes each event to its callbacks and its emitter, and counts polls and cycles', async () => {
    const { module, poller, emitter } = setup();
    const first = vi.fn();
    const second = vi.fn();
    const received = vi.fn();
    poller.onStepEvent(first).onStepEvent(second);
    emitter.on('step.execution.received', ({ event }) => received(event));
    const events = [stepEvent(), stepEvent()];
    module.events.push(...events);
    poller.start();
    await vi.advanceTimersByTimeAsync(10);
    for (const callback of [first, second, received])
      expect(callback.mock.calls.map(([event]) => event)).toEqual(events);
    expect(poller.getCycleCount()).toBe(1);
    expect(poller.getPollCount()).toBe(1);
  });

  it('a poller reports an error of the module and continues after a pause', async () => {
    const { module, poller, emitter } = setup();
    const errors: string[] = [];
    const reported: WorkerErrorPayload[] = [];
    poller.onError((error) => errors.push(error.message));
    emitter.on('poller.error', (payload) => reported.push(payload));
    const broken = vi.spyOn(module, 'pollStepEvents').mockImplementationOnce(() => {
      throw new Error('gone');
    });
    poller.start();
    await vi.advanceTimersByTimeAsync(10);
    expect(errors).toEqual(['gone']);
    expect(reported[0]).toMatchObject({ error: { message: 'gone' }, timestamp: expect.any(Date) });
    await vi.advanceTimersByTimeAsync(90);
    expect(broken).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(50);
    expect(broken.mock.calls.length).toBeGreaterThan(1);
  });

  it('a poller emits an event when the metrics of the module report starvation', async () => {
    const { module, poller, emitter } = setup();
    const starving = vi.fn();
    emitter.on('poller.starvation.detected', starving);
    module.metrics = { pendingCount: 1, starvationDetected: true, starvingEventCount: 1 };
    poller.start();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(starving).toHaveBeenCalledTimes(1);
  });

  it('stop waits up to its timeout for the promises of callbacks', async () => {
    const { module, poller, emitter } = setup();
    const done = deferred();
    const stopped = vi.fn();
    emitter.on('poller.stopped', stopped);
    poller.onStepEvent(() => done.promise);
    module.events.push(stepEvent());
    poller.start();
    expect(poller.getState()).toBe('running');
    await vi.advanceTimersByTimeAsync(10);
    const stopping = poller.stop({ timeoutMs: 1_000 });
    expect(poller.getState()).toBe('stopping');
    await vi.advanceTimersByTimeAsync(500);
    expect(stopped).not.toHaveBeenCalled();
    done.resolve();
    await stopping;
    expect(stopped).toHaveBeenCalledTimes(1);
    expect(poller.getState()).toBe('stopped');
  });

  it('start throws while the poller is stopping, and succeeds after stop has resolved', async () => {
    const { module, poller } = setup();
    const done = deferred();
    poller.onStepEvent(() => done.promise);
    module.events.push(stepEvent());
    poller.start();
    await vi.advanceTimersByTimeAsync(10);
    const stopping = poller.stop();
    expect(() => poller.start()).toThrow('the event poller is still stopping; await its stop() before start()');
    done.resolve();
    await stopping;
    poller.start();
    expect(poller.isRunning()).toBe(true);
  });

  it('a poller rejects invalid intervals', () => {
    expect(() => new EventPoller({ pollingIntervalMs: 0 })).toThrow(
      'EventPoller: pollingIntervalMs must be a whole number from 1 to 1000000, got 0',
    );
    expect(() => new EventPoller({ metricsInterval: 1.5 })).toThrow('metricsInterval');
  });
});

describe('a poller of this process', () => {
  it('a poller has no metrics before it starts, and then returns the metrics of the channel', async () => {
    const { poller } = await setupBridge(shared, { a: [] }, { handlers: { a: nothing() }, start: UNPOLLED });
    expect(poller.getMetrics()).toBe(null);
    poller.start();
    poller.start();
    expect(poller.getMetrics()).toEqual({ pendingCount: 0, starvationDetected: false, starvingEventCount: 0 });
  });

  it('a worker without a poller claims no steps', async () => {
    const { create, tasker } = await setupBridge(shared, { a: [] }, { start: UNPOLLED });
    const { taskUuid } = await create();
    // The health check queries the database, so the worker has had time to claim.
    expect((await getHealthCheck()).status).toBe('healthy');
    expect(getMetrics().running).toBe(0);
    expect((await tasker.getSteps(taskUuid))[0]).toMatchObject({ currentState: 'enqueued', attempts: 0 });
  });

  it('a worker that stops releases the steps that wait for a subscriber, so that another worker can run them', async () => {
    const { poller, subscriber, create, demo } = await setupBridge(
      shared,
      { a: [], b: [], c: [] },
      { maxConcurrent: 10, start: UNPOLLED },
    );
    // The steps are read but not published, so they wait for a subscriber.
    poller.onStepEvent(() => undefined);
    poller.start();
    const { taskUuid } = await create();
    await until(
      () => poller.getMetrics()?.pendingCount,
      (count) => count === 3,
    );
    await poller.stop();
    await subscriber.stop();
    expect(await stopWorker(null, { drainTimeoutMs: 1_000 })).toMatchObject({ status: 'stopped' });
    const names = ['a', 'b', 'c'];
    const other = await createTasker({
      databaseUrl: shared.url,
      namespaces: [demo.namespace],
      handlers: names.map((name) => defineHandler(name, {}, () => ({}))),
      logger: silentLogger,
    });
    onTestFinished(() => other.stop());
    expect((await other.waitForTask(taskUuid, { timeoutMs: 15_000 })).status).toBe('complete');
  });

  it('an event that waits for more than ten seconds is starving', async () => {
    const { create, poller } = await setupBridge(shared, { a: [] }, { start: [] });
    poller.onStepEvent(() => undefined);
    poller.start();
    await create();
    await until(
      () => poller.getMetrics()?.pendingCount,
      (count) => count === 1,
    );
    const now = performance.now.bind(performance);
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + 10_001);
    const metrics = poller.getMetrics();
    clock.mockRestore();
    expect(metrics).toMatchObject({ pendingCount: 1, starvationDetected: true, starvingEventCount: 1 });
  });

  it('a starving event is logged once', async () => {
    const { tasker: client, demo } = await shared.setup({ a: [] }, { worker: false });
    const { logger, lines } = collectingLogger();
    const loaded = loadConfig({ overrides: { databaseUrl: shared.url, namespaces: [demo.namespace] } });
    const options = { worker: true, logger };
    const tasker = await new Assembly({ loaded, options, logger, warnings: [], handOut: true, workerCode }).start();
    onTestFinished(() => tasker.stop({ drainTimeoutMs: 0 }));
    const { channel } = tasker.worker!;
    channel.open({ wake: () => undefined });
    await client.createTask(demo);
    const event = await until(
      () => channel.poll(),
      (one) => one !== null,
    );
    const warnings = () => lines.filter(({ level, message }) => level === 'warn' && /from the channel/.test(message));
    const now = performance.now.bind(performance);
    channel.warnOfStarving();
    expect(warnings()).toEqual([]);
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + 10_001);
    channel.warnOfStarving();
    channel.warnOfStarving();
    clock.mockRestore();
    expect(warnings()).toMatchObject([
      {
        message: expect.stringContaining('step read from the channel but not started'),
        fields: { event_id: event?.eventId },
      },
    ]);
  });

  it('a poller reports a database outage, and continues afterwards', async () => {
    setLogger(silentLogger);
    onTestFinished(() => setLogger(undefined));
    const proxy = await startProxy(shared.url);
    const { bridge, run, poller, create, tasker } = await setupBridge(
      shared,
      { a: [] },
      { handlers: { a: nothing() }, config: { databaseUrl: proxy.url } },
    );
    expect((await run()).status).toBe('complete');
    const reported = deferred<WorkerErrorPayload>();
    bridge.subscribe(EventNames.POLLER_ERROR, (payload) => reported.resolve(payload));
    proxy.decide = () => 'cut';
    const { taskUuid } = await create();
    expect(await reported.promise).toMatchObject({ error: expect.any(Error), timestamp: expect.any(Date) });
    proxy.decide = () => undefined;
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 40_000 })).status).toBe('complete');
    expect(poller.isRunning()).toBe(true);
  });

  describe('while the worker is idle', () => {
    async function idle() {
      setLogger(silentLogger);
      onTestFinished(() => setLogger(undefined));
      const folder = projectWith({ 'tasker.toml': '[worker]\npoll_interval_ms = 60000\n' });
      const proxy = await startProxy(shared.url);
      const made = await setupBridge(
        shared,
        { a: [] },
        { handlers: { a: nothing() }, config: { databaseUrl: proxy.url, configPath: `${folder}/tasker.toml` } },
      );
      expect((await made.run()).status).toBe('complete');
      return { ...made, proxy };
    }
    const outages = {
      'refuses connections': async (proxy: FaultyProxy, reported: Promise<void>) => {
        const before = proxy.counts.cut;
        proxy.decide = () => 'cut';
        proxy.cutAll();
        await reported;
        await until(
          () => proxy.counts.cut - before,
          (cut) => cut > 10,
        );
        proxy.decide = () => undefined;
      },
      'is silent': async (proxy: FaultyProxy, reported: Promise<void>) => {
        proxy.freeze();
        await reported;
        proxy.thaw();
      },
    };

    it.each(Object.entries(outages))(
      'a database that %s is reported within 5 s, once per outage',
      async (_, outage) => {
        const { bridge, run, poller, proxy } = await idle();
        const published: WorkerErrorPayload[] = [];
        bridge.subscribe(EventNames.POLLER_ERROR, (payload) => published.push(payload));
        const times: number[] = [];
        let reported = deferred();
        poller.onError(() => {
          times.push(performance.now());
          reported.resolve();
        });
        // Causes two outages, and more of them if a busy machine delays the reports.
        const took: number[] = [];
        const inTime = () => took.filter((ms) => ms < 5_000);
        while (took.length < 2 || (inTime().length < 2 && took.length < 8)) {
          reported = deferred();
          const from = performance.now();
          await outage(proxy, reported.promise);
          expect(times).toHaveLength(took.length + 1);
          took.push(times.at(-1)! - from);
          expect((await run()).status).toBe('complete');
        }
        expect(inTime()).toHaveLength(2);
        expect(times).toHaveLength(took.length);
        expect(published).toHaveLength(took.length);
        expect(published[0]).toMatchObject({ error: expect.any(Error), timestamp: expect.any(Date) });
      },
    );

    it('a poll whose connection breaks is not reported while the database is available', async () => {
      const { run, poller, proxy } = await idle();
      const errors = vi.fn();
      poller.onError(errors);
      proxy.decide = (sent) => (proxy.counts.cut === 0 && sent.includes('peek') ? 'cut' : undefined);
      await until(
        () => proxy.counts.cut,
        (cut) => cut === 1,
      );
      expect((await run()).status).toBe('complete');
      expect(errors).not.toHaveBeenCalled();
    });
  });

  it('the metrics include the number of waiting events, their ages and the oldest event', async () => {
    const { create, poller } = await setupBridge(shared, { a: [], b: [], c: [] }, { start: [] });
    poller.onStepEvent(() => undefined);
    poller.start();
    await create();
    const metrics = await until<FfiDispatchMetrics | null>(
      () => poller.getMetrics(),
      (seen) => seen?.pendingCount === 3,
    );
    expect(metrics).toMatchObject({
      oldestEventId: expect.any(String),
      oldestPendingAgeMs: expect.any(Number),
      newestPendingAgeMs: expect.any(Number),
      starvationDetected: false,
      starvingEventCount: 0,
    });
  });

  it('a step whose callback throws fails and is retried, and the error is reported', async () => {
    const { bridge, poller, run } = await setupBridge(
      shared,
      { a: { retry: { backoff: 'none' } } },
      { handlers: { a: nothing() }, start: UNPOLLED },
    );
    const errors: string[] = [];
    let tries = 0;
    poller.onStepEvent((event) => {
      if (tries++ === 0) throw new Error('no room');
      bridge.publish(EventNames.STEP_EXECUTION_RECEIVED, event);
    });
    poller.onError((error) => errors.push(error.message));
    poller.start();
    const { status, step } = await run();
    expect({ status, attempts: step.a?.attempts }).toEqual({ status: 'complete', attempts: 2 });
    expect(errors).toEqual(['no room']);
  });

  it('the poller publishes metrics on the bridge once per interval', async () => {
    const { bridge, poller } = await setupBridge(
      shared,
      { a: [] },
      {
        poller: { pollingIntervalMs: 5, metricsInterval: 20 },
        start: UNPOLLED,
      },
    );
    const seen: FfiDispatchMetrics[] = [];
    bridge.subscribe(EventNames.POLLER_METRICS, (metrics) => seen.push(metrics));
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    poller.start();
    vi.advanceTimersByTime(99);
    expect(seen).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(seen).toEqual([{ pendingCount: 0, starvationDetected: false, starvingEventCount: 0 }]);
    vi.advanceTimersByTime(400);
    expect(seen).toHaveLength(5);
    await poller.stop();
  });

  it('the poller holds no steps while the bridge has no listener', async () => {
    setLogger(silentLogger);
    onTestFinished(() => setLogger(undefined));
    const { bridge, create, subscriber, tasker } = await setupBridge(
      shared,
      { a: [] },
      {
        handlers: { a: nothing() },
        start: ['bridge', 'poller'],
      },
    );
    const { taskUuid } = await create();
    await until(
      async () => (await tasker.getHistory(taskUuid)).map(({ what }) => what),
      (seen) => seen.includes('released'),
    );
    expect(bridge.listenerCount(EventNames.STEP_EXECUTION_RECEIVED)).toBe(0);
    subscriber.start();
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  });

  it('the poller waits a second before it checks for a listener on the bridge again', async () => {
    const { logger, lines } = collectingLogger();
    setLogger(logger);
    onTestFinished(() => setLogger(undefined));
    const { create, subscriber, tasker } = await setupBridge(
      shared,
      { a: [] },
      { handlers: { a: nothing() }, poller: { pollingIntervalMs: 10 }, start: ['bridge', 'poller'] },
    );
    const { taskUuid } = await create();
    const releases = async () => (await tasker.getHistory(taskUuid)).filter(({ what }) => what === 'released').length;
    const started = performance.now();
    const warnings = () => lines.filter(({ message }) => message.startsWith('no listener for steps')).length;
    await until(warnings, (count) => count >= 2);
    expect(performance.now() - started).toBeGreaterThan(900);
    const released = await releases();
    // A busy machine may need more seconds, with another release in each of them.
    expect(released).toBeLessThanOrEqual(Math.max(2, 1 + Math.floor((performance.now() - started) / 900)));
    subscriber.start();
    expect((await tasker.waitForTask(taskUuid, { timeoutMs: 20_000 })).status).toBe('complete');
  });

  it('a worker wakes the poller, so that no step waits for the next poll', async () => {
    const { run, poller } = await setupBridge(
      shared,
      { a: [], b: ['a'], c: ['b'] },
      {
        handlers: { a: nothing(), b: defineHandler('b', {}, () => ({})), c: defineHandler('c', {}, () => ({})) },
        poller: { pollingIntervalMs: 100_000, starvationCheckInterval: 1, metricsInterval: 1, cleanupInterval: 1 },
      },
    );
    expect((await run()).status).toBe('complete');
    expect(poller.getCycleCount()).toBeGreaterThanOrEqual(3);
  });

  it('a clean-up ends the attempts of events that were read but not completed', async () => {
    const { poller, run } = await setupBridge(
      shared,
      { a: { timeout_seconds: 1, retry: { backoff: 'none', max_attempts: 2 } } },
      { poller: { pollingIntervalMs: 10, cleanupInterval: 5 }, start: [] },
    );
    let reads = 0;
    const module = (await getFfiLayer()).getModule();
    poller.onStepEvent(async (event) => {
      if (++reads === 1) return;
      await module.completeStepEvent(event.eventId, {
        stepUuid: event.stepUuid,
        success: true,
        result: { reads },
        status: 'completed',
        metadata: { executionTimeMs: 1, completedAt: new Date().toISOString() },
      });
    });
    poller.start();
    const start = performance.now();
    const { step } = await run();
    expect(step.a).toMatchObject({ currentState: 'complete', attempts: 2, results: { result: { reads: 2 } } });
    expect(performance.now() - start).toBeGreaterThan(999);
  });
});
