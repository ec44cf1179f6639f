import { describe, expect, it } from 'vitest';
import { collectNamespaces, moment } from '../../src/cli/options.ts';

describe('a time on the command line', () => {
  const now = Date.parse('2026-03-01T12:00:00Z');

  it.each([
    ['2026-01-02', '2026-01-02T00:00:00.000Z'],
    ['2026-01-02T03:04Z', '2026-01-02T03:04:00.000Z'],
    ['2026-01-02T03:04:05.678+01:00', '2026-01-02T02:04:05.678Z'],
    ['90s', '2026-03-01T11:58:30.000Z'],
    ['15m', '2026-03-01T11:45:00.000Z'],
    ['1.5h', '2026-03-01T10:30:00.000Z'],
    ['7d', '2026-02-22T12:00:00.000Z'],
    ['24h30m', '2026-02-28T11:30:00.000Z'],
    ['1d 2h', '2026-02-28T10:00:00.000Z'],
    ['today', '2026-03-01T00:00:00.000Z'],
    ['yesterday', '2026-02-28T00:00:00.000Z'],
  ])('%s is parsed as a time or an age', (text, iso) => {
    expect(moment(text, undefined, now).toISOString()).toBe(iso);
  });

  it.each(['', '7', 'tomorrow', '2026-13-01', '5 min', '-1h', '30m24h', '1h1h', '99999999999d', 'March 1'])(
    '%j is rejected with examples',
    (text) => {
      expect(() => moment(text, undefined, now)).toThrow(
        'a time, such as 2026-01-02T03:04Z, an age, such as 90s, 15m, 2h, 24h30m or 7d, or today or yesterday',
      );
    },
  );
});

describe('namespaces on the command line', () => {
  it('are collected without the spaces around them, and empty values are ignored', () => {
    const collected = [' shop ', '', '  ', 'billing'].reduce<string[]>(
      (before, text) => collectNamespaces(text, before),
      [],
    );
    expect(collected).toEqual(['shop', 'billing']);
    expect(collectNamespaces('')).toEqual([]);
  });

  it.each(['my-app', '1st', 'a b', 'n'.repeat(30), 'größe'])('%j is rejected with the rule', (text) => {
    expect(() => collectNamespaces(text)).toThrow('a namespace has 1 to 29 letters, digits and underscores');
  });
});
