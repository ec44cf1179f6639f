import { BaseSubscriber } from 'tasker-core';

/** Counts events by name. The counts may be lost with the process, so events within the process are sufficient. */
export class MetricsSubscriber extends BaseSubscriber {
  static subscriberName = 'metrics';
  static delivery = { mode: 'in_process' };
  counts = new Map();

  handle({ eventName }) {
    this.counts.set(eventName, (this.counts.get(eventName) ?? 0) + 1);
  }
}
