import { BaseSubscriber, SubscriberResult } from 'tasker-core';

/** Records the events of payments. A real program would use a table with the event id as its key. */
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
    for (const check of this.#waiting) check();
  }

  /** Resolves with the events of a task, in order, once it has the given number of them. */
  of(taskUuid, count) {
    return new Promise((resolve) => {
      const check = () => {
        const found = [...this.#entries.values()].filter((entry) => entry.taskUuid === taskUuid);
        if (found.length < count) return;
        this.#waiting.delete(check);
        resolve(found);
      };
      this.#waiting.add(check);
      check();
    });
  }
}
