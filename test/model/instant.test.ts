import { describe, expect, it } from 'vitest';
import { instantOf } from '../../src/model/instant.ts';

describe('a point in time', () => {
  it.each([
    ['2030-01-31T09:00:00Z', '2030-01-31T09:00:00.000Z'],
    ['2030-01-31T09:00:00.5+01:00', '2030-01-31T08:00:00.500Z'],
    ['2030-01-31T09:00:00.123456789Z', '2030-01-31T09:00:00.123Z'],
    ['2030-01-31T09:00-0330', '2030-01-31T12:30:00.000Z'],
    ['2030-01-31T09:00:00+02', '2030-01-31T07:00:00.000Z'],
    ['2030-01-31t09:00:00z', '2030-01-31T09:00:00.000Z'],
    [' 2030-01-31T09:00:00Z\n', '2030-01-31T09:00:00.000Z'],
    ['2028-02-29T23:59:59Z', '2028-02-29T23:59:59.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
    ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00.000Z'],
    [0, '1970-01-01T00:00:00.000Z'],
    [1_893_456_000_000, '2030-01-01T00:00:00.000Z'],
    [1_893_456_000_000.4, '2030-01-01T00:00:00.000Z'],
  ])('%j is %s', (given, iso) => {
    expect(instantOf(given)).toEqual({ ms: Date.parse(iso) });
  });

  const years = 'the year must be from 1970 to 9999';
  const missing = 'no such date or time exists';
  it.each([
    ['2030-01-31T09:00:00', 'it has no time zone; add Z or an offset such as +02:00'],
    ['300000-01-31T09:00:00Z', years],
    ['+300000-01-31T09:00:00Z', years],
    ['-0001-01-31T09:00:00Z', years],
    ['1969-12-31T23:59:59Z', years],
    ['0099-12-31T23:59:59Z', years],
    ['9999-12-31T23:59:59-01:00', years],
    ['1970-01-01T00:00:00+01:00', years],
    ['2030-02-29T09:00:00Z', missing],
    ['2030-13-01T09:00:00Z', missing],
    ['2030-00-01T09:00:00Z', missing],
    ['2030-01-31T24:00:00Z', missing],
    ['2030-01-31T09:60:00Z', missing],
    ['2030-01-31T09:00:00+25:00', missing],
    [-1, years],
    [9e15, years],
    [1_893_456_000, 'it looks like seconds since 1970; pass milliseconds, which are 1000 times as much'],
  ])('%j is rejected: %s', (given, wrong) => {
    expect(instantOf(given)).toEqual({ wrong });
  });

  it.each([
    '2030-01-31',
    'tomorrow',
    '',
    '2030-01-31 09:00:00 Z',
    Number.NaN,
    Number.POSITIVE_INFINITY,
    true,
    null,
    {},
    ['2030-01-31T09:00:00Z'],
    new Date(0),
  ])('%j is rejected with the forms that are accepted', (given) => {
    const wrong =
      'it must be ISO 8601 with a time zone, such as 2030-01-31T09:00:00Z, or milliseconds since 1970 as a number';
    expect(instantOf(given)).toEqual({ wrong });
  });
});
