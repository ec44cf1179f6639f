import { expect, it } from 'vitest';
import { retryAfterSeconds } from '../../src/handlers/retry-after.ts';

const now = Date.parse('2026-10-21T07:28:00Z');

it.each([
  [120, 120],
  [0.5, 0.5],
  [-3, 0],
  ['120', 120],
  [' 1.5 ', 1.5],
  [new Date(now + 5_000), 5],
  ['Wed, 21 Oct 2026 07:28:30 GMT', 30],
  ['2026-10-21T07:29:00Z', 60],
  ['Wed, 21 Oct 2020 07:28:30 GMT', 0],
])('%s is %s seconds from now', (value, seconds) => {
  expect(retryAfterSeconds(value, now)).toBe(seconds);
});

it.each([Number.NaN, Number.POSITIVE_INFINITY, '', 'soon', '-5', '3 days', new Date(Number.NaN)])(
  '%s has no usable value',
  (value) => {
    expect(retryAfterSeconds(value, now)).toBeNull();
  },
);
