import { z } from 'zod';
import { NAMES } from './names.ts';

export const ProblemSchema = z
  .object({
    severity: z.enum(['error', 'warning']),
    code: z.string(),
    message: z.string(),
    file: z.string().nullable(),
    line: z.int(),
    column: z.int(),
    path: z.string(),
  })
  .register(NAMES, { id: 'TemplateProblem' });

export const about = {
  namespace: z.string(),
  name: z.string(),
  version: z.string(),
  digest: z.string(),
  previous_digest: z
    .string()
    .nullable()
    .meta({ description: 'The digest that new tasks of this version used before.' }),
};

export const change = z.enum(['new', 'changed', 'unchanged']);
