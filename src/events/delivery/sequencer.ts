import { setTimeout as sleep } from 'node:timers/promises';
import type { EventLog } from '../../engine/events/log.ts';
import { backOff } from '../../time/back-off.ts';
import type { Outage } from './outage.ts';

/** Minimum time between two runs, regardless of the number of notifications. */
const APART_MS = 5;

/** Assigns positions in the log to new events: immediately after a notification, but throttled when there are many. */
export class Sequencer {
  readonly #parts: { log: EventLog; outage: Outage; placed: () => void };
  readonly #stopped = new AbortController();
  #wanted = false;
  #running: Promise<void> | undefined;

  /** `placed` is called after each run, because another process may have assigned positions too. */
  constructor(parts: { log: EventLog; outage: Outage; placed: () => void }) {
    this.#parts = parts;
  }

  /** Requests a run, because events may have been committed. */
  run(): void {
    this.#wanted = true;
    if (this.#stopped.signal.aborted) return;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#wanted) this.run();
    });
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    for (let tries = 0; this.#wanted && !signal.aborted; ) {
      this.#wanted = false;
      try {
        await this.#parts.log.sequence();
        this.#parts.outage.ended(this);
        tries = 0;
        this.#parts.placed();
        await sleep(APART_MS);
      } catch (error) {
        if (signal.aborted) break;
        this.#wanted = true;
        this.#parts.outage.began(this, error);
        await backOff(tries++, signal);
      }
    }
    this.#parts.outage.ended(this);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }
}
