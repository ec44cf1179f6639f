import type { StopOptions } from '../delivery/stop-options.ts';
import type { BaseSubscriber, InProcessEventSource } from './base-subscriber.ts';

/** Subscribers that somebody runs. */
export interface RunningSubscribers {
  /** Resolves when new groups get all that is committed from now on. */
  readonly started: Promise<void>;
  /** They take nothing more; resolves when what they were given is handled. */
  stop(options?: StopOptions): Promise<void>;
}

/** What runs the subscribers of a registry: a tasker, with its database and the events of its worker. */
export interface SubscriberHost {
  /** `poller`: where they get the events of this process from already. */
  run(
    subscribers: readonly BaseSubscriber[],
    options: { poller: InProcessEventSource | undefined },
  ): RunningSubscribers;
}
