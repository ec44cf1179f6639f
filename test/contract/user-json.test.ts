import { expect, it } from 'vitest';
import { z } from 'zod';
import { CONTRACT } from '../../src/contract/contract.ts';
import { USER_JSON, userFields, userJson } from '../../src/contract/schemas/user-json.ts';
import type { Verb } from '../../src/contract/verb.ts';
import { walk } from '../../src/contract/walk.ts';

/** Returns the paths of values that a schema does not describe, and that have no kind. */
function unmarked(schema: z.ZodType): string[] {
  const found = new Set<string>();
  const marked = new Set<z.ZodType>();
  walk(schema, (part, path) => {
    if (USER_JSON.has(part)) {
      marked.add(part);
      if (part instanceof z.ZodRecord) marked.add(part.valueType as z.ZodType);
    }
    const unknown = part instanceof z.ZodUnknown || part instanceof z.ZodAny || part instanceof z.ZodCustom;
    const loose = part instanceof z.ZodObject && part.def.catchall && !(part.def.catchall instanceof z.ZodNever);
    if ((unknown || loose) && !marked.has(part)) found.add(path);
  });
  return [...found];
}

it('every value of the contract has a schema, or the kind of JSON that it is', () => {
  const wrong = Object.entries(CONTRACT).flatMap(([noun, verbs]) =>
    Object.entries<Verb>(verbs).flatMap(([name, { gives, takes = {} }]) =>
      [gives, takes.path, takes.query, takes.headers, takes.body, takes.optionalBody]
        .concat(Object.values(takes.bodyByHand ?? {}))
        .flatMap((schema) => (schema ? unmarked(schema).map((path) => `${noun}.${name}: ${path}`) : [])),
    ),
  );
  expect(wrong, 'use userJson(), userFields() or givenFields() of src/contract/schemas/user-json.ts').toEqual([]);
});

it('a context, a result or a payload without a kind is found wherever it is', () => {
  const item = z.object({ context: z.record(z.string(), z.unknown()), result: z.unknown().optional() });
  const page = z.object({ items: z.array(item), extra: z.union([z.object({ payload: z.any() }), z.null()]) });
  expect(unmarked(page)).toEqual(['items[].context.*', 'items[].result', 'extra.payload']);
  expect(unmarked(z.looseObject({ id: z.string() }))).toEqual(['']);
  expect(unmarked(z.object({ context: userFields('context').nullable(), result: userJson('result') }))).toEqual([]);
});
