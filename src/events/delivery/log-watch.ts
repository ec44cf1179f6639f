import type { EventLog } from '../../engine/events/log.ts';
import type { GroupRunner } from './group/runner.ts';
import type { Outage } from './outage.ts';

/** What a {@link LogWatch} looks after. */
export interface LogWatchParts {
  log: EventLog;
  /** They come and go. */
  groups: ReadonlySet<GroupRunner>;
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
  #stopped = false;

  constructor(parts: LogWatchParts) {
    this.#parts = parts;
  }

  /** Changes nothing when it goes on already. */
  start(): void {
    if (!this.#timer) this.#schedule(0);
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#looking = this.#look().finally(() => this.#schedule(this.#parts.pollMs));
    }, delayMs);
  }

  async #look(): Promise<void> {
    const { groups, log, outage, unplaced } = this.#parts;
    const joined = [...groups].filter(({ member }) => member.groupId !== undefined);
    if (joined.length === 0) return;
    try {
      const seen = await log.look(joined.map(({ groupId }) => groupId));
      outage.ended(this);
      if ([...seen.values()].some((group) => group.unplaced)) unplaced();
      for (const group of joined) {
        const about = seen.get(group.groupId);
        if (!about) group.leave();
        else if (about.waiting) group.wake();
        if (about && about.dueMs !== null) group.retryIn(about.dueMs);
      }
      await Promise.all(joined.map(({ member }) => member.sign()));
    } catch (error) {
      if (!this.#stopped) outage.began(this, error);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#looking;
  }
}
