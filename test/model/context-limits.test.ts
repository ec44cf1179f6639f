import { describe, expect, it } from 'vitest';
import { CONTEXT_LIMITS, overLimit } from '../../src/model/json.ts';

const nested = (levels: number): unknown => (levels === 1 ? {} : { in: nested(levels - 1) });
const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]));
const pathOf = (value: unknown) => overLimit(value, 'context')?.path;

describe('a context within the limits', () => {
  it.each([
    ['10 levels deep', nested(10)],
    ['1000 keys in an object', many(1000)],
    ['1000 items in an array', { list: Array.from({ length: 1000 }, () => 1) }],
    ['10,000 characters in a string and in a key', { ['k'.repeat(10_000)]: 'x'.repeat(10_000) }],
    ['many objects side by side', { list: Array.from({ length: 900 }, () => many(3)) }],
    ['null, numbers and booleans', { a: null, b: -1.5e300, c: true }],
  ])('a context may have %s', (_, value) => {
    expect(overLimit(value)).toBeUndefined();
  });
});

describe('the path where a context exceeds a limit', () => {
  it.each([
    ['nested objects', nested(11), `context${'.in'.repeat(10)}`, 'deeper than 10'],
    ['nested arrays', { a: [[[[[[[[[[]]]]]]]]]] }, `context.a${'[0]'.repeat(9)}`, 'deeper than 10'],
    ['too many keys', { a: { b: many(1001) } }, 'context.a.b', 'has 1001 keys; at most 1000'],
    [
      'too many items',
      { a: [0, Array.from({ length: 1001 }, () => 0)] },
      'context.a[1]',
      'has 1001 items; at most 1000',
    ],
    ['a long text', { a: ['', 'x'.repeat(10_001)] }, 'context.a[1]', 'has 10001 characters; at most 10000'],
    ['a long key', { a: { ['k'.repeat(10_001)]: 1 } }, 'context.a', 'has a key of 10001 characters; at most 10000'],
  ])('the path is reported for %s', (_, value, path, reason) => {
    expect(overLimit(value, 'context')).toMatchObject({ path, reason: expect.stringContaining(reason) });
  });

  it('only the first path in the order of the context is reported', () => {
    expect(pathOf({ fine: 1, long: 'x'.repeat(10_001), deep: nested(12) })).toBe('context.long');
  });
});

it('a whole context is limited to one megabyte', () => {
  expect(CONTEXT_LIMITS.bytes).toBe(1024 * 1024);
});
