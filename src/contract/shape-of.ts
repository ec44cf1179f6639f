import { z } from 'zod';
import type { Shape } from './codec.ts';
import { FIELD_NAMES, SAME_NAMES, USER_JSON } from './schemas/user-json.ts';
import { partsOf } from './walk.ts';

const known = new WeakMap<z.ZodType, Shape>();

/**
 * Returns the shape of the values that a schema describes. It is made once.
 *
 * @throws TypeError if a union has several options that are objects, because nothing tells which one a value has
 */
export function shapeOf(schema: z.ZodType): Shape {
  const found = known.get(schema);
  if (found !== undefined) return found;
  const made = makeShape(schema);
  known.set(schema, made);
  return made;
}

function makeShape(schema: z.ZodType): Shape {
  if (FIELD_NAMES.has(schema)) return schema instanceof z.ZodRecord ? 'conditions' : 'names';
  if (USER_JSON.has(schema)) return 0;
  const parts = partsOf(schema);
  if (schema instanceof z.ZodObject) {
    const shapes = parts.map(({ at, schema: field }) => [at, shapeOf(field)] as const);
    const others = shapes.filter(([, shape]) => shape !== 0);
    return {
      fields: shapes.map(([name]) => name).join(' '),
      ...(others.length > 0 && { parts: Object.fromEntries(others) }),
      ...(SAME_NAMES.has(schema) && { sameNames: true }),
    };
  }
  const shapes = parts.map((part) => shapeOf(part.schema)).filter((shape) => shape !== 0);
  if (shapes.length > 1) throw new TypeError('a union of several objects has no shape; give it a schema of its own');
  const [shape = 0] = shapes;
  if (shape === 0) return 0;
  if (schema instanceof z.ZodArray) return { list: shape };
  if (schema instanceof z.ZodRecord) return { map: shape };
  return shape;
}
