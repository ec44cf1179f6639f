import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { BaseSubscriber } from '../../../src/events/subscribing/base-subscriber.ts';
import { defineSubscriber } from '../../../src/events/subscribing/define-subscriber.ts';
import { createDomainEvent, type DomainEvent } from '../../../src/events/subscribing/domain-event.ts';
import { isSubscriberRegistry, SubscriberRegistry } from '../../../src/events/subscribing/subscriber-registry.ts';
import { LocalSource } from '../../support/events/local-source.ts';

let made = 0;
const eventOf = (eventName: string) =>
  createDomainEvent({
    eventId: `event ${++made}`,
    eventName,
    payload: {},
    metadata: { taskUuid: `task ${made}` },
    executionResult: { success: true },
  });

function subscribers() {
  const calls: string[] = [];
  class Audit extends BaseSubscriber {
    static override subscriberName = 'audit';
    handle({ eventName }: DomainEvent) {
      calls.push(`audit ${eventName}`);
    }
  }
  class Metrics extends BaseSubscriber {
    static override subscribesTo = () => ['payment.*'];
    handle({ eventName }: DomainEvent) {
      calls.push(`metrics ${eventName}`);
    }
  }
  return { calls, Audit, Metrics };
}

describe('the subscriber registry', () => {
  it('has one shared instance, which is available as a property and as a method', async () => {
    const { instance } = SubscriberRegistry;
    expect(instance()).toBe(instance);
    expect(instance).toBeInstanceOf(SubscriberRegistry);
    expect(isSubscriberRegistry(instance)).toBe(true);
    expect(isSubscriberRegistry(new SubscriberRegistry())).toBe(true);
    const { Audit } = subscribers();
    try {
      SubscriberRegistry.instance().register(Audit);
      expect(SubscriberRegistry.instance.count).toBe(1);
    } finally {
      await instance.reset();
    }
    expect(instance.count).toBe(0);
  });

  it('passes an event to all matching subscribers until it is stopped, and once to each after a restart', async () => {
    const { calls, Audit, Metrics } = subscribers();
    const registry = new SubscriberRegistry();
    registry.register(Audit);
    registry.registerInstance(new Metrics());
    const source = new LocalSource();
    registry.startAll(source);
    registry.startAll(source);
    source.emit(eventOf('payment.ok'));
    await registry.stopAll();
    expect(calls.sort()).toEqual(['audit payment.ok', 'metrics payment.ok']);
    source.emit(eventOf('payment.lost'));
    registry.startAll(source);
    source.emit(eventOf('order.ok'));
    source.emit(eventOf('payment.again'));
    await registry.stopAll();
    expect(calls.slice(2).sort()).toEqual(['audit order.ok', 'audit payment.again', 'metrics payment.again']);
  });

  it('accepts a class registered twice, but rejects two subscribers with the same name', () => {
    const { Audit } = subscribers();
    const registry = new SubscriberRegistry();
    registry.register(Audit);
    registry.register(Audit);
    expect(registry.count).toBe(1);
    expect(() => registry.registerInstance(new Audit())).toThrow('another subscriber is named audit');
  });

  it('starts a subscriber that is added while others run', async () => {
    const { calls, Audit, Metrics } = subscribers();
    const registry = new SubscriberRegistry();
    registry.register(Audit);
    const source = new LocalSource();
    registry.startAll(source);
    registry.register(Metrics);
    source.emit(eventOf('payment.ok'));
    await registry.stopAll();
    expect(calls.sort()).toEqual(['audit payment.ok', 'metrics payment.ok']);
  });

  it('reports its subscribers and their state', async () => {
    const { Audit, Metrics } = subscribers();
    const registry = new SubscriberRegistry();
    registry.register(Audit);
    registry.register(Metrics);
    registry.register(defineSubscriber('a.b', z.object({}), () => undefined, { name: 'defined' }));
    expect(registry.stats).toMatchObject({ started: false, subscriberCount: 3, activeCount: 0 });
    registry.startAll(new LocalSource());
    expect(registry.stats).toEqual({
      started: true,
      subscriberCount: 3,
      activeCount: 3,
      subscribers: [
        { className: 'Audit', subscriberName: 'audit', active: true, patterns: ['*'] },
        { className: 'Metrics', subscriberName: 'Metrics', active: true, patterns: ['payment.*'] },
        { className: 'defined', subscriberName: 'defined', active: true, patterns: ['a.b'] },
      ],
    });
    await registry.reset();
    expect(registry.stats).toEqual({ started: false, subscriberCount: 0, activeCount: 0, subscribers: [] });
  });

  it('rejects values that are not subscribers, and invalid patterns', () => {
    const registry = new SubscriberRegistry();
    class Backwards extends BaseSubscriber {
      override subscribesTo = () => ['a.[z-a]'];
      handle() {}
    }
    class Nothing extends BaseSubscriber {
      override subscribesTo = () => [];
      handle() {}
    }
    class Unmakeable extends BaseSubscriber {
      constructor() {
        super();
        throw new Error('no database');
      }
      handle() {}
    }
    expect(() => registry.register((() => {}) as never)).toThrow('is not a subscriber; register a class that extends');
    expect(() => registry.registerInstance({} as never)).toThrow('is not a subscriber');
    expect(() => registry.register(Backwards)).toThrow('subscriber Backwards: event pattern a.[z-a]');
    expect(() => registry.register(Nothing)).toThrow('subscriber Nothing: subscribesTo must return a list of patterns');
    expect(() => registry.register(Unmakeable)).toThrow('subscriber Unmakeable could not be created: no database');
  });

  it.each([
    [
      { timeoutMs: Number.POSITIVE_INFINITY },
      'timeoutMs must be a whole number from 1 to 2147483647, got Infinity; use 2147',
    ],
    [{ timeoutMs: 2 ** 31 }, 'timeoutMs must be a whole number from 1 to 2147483647, got 2147483648'],
    [{ timeoutMs: '5' }, 'timeoutMs must be a whole number from 1 to 2147483647, got "5"'],
    [{ concurrency: Number.NaN }, 'concurrency must be a whole number from 1 to 1000, got NaN'],
    [{ concurrency: 0 }, 'concurrency must be a whole number from 1 to 1000, got 0'],
    [{ maxDeliveries: -1 }, 'maxDeliveries must be a whole number from 1 to 100000, got -1'],
    [{ mode: 'in-process' }, 'mode must be durable or in_process, got "in-process"'],
    [{ from: 'start' }, 'from must be now or beginning, got "start"'],
    [{ timeout: 60_000 }, 'timeout is unknown; did you mean timeoutMs?'],
    [{ burst: 5 }, 'burst is unknown; the options are mode, from, concurrency, timeoutMs, maxDeliveries'],
  ])('rejects delivery options that would fail silently: %o', (delivery, message) => {
    const registry = new SubscriberRegistry();
    class Audit extends BaseSubscriber {
      static override delivery = delivery as never;
      handle() {}
    }
    const refused = expect.objectContaining({
      code: 'subscriber_invalid',
      message: expect.stringContaining(`subscriber Audit: delivery option ${message}`),
    });
    expect(() => registry.register(Audit)).toThrow(refused);
    expect(() => registry.registerInstance(new Audit())).toThrow(refused);
    expect(registry.count).toBe(0);
    const byHand = new Audit();
    expect(() => byHand.start(new LocalSource())).toThrow(refused);
    expect(byHand.active).toBe(false);
    const define = () => defineSubscriber('a.b', z.object({}), () => {}, { name: 'Audit', ...(delivery as object) });
    expect(define).toThrow(refused);
  });

  it.each(['a\0b', 'a\ud800b', 'x'.repeat(256)])('rejects a name that is invalid for a group: %j', (subscriberName) => {
    class Audit extends BaseSubscriber {
      static override subscriberName = subscriberName;
      handle() {}
    }
    const refused = expect.objectContaining({
      code: 'subscriber_invalid',
      message: expect.stringContaining(
        'its name is also the name of its group and must be a string of 1 to 255 characters',
      ),
    });
    expect(() => new SubscriberRegistry().register(Audit)).toThrow(refused);
    expect(() => defineSubscriber('a.b', z.object({}), () => {}, { name: subscriberName })).toThrow(refused);
  });

  it('rejects a subscriber whose subscribesTo throws, with its name in the error', () => {
    class Audit extends BaseSubscriber {
      static override subscriberName = 'audit';
      override subscribesTo(): never {
        throw new Error('no patterns yet');
      }
      handle() {}
    }
    expect(() => new SubscriberRegistry().register(Audit)).toThrow(
      expect.objectContaining({
        code: 'subscriber_invalid',
        message: 'subscriber audit: subscribesTo throws: no patterns yet',
      }),
    );
  });

  it('rejects a delivery that is not an options object', () => {
    class Audit extends BaseSubscriber {
      static override delivery = 'durable' as never;
      handle() {}
    }
    expect(() => new SubscriberRegistry().register(Audit)).toThrow(
      'subscriber Audit: delivery must be an options object such as { timeoutMs: 60_000 }, got durable',
    );
  });

  it('accepts the maximum timeout of a timer', () => {
    const registry = new SubscriberRegistry();
    const delivery = { timeoutMs: 2 ** 31 - 1, concurrency: 1_000, from: 'beginning', mode: 'in_process' } as const;
    registry.register(defineSubscriber('a.b', z.object({}), () => {}, { name: 'patient', ...delivery }));
    expect(registry.count).toBe(1);
  });
});
