import type { LoggedEvent } from '../../engine/events/logged-event.ts';
import { wireMetadata } from '../../engine/events/metadata.ts';

/** What a webhook gets: `type`, `timestamp` and `data` as Standard Webhooks has them, and what else is known of the event. */
export interface WebhookMessage {
  type: string;
  timestamp: string;
  data: unknown;
  event_id: string;
  event_version: string;
  metadata: Record<string, unknown>;
}

/** An event without the task's data: of those only the payload is meant for others. */
export function webhookMessage(event: LoggedEvent): WebhookMessage {
  return {
    type: event.name,
    timestamp: event.firedAt,
    data: event.payload,
    event_id: event.eventId,
    event_version: event.version,
    metadata: wireMetadata(event),
  };
}
