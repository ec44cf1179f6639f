import type { EventLog } from '../../engine/events/log.ts';
import type { LiveEvent } from './event-bus.ts';

/** An event of this process as it goes over the wire; the log tells of the task behind it. */
export async function liveEnvelope(log: EventLog, { deliveryMode: _, ...event }: LiveEvent): Promise<unknown> {
  // It has no place in the log, and the envelope tells none.
  const [envelope] = await log.envelope([{ ...event, id: 0 }]);
  return envelope;
}
