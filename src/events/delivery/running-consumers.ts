import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { waitAtMost } from '../../time/wait-at-most.ts';
import type { GroupConsumers } from './group/consumers.ts';
import type { GroupRunner } from './group/runner.ts';
import type { StopOptions } from './stop-options.ts';

/** What {@link RunningConsumers} are made from. */
export interface RunningConsumersParts {
  /** Their groups, and who works for each. */
  groups: readonly GroupRunner[];
  consumers: readonly GroupConsumers[];
  logger: Logger;
  /** The groups deliver from now on. */
  onStart(): void;
  /** The groups begin nothing more. */
  onStop(): void;
}

/** How long a start waits for the database; what comes later, comes by itself. */
const JOIN_MS = 10_000;

/** Consumers that were given to a delivery together: run from the joining of their groups until they are stopped. */
export class RunningConsumers {
  /**
   * Resolves when they are delivered to: new groups get all that is committed from now on. While the database is away it
   * resolves too, and goes on by itself when that is back.
   */
  readonly started: Promise<void>;
  readonly #parts: RunningConsumersParts;
  #stopped: Promise<void> | undefined;

  constructor(parts: RunningConsumersParts) {
    this.#parts = parts;
    this.started = this.#start();
  }

  async #start(): Promise<void> {
    const { groups, onStart } = this.#parts;
    await waitAtMost(JOIN_MS, Promise.all(groups.map((group) => this.#join(group))));
    if (this.#stopped) return;
    for (const group of groups) group.start();
    onStart();
  }

  async #join(group: GroupRunner): Promise<void> {
    try {
      await group.join();
    } catch (error) {
      this.#parts.logger.debug({ group: group.name, error: messageOf(error) }, 'a group could not join yet');
    }
  }

  /**
   * Begins nothing more, lets what runs finish for `drainTimeoutMs` (30,000), then fires its signal and lets go of what is
   * left: other processes take it at once. What was handled is not delivered again. Closes the consumers.
   */
  stop(options: StopOptions = {}): Promise<void> {
    this.#stopped ??= this.#stop(options);
    return this.#stopped;
  }

  async #stop(options: StopOptions): Promise<void> {
    const { groups, consumers, logger, onStop } = this.#parts;
    onStop();
    await Promise.all(groups.map((group) => group.stop(options)));
    const failures = await Promise.all(consumers.map((group) => group.close()));
    for (const error of failures.flat()) {
      logger.warn({ error: messageOf(error) }, 'a consumer of events did not close cleanly');
    }
  }
}
