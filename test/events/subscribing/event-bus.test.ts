import { describe, expect, it } from 'vitest';
import { EventBus, type LiveEvent, type PublishableEvent } from '../../../src/events/subscribing/event-bus.ts';
import { MOST_WAITING, MOST_WAITING_SIZE } from '../../../src/events/subscribing/waiting-limit.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { collectingLogger } from '../../handlers/collecting-logger.ts';
import { deferred, until } from '../../support/setup.ts';

const tellable = (name: string, n = 0, size = 10): PublishableEvent => ({
  name,
  size,
  event: () => ({ name, payload: { n } }) as unknown as LiveEvent,
});

describe('the event bus of a process', () => {
  it('delivers events with matching names to a listener in order', async () => {
    const bus = new EventBus(silentLogger);
    const all: string[] = [];
    const payments: string[] = [];
    bus.subscribe((event) => all.push(event.name));
    bus.subscribe(['payment.*', 'order.done'], (event) => payments.push(event.name));
    for (const name of ['payment.made', 'paymentXmade', 'order.done', 'payment.card.ok']) bus.publish(tellable(name));
    expect(all).toEqual([]);
    await until(
      () => all.length,
      (count) => count === 4,
    );
    expect(all).toEqual(['payment.made', 'paymentXmade', 'order.done', 'payment.card.ok']);
    expect(payments).toEqual(['payment.made', 'order.done', 'payment.card.ok']);
    expect([bus.waiting, bus.dispatched]).toEqual([0, 7]);
  });

  it('calls a listener even if others throw, reject, hang or modify the event', async () => {
    const { logger, lines } = collectingLogger();
    const bus = new EventBus(logger);
    const seen: unknown[] = [];
    bus.subscribe(() => {
      throw new Error('thrown');
    });
    bus.subscribe(() => Promise.reject(new Error('rejected')));
    bus.subscribe(() => new Promise(() => undefined));
    bus.subscribe((event) => {
      event.payload = 'changed';
    });
    bus.subscribe((event) => seen.push(event.payload));
    for (let n = 0; n < 3; n++) bus.publish(tellable('a.b', n));
    await until(
      () => seen.length,
      (count) => count === 3,
    );
    expect(seen).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
    await until(
      () => lines.length,
      (count) => count === 6,
    );
    expect(new Set(lines.map(({ message }) => message))).toEqual(new Set(['listener failed on event a.b']));
    expect(bus.waiting).toBe(3);
  });

  it('queues a limited number of events for a slow listener, and drops the rest with one log line', async () => {
    const { logger, lines } = collectingLogger();
    const bus = new EventBus(logger);
    const gate = deferred();
    let handled = 0;
    bus.subscribe(async () => {
      await gate.promise;
      handled++;
    });
    for (let n = 0; n < MOST_WAITING + 5; n++) bus.publish(tellable('a.b'));
    expect([bus.waiting, bus.dropped]).toEqual([MOST_WAITING, 5]);
    gate.resolve();
    await until(
      () => handled,
      (count) => count === MOST_WAITING,
    );
    expect(lines).toHaveLength(1);
    bus.publish(tellable('a.b'));
    await until(
      () => handled,
      (count) => count === MOST_WAITING + 1,
    );
    expect([bus.waiting, bus.dropped]).toEqual([0, 5]);
  });

  it('limits the memory of queued events for a slow listener, but accepts a single large event', async () => {
    const { logger, lines } = collectingLogger();
    const bus = new EventBus(logger);
    const gate = deferred();
    const handled: unknown[] = [];
    bus.subscribe(async ({ payload }) => {
      handled.push(payload);
      await gate.promise;
    });
    const half = MOST_WAITING_SIZE / 2;
    bus.publish(tellable('a.large', 1, 3 * half));
    bus.publish(tellable('a.b', 2, 1));
    expect([bus.waiting, bus.dropped]).toEqual([1, 1]);
    gate.resolve();
    await until(
      () => bus.waiting,
      (waiting) => waiting === 0,
    );
    for (const n of [3, 4, 5]) bus.publish(tellable('a.b', n, half));
    expect([bus.waiting, bus.dropped]).toEqual([2, 2]);
    await until(
      () => bus.waiting,
      (waiting) => waiting === 0,
    );
    expect(handled).toEqual([{ n: 1 }, { n: 3 }, { n: 4 }]);
    expect(lines.map(({ message }) => message)).toEqual([
      'event listener too slow: 1 event of 96 MB waits; further events are dropped',
    ]);
  });

  it('delivers nothing after a subscription has ended', async () => {
    const bus = new EventBus(silentLogger);
    const seen: string[] = [];
    let last = 0;
    const end = bus.subscribe((event) => {
      seen.push(event.name);
      end();
    });
    bus.subscribe(() => last++);
    for (const name of ['a.a', 'a.b', 'a.c']) bus.publish(tellable(name));
    await until(
      () => last,
      (count) => count === 3,
    );
    expect(seen).toEqual(['a.a']);
  });
});
