import { z } from 'zod';
import { NAMES } from './schemas/names.ts';
import { ActBody } from './schemas/operator.ts';
import { orNull } from './schemas/or-null.ts';
import { NamespacePath } from './schemas/paths.ts';
import { pageFields } from './schemas/query.ts';
import { PauseSchema } from './schemas/task-details.ts';
import { PAUSES, PAUSING } from './templates.ts';
import { verb } from './verb.ts';

/** The verbs for namespaces. */
export const namespaces = {
  pause: verb({
    ...PAUSING,
    path: '/v1/namespaces/{namespace}/pause',
    on: 'namespace',
    summary: `Pauses a namespace: ${PAUSES}`,
    takes: { path: NamespacePath, optionalBody: ActBody },
    mcp: {
      name: 'namespace_pause',
      description: 'Pauses a namespace: no other step starts until the pause ends.',
      does: 'pause namespace {namespace}',
      preview: '/v1/queues?namespace={namespace}',
    },
  }),
  resume: verb({
    ...PAUSING,
    path: '/v1/namespaces/{namespace}/resume',
    on: 'namespace',
    summary: 'Ends the pause of a namespace',
    takes: { path: NamespacePath, optionalBody: ActBody },
    mcp: {
      name: 'namespace_resume',
      does: 'end the pause of namespace {namespace}',
      preview: '/v1/queues?namespace={namespace}',
    },
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
