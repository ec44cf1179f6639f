import { BaseSubscriber, SubscriberResult } from 'tasker-core';

/** Records what happens to money. A real program would use a table with the event id as its key. */
export class AuditLoggingSubscriber extends BaseSubscriber {
  static subscriberName = 'audit_logger';
  #entries = new Map();
  #waiting = new Set();

  subscribesTo() {
    return ['payment.*', 'order.completed'];
  }

  handle({ eventId, eventName, payload, metadata }) {
    // An event may be delivered twice, but its id is recorded once.
    this.#entries.set(eventId, { taskUuid: metadata.taskUuid, eventName, payload, by: metadata.payment_processor });
    return SubscriberResult({ success: true });
  }

  afterHandle() {
    for (const look of this.#waiting) look();
  }

  /** Resolves with the events of a task, in order, once it has the given number of them. */
  of(taskUuid, count) {
    return new Promise((resolve) => {
      const look = () => {
        const found = [...this.#entries.values()].filter((entry) => entry.taskUuid === taskUuid);
        if (found.length < count) return;
        this.#waiting.delete(look);
        resolve(found);
      };
      this.#waiting.add(look);
      look();
    });
  }
}
