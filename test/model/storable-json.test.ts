import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { storableJson } from '../../src/model/json.ts';

const refusal = (value: unknown, limits = {}) => {
  const stored = storableJson(value, limits);
  return stored.ok ? stored.json : `${stored.path}: ${stored.reason}`;
};

describe('a value that jsonb can store', () => {
  it('a storable value is returned as its JSON text', () => {
    const value = { id: 'O-7', n: [1, -2.5, 1e300], deep: { ok: true, none: null }, text: 'größe "物" 😀\n\t\\u0041' };
    expect(storableJson(value)).toEqual({ ok: true, json: JSON.stringify(value) });
    expect(refusal('text')).toBe('"text"');
    expect(refusal(null)).toBe('null');
  });

  it('undefined properties and the sign of zero are dropped, as always in JSON', () => {
    expect(refusal({ a: undefined, b: -0 })).toBe('{"b":0}');
  });

  it('a value may have toJSON or be an instance of a plain class', () => {
    class Order {
      id = 'O-7';
      #secret = 1;
      total = (): number => this.#secret;
    }
    expect(refusal({ at: new Date(0), url: new URL('http://x/y') })).toBe(
      '{"at":"1970-01-01T00:00:00.000Z","url":"http://x/y"}',
    );
    expect(refusal(new Order())).toBe('{"id":"O-7"}');
    expect(refusal({ toJSON: () => [1, 2] })).toBe('[1,2]');
    expect(refusal(Object.assign(Object.create(null), { a: 1 }))).toBe('{"a":1}');
    expect(refusal([Object(1), Object('x'), Object(false)])).toBe('[1,"x",false]');
  });

  it('a value may contain the same object twice without being circular', () => {
    const address = { city: 'Köln' };
    expect(refusal({ from: address, to: address })).toBe('{"from":{"city":"Köln"},"to":{"city":"Köln"}}');
  });

  it('a value may contain strings that only look like rejected values', () => {
    for (const text of ['\\u0000', 'C:\\users\\ud800', '\u0001\u001f', '\\\\u0000']) {
      expect(refusal({ [text]: text })).toBe(JSON.stringify({ [text]: text }));
    }
  });
});

describe("a value that jsonb can't store", () => {
  it.each([
    ['result.items[3].price', { items: [0, 0, 0, { price: Number.NaN }] }, 'NaN is not a JSON number'],
    ['result.a', { a: Number.POSITIVE_INFINITY }, 'Infinity is not a JSON number'],
    ['result.a', { a: 10n }, 'a BigInt has no JSON form; use String(x) or Number(x)'],
    ['result.a', { a: () => 1 }, 'a function has no JSON form'],
    ['result.a', { a: Symbol('x') }, 'a symbol has no JSON form'],
    ['result[1]', [1, undefined], 'undefined has no JSON form; use null'],
    ['result[0]', new Array(2), 'undefined has no JSON form; use null'],
    ['result', undefined, 'undefined has no JSON form; use null'],
    ['result.a', { a: new Map() }, 'Map has no JSON form; use Object.fromEntries(map)'],
    ['result.a', { a: new Set([1]) }, 'Set has no JSON form; use [...set]'],
    ['result.a', { a: Promise.resolve() }, 'Promise has no JSON form; await it'],
    ['result.a', { a: new Error('x') }, 'Error has no JSON form; use its message'],
    ['result.a', { a: /x/ }, 'RegExp has no JSON form; use its source'],
    ['result.a', { a: new WeakMap() }, 'WeakMap has no JSON form'],
    ['result.a', { a: new Uint8Array(2) }, 'Uint8Array has no JSON form'],
    ['result.a', { a: new ArrayBuffer(2) }, 'ArrayBuffer has no JSON form'],
    ['result.a', { a: new URLSearchParams('a=1') }, undefined],
    ['result.a', { a: new Headers({ a: '1' }) }, 'Headers has no JSON form'],
    ['result["a b"].c', { 'a b': { c: 'x\0y' } }, 'PostgreSQL cannot store U+0000'],
    ['result["x\\u0000"]', { 'x\0': 1 }, 'PostgreSQL cannot store U+0000'],
    ['result.größe', { größe: '\ud800' }, 'a lone surrogate is not valid text'],
    ['result["\\udc00"]', { '\udc00': 1 }, 'a lone surrogate is not valid text'],
    ['result.at', { at: { toJSON: () => ({ n: 1n }) } }, undefined],
  ])('an unstorable value is rejected with its path: %s', (path, value, reason) => {
    const stored = storableJson(value);
    expect(stored).toMatchObject({ ok: false });
    if (stored.ok) return;
    if (reason) expect(stored).toEqual({ ok: false, path, reason: expect.stringContaining(reason) });
    else expect(stored.path.startsWith(path)).toBe(true);
  });

  it('a value that throws when it is read is rejected with its path', () => {
    const getter = {
      get price(): number {
        throw new Error('no price yet');
      },
    };
    expect(refusal({ item: getter })).toBe('result.item.price: it could not be read: no price yet');
    const toJSON = () => {
      throw new Error('not now');
    };
    expect(refusal({ item: { toJSON } })).toBe('result.item: it could not be read: not now');
  });

  it('a circular value is rejected with the path that it leads back to', () => {
    const order: Record<string, unknown> = { id: 1 };
    order.items = [{ order }];
    expect(refusal({ order })).toBe('result.order.items[0].order: it is circular: it leads back to result.order');
    const list: unknown[] = [];
    list.push(list, list);
    expect(refusal(list)).toBe('result[0]: it is circular: it leads back to result');
  });

  it('a value that is nested too deeply is rejected at any depth', () => {
    const nested = (depth: number): unknown => {
      let value: unknown = [];
      for (let n = 1; n < depth; n++) value = { in: value };
      return value;
    };
    expect(storableJson(nested(500)).ok).toBe(true);
    expect(refusal(nested(501))).toMatch(/^result\.in\.in.*: it is nested deeper than 500 levels$/);
    expect(refusal(nested(100_000))).toMatch(/…: it is nested deeper than 500 levels$/);
    expect(refusal([[1]], { maxDepth: 1, name: 'context' })).toBe('context[0]: it is nested deeper than 1 levels');
  });

  it('a value that is too large in bytes of UTF-8 is rejected', () => {
    expect(storableJson('x'.repeat(8), { maxBytes: 10 }).ok).toBe(true);
    expect(refusal('x'.repeat(9), { maxBytes: 10 })).toBe('result: it is larger than 10 bytes');
    expect(refusal('ü'.repeat(5), { maxBytes: 10 })).toBe('result: it is larger than 10 bytes');
    expect(refusal('x'.repeat(17 * 1024 * 1024))).toBe('result: it is larger than 16777216 bytes');
  });

  it('a value whose shared parts would become huge as JSON is rejected quickly', () => {
    let value: unknown = 1;
    for (let n = 0; n < 60; n++) value = [value, value];
    expect(refusal(value)).toMatch(/it is larger than 16777216 bytes$/);
  });
});

describe('any value', () => {
  it('any JSON value is read back unchanged', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const stored = storableJson(value);
        if (stored.ok) expect(JSON.parse(stored.json)).toEqual(JSON.parse(JSON.stringify(value)));
        else expect(stored.reason).toMatch(/U\+0000|surrogate/);
      }),
    );
  });

  it('no value causes an exception or JSON text that jsonb rejects', () => {
    const anything = fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withNullPrototype: true,
      withObjectString: true,
      withTypedArray: true,
      withSparseArray: true,
      withUnicodeString: true,
    });
    fc.assert(
      fc.property(anything, (value) => {
        const stored = storableJson(value);
        if (!stored.ok) return;
        // Keys and values in jsonb contain no U+0000 and no lone surrogates.
        expect(JSON.stringify(JSON.parse(stored.json))).not.toMatch(/(?:^|[^\\])(?:\\\\)*\\u(?:0000|d[89a-f])/i);
      }),
      { numRuns: 2000 },
    );
  });

  it('hostile values cause no error', () => {
    const hostile = new Proxy({}, { get: () => hostile, getPrototypeOf: () => { throw new Error('no'); }, ownKeys: () => ['a'] }); // biome-ignore format: one line
    expect(storableJson(hostile).ok).toBe(false);
    expect(storableJson(new Proxy([], { get: () => { throw 'x'; } })).ok).toBe(false); // biome-ignore format: one line
  });
});
