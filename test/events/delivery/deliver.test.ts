import { describe, expect, it } from 'vitest';
import type { LoggedEvent } from '../../../src/engine/events/logged-event.ts';
import { deliver } from '../../../src/events/delivery/deliver.ts';
import type { EventConsumer } from '../../../src/events/delivery/event-consumer.ts';
import { Halt } from '../../../src/events/halt.ts';
import { deferred } from '../../support/setup.ts';

describe('a delivery', () => {
  it('does not time out immediately if its timeout is longer than a timer supports', async () => {
    const handled = deferred<void>();
    const consumer = { group: 'patient', patterns: ['*'], deliver: () => handled.promise };
    const end = deliver(consumer, { name: 'a.b', eventId: 'one' } as LoggedEvent, {
      attempt: 1,
      replayed: false,
      timeoutMs: Number.POSITIVE_INFINITY,
      halt: new Halt(),
      envelope: async () => undefined,
      onLate: () => () => {},
    });
    // A timer that overflows fires after 1 ms; this delivery takes longer.
    setTimeout(() => handled.resolve(), 20);
    expect(await end).toEqual({ kind: 'delivered' });
  });

  it('is abandoned if it was halted before it began', async () => {
    const signals: AbortSignal[] = [];
    const consumer: EventConsumer = {
      group: 'late',
      patterns: ['*'],
      deliver: async (_, { halt: { signal } }) => void signals.push(signal),
    };
    const halt = new Halt();
    halt.halt(new Error('stopped'));
    const end = deliver(consumer, { name: 'a.b', eventId: 'one' } as LoggedEvent, {
      attempt: 1,
      replayed: false,
      timeoutMs: 1_000,
      halt,
      envelope: async () => undefined,
      onLate: () => () => {},
    });
    expect(await end).toEqual({ kind: 'abandoned' });
    expect(signals).toMatchObject([{ aborted: true }]);
  });
});
