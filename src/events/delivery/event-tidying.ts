import type { EventLog } from '../../engine/events/log.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';

/** Between two looks for old events; every process looks, and most of them find nothing. */
const EVERY_MS = 300_000;
/** Until the first look: where processes do not live long, one must come to it. */
const FIRST_MS = 60_000;

/** How events are tidied away. */
export interface EventTidyingOptions {
  /** How old an event becomes that every group has passed; 0: none is deleted. */
  retentionMs: number;
  logger: Logger;
  /** Between two looks, a quarter more or less so that processes don't come together. Default 300,000. */
  everyMs?: number | undefined;
}

/** Deletes events that are old and that every group has passed, now and then. */
export class EventTidying {
  readonly #log: EventLog;
  readonly #options: EventTidyingOptions;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(log: EventLog, options: EventTidyingOptions) {
    this.#log = log;
    this.#options = options;
  }

  start(): void {
    this.#next(Math.min(FIRST_MS, this.#options.everyMs ?? EVERY_MS));
  }

  #next(ms: number): void {
    const { retentionMs, everyMs = EVERY_MS } = this.#options;
    if (this.#stopped || retentionMs === 0) return;
    const delayMs = ms * (0.75 + Math.random() / 2);
    this.#timer = setTimeout(() => {
      void this.#tidy().finally(() => this.#next(everyMs));
    }, delayMs).unref();
  }

  async #tidy(): Promise<void> {
    const { retentionMs, logger } = this.#options;
    try {
      const deleted = await this.#log.tidy({ retentionMs });
      if (deleted > 0) logger.debug({ deleted }, 'old events that every group has passed were deleted');
    } catch (error) {
      logger.debug({ error: messageOf(error) }, 'old events could not be deleted; trying again later');
    }
  }

  /** Does not wait for a look under way: it may take long, and whoever looks next goes on where it ended. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}
