import { setTimeout as sleep } from 'node:timers/promises';

const FIRST_MS = 50;
const LONGEST_MS = 5_000;

/**
 * Waits before try number `tries` (from 0): 50 ms, doubling, 5 s at most, each ±25 % so that workers do not come together.
 * When `signal` fires the wait is over at once.
 */
export async function backOff(tries: number, signal?: AbortSignal): Promise<void> {
  const delay = Math.min(FIRST_MS * 2 ** Math.min(tries, 10), LONGEST_MS) * (0.75 + Math.random() / 2);
  try {
    await sleep(delay, undefined, signal && { signal });
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}
