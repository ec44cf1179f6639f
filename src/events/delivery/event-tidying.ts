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

/**
 * Deletes old events that every group has passed, from time to time. Returns a function that stops this. It does not wait
 * for a run in progress, which may take long: the next run continues where that one ended.
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
      if (deleted > 0) logger.debug({ deleted }, 'old events that every group has passed were deleted');
    } catch (error) {
      logger.debug({ error: messageOf(error) }, 'old events could not be deleted; trying again later');
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
