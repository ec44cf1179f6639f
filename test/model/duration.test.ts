import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { durationInWords, durationMs, durationText, LONGEST_DURATION_MS } from '../../src/model/duration.ts';

const DAY = 86_400_000;

describe('a duration', () => {
  it.each([
    [0, 0],
    [90, 90_000],
    [1.5, 1500],
    ['90s', 90_000],
    ['1.5h', 5_400_000],
    ['0.001s', 1],
    ['7d', 7 * DAY],
    ['24h30m', 24.5 * 3_600_000],
    ['1d2h3m4.5s', 93_784_500],
    ['P3DT12H', 3.5 * DAY],
    ['P2W', 14 * DAY],
    ['P1W2D', 9 * DAY],
    ['PT1H30M', 5_400_000],
    ['PT0.5S', 500],
    ['366000d', LONGEST_DURATION_MS],
  ])('%s is %d ms', (given, ms) => {
    expect(durationMs(given)).toBe(ms);
  });

  it.each([
    [-1],
    ['-1s'],
    ['P-1D'],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    [''],
    ['7'],
    ['7 d'],
    ['7D'],
    ['1y'],
    ['30m24h'],
    ['1h1h'],
    ['1h 1m'],
    ['h'],
    ['P'],
    ['PT'],
    ['P1DT'],
    ['P1Y'],
    ['P1M'],
    ['PT1H1D'],
    ['P1.5D'],
    ['p1d'],
    ['٣d'],
    ['1d\n'],
    ['366001d'],
    [`${'9'.repeat(400)}s`],
    [`P${'9'.repeat(400)}D`],
    [null],
    [undefined],
    [true],
    [['1d']],
  ])('%j is not a duration', (given) => {
    expect(durationMs(given)).toBeUndefined();
  });

  it('is unchanged after formatting and parsing', () => {
    fc.assert(
      fc.property(fc.oneof(fc.nat(100_000), fc.integer({ min: 0, max: LONGEST_DURATION_MS })), (ms) => {
        expect(durationMs(durationText(ms))).toBe(ms);
      }),
    );
    expect([0, 1, 90_000, 5_400_000, 12 * 3_600_000, 14 * DAY].map(durationText)).toEqual([
      '0s',
      '0.001s',
      '90s',
      '90m',
      '12h',
      '14d',
    ]);
  });
});

describe('a duration in words', () => {
  it.each([
    ['3 days', 3 * DAY],
    ['1 hour 30 minutes', 5_400_000],
    ['2 weeks and 1 day', 15 * DAY],
    ['1 hour, 1 second', 3_601_000],
    ['1.5 hours', 5_400_000],
    ['10seconds', 10_000],
  ])('%s', (text, ms) => {
    expect(durationInWords(text)).toBe(ms);
  });

  it.each([[''], ['days'], ['and'], ['3'], ['3 days ago'], ['-3 days'], ['1 month'], ['400000 days']])(
    '%j is not a duration',
    (text) => {
      expect(durationInWords(text)).toBeUndefined();
    },
  );
});
