import { z } from 'zod';

/**
 * A schema with a name in the document, or null. `nullable()` would make the document wrong: it would reject null, or
 * allow it wherever the name is used.
 */
export const orNull = <Schema extends z.ZodType>(schema: Schema) => z.union([schema, z.null()]);
