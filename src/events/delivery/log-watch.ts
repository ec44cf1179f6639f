import type { EventLog } from '../../engine/events/log.ts';
import type { GroupRunner } from './group/runner.ts';
import type { Outage } from './outage.ts';

/** Dependencies of a {@link LogWatch}. */
export interface LogWatchParts {
  log: EventLog;
  /** The current groups. The set changes over time. */
  groups: ReadonlySet<GroupRunner>;
  pollMs: number;
  outage: Outage;
  /** Called when there are events without a position in the log. */
  unplaced(): void;
}

/**
 * Polls the log with one statement for all groups of the process. The poll finds events whose notification was lost,
 * work that was held by dead processes, and retries left by other processes.
 */
export class LogWatch {
  readonly #parts: LogWatchParts;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #stopped = false;

  constructor(parts: LogWatchParts) {
    this.#parts = parts;
  }

  /** Starts polling. Does nothing if it is already running. */
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
        else if (about.waiting) group.eventsMayWait();
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
