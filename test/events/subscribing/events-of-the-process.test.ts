import { describe, expect, it, onTestFinished } from 'vitest';
import {
  BasePublisher,
  BaseSubscriber,
  createFfiPollAdapter,
  type DomainEvent,
  defineHandler,
  getFfiLayer,
  InProcessDomainEventPoller,
  PublisherRegistry,
  SubscriberRegistry,
  silentLogger,
  stopWorker,
  WorkerServer,
} from '../../../src/index.ts';
import { setupBridge } from '../../support/bridge.ts';
import { sharedDatabase } from '../../support/shared-database.ts';

const shared = sharedDatabase();
const pay = defineHandler('pay', {}, () => ({ amount: 1 }));
const event = (name: string, delivery_mode: string) => ({
  name,
  description: 'it happened',
  schema: {},
  delivery_mode,
});
const STEPS = {
  pay: {
    publishes_events: [
      event('payment.stored', 'durable'),
      event('payment.live', 'fast'),
      event('payment.both', 'broadcast'),
    ],
  },
};

class Twice extends BasePublisher {
  static override publisherName = 'twice';
  override publishesFor = () => ['pay'];
  override transformPayload = () => ({ amount: 2 });
}

/** Registers a subscriber and a publisher in the registries of this process until the test ends. */
function registered() {
  const kept: DomainEvent[] = [];
  class Audit extends BaseSubscriber {
    static override subscriberName = `audit ${process.pid}`;
    handle(event: DomainEvent) {
      kept.push(event);
    }
  }
  SubscriberRegistry.instance().register(Audit);
  PublisherRegistry.instance().register(Twice);
  onTestFinished(async () => {
    PublisherRegistry.instance().reset();
    await SubscriberRegistry.instance().reset();
  });
  return { kept, names: () => kept.map(({ eventName }) => eventName).sort() };
}

function workerServer(namespace: string): WorkerServer {
  const settings = { templates: [], handlers: [], web: false, logger: silentLogger } as const;
  const server = new WorkerServer({ ...settings, databaseUrl: shared.url, namespace });
  onTestFinished(() => server.shutdown({ drainTimeoutMs: 100 }));
  server.getHandlerSystem().register('pay', pay);
  return server;
}

describe('the registries of the process', () => {
  it('serve its worker, which uses the publishers and starts and stops the subscribers', async () => {
    const { kept, names } = registered();
    const { run } = await setupBridge(shared, STEPS, { handlers: { pay } });
    // The guide calls this, although the registry is already started.
    SubscriberRegistry.instance().startAll();
    await run();
    await expect.poll(names).toEqual(['payment.both', 'payment.live', 'payment.stored']);
    expect(kept.map(({ payload }) => payload)).toEqual([{ amount: 2 }, { amount: 2 }, { amount: 2 }]);
    expect(SubscriberRegistry.instance.stats).toMatchObject({ started: true, activeCount: 1 });
    await stopWorker(null, { drainTimeoutMs: 1_000 });
    expect(SubscriberRegistry.instance.stats).toMatchObject({ started: false, activeCount: 0 });
    expect(kept).toHaveLength(3);
  });

  it('receive each event of this process once if a poller is passed to them', async () => {
    const { names, kept } = registered();
    const poller = new InProcessDomainEventPoller({ pollIntervalMs: 2 });
    poller.setPollFunction(createFfiPollAdapter((await getFfiLayer()).getModule()));
    const polled: DomainEvent[] = [];
    poller.subscribe('payment.*', (event) => void polled.push(event));
    poller.start();
    onTestFinished(() => poller.stop());
    const { run } = await setupBridge(shared, STEPS, { handlers: { pay } });
    SubscriberRegistry.instance.startAll(poller);
    const { taskUuid } = await run();
    await expect.poll(names).toEqual(['payment.both', 'payment.live', 'payment.stored']);
    const [live, both] = await Promise.all(polled.map((event) => event.envelope()));
    expect(live).toMatchObject({
      payload: { task_sequence_step: { task: { task: { task_uuid: taskUuid } }, workflow_step: { name: 'pay' } } },
    });
    // The subscriber got the copy of a broadcast event from the log.
    expect(both).toEqual(await kept.find(({ eventName }) => eventName === 'payment.both')!.envelope());
    await stopWorker(null, { drainTimeoutMs: 1_000 });
    expect(names()).toHaveLength(3);
    expect(polled.map(({ eventName, payload, deliveryMode }) => [eventName, payload, deliveryMode])).toEqual([
      ['payment.live', { amount: 2 }, 'fast'],
      ['payment.both', { amount: 2 }, 'broadcast'],
    ]);
    expect(polled[0]).toMatchObject({
      metadata: { taskUuid, stepName: 'pay', publisher: 'twice' },
      executionResult: { success: true, result: { amount: 1 } },
    });
  });

  it('keep the newest events for a slow poller, within a memory limit', async () => {
    class Large extends BasePublisher {
      static override publisherName = 'large';
      override publishesFor = () => ['pay'];
      override transformPayload = () => ({ text: 'x'.repeat(1024 * 1024) });
    }
    PublisherRegistry.instance().register(Large);
    onTestFinished(() => PublisherRegistry.instance().reset());
    const steps = { pay: { publishes_events: [event('payment.live', 'fast')] } };
    const { create, tasker } = await setupBridge(shared, steps, { handlers: { pay } });
    const { pollInProcessEvents } = (await getFfiLayer()).getModule();
    while (pollInProcessEvents());
    const created: string[] = [];
    for (let n = 0; n < 66; n++) {
      const { taskUuid } = await create();
      await tasker.waitForTask(taskUuid);
      created.push(taskUuid);
    }
    const polled: string[] = [];
    await expect
      .poll(() => {
        for (let one = pollInProcessEvents(); one; one = pollInProcessEvents()) polled.push(one.metadata.taskUuid);
        return polled;
      })
      .toContain(created.at(-1));
    expect(polled.length).toBeLessThan(66);
    expect(polled.slice(-60)).toEqual(created.slice(-60));
  });

  it('are used by a worker server each time it starts', async () => {
    const { names } = registered();
    const { tasker, demo } = await shared.setup(STEPS, { worker: false });
    const server = workerServer(demo.namespace);
    for (const count of [3, 6]) {
      await server.start();
      await tasker.createTask(demo);
      await expect.poll(() => names().length).toBe(count);
      await server.shutdown();
    }
    expect(names()).toHaveLength(6);
  });

  it('receive each event of a worker server once, also after a restart of the server, if they are started with a poller', async () => {
    const { names } = registered();
    const { tasker, demo } = await shared.setup(STEPS, { worker: false });
    const server = workerServer(demo.namespace);
    const module = (await getFfiLayer()).getModule();
    // Discards events that are left over from earlier tests.
    while (module.pollInProcessEvents());
    const poller = new InProcessDomainEventPoller({ pollIntervalMs: 2 });
    poller.setPollFunction(createFfiPollAdapter(module));
    onTestFinished(() => poller.stop());
    poller.start();
    SubscriberRegistry.instance.startAll(poller);
    for (const count of [3, 6]) {
      await server.start();
      await tasker.createTask(demo);
      await expect.poll(() => names().length).toBe(count);
      await server.shutdown();
    }
    const all = ['payment.both', 'payment.live', 'payment.stored'].flatMap((name) => [name, name]);
    expect(names()).toEqual(all);
  });
});
