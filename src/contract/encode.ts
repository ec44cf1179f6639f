import type { z } from 'zod';
import { encodeShape } from './codec.ts';
import { shapeOf } from './shape-of.ts';

/**
 * Returns a value of the program as the JSON that a schema describes. See {@link encodeShape}.
 *
 * @throws TypeError if the schema has no shape
 */
export function encode<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  return encodeShape(shapeOf(schema), value) as z.output<Schema>;
}
