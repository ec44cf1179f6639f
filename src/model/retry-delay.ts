/** When a failed step is tried again. */
export interface BackoffPolicy {
  backoff: 'none' | 'linear' | 'exponential' | 'fibonacci';
  backoffBaseMs: number;
  maxBackoffMs: number;
}

const JITTER = 0.15;

function fibonacci(n: number): number {
  let [a, b] = [1, 1];
  for (let i = 2; i < n; i++) [a, b] = [b, a + b];
  return b;
}

const FACTORS: Readonly<Record<BackoffPolicy['backoff'], (retry: number) => number>> = {
  none: () => 0,
  linear: (retry) => retry,
  exponential: (retry) => 2 ** Math.min(retry - 1, 52),
  fibonacci: (retry) => fibonacci(Math.min(retry, 75)),
};

/**
 * Milliseconds before retry number `retry` (1 is the second attempt): base × factor, ±15 %, then the cap.
 * @param random a number from 0 to 1; given by the caller, because this room is pure
 */
export function retryDelayMs(policy: BackoffPolicy, retry: number, random: number): number {
  const delay = policy.backoffBaseMs * FACTORS[policy.backoff](Math.max(1, retry));
  return Math.round(Math.min(delay * (1 + JITTER * (2 * random - 1)), policy.maxBackoffMs));
}
