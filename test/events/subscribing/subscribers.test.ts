import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Halt } from '../../../src/events/halt.ts';
import { BaseSubscriber } from '../../../src/events/subscribing/base-subscriber.ts';
import { defineSubscriber } from '../../../src/events/subscribing/define-subscriber.ts';
import { createDomainEvent, type DomainEvent } from '../../../src/events/subscribing/domain-event.ts';
import { handleEvent } from '../../../src/events/subscribing/handle-event.ts';
import type { EventDelivery } from '../../../src/events/subscribing/subscriber.ts';
import { SubscriberResult } from '../../../src/events/subscribing/subscriber-result.ts';
import { MOST_WAITING } from '../../../src/events/subscribing/waiting-limit.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { LocalSource } from '../../support/events/local-source.ts';
import { deferred } from '../../support/setup.ts';

let made = 0;
function eventOf(eventName = 'payment.processed', payload: Record<string, unknown> = {}, taskUuid = `task ${++made}`) {
  const executionResult = { success: true, result: payload };
  return createDomainEvent({ eventId: `event ${++made}`, eventName, payload, metadata: { taskUuid }, executionResult });
}

const handled = (subscriber: BaseSubscriber, event = eventOf(), halt = new Halt()) =>
  handleEvent(subscriber, event, { about: { attempt: 1, replayed: false }, halt, logger: silentLogger }).result;

/** The subscriber in the guide: asynchronous hooks on the instance. */
class AuditLoggingSubscriber extends BaseSubscriber {
  static override subscriberName = 'audit_logger';
  readonly calls: string[] = [];
  answer: SubscriberResult | undefined = { success: true };

  override subscribesTo() {
    return ['payment.*', 'order.completed'];
  }

  async handle(event: DomainEvent) {
    this.calls.push(`handle ${event.eventName}`);
    return this.answer;
  }

  override async beforeHandle(event: DomainEvent) {
    this.calls.push(`before ${event.eventName}`);
  }

  override async afterHandle(_event: DomainEvent, result: SubscriberResult) {
    this.calls.push(`after ${result.success}`);
  }

  override async onHandleError(_event: DomainEvent, error: Error) {
    this.calls.push(`error ${error.message}`);
  }
}

/** A subscriber as in the other SDK: static members and synchronous hooks. */
class PaymentMetrics extends BaseSubscriber {
  readonly counted: unknown[] = [];

  static override subscribesTo(): string[] {
    return ['payment.*'];
  }

  handle(event: DomainEvent): void {
    this.counted.push(event.payload.amount);
  }
}

describe('a subscriber', () => {
  it('runs beforeHandle, handle, and afterHandle with the result', async () => {
    const subscriber = new AuditLoggingSubscriber();
    expect(await handled(subscriber)).toEqual({ success: true });
    expect(subscriber.calls).toEqual(['before payment.processed', 'handle payment.processed', 'after true']);
  });

  it('succeeds if it returns nothing', async () => {
    expect(await handled(new PaymentMetrics())).toEqual({ success: true });
  });

  it('can fail a delivery by returning a failed result, which afterHandle receives', async () => {
    const subscriber = new AuditLoggingSubscriber();
    subscriber.answer = SubscriberResult({ success: false, error: 'the ledger is closed' });
    await expect(handled(subscriber)).rejects.toThrow('the ledger is closed');
    expect(subscriber.calls.slice(2)).toEqual(['after false', 'error the ledger is closed']);
  });

  it('succeeds if it returns a value that is not a result', async () => {
    const subscriber = new AuditLoggingSubscriber();
    for (const returned of [
      'ok',
      7,
      null,
      { rows: [] },
      { successful: 3 },
      { sucess: true },
      { ok: false },
      { access: false },
    ]) {
      subscriber.answer = returned as never;
      expect(await handled(subscriber)).toEqual({ success: true });
    }
  });

  it.each([{ succes: false }, { Success: false, error: 'closed' }, { successful: false }])(
    'fails a delivery by returning %j, with an error that suggests the correct key',
    async (returned) => {
      const subscriber = new AuditLoggingSubscriber();
      subscriber.answer = returned as never;
      const [key] = Object.keys(returned);
      await expect(handled(subscriber)).rejects.toThrow(`with ${key} but without success; did you mean success?`);
    },
  );

  it('fails a delivery by throwing in beforeHandle or handle, without a call of afterHandle', async () => {
    class Throws extends AuditLoggingSubscriber {
      override handle(): never {
        throw new Error('no disk');
      }
    }
    class ThrowsBefore extends AuditLoggingSubscriber {
      override beforeHandle(): never {
        throw new Error('no ledger');
      }
    }
    const [throws, before] = [new Throws(), new ThrowsBefore()];
    await expect(handled(throws)).rejects.toThrow('no disk');
    expect(throws.calls).toEqual(['before payment.processed', 'error no disk']);
    await expect(handled(before)).rejects.toThrow('no ledger');
    expect(before.calls).toEqual(['error no ledger']);
  });

  it('skips an event successfully if beforeHandle returns false', async () => {
    class Picky extends AuditLoggingSubscriber {
      override beforeHandle = async () => false as unknown as undefined;
    }
    const picky = new Picky();
    expect(await handled(picky)).toMatchObject({ success: true });
    expect(picky.calls).toEqual([]);
  });

  it('does not change the outcome if afterHandle or onHandleError throws', async () => {
    class After extends PaymentMetrics {
      override afterHandle(): never {
        throw new Error('after');
      }
    }
    class OnError extends PaymentMetrics {
      override handle(): never {
        throw new Error('handle');
      }
      override onHandleError(): never {
        throw new Error('hook');
      }
    }
    expect(await handled(new After())).toEqual({ success: true });
    await expect(handled(new OnError())).rejects.toThrow('handle');
  });

  it('fails once if it is halted while it hangs, and its late result is ignored', async () => {
    const late = deferred<SubscriberResult>();
    class Hangs extends AuditLoggingSubscriber {
      override handle = () => late.promise;
    }
    const hangs = new Hangs();
    const halt = new Halt();
    const { result, settled } = handleEvent(hangs, eventOf(), {
      about: { attempt: 1, replayed: false },
      halt,
      logger: silentLogger,
    });
    halt.halt(new Error('took too long'));
    await expect(result).rejects.toThrow('took too long');
    late.resolve({ success: true });
    await settled;
    expect(hangs.calls).toEqual(['before payment.processed', 'error took too long']);
  });

  it('has patterns and a name from the instance, or else from the class', () => {
    const [audit, metrics] = [new AuditLoggingSubscriber(), new PaymentMetrics()];
    const names = ['payment.card.ok', 'paymentXok', 'order.completed', 'order.lost'];
    expect(names.filter((name) => audit.matches(name))).toEqual(['payment.card.ok', 'order.completed']);
    expect(names.filter((name) => metrics.matches(name))).toEqual(['payment.card.ok']);
    class Everything extends BaseSubscriber {
      override readonly subscriberName = 'everything';
      handle() {}
    }
    expect(names.filter((name) => new Everything().matches(name))).toEqual(names);
    expect([audit.subscriberName, metrics.subscriberName, new Everything().subscriberName]).toEqual([
      'audit_logger',
      'PaymentMetrics',
      'everything',
    ]);
  });
});

describe('a result of a subscriber', () => {
  it('is validated, and misspelt keys are rejected', () => {
    expect(SubscriberResult({ success: true, metadata: { at: 1 } })).toEqual({ success: true, metadata: { at: 1 } });
    expect(() => SubscriberResult({ sucess: true } as never)).toThrow('SubscriberResult');
    expect(() => SubscriberResult({ success: 'yes' } as never)).toThrow('SubscriberResult: success');
  });
});

describe('a subscriber that is started', () => {
  it('handles an event once even if two patterns match, and handles nothing after it stops', async () => {
    class Twice extends PaymentMetrics {
      static override subscribesTo = () => ['payment.*', '*.processed', 'payment.*'];
    }
    const source = new LocalSource();
    const twice = new Twice();
    twice.start(source);
    twice.start(source);
    expect([twice.active, twice.subscriptions]).toEqual([true, ['payment.*', '*.processed']]);
    source.emit(eventOf('payment.processed', { amount: 1 }));
    await twice.stop();
    expect([twice.active, twice.subscriptions, source.listeners]).toEqual([false, [], 0]);
    source.emit(eventOf('payment.processed', { amount: 2 }));
    twice.start(source);
    source.emit(eventOf('payment.processed', { amount: 3 }));
    await twice.stop();
    expect(twice.counted).toEqual([1, 3]);
  });

  it('handles events of one task in order, and those of other tasks concurrently', async () => {
    const calls: string[] = [];
    const slow = deferred<void>();
    class Slow extends BaseSubscriber {
      async handle({ payload, metadata }: DomainEvent) {
        if (payload.n === 1 && metadata.taskUuid === 'a') await slow.promise;
        calls.push(`${metadata.taskUuid}${payload.n}`);
      }
    }
    const source = new LocalSource();
    const subscriber = new Slow();
    subscriber.start(source);
    for (const n of [1, 2]) for (const task of ['a', 'b']) source.emit(eventOf('payment.x', { n }, task));
    await expect.poll(() => calls).toEqual(['b1', 'b2']);
    slow.resolve();
    await subscriber.stop();
    expect(calls).toEqual(['b1', 'b2', 'a1', 'a2']);
  });

  it('respects its concurrency and the limit of its queue', async () => {
    const gate = deferred<void>();
    let running = 0;
    let most = 0;
    let count = 0;
    class Narrow extends BaseSubscriber {
      static override delivery = { concurrency: 2 };
      async handle() {
        most = Math.max(most, ++running);
        await gate.promise;
        running--;
        count++;
      }
    }
    const source = new LocalSource();
    const subscriber = new Narrow();
    subscriber.start(source);
    for (let n = 0; n < MOST_WAITING + 5; n++) source.emit(eventOf());
    gate.resolve();
    await subscriber.stop();
    expect([most, count, source.dropped]).toEqual([2, MOST_WAITING + 2, 3]);
  });

  it('aborts running deliveries and drops waiting events when it stops and its drain time ends', async () => {
    const errors: string[] = [];
    let signal: AbortSignal | undefined;
    class Hangs extends BaseSubscriber {
      static override delivery = { concurrency: 1 };
      handle(_event: DomainEvent, delivery: EventDelivery) {
        signal = delivery.signal;
        return new Promise<void>(() => {});
      }
      override onHandleError(_event: DomainEvent, error: Error) {
        errors.push(error.message);
      }
    }
    const source = new LocalSource();
    const subscriber = new Hangs();
    subscriber.start(source);
    source.emit(eventOf());
    source.emit(eventOf());
    await expect.poll(() => signal).toBeDefined();
    await subscriber.stop({ drainTimeoutMs: 1 });
    expect(signal?.aborted).toBe(true);
    await expect.poll(() => errors).toEqual(['subscriber Hangs was stopped before it finished']);
  });

  it('receives one error after a timeout, and keeps its slot until it settles', async () => {
    const over = deferred<void>();
    const calls: string[] = [];
    class Late extends BaseSubscriber {
      static override delivery = { timeoutMs: 20, concurrency: 1 };
      async handle({ payload }: DomainEvent) {
        calls.push(`handle ${payload.n}`);
        if (payload.n === 1) await over.promise;
      }
      override onHandleError({ payload }: DomainEvent, { message }: Error) {
        calls.push(`${payload.n}: ${message}`);
      }
    }
    const source = new LocalSource();
    const subscriber = new Late();
    subscriber.start(source);
    source.emit(eventOf('payment.x', { n: 1 }));
    source.emit(eventOf('payment.x', { n: 2 }));
    await expect.poll(() => calls).toHaveLength(2);
    over.resolve();
    await subscriber.stop();
    expect(calls).toEqual(['handle 1', '1: subscriber Late: payment.x took longer than 20 ms', 'handle 2']);
  });

  it('is not aborted immediately with the maximum timeout, nor with a larger drain time', async () => {
    const waitsFor = deferred<void>();
    const calls: string[] = [];
    class Patient extends BaseSubscriber {
      static override delivery = { timeoutMs: 2 ** 31 - 1 };
      async handle(_event: DomainEvent, { signal }: EventDelivery) {
        await waitsFor.promise;
        calls.push(signal.aborted ? 'aborted' : 'handled');
      }
    }
    const source = new LocalSource();
    const subscriber = new Patient();
    subscriber.start(source);
    source.emit(eventOf('payment.x', {}));
    const stopped = subscriber.stop({ drainTimeoutMs: Number.POSITIVE_INFINITY });
    // A timer that overflows fires after 1 ms; this event takes longer.
    setTimeout(() => waitsFor.resolve(), 20);
    await stopped;
    expect(calls).toEqual(['handled']);
  });
});

describe('defineSubscriber', () => {
  const schema = z.object({ amount: z.coerce.number() });

  it('passes the output of the schema as the payload, and the delivery', async () => {
    const seen: unknown[] = [];
    const Receipts = defineSubscriber(
      'payment.processed',
      schema,
      ({ payload, eventName }, { attempt }) => seen.push([payload.amount * 2, eventName, attempt]),
      { name: 'receipts', from: 'beginning', concurrency: 3 },
    );
    const receipts = new Receipts() as BaseSubscriber;
    expect(receipts.subscriberName).toBe('receipts');
    expect(receipts.delivery).toEqual({ from: 'beginning', concurrency: 3 });
    expect(receipts.subscribesTo()).toEqual(['payment.processed']);
    expect(await handled(receipts, eventOf('payment.processed', { amount: '12.5' }))).toEqual({ success: true });
    expect(seen).toEqual([[25, 'payment.processed', 1]]);
  });

  it('fails permanently for an event that violates the schema, and reports where', async () => {
    const Receipts = defineSubscriber('payment.*', schema, () => undefined, { name: 'receipts' });
    const failed = handled(new Receipts() as BaseSubscriber, eventOf('payment.processed', { amount: 'much' }));
    await expect(failed).rejects.toMatchObject({
      message: expect.stringContaining('payload of payment.processed: amount:'),
      retryable: false,
    });
  });

  it('can report a failure with its result', async () => {
    const Fails = defineSubscriber('a.b', schema, async () => ({ success: false, error: 'closed' }), { name: 'fails' });
    await expect(handled(new Fails() as BaseSubscriber, eventOf('a.b', { amount: 1 }))).rejects.toThrow('closed');
  });

  it('names the subscriber after its function or patterns, and rejects invalid arguments at definition', () => {
    function mailReceipt() {}
    expect(defineSubscriber('a.*', schema, mailReceipt).subscriberName).toBe('mailReceipt');
    expect(defineSubscriber(['a.*', 'b.c'], schema, () => {}).subscriberName).toBe('a.*,b.c');
    expect(() => defineSubscriber('', schema, () => {}, { name: 'x' })).toThrow(
      'subscriber x: an event pattern must not',
    );
    expect(() => defineSubscriber([], schema, () => {}, { name: 'x' })).toThrow('subscriber x: it needs a pattern');
    expect(() => defineSubscriber('a', schema, () => {}, { nam: 'x' } as never)).toThrow('did you mean name?');
    expect(() => defineSubscriber('a', schema, mailReceipt, 'x' as never)).toThrow(
      'subscriber mailReceipt: the fourth argument must be an options object',
    );
    expect(() => defineSubscriber('a', {} as never, () => {}, { name: 'x' })).toThrow('must be a schema');
    expect(() => defineSubscriber('a', schema, 'no' as never, { name: 'x' })).toThrow(
      'must be its function, not string',
    );
  });
});
