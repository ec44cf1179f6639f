import { setTimeout as sleep } from 'node:timers/promises';

const FIRST_MS = 50;
const LONGEST_MS = 5_000;

/**
 * Waits before a retry, `tries` counted from 0: 50 ms, doubled each time, at most 5 s. Each wait varies by ±25 %, so
 * that workers do not all retry at the same time. Resolves immediately when `signal` fires.
 */
export async function backOff(tries: number, signal?: AbortSignal): Promise<void> {
  const delay = Math.min(FIRST_MS * 2 ** Math.min(tries, 10), LONGEST_MS) * (0.75 + Math.random() / 2);
  try {
    await sleep(delay, undefined, signal && { signal });
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}
