import { z } from 'zod';
import { NAMES } from './schemas/names.ts';
import { flag, pageFields, pageQuery, time } from './schemas/query.ts';
import { AuditSchema } from './schemas/records.ts';
import { verb } from './verb.ts';

/** The verbs for audit. */
export const audit = {
  list: verb({
    method: 'get',
    path: '/v1/audit',
    on: 'visible',
    permission: 'audit:read',
    summary: 'Lists actions of operators and of lifecycles, newest first',
    takes: {
      query: z.object({
        actor: z.string().optional(),
        action: z.string().optional(),
        door: z.enum(['library', 'cli', 'rest', 'lifecycle', 'policy']).optional(),
        after: time.optional(),
        before: time.optional(),
        task: z.string().optional().meta({ description: 'The id of a task.' }),
        bulk: z.coerce.number().int().min(1).optional().meta({ description: 'The id of a bulk action.' }),
        target: z.string().optional(),
        fold: flag.optional().meta({
          description:
            'Returns one entry for each bulk action, with the number of its actions in `entries`. Has no effect for a credential that is limited to namespaces.',
        }),
        ...pageQuery(),
      }),
    },
    gives: z.object({ entries: z.array(AuditSchema), ...pageFields }).register(NAMES, { id: 'AuditList' }),
  }),
};
