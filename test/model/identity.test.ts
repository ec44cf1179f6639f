import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type IdentityInput, identityHash } from '../../src/model/ids.ts';

const of = (context: unknown, more: Partial<IdentityInput> = {}) =>
  identityHash({
    namespace: 'shop',
    name: 'fulfil',
    version: '1.0.0',
    strategy: 'strict',
    idempotencyKey: null,
    context: JSON.stringify(context),
    ...more,
  });

describe('a strict identity', () => {
  it('is a SHA-256 in hex', () => {
    expect(of({ a: 1 })).toMatch(/^[0-9a-f]{64}$/);
  });

  it('ignores the order of keys, at every depth, and white space', () => {
    expect(of({ a: 1, b: { c: [{ d: 2, e: 3 }], f: null } })).toBe(of({ b: { f: null, c: [{ e: 3, d: 2 }] }, a: 1 }));
    expect(of(null, { context: '{ "a" :\n 1 }' })).toBe(of({ a: 1 }));
  });

  it('minds the order of arrays, the types of values, and whether a key is there', () => {
    const different = [[1, 2], [2, 1], '1', 1, null, {}, [], [[]], { a: null }, true, 'true', 1.5, ''].map((x) =>
      of({ x }),
    );
    expect(new Set([...different, of({})]).size).toBe(different.length + 1);
  });

  it('is of one template and version', () => {
    const all = [of({}), of({}, { namespace: 'b' }), of({}, { name: 'b' }), of({}, { version: '1.0.1' })];
    expect(new Set(all).size).toBe(4);
  });

  it('cannot be made equal by moving characters between names', () => {
    expect(of({}, { namespace: 'ab', name: 'c' })).not.toBe(of({}, { namespace: 'a', name: 'bc' }));
  });

  it('is the same for equal contexts, whatever they hold', () => {
    const shuffled = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shuffled);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .map(([key, item]) => [key, shuffled(item)] as const)
          .reverse(),
      );
    };
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (context) => {
        expect(of(shuffled(context))).toBe(of(context));
      }),
    );
  });
});

describe('an idempotency key', () => {
  it('wins over every strategy', () => {
    const key = { idempotencyKey: 'O-7' };
    const strict = of({ a: 1 }, key);
    expect(of({ a: 2 }, key)).toBe(strict);
    expect(of({}, { ...key, strategy: 'caller_provided' })).toBe(strict);
    expect(of({}, { ...key, strategy: 'always_unique' })).toBe(strict);
  });

  it('is never the same as a context that looks like it', () => {
    expect(of('O-7')).not.toBe(of({}, { idempotencyKey: '"O-7"' }));
    expect(of('O-7')).not.toBe(of({}, { idempotencyKey: 'O-7' }));
  });

  it('counts even when it is empty', () => {
    expect(of({}, { idempotencyKey: '', strategy: 'caller_provided' })).toMatch(/^[0-9a-f]{64}$/);
  });
});

it('there is none when every task is unique', () => {
  expect(of({}, { strategy: 'always_unique' })).toBeNull();
});

it('it is missing when the caller should give one', () => {
  expect(of({}, { strategy: 'caller_provided' })).toBe('missing');
});
