import type { LoggedEvent } from '../../../src/engine/events/logged-event.ts';
import type { DeliveryContext } from '../../../src/events/delivery/event-consumer.ts';
import { Halt } from '../../../src/events/halt.ts';
import { uuidV7 } from '../../../src/model/ids.ts';

/** Creates a durable event as it is read from the log. */
export function loggedEvent(given: Partial<LoggedEvent> = {}): LoggedEvent {
  const eventId = uuidV7();
  return {
    id: 1,
    eventId,
    name: 'payment.processed',
    version: '1.0',
    taskUuid: uuidV7(),
    stepUuid: uuidV7(),
    stepName: 'charge',
    namespace: 'shop',
    correlationId: uuidV7(),
    attempt: 1,
    publisher: 'charge',
    firedAt: '2026-01-02T03:04:05.678Z',
    payload: { transaction_id: 'T-1', amount: 12.5, note: 'für Ada' },
    metadata: { processor: 'stripe' },
    executionResult: { success: true },
    ...given,
  };
}

/** Creates the context that a consumer receives with an event. */
export function deliveryContext(given: Partial<DeliveryContext> = {}): DeliveryContext {
  return {
    attempt: 1,
    replayed: false,
    halt: new Halt(),
    envelope: async () => ({ event_id: 'whole' }),
    ...given,
  };
}
