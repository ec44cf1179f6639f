import { isConnectionError } from '../engine/engine.ts';
import { backOff } from '../time/back-off.ts';
import type { DispatchedStep } from './dispatched-step.ts';

/** Timeout of a save in milliseconds, including retries. */
const SAVE_MS = 10_000;

/** Retries the save while the database is unavailable, until the timeout. */
export async function saveWithRetries<T>(step: DispatchedStep, save: (timeoutMs: number) => Promise<T>): Promise<T> {
  const until = performance.now() + SAVE_MS;
  for (let tries = 0; ; tries++) {
    try {
      return await save(Math.max(1, until - performance.now()));
    } catch (error) {
      if (!isConnectionError(error) || step.over || performance.now() > until) throw error;
      await backOff(tries);
    }
  }
}
