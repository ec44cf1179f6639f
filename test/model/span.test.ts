import { expect, it } from 'vitest';
import { timeLeft } from '../../src/model/span.ts';

const [MIN, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];

it.each([
  [0, '0 ms'],
  [12, '12 ms'],
  [59_000, '59.0 s'],
  [90_000, '2 min'],
  [59 * MIN + 40_000, '1 h'],
  [2 * HOUR + 5 * MIN, '2 h 5 min'],
  [23 * HOUR + 59 * MIN + 40_000, '1 d'],
  [DAY + 23 * HOUR, '1 d 23 h'],
  [DAY + 23 * HOUR + 50 * MIN, '2 d'],
  [3 * DAY - 1000, '3 d'],
  [14 * DAY, '14 d'],
  [400 * DAY + HOUR, '400 d 1 h'],
])('a remaining time of %d ms is shown in full as %s', (ms, text) => {
  expect(timeLeft(ms)).toBe(text);
});
