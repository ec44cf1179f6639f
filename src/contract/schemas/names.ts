import { z } from 'zod';

/** The schemas that have a name in the OpenAPI document and in generated types. */
export const NAMES = z.registry<{ id: string }>();
