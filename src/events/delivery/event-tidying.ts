import type { EventLog } from '../../engine/events/log.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';

/** Default interval. Every process deletes old events, and usually finds nothing to delete. */
const EVERY_MS = 300_000;
/** Delay before the first run, short enough for processes that do not run for long. */
const FIRST_MS = 60_000;

/** Options of {@link tidyEvents}. */
export interface EventTidyingOptions {
  /** The age at which events are deleted, once every group has passed them. 0 deletes none. */
  retentionMs: number;
  logger: Logger;
  /** The interval in milliseconds, ±25 % so that processes do not run together. Default 300,000. */
  everyMs?: number | undefined;
}

/**
 * Periodically deletes old events that every group has passed. Returns a function that stops the deletions, but does
 * not wait for a run in progress, which may take long. If that run is interrupted, the next run continues there.
 */
export function tidyEvents(
  log: EventLog,
  { retentionMs, logger, everyMs = EVERY_MS }: EventTidyingOptions,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  let stopped = retentionMs === 0;
  const tidy = async () => {
    try {
      const deleted = await log.tidy({ retentionMs });
      if (deleted > 0) logger.debug({ deleted }, 'old events deleted');
    } catch (error) {
      logger.debug({ error: messageOf(error) }, 'old events not deleted; retrying later');
    }
  };
  const next = (ms: number) => {
    if (stopped) return;
    const delayMs = ms * (0.75 + Math.random() / 2);
    timer = setTimeout(() => void tidy().finally(() => next(everyMs)), delayMs).unref();
  };
  next(Math.min(FIRST_MS, everyMs));
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
