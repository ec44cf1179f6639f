import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { decodeShape, encodeShape } from '../../src/contract/codec.ts';
import { CONTRACT } from '../../src/contract/contract.ts';
import { FIELD_NAMES, SAME_NAMES, USER_JSON } from '../../src/contract/schemas/user-json.ts';
import { shapeOf } from '../../src/contract/shape-of.ts';
import type { Verb } from '../../src/contract/verb.ts';
import { camelCase } from '../../src/model/key-case.ts';

/** Keys of user-defined JSON that resemble names of the contract, or that objects treat specially. */
const KEYS = [
  'counts',
  'states',
  'task_uuid',
  'createdAt',
  'error',
  'form',
  'context',
  'at_least',
  '__proto__',
  '_a',
  '*',
];
const anyKey = fc.oneof(fc.constantFrom(...KEYS), fc.string());
const { anyJson } = fc.letrec((tie) => ({
  anyJson: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, true, 0, 'text'),
    fc.array(tie('anyJson'), { maxLength: 3 }),
    fc.dictionary(anyKey, tie('anyJson'), { maxKeys: 3, noNullPrototype: true }),
  ),
})) as { anyJson: fc.Arbitrary<unknown> };

/** Creates values that a schema describes, in the form of the library. */
function viewsOf(one: z.ZodType): fc.Arbitrary<unknown> {
  if (FIELD_NAMES.has(one)) {
    const names = fc.constantFrom('readySteps', 'stale', 'errorType');
    return one instanceof z.ZodRecord ? fc.dictionary(names, anyJson) : fc.array(names, { maxLength: 2 });
  }
  if (USER_JSON.has(one)) return anyJson;
  if (one instanceof z.ZodObject) {
    const named = (name: string) => (SAME_NAMES.has(one) ? name : camelCase(name));
    const fields = Object.entries(one.shape).map(([name, field]) => [named(name), viewsOf(field as z.ZodType)]);
    const required = Object.entries(one.shape)
      .filter(([, field]) => !(field instanceof z.ZodOptional))
      .map(([name]) => named(name));
    return fc.record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<unknown>>, { requiredKeys: required });
  }
  if (one instanceof z.ZodArray) return fc.array(viewsOf(one.element as z.ZodType), { maxLength: 2 });
  if (one instanceof z.ZodRecord) return fc.dictionary(anyKey, viewsOf(one.valueType as z.ZodType), { maxKeys: 2 });
  if (one instanceof z.ZodUnion) return fc.oneof(...(one.options as z.ZodType[]).map(viewsOf));
  if (one instanceof z.ZodNullable) return fc.option(viewsOf(one.unwrap() as z.ZodType));
  if (one instanceof z.ZodOptional || one instanceof z.ZodDefault) return viewsOf(one.unwrap() as z.ZodType);
  return fc.constantFrom('a_b', 'aB', 7, true);
}

describe('a client decodes the response of a server to the same value', () => {
  const verbs = Object.entries(CONTRACT).flatMap(([noun, group]) =>
    Object.entries<Verb>(group).map(([name, verb]) => ({ name: `${noun}.${name}`, gives: verb.gives })),
  );
  it.each(verbs)('for $name', ({ gives }) => {
    const shape = shapeOf(gives);
    fc.assert(
      fc.property(viewsOf(gives), (view) => {
        const text = JSON.stringify(encodeShape(shape, view) ?? null);
        const back = decodeShape(shape, JSON.parse(text));
        expect(JSON.stringify(back)).toBe(JSON.stringify(view ?? null));
      }),
      { numRuns: 30 },
    );
  });
});
