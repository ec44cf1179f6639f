import { BaseSubscriber, SubscriberResult } from 'tasker-core';

/** Keeps what happened to money. Where a shop would have a table, with the event's id as its key. */
export class AuditLoggingSubscriber extends BaseSubscriber {
  static subscriberName = 'audit_logger';
  #entries = new Map();
  #waiting = new Set();

  subscribesTo() {
    return ['payment.*', 'order.completed'];
  }

  handle({ eventId, eventName, payload, metadata }) {
    // An event may come twice; under its id it is kept once.
    this.#entries.set(eventId, { taskUuid: metadata.taskUuid, eventName, payload, by: metadata.payment_processor });
    return SubscriberResult({ success: true });
  }

  afterHandle() {
    for (const look of this.#waiting) look();
  }

  /** Resolves with the events of a task, in their order, when there are so many. */
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
