import type { EventLog } from '../engine/event-log.ts';
import type { GroupRunner } from './group-runner.ts';
import type { Outage } from './outage.ts';

/** Between two signs that somebody works for a group, which are looks of their own. */
const REJOIN_MS = 60_000;

/** What a {@link LogWatch} looks after. */
export interface LogWatchParts {
  log: EventLog;
  groups: readonly GroupRunner[];
  pollMs: number;
  outage: Outage;
  /** There are events without a place. */
  unplaced(): void;
}

/**
 * Looks into the log when nobody tells of events, in one statement for all groups of the process: for events whose
 * notification was lost, for what dead processes held, and for deliveries that others left to be repeated.
 */
export class LogWatch {
  readonly #parts: LogWatchParts;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #rejoinAt = performance.now() + REJOIN_MS;
  #stopped = false;

  constructor(parts: LogWatchParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#schedule(0);
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#looking = this.#look().finally(() => this.#schedule(this.#parts.pollMs));
    }, delayMs);
  }

  async #look(): Promise<void> {
    const { groups, log, outage, unplaced } = this.#parts;
    try {
      if (performance.now() >= this.#rejoinAt) await this.#rejoin();
      // Before the first one has joined there is nothing to look for.
      const joined = groups.filter(({ joined }) => joined);
      const seen = await log.look(joined.map(({ groupId }) => groupId));
      outage.ended(this);
      if ([...seen.values()].some((group) => group.unplaced)) unplaced();
      for (const group of joined) {
        const about = seen.get(group.groupId);
        if (!about) group.leave();
        else if (about.waiting) group.wake();
        if (about && about.dueMs !== null) group.retryIn(about.dueMs);
      }
    } catch (error) {
      outage.began(this, error);
    }
  }

  async #rejoin(): Promise<void> {
    this.#rejoinAt = performance.now() + REJOIN_MS;
    for (const group of this.#parts.groups) if (group.joined) await group.join();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }
}
