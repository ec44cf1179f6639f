import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import type { CreateTaskerOptions } from '../../../src/app/create-tasker.ts';
import { BasePublisher } from '../../../src/events/publishing/base-publisher.ts';
import { PublisherRegistry } from '../../../src/events/publishing/publisher-registry.ts';
import { BaseSubscriber } from '../../../src/events/subscribing/base-subscriber.ts';
import { defineSubscriber } from '../../../src/events/subscribing/define-subscriber.ts';
import type { DomainEvent } from '../../../src/events/subscribing/domain-event.ts';
import { SubscriberRegistry } from '../../../src/events/subscribing/subscriber-registry.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { StepHandlerResult } from '../../../src/handlers/step-handler.ts';
import { testTasker } from '../../../src/testing/test-tasker.ts';
import { collectingLogger } from '../../handlers/collecting-logger.ts';
import { DEMO, deferred, setup, template } from '../../support/setup.ts';

type Fields = Record<string, unknown>;

const event = (name: string, more: Fields = {}) => ({ name, description: 'it happened', schema: {}, ...more });
const pay = defineHandler('pay', { inputs: { amount: 'amount' } }, ({ amount }) => ({ payment_id: 'P-1', amount }));
const paid = (...events: object[]) => template({ pay: { publishes_events: events } });

/** A subscriber with this name and these patterns that keeps its events. */
function keeping(subscriberName: string, patterns = ['*']) {
  class Keeping extends BaseSubscriber {
    override readonly subscriberName = subscriberName;
    readonly kept: DomainEvent[] = [];
    override subscribesTo = () => patterns;
    handle(event: DomainEvent) {
      this.kept.push(event);
    }
    get names() {
      return this.kept.map(({ eventName }) => eventName).sort();
    }
  }
  return new Keeping();
}

const BOTH = [
  event('payment.stored'),
  event('payment.live', { delivery_mode: 'fast' }),
  event('payment.both', { delivery_mode: 'broadcast' }),
];

describe('subscribers of a tasker', () => {
  it('receive each event once, either from the process (fast) or from the log (durable and broadcast)', async () => {
    const audit = keeping('audit', ['payment.*', '*.live', '*.stored']);
    const live = keeping('live');
    class Live extends BaseSubscriber {
      static override subscriberName = 'in this process';
      static override delivery = { mode: 'in_process' } as const;
      handle(event: DomainEvent) {
        live.handle(event);
      }
    }
    const envelopes: Fields = {};
    class Whole extends BaseSubscriber {
      static override subscriberName = 'whole';
      async handle(event: DomainEvent) {
        envelopes[event.eventName] = await event.envelope();
      }
    }
    const { tasker, another } = await setup({
      templates: [paid(...BOTH)],
      handlers: [pay],
      subscribers: [audit, Live, Whole],
    });
    const { taskUuid } = await tasker.createTask({ ...DEMO, context: { amount: 12.5 } });
    await expect.poll(() => audit.names).toEqual(['payment.both', 'payment.live', 'payment.stored']);
    await expect.poll(() => Object.keys(envelopes)).toHaveLength(3);
    await tasker.stop();
    expect(audit.names).toHaveLength(3);
    expect(live.names).toEqual(['payment.both', 'payment.live']);
    expect(envelopes).toMatchObject({
      'payment.live': {
        event_name: 'payment.live',
        payload: { task_sequence_step: { workflow_step: { name: 'pay' } } },
      },
      'payment.stored': { payload: { execution_result: { success: true }, payload: { payment_id: 'P-1' } } },
    });
    const stored = audit.kept.find(({ eventName }) => eventName === 'payment.stored')!;
    expect(stored).toMatchObject({
      eventVersion: '1.0',
      payload: { payment_id: 'P-1', amount: 12.5 },
      metadata: { taskUuid, stepName: 'pay', namespace: 'test', publisher: 'default' },
      executionResult: { success: true, status: 'completed', result: { payment_id: 'P-1' } },
    });
    // The copies of an event have the same id and time.
    const idOf = (kept: DomainEvent[]) => {
      const { eventId, metadata } = kept.find(({ eventName }) => eventName === 'payment.both')!;
      return [eventId, metadata.firedAt];
    };
    expect(idOf(live.kept)).toEqual(idOf(audit.kept));
    const events = await (await another({ worker: false })).events.list({ name: 'payment.both' });
    expect(events.map(({ eventId, firedAt }) => [eventId, firedAt])).toEqual([idOf(live.kept)]);
  });

  it('that are slow have at most 64 MB of events in memory, and further events are dropped and counted', async () => {
    const gate = deferred<void>();
    let handled = 0;
    class Large extends BasePublisher {
      static override publisherName = 'large';
      override publishesFor = () => ['pay'];
      override transformPayload = () => ({ text: 'x'.repeat(1024 * 1024) });
    }
    class Slow extends BaseSubscriber {
      static override subscriberName = 'slow';
      static override delivery = { concurrency: 1 };
      async handle() {
        await gate.promise;
        handled++;
      }
    }
    const { tasker } = await setup({
      templates: [paid(event('payment.live', { delivery_mode: 'fast' }))],
      handlers: [pay],
      publishers: [Large],
      subscribers: [Slow],
    });
    const counted = async (what: string) =>
      Number(new RegExp(`^tasker_domain_events_${what} (\\d+)$`, 'm').exec(await tasker.metrics.text())?.[1]);
    for (const soFar of [35, 70]) {
      await tasker.createTasks(Array.from({ length: 35 }, () => DEMO));
      await expect.poll(() => counted('dispatched_total'), { timeout: 30_000 }).toBe(soFar);
    }
    // One event is in progress, and 63 fill the queue: with its quotation marks, each is slightly larger than 1 MB.
    expect(await counted('dropped_total')).toBe(6);
    gate.resolve();
    await tasker.stop();
    expect(handled).toBe(64);
  });

  it('run in processes without a worker, and share the events with subscribers of the same name', async () => {
    const [first, second, other] = [keeping('shared'), keeping('shared'), keeping('other')];
    const { tasker, another } = await setup({ templates: [paid(event('payment.stored'))], handlers: [pay] });
    await another({ worker: false, subscribers: [first] });
    await another({ worker: false, subscribers: [second, other] });
    const created = await tasker.createTasks(Array.from({ length: 20 }, () => DEMO));
    await expect.poll(() => first.kept.length + second.kept.length).toBe(20);
    await expect.poll(() => other.kept.length).toBe(20);
    const tasks = [...first.kept, ...second.kept].map(({ metadata }) => metadata.taskUuid);
    expect(tasks.sort()).toEqual(created.map(({ taskUuid }) => taskUuid).sort());
  });

  it('receive a durable event again after a failure, but not a fast event', async () => {
    const calls: string[] = [];
    class Failing extends BaseSubscriber {
      static override subscriberName = 'failing';
      handle({ eventName }: DomainEvent, { attempt }: { attempt: number }) {
        calls.push(`${eventName} ${attempt}`);
        return { success: eventName === 'payment.stored' && attempt > 1, error: 'closed' };
      }
      override onHandleError({ eventName }: DomainEvent, { message }: Error) {
        calls.push(`${eventName} ${message}`);
      }
    }
    const templates = [paid(event('payment.stored'), event('payment.live', { delivery_mode: 'fast' }))];
    const { tasker } = await setup({ templates, handlers: [pay], subscribers: Failing });
    await tasker.createTask(DEMO);
    const of = (name: string) => calls.filter((line) => line.startsWith(name));
    await expect
      .poll(() => of('payment.stored'))
      .toEqual(['payment.stored 1', 'payment.stored closed', 'payment.stored 2']);
    expect(of('payment.live')).toEqual(['payment.live 1', 'payment.live closed']);
  });

  it('are drained when the tasker stops, and receive nothing afterwards', async () => {
    const gate = deferred();
    const calls: string[] = [];
    class Slow extends BaseSubscriber {
      static override subscriberName = 'slow';
      async handle({ eventName }: DomainEvent) {
        calls.push(`begin ${eventName}`);
        await gate.promise;
        calls.push(`end ${eventName}`);
      }
    }
    const templates = [paid(event('payment.live', { delivery_mode: 'fast' }))];
    const registry = new SubscriberRegistry();
    registry.register(Slow);
    const { tasker } = await setup({ templates, handlers: [pay], subscribers: registry });
    expect(registry.stats).toMatchObject({ started: true, activeCount: 1 });
    await tasker.createTask(DEMO);
    await expect.poll(() => calls).toEqual(['begin payment.live']);
    const stopped = tasker.stop();
    gate.resolve();
    await stopped;
    expect(calls).toEqual(['begin payment.live', 'end payment.live']);
    expect(registry.stats).toMatchObject({ started: false, activeCount: 0 });
  });

  it.each(['during the stop', 'before the stop'])('are aborted immediately if hurry() is called %s', async (when) => {
    const signals: AbortSignal[] = [];
    class Hanging extends BaseSubscriber {
      override readonly subscriberName: string;
      override readonly delivery: { mode: 'in_process' | 'durable' };
      constructor(subscriberName: string, mode: 'in_process' | 'durable') {
        super();
        this.subscriberName = subscriberName;
        this.delivery = { mode };
      }
      async handle(_event: DomainEvent, { signal }: { signal: AbortSignal }) {
        signals.push(signal);
        await once(signal, 'abort');
      }
    }
    const { tasker } = await setup({
      templates: [paid(...BOTH)],
      handlers: [pay],
      subscribers: [new Hanging('live', 'in_process'), new Hanging('stored', 'durable')],
    });
    await tasker.createTask(DEMO);
    // The running deliveries: two of the group, and one of the in-process subscriber, whose second event waits.
    await expect.poll(() => signals).toHaveLength(3);
    const begun = performance.now();
    if (when === 'before the stop') tasker.hurry();
    const stopped = tasker.stop({ drainTimeoutMs: 600_000 });
    if (when === 'during the stop') {
      expect(signals.some(({ aborted }) => aborted)).toBe(false);
      tasker.hurry();
    }
    await stopped;
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true]);
    expect(performance.now() - begun).toBeLessThan(25_000);
  });

  it('can be stopped and started with their registry while the tasker runs, and receive each event once', async () => {
    const audit = keeping('audit');
    const registry = new SubscriberRegistry();
    registry.registerInstance(audit);
    const templates = [paid(event('payment.stored'))];
    const { tasker } = await setup({ templates, handlers: [pay], subscribers: registry });
    const one = await tasker.createTask(DEMO);
    await expect.poll(() => audit.kept.length).toBe(1);
    await registry.stopAll();
    const two = await tasker.createTask(DEMO);
    await tasker.waitForTask(two.taskUuid);
    expect(audit.kept).toHaveLength(1);
    registry.startAll();
    await expect.poll(() => audit.kept.length).toBe(2);
    const late = keeping('late');
    registry.registerInstance(late);
    registry.register(defineSubscriber('payment.*', z.object({}), () => undefined, { name: 'defined' }));
    await expect
      .poll(async () => {
        if (late.kept.length === 0) await tasker.createTask(DEMO);
        return late.kept.length;
      })
      .toBeGreaterThan(0);
    await tasker.stop();
    const tasks = audit.kept.map(({ metadata }) => metadata.taskUuid);
    expect(tasks.slice(0, 2)).toEqual([one.taskUuid, two.taskUuid]);
    expect(new Set(tasks).size).toBe(tasks.length);
  });

  it("receive the publisher's payload and metadata, and the execution result of the step", async () => {
    class Payments extends BasePublisher {
      static override publisherName = 'payment_events';
      override publishesFor = () => ['pay'];
      override transformPayload = async () => ({ made: 'by hand' });
      override additionalMetadata = () => ({ payment_processor: 'stripe', taskUuid: 'stolen' });
    }
    const broke = defineHandler('pay', {}, () =>
      StepHandlerResult.failure('no funds', { errorType: 'no_funds', retryable: false }),
    );
    const audit = keeping('audit');
    const templates = [paid(event('payment.failed', { condition: 'failure' }))];
    const kit = await testTasker({ templates, handlers: [broke], publishers: Payments, subscribers: [audit] });
    onTestFinished(() => kit.stop());
    const { task } = await kit.run();
    await expect.poll(() => audit.kept.length).toBe(1);
    expect(audit.kept[0]).toMatchObject({
      payload: { made: 'by hand' },
      metadata: { payment_processor: 'stripe', taskUuid: task.taskUuid, publisher: 'payment_events' },
      executionResult: { success: false, error: { message: 'no funds', error_type: 'no_funds' } },
    });
  });
});

describe('a tasker whose publishers do not match its templates', () => {
  class Payments extends BasePublisher {
    static override publisherName = 'payment_events';
    override publishesFor = () => ['pay', 'refnd'];
  }
  const refund = { publishes_events: [event('payment.back', { publisher: 'payment_evnts' })] };
  const templates = [template({ pay: {}, refund: { ...refund, handler: 'pay' } })];

  it('does not start if a template names an unregistered publisher, and reports the step and similar names', async () => {
    await expect(setup({ templates, handlers: [pay], publishers: [Payments] })).rejects.toThrow(
      'no publisher is registered for payment_evnts (test/demo@1.0.0: step refund, event payment.back); did you mean payment_events?',
    );
  });

  it('starts without a worker, because other processes run the steps', async () => {
    await setup({ templates, worker: false });
  });

  it('warns once about a publisher without events', async () => {
    const { logger, lines } = collectingLogger();
    await setup({
      templates: [template({ pay: {}, refund: { handler: 'pay' } })],
      handlers: [pay],
      publishers: [Payments],
      logger,
    });
    expect(lines.map(({ message }) => message).filter((line) => line.startsWith('publisher'))).toEqual([
      'publisher payment_events has nothing to publish: step pay declares no event without a publisher under publishes_events; step refnd not found in these templates, did you mean refund?',
    ]);
  });

  it('does not warn about a publisher that a template names, regardless of its publishesFor', async () => {
    const { logger, lines } = collectingLogger();
    const named = { publishes_events: [event('payment.back', { publisher: 'payment_events' })] };
    await setup({
      templates: [template({ pay: named })],
      handlers: [pay],
      publishers: [Payments],
      logger,
    });
    expect(lines.map(({ message }) => message).filter((line) => line.startsWith('publisher'))).toEqual([]);
  });
});

describe('the registries of the process', () => {
  class Payments extends BasePublisher {
    static override publisherName = 'payment_events';
  }
  class Audit extends BaseSubscriber {
    static override subscriberName = 'audit';
    handle() {}
  }
  const named = { publishes_events: [event('payment.back', { publisher: 'payment_events' })] };

  function registered(): void {
    onTestFinished(async () => {
      PublisherRegistry.instance().reset();
      await SubscriberRegistry.instance().reset();
    });
    PublisherRegistry.instance().register(Payments);
    SubscriberRegistry.instance().register(Audit);
  }

  const warningsOf = async (options: CreateTaskerOptions) => {
    const { logger, lines } = collectingLogger();
    await setup({ templates: [template({ pay: [] })], logger, ...options });
    return lines.map(({ message }) => message).filter((line) => line.includes('Registry.instance()'));
  };

  it('are named in a warning if they are not empty but were not passed to the tasker', async () => {
    registered();
    expect(await warningsOf({ handlers: [pay] })).toEqual([
      'PublisherRegistry.instance() has publishers that this tasker does not use: payment_events; pass publishers: PublisherRegistry.instance(), or export them from the handlers folder',
      'SubscriberRegistry.instance() has subscribers that this tasker does not use: audit; pass subscribers: SubscriberRegistry.instance(), or export them from the handlers folder',
    ]);
  });

  it('are not named in a warning by a tasker that has them or the same names, or that publishes nothing', async () => {
    registered();
    const [publishers, subscribers] = [PublisherRegistry.instance(), SubscriberRegistry.instance];
    expect(await warningsOf({ handlers: [pay], publishers, subscribers })).toEqual([]);
    expect(await warningsOf({ handlers: [pay], publishers: [Payments], subscribers: [Audit] })).toEqual([]);
    expect(await warningsOf({ worker: false, subscribers: [Audit] })).toEqual([]);
  });

  it('are named in the error about a publisher that only they have', async () => {
    registered();
    const templates = [template({ pay: named })];
    await expect(setup({ templates, handlers: [pay] })).rejects.toMatchObject({
      code: 'publisher_not_found',
      message:
        'no publisher is registered for payment_events (test/demo@1.0.0: step pay, event payment.back); payment_events is in PublisherRegistry.instance(), which was not passed; use createTasker({ publishers: PublisherRegistry.instance() })',
    });
    const another = { publishes_events: [event('payment.two', { publisher: 'refund_events' })] };
    const both = [template({ pay: named, again: { handler: 'pay', ...another } })];
    await expect(setup({ templates: both, handlers: [pay] })).rejects.toThrow(
      'PublisherRegistry.instance() }); no publisher is reg',
    );
  });
});
