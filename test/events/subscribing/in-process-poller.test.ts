import { describe, expect, it, onTestFinished } from 'vitest';
import { createDomainEvent, type DomainEvent } from '../../../src/events/subscribing/domain-event.ts';
import {
  createFfiPollAdapter,
  ffiEventToDomainEvent,
  type NapiDomainEvent,
} from '../../../src/events/subscribing/ffi-domain-event.ts';
import { InProcessDomainEventPoller } from '../../../src/events/subscribing/in-process-poller.ts';
import { setLogger } from '../../../src/logging/log.ts';
import { collectingLogger } from '../../handlers/collecting-logger.ts';
import { deferred } from '../../support/setup.ts';

const eventOf = (eventName: string): DomainEvent =>
  createDomainEvent({ eventId: eventName, eventName, payload: {}, metadata: {}, executionResult: { success: true } });

function pollerOf(events: DomainEvent[], maxEventsPerPoll = 100) {
  const poller = new InProcessDomainEventPoller({ pollIntervalMs: 1, maxEventsPerPoll });
  poller.setPollFunction(() => events.shift() ?? null);
  onTestFinished(() => poller.stop());
  return poller;
}

describe('the poller of events of this process', () => {
  it('passes each event to callbacks with a matching pattern, once for each callback', async () => {
    const events = ['payment.ok', 'order.ok', 'paymentXok'].map(eventOf);
    const poller = pollerOf(events);
    const payments: string[] = [];
    const all: string[] = [];
    const take = (event: DomainEvent) => void all.push(event.eventName);
    poller.subscribe('payment.*', ({ eventName }) => void payments.push(eventName));
    poller.subscribe('*', take);
    poller.subscribe('order.*', take);
    poller.start();
    await expect.poll(() => all).toEqual(['payment.ok', 'order.ok', 'paymentXok']);
    expect(payments).toEqual(['payment.ok']);
    expect(poller.stats).toMatchObject({ eventsProcessed: 3, eventsLagged: 0, running: true });
    poller.unsubscribe('*');
    poller.unsubscribe('order.*', take);
    events.push(eventOf('order.late'));
    await expect.poll(() => poller.stats.eventsProcessed).toBe(4);
    expect(all).toHaveLength(3);
  });

  it('passes waiting events to callbacks that are added right after it starts', async () => {
    const poller = pollerOf([eventOf('payment.ok')]);
    const got: string[] = [];
    poller.start();
    poller.subscribe('*', ({ eventName }) => void got.push(eventName));
    await expect.poll(() => got).toEqual(['payment.ok']);
  });

  it('polls again immediately if there are more events, regardless of its interval', async () => {
    const poller = new InProcessDomainEventPoller({ pollIntervalMs: 3_600_000, maxEventsPerPoll: 2 });
    const events = Array.from({ length: 9 }, (_, n) => eventOf(`a.${n}`));
    poller.setPollFunction(() => events.shift() ?? null);
    poller.start();
    await expect.poll(() => poller.stats.eventsProcessed).toBe(9);
    expect(poller.isRunning).toBe(true);
    await poller.stop();
    expect(poller.isRunning).toBe(false);
  });

  it('calls the other error callbacks if one of them throws, and continues', async () => {
    const { logger, lines } = collectingLogger();
    setLogger(logger);
    onTestFinished(() => setLogger(undefined));
    const events = [eventOf('a.a'), eventOf('a.b')];
    const poller = pollerOf(events);
    const reported: string[] = [];
    const got: string[] = [];
    poller.onError(() => {
      throw new Error('no log today');
    });
    poller.onError((error) => void reported.push(error.message));
    poller.subscribe('*', ({ eventName }) => {
      got.push(eventName);
      throw new Error(`no ${eventName}`);
    });
    poller.start();
    await expect.poll(() => got).toEqual(['a.a', 'a.b']);
    expect(reported).toEqual(['no a.a', 'no a.b']);
    expect(lines.map(({ fields }) => fields)).toMatchObject(
      ['no a.a', 'no a.b'].map((message) => ({ error: 'Error: no log today', toldOf: `Error: ${message}` })),
    );
    await poller.stop();
  });

  it('treats a promise as an error, because polling is synchronous', async () => {
    const poller = new InProcessDomainEventPoller({ pollIntervalMs: 3_600_000 });
    onTestFinished(() => poller.stop());
    const reported: string[] = [];
    poller.onError((error) => void reported.push(error.message));
    poller.setPollFunction((() => Promise.reject(new Error('never heard of'))) as unknown as () => null);
    poller.start();
    await expect.poll(() => poller.stats.pollCount).toBe(1);
    expect(reported).toEqual(['the poll function returned a promise; return an event or null directly']);
    expect(poller.stats.eventsProcessed).toBe(0);
  });

  it('reports failing polls and callbacks, and continues', async () => {
    const events = [eventOf('a.a'), eventOf('a.b')];
    let polls = 0;
    const poller = new InProcessDomainEventPoller({ pollIntervalMs: 1 });
    onTestFinished(() => poller.stop());
    poller.setPollFunction(() => {
      if (++polls === 1) throw new Error('no module');
      return events.shift() ?? null;
    });
    const errors: string[] = [];
    poller.onError(({ message }) => void errors.push(message));
    poller.subscribe('a.a', () => {
      throw new Error('thrown');
    });
    poller.subscribe('a.b', () => Promise.reject(new Error('rejected')));
    poller.start();
    await expect.poll(() => errors).toEqual(['no module', 'thrown', 'rejected']);
  });

  it('waits for running callbacks when it stops, and calls none afterwards', async () => {
    const events = [eventOf('a.a')];
    const poller = pollerOf(events);
    const gate = deferred<void>();
    const calls: string[] = [];
    poller.subscribe('*', async ({ eventName }) => {
      calls.push(`begin ${eventName}`);
      await gate.promise;
      calls.push(`end ${eventName}`);
    });
    poller.start();
    await expect.poll(() => calls).toEqual(['begin a.a']);
    const stopped = poller.stop();
    events.push(eventOf('a.b'));
    gate.resolve();
    await stopped;
    expect(calls).toEqual(['begin a.a', 'end a.a']);
  });

  it('stops waiting for a callback that never ends after the drain time, and logs that', async () => {
    const { logger, lines } = collectingLogger();
    setLogger(logger);
    onTestFinished(() => setLogger(undefined));
    const events = [eventOf('a.a'), eventOf('a.b')];
    const poller = pollerOf(events);
    poller.subscribe('*', () => new Promise<void>(() => {}));
    poller.start();
    await expect.poll(() => poller.stats.eventsProcessed).toBe(2);
    await poller.stop({ drainTimeoutMs: 1 });
    expect(poller.isRunning).toBe(false);
    expect(lines).toEqual([
      {
        level: 'warn',
        message: '2 event callbacks of this process did not end in time',
        fields: expect.objectContaining({ left: 2 }),
      },
    ]);
  });

  it.each([
    [{ pollIntervalMs: -1 }, 'pollIntervalMs must be a whole number from 0 to 2147483647, got -1'],
    [{ pollingIntervalMs: Number.NaN }, 'pollingIntervalMs must be a whole number from 0 to 2147483647, got NaN'],
    [{ pollIntervalMs: 2 ** 31 }, 'pollIntervalMs must be a whole number from 0 to 2147483647, got 2147483648'],
    [{ maxEventsPerPoll: 0 }, 'maxEventsPerPoll must be a whole number from 1 to 1000000, got 0'],
    [{ maxEventsPerPoll: '5' }, 'maxEventsPerPoll must be a whole number from 1 to 1000000, got "5"'],
    [{ pollInterval: 5 }, 'option pollInterval is unknown; did you mean pollIntervalMs?'],
    [{ burst: 5 }, 'option burst is unknown; the options are pollIntervalMs, pollingIntervalMs, maxEventsPerPoll'],
  ])('rejects options that would fail silently: %o', (options, message) => {
    expect(() => new InProcessDomainEventPoller(options as never)).toThrow(
      expect.objectContaining({ code: 'config_invalid', message: expect.stringContaining(message) }),
    );
  });
});

describe('an event of the bridge', () => {
  const napi: NapiDomainEvent = {
    eventId: 'e',
    eventName: 'payment.failed',
    eventVersion: '1.0',
    payload: {
      task_sequence_step: { task: {} },
      execution_result: { success: false, result: {}, status: 'failed' },
      payload: { reason: 'no funds' },
    },
    metadata: {
      taskUuid: 't',
      stepUuid: 's',
      stepName: 'charge',
      namespace: 'shop',
      correlationId: 'c',
      firedAt: '2026-01-02T03:04:06Z',
      firedBy: 'payment_events',
    },
  };

  it('is extracted from its envelope, with payload, execution result and publisher', async () => {
    const event = ffiEventToDomainEvent(napi);
    expect(event.payload).toEqual({ reason: 'no funds' });
    expect(event.executionResult).toMatchObject({ success: false, status: 'failed' });
    expect(event.metadata).toEqual({
      ...{ taskUuid: 't', stepUuid: 's', stepName: 'charge', namespace: 'shop', correlationId: 'c' },
      ...{ firedAt: '2026-01-02T03:04:06Z', publisher: 'payment_events' },
    });
    expect(await event.envelope()).toEqual({
      event_id: 'e',
      event_name: 'payment.failed',
      event_version: '1.0',
      payload: napi.payload,
      metadata: {
        ...{ task_uuid: 't', step_uuid: 's', step_name: 'charge', namespace: 'shop', correlation_id: 'c' },
        ...{ fired_at: '2026-01-02T03:04:06Z', fired_by: 'payment_events' },
      },
    });
  });

  it('has only the given details of its task in its envelope, and keeps additional metadata', async () => {
    const payload = { task_sequence_step: null, execution_result: { success: true }, payload: {} };
    const event = ffiEventToDomainEvent({
      ...napi,
      payload,
      metadata: { ...napi.metadata, final: true, stepName: null },
    });
    expect(await event.envelope()).toMatchObject({
      payload: { task_sequence_step: null },
      metadata: { final: true, step_name: null, fired_by: 'payment_events' },
    });
  });

  it('consists of its payload if it has no envelope', () => {
    expect(ffiEventToDomainEvent({ ...napi, payload: { amount: 1 } })).toMatchObject({
      payload: { amount: 1 },
      executionResult: { success: true, result: { amount: 1 } },
    });
  });

  it('is polled from a module, and is null if the module has none', () => {
    const events = [napi];
    const poll = createFfiPollAdapter({ pollInProcessEvents: () => events.shift() ?? null });
    expect(poll()?.eventName).toBe('payment.failed');
    expect(poll()).toBeNull();
  });
});
