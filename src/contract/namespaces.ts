import { z } from 'zod';
import { NAMES } from './schemas/names.ts';
import { ActBody } from './schemas/operator.ts';
import { orNull } from './schemas/or-null.ts';
import { pageFields } from './schemas/query.ts';
import { PauseSchema } from './schemas/task-details.ts';
import { common, PAUSES } from './templates.ts';
import { verb } from './verb.ts';

const OfNamespace = z.object({ namespace: z.string() });

/** The verbs for namespaces. */
export const namespaces = {
  pause: verb({
    ...common,
    path: '/v1/namespaces/{namespace}/pause',
    on: 'namespace',
    summary: `Pauses a namespace: ${PAUSES}`,
    takes: { path: OfNamespace, optionalBody: ActBody },
  }),
  resume: verb({
    ...common,
    path: '/v1/namespaces/{namespace}/resume',
    on: 'namespace',
    summary: 'Ends the pause of a namespace',
    takes: { path: OfNamespace, optionalBody: ActBody },
  }),
  list: verb({
    method: 'get',
    path: '/v1/namespaces',
    on: 'visible',
    permission: 'templates:read',
    summary: 'Lists the namespaces, with their ready steps and their pause',
    gives: z
      .object({
        namespaces: z.array(
          z.object({
            name: z.string(),
            templates: z.int(),
            ready_steps: z.int(),
            paused_steps: z.int(),
            pause: orNull(PauseSchema),
          }),
        ),
        ...pageFields,
      })
      .register(NAMES, { id: 'NamespaceList' }),
  }),
};
