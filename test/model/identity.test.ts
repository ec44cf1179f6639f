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
  it('a strict identity is a SHA-256 in hex', () => {
    expect(of({ a: 1 })).toMatch(/^[0-9a-f]{64}$/);
  });

  it('a strict identity ignores white space and the order of keys at every depth', () => {
    expect(of({ a: 1, b: { c: [{ d: 2, e: 3 }], f: null } })).toBe(of({ b: { f: null, c: [{ e: 3, d: 2 }] }, a: 1 }));
    expect(of(null, { context: '{ "a" :\n 1 }' })).toBe(of({ a: 1 }));
  });

  it('a strict identity depends on the order of arrays, the types of values and the presence of keys', () => {
    const different = [[1, 2], [2, 1], '1', 1, null, {}, [], [[]], { a: null }, true, 'true', 1.5, ''].map((x) =>
      of({ x }),
    );
    expect(new Set([...different, of({})]).size).toBe(different.length + 1);
  });

  it('a strict identity is specific to a template and its version', () => {
    const all = [of({}), of({}, { namespace: 'b' }), of({}, { name: 'b' }), of({}, { version: '1.0.1' })];
    expect(new Set(all).size).toBe(4);
  });

  it('moving characters from one name to another changes the identity', () => {
    expect(of({}, { namespace: 'ab', name: 'c' })).not.toBe(of({}, { namespace: 'a', name: 'bc' }));
  });

  it('equal contexts of any contents have the same strict identity', () => {
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
  it('an idempotency key overrides every strategy', () => {
    const key = { idempotencyKey: 'O-7' };
    const strict = of({ a: 1 }, key);
    expect(of({ a: 2 }, key)).toBe(strict);
    expect(of({}, { ...key, strategy: 'caller_provided' })).toBe(strict);
    expect(of({}, { ...key, strategy: 'always_unique' })).toBe(strict);
  });

  it('an idempotency key never equals a context that looks like it', () => {
    expect(of('O-7')).not.toBe(of({}, { idempotencyKey: '"O-7"' }));
    expect(of('O-7')).not.toBe(of({}, { idempotencyKey: 'O-7' }));
  });

  it('an empty idempotency key is used like any other', () => {
    expect(of({}, { idempotencyKey: '', strategy: 'caller_provided' })).toMatch(/^[0-9a-f]{64}$/);
  });
});

it('a task with always_unique has no identity', () => {
  expect(of({}, { strategy: 'always_unique' })).toBeNull();
});

it('with caller_provided, the identity of a request without a key is missing', () => {
  expect(of({}, { strategy: 'caller_provided' })).toBe('missing');
});
