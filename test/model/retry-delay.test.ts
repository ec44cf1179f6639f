import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type BackoffPolicy, retryDelayMs } from '../../src/model/retry-delay.ts';

const policy = (backoff: BackoffPolicy['backoff'], backoffBaseMs = 1000, maxBackoffMs = 30_000): BackoffPolicy => ({
  backoff,
  backoffBaseMs,
  maxBackoffMs,
});
/** Returns the delay in the middle of the jitter. */
const plain = (given: BackoffPolicy, retry: number) => retryDelayMs(given, retry, 0.5);
const first = (given: BackoffPolicy, count: number) => Array.from({ length: count }, (_, i) => plain(given, i + 1));

it('without a backoff there is no delay', () => {
  expect(first(policy('none'), 3)).toEqual([0, 0, 0]);
});

it('a linear delay grows by one base per retry', () => {
  expect(first(policy('linear', 400), 4)).toEqual([400, 800, 1200, 1600]);
});

it('an exponential delay starts with the base and doubles', () => {
  expect(first(policy('exponential'), 5)).toEqual([1000, 2000, 4000, 8000, 16_000]);
});

it('a fibonacci delay grows like the Fibonacci numbers', () => {
  expect(first(policy('fibonacci', 100), 7)).toEqual([100, 100, 200, 300, 500, 800, 1300]);
});

it('the delay never exceeds the maximum, including jitter', () => {
  expect(plain(policy('exponential'), 6)).toBe(30_000);
  expect(retryDelayMs(policy('linear', 30_000), 1, 0.999)).toBe(30_000);
});

it('the delay varies by 15 % in both directions before the maximum applies', () => {
  expect(retryDelayMs(policy('linear'), 1, 0)).toBe(850);
  expect(retryDelayMs(policy('linear'), 1, 1)).toBe(1150);
  // 32 s minus 15 % is below the maximum. If the maximum applied first, it would be 25.5 s.
  expect(retryDelayMs(policy('exponential'), 6, 0)).toBe(27_200);
});

it('the delay is a whole number from 0 to the maximum for every policy and number of retries', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('none', 'linear', 'exponential', 'fibonacci'),
      fc.nat(10_000_000),
      fc.nat(100_000_000),
      fc.integer({ min: 0, max: 100_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (backoff, base, cap, retry, random) => {
        const delay = retryDelayMs(policy(backoff, base, cap), retry, random);
        expect(Number.isSafeInteger(delay)).toBe(true);
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThanOrEqual(cap);
      },
    ),
  );
});
