import type { EventLog, RetriedEvent } from '../../../engine/events/log.ts';

/** Until a delivery that only others can make is looked at here again, if they have not taken it by then. */
const OTHERS_MS = 5_000;

/** How deliveries are held that are left to others. */
export interface LeftHold {
  groupId: number;
  holder: string;
}

/**
 * Lets go of due deliveries that nobody in this process asked for, for those who did. Where nobody asks for them any more they
 * end, and what is behind them goes on. Answers how many of these there were, and how many deliveries are due now.
 */
export async function deferToOtherMembers(
  log: EventLog,
  { groupId, holder }: LeftHold,
  events: readonly RetriedEvent[],
): Promise<{ dropped: number; next: number }> {
  const dropped = events.filter(({ wanted }) => !wanted);
  const left = events.filter(({ wanted }) => wanted).map((one) => ({ ...one, delayMs: OTHERS_MS }));
  const { next } = await log.finishRetries(groupId, holder, { delivered: dropped, left });
  return { dropped: dropped.length, next };
}
