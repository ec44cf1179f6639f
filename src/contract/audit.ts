import { z } from 'zod';
import { AUDIT_CONDITIONS } from './filters/audit.ts';
import { queryOf } from './schemas/conditions.ts';
import { NAMES } from './schemas/names.ts';
import { flag, pageFields, pageQuery } from './schemas/query.ts';
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
        ...queryOf(AUDIT_CONDITIONS),
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
