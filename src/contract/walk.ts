import { z } from 'zod';

/** A schema inside another, with its place. */
export interface Part {
  /** The name of a field; `[]` for the items of an array, `*` for the values of a record; undefined for the same value. */
  at: string | undefined;
  schema: z.ZodType;
}

/** Returns the schemas that a schema consists of. Throws for a kind of schema that the contract does not use. */
export function partsOf(schema: z.ZodType): Part[] {
  const same = (...schemas: unknown[]): Part[] => schemas.map((one) => ({ at: undefined, schema: one as z.ZodType }));
  if (schema instanceof z.ZodObject)
    return Object.entries(schema.shape).map(([at, field]) => ({ at, schema: field as z.ZodType }));
  if (schema instanceof z.ZodArray) return [{ at: '[]', schema: schema.element as z.ZodType }];
  if (schema instanceof z.ZodRecord) return [{ at: '*', schema: schema.valueType as z.ZodType }];
  if (schema instanceof z.ZodUnion) return same(...schema.options);
  if (schema instanceof z.ZodPipe) return same(schema.in);
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodReadonly
  )
    return same(schema.unwrap());
  if (LEAVES.some((leaf) => schema instanceof leaf)) return [];
  throw new TypeError(`src/contract/walk.ts does not know schemas of the type ${schema.def.type}`);
}

const LEAVES = [
  z.ZodString,
  z.ZodStringFormat,
  z.ZodNumber,
  z.ZodBoolean,
  z.ZodNull,
  z.ZodEnum,
  z.ZodLiteral,
  z.ZodUnknown,
  z.ZodAny,
  z.ZodCustom,
  z.ZodNever,
];

/** Calls a function for a schema and everything in it, with the path of each: `tasks[].context`. */
export function walk(schema: z.ZodType, visit: (schema: z.ZodType, path: string) => void, path = ''): void {
  visit(schema, path);
  for (const { at, schema: part } of partsOf(schema)) walk(part, visit, at === undefined ? path : joined(path, at));
}

function joined(path: string, at: string): string {
  return at === '[]' || path === '' ? `${path}${at}` : `${path}.${at}`;
}
