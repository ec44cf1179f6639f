import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hideAt, refuseCondition, sensitivePaths, textsAt } from '../../src/model/sensitive.ts';

const HIDDEN = '[redacted]';
const hidden = (value: unknown, ...paths: string[]) => hideAt(value, sensitivePaths(paths));

describe('a value at a sensitive path', () => {
  it.each<[what: string, value: unknown, paths: string[], shown: unknown]>([
    ['in an object', { card: { number: 'c', brand: 'b' } }, ['card.number'], { card: { number: HIDDEN, brand: 'b' } }],
    ['of any type', { a: null, b: 0, c: [], d: {}, e: '' }, ['a', 'b', 'c', 'd', 'e'], fill('a', 'b', 'c', 'd', 'e')],
    [
      'in each element of a list',
      { cs: [{ e: 1, n: 2 }, { e: 3 }] },
      ['cs.*.e'],
      { cs: [{ e: HIDDEN, n: 2 }, { e: HIDDEN }] },
    ],
    [
      'in each key of an object',
      { cs: { ann: { e: 1 }, bob: { n: 2 } } },
      ['cs.*.e'],
      { cs: { ann: { e: HIDDEN }, bob: { n: 2 } } },
    ],
    ['in one element', { cs: ['a', 'b'] }, ['cs.1'], { cs: ['a', HIDDEN] }],
    ['under a numeric key', { cs: { 1: 'b', 2: 'c' } }, ['cs.1'], { cs: { 1: HIDDEN, 2: 'c' } }],
    ['whole, if another path goes on inside it', { card: { number: 1 } }, ['card', 'card.number'], { card: HIDDEN }],
    ['in every key', { a: 1, b: { c: 2 } }, ['*'], fill('a', 'b')],
    [
      'under a key that objects inherit',
      JSON.parse('{"__proto__":{"a":1},"b":2}'),
      ['__proto__.a'],
      JSON.parse(`{"__proto__":{"a":"${HIDDEN}"},"b":2}`),
    ],
    ['by either of two paths', { a: { x: 1, y: 2, z: 3 } }, ['*.x', 'a.y'], { a: { x: HIDDEN, y: HIDDEN, z: 3 } }],
    ['with Unicode in its path', { 'Prénom 名': 1 }, ['Prénom 名'], { 'Prénom 名': HIDDEN }],
  ])('is hidden %s', (_, value, paths, shown) => {
    const before = structuredClone(value);
    expect(hidden(value, ...paths)).toEqual(shown);
    expect(value).toEqual(before);
  });

  it.each<[what: string, value: unknown, shown: unknown]>([
    ['a text where the path goes on', { card: '4111' }, { card: HIDDEN }],
    ['a number', { card: 4111 }, { card: HIDDEN }],
    ['true', { card: true }, { card: HIDDEN }],
    ['a list of objects', { card: [{ number: 1, brand: 'b' }] }, { card: [{ number: HIDDEN, brand: 'b' }] }],
    ['a list of lists', { card: [[{ number: 1 }]] }, { card: [[{ number: HIDDEN }]] }],
    ['a list of strings', { card: ['4111'] }, { card: [HIDDEN] }],
    ['a text in place of everything', 'x', HIDDEN],
  ])('is hidden even if it has another form than the path expects: %s', (_, value, shown) => {
    expect(hidden(value, 'card.number')).toEqual(shown);
  });

  it.each<[what: string, value: unknown]>([
    ['null', { card: null }],
    ['nothing', {}],
    ['an object without the key', { card: { brand: 'b' } }],
    ['an empty list', { card: [] }],
    ['no value at all', null],
  ])('does not change a value without the path: %s', (_, value) => {
    expect(hidden(value, 'card.number')).toBe(value);
  });

  it('is hidden at any depth, and in a list of any size', () => {
    let deep: unknown = { number: 'canary' };
    for (let i = 0; i < 2_000; i++) deep = [deep];
    expect(JSON.stringify(hidden({ card: deep }, 'card.number'))).not.toContain('canary');
    const many = Array.from({ length: 100_000 }, () => ({ email: 'canary' }));
    expect(JSON.stringify(hidden({ many }, 'many.*.email'))).not.toContain('canary');
  });
});

function fill(...keys: string[]) {
  return Object.fromEntries(keys.map((key) => [key, HIDDEN]));
}

/** A key that a path can name. */
const key = fc
  .string({ minLength: 1, maxLength: 6, unit: 'grapheme' })
  .filter((text) => !/[.*[\]\s\p{Cc}/$]/u.test(text));
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.constantFrom<unknown>(null, true, 0, 'text'),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(key, tie('value'), { maxKeys: 4 }),
  ),
})).value;

describe('for any JSON', () => {
  /** Puts a canary at a random place of a value, and returns it with a path to it, in which some keys are `*`. */
  const planted = fc
    .tuple(
      fc.dictionary(key, json, { minKeys: 1, maxKeys: 4 }),
      fc.infiniteStream(fc.nat()),
      fc.infiniteStream(fc.boolean()),
    )
    .map(([given, choices, stars]) => {
      const value = structuredClone(given) as Record<string, unknown>;
      const path: string[] = [];
      let at: Record<string, unknown> | unknown[] = value;
      for (;;) {
        const keys = Object.keys(at);
        const chosen = keys[choices.next().value! % keys.length]!;
        path.push(stars.next().value ? '*' : chosen);
        const inner = (at as Record<string, unknown>)[chosen];
        const goesOn = typeof inner === 'object' && inner !== null && Object.keys(inner).length > 0;
        if (!goesOn) {
          Object.defineProperty(at, chosen, { value: 'canary', enumerable: true, writable: true, configurable: true });
          return { value, path: path.join('.') };
        }
        at = inner as Record<string, unknown>;
      }
    });

  it('the redacted copy does not contain the hidden value, and the given value does not change', () => {
    fc.assert(
      fc.property(planted, ({ value, path }) => {
        const before = JSON.stringify(value);
        expect(before).toContain('canary');
        expect(JSON.stringify(hidden(value, path))).not.toContain('canary');
        expect(JSON.stringify(value)).toBe(before);
      }),
      { numRuns: 2_000 },
    );
  });

  it('hiding twice is the same as hiding once, and the order of the paths does not matter', () => {
    fc.assert(
      fc.property(planted, planted, ({ value, path }, { path: other }) => {
        const once = hidden(value, path, other);
        expect(hidden(once, path, other)).toEqual(once);
        expect(hidden(value, other, path)).toEqual(once);
      }),
    );
  });

  it('a value without any of the paths is returned unchanged', () => {
    fc.assert(
      fc.property(fc.dictionary(key, json), (value) => {
        expect(hidden(value, 'no such key.a', 'no such key')).toBe(value);
        expect(hideAt(value, undefined)).toBe(value);
      }),
    );
  });

  it('the texts at a path include each text that hiding removes', () => {
    fc.assert(
      fc.property(planted, ({ value, path }) => {
        expect(textsAt(value, sensitivePaths([path])).has('canary')).toBe(true);
      }),
    );
  });
});

it('only texts of at least four characters and numbers of at least six digits are hidden in log lines', () => {
  const value = { a: ['abc', 'abcd', 12345, 123456, true, null, { b: 'inside' }], other: 'elsewhere' };
  expect([...textsAt(value, sensitivePaths(['a']))]).toEqual(['abcd', '123456', 'inside']);
});

describe('a condition on contexts', () => {
  it.each<[what: string, condition: unknown, paths: string[], named: string | undefined]>([
    ['compares a sensitive value', { card: { number: '4111' } }, ['card.number'], 'card.number'],
    ['compares a value that contains one', { card: { number: { last: 1 } } }, ['card.number'], 'card.number'],
    ['compares a part of one', { card: { number: 1 } }, ['card'], 'card'],
    ['compares an element at another index', { cs: [{ e: 1 }] }, ['cs.5.e'], 'cs.5.e'],
    ['compares another value', { card: { brand: 'b' }, n: 1 }, ['card.number'], undefined],
    ['has no value', { card: {} }, ['card.number'], undefined],
    ['is missing', undefined, ['card.number'], undefined],
  ])('is rejected if it could reveal a value: %s', (_, condition, paths, named) => {
    const refused = () => refuseCondition(condition, paths, 'ask');
    if (named === undefined) return expect(refused()).toBeUndefined();
    expect(refused).toThrow(
      `context: a template declares ${named} as sensitive, so it cannot be searched for; omit it, or ask`,
    );
  });
});
