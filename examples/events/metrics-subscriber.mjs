import { BaseSubscriber } from 'tasker-core';

/** Counts events by their names. A count may miss what a killed process had, so events of this process do. */
export class MetricsSubscriber extends BaseSubscriber {
  static subscriberName = 'metrics';
  static delivery = { mode: 'in_process' };
  counts = new Map();

  handle({ eventName }) {
    this.counts.set(eventName, (this.counts.get(eventName) ?? 0) + 1);
  }
}
