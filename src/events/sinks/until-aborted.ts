import { waitAtMost } from '../../time/wait-at-most.ts';

/** Waits for something until the signal fires. What is left behind goes on by itself, unheard. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (await waitAtMost(Number.POSITIVE_INFINITY, work, signal)) return work;
  throw signal.reason as Error;
}
