/** How long to wait before a failed step is retried. */
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
 * Returns the milliseconds before retry number `retry` (1 is the second attempt): base × factor ±15 %, at most the
 * maximum.
 * @param random a number from 0 to 1; passed in, so that the function is pure
 */
export function retryDelayMs(policy: BackoffPolicy, retry: number, random: number): number {
  const delay = policy.backoffBaseMs * FACTORS[policy.backoff](Math.max(1, retry));
  return Math.round(Math.min(delay * (1 + JITTER * (2 * random - 1)), policy.maxBackoffMs));
}
