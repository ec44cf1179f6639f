import { z } from '@hono/zod-openapi';

/**
 * A schema with a name in the document, or null. The document would be wrong with `nullable()`: null would be refused, or
 * allowed wherever the name is used.
 */
export const orNull = <Schema extends z.ZodType>(schema: Schema) => z.union([schema, z.null()]);
