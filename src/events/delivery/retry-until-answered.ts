import { isConnectionError } from '../../engine/engine.ts';
import { backOff } from '../../time/back-off.ts';
import type { Outage } from './outage.ts';

/** A statement that the database refuses is not repeated for ever. */
const REFUSALS = 5;

/**
 * Asks until the database answers, however long it is away: what was handled is written down, and not handled again.
 * Undefined: `gone` fired, or the database refuses it.
 */
export async function retryUntilAnswered<T>(
  ask: () => Promise<T>,
  { outage, gone }: { outage: Outage; gone: AbortSignal },
): Promise<T | undefined> {
  try {
    for (let tries = 0; ; tries++) {
      try {
        return await ask();
      } catch (error) {
        outage.began(ask, error);
        if (gone.aborted) return undefined;
        if (tries >= REFUSALS && !isConnectionError(error)) {
          outage.refused(ask, error);
          return undefined;
        }
      }
      await backOff(tries, gone);
    }
  } finally {
    outage.ended(ask);
  }
}
