import { OpenAPIHono, z } from '@hono/zod-openapi';
import { statsJson, statusJson, summaryJson } from '../../app/json/overview.ts';
import { snakeKeys } from '../../app/json/views.ts';
import { lastPruneOf } from '../../app/overview/status.ts';
import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import { type Caller, callerOf } from '../caller.ts';
import { orNull } from '../or-null.ts';
import { limitOf, time } from '../query.ts';
import { refuseInvalid } from '../refuse-invalid.ts';
import { describeRoute } from '../route.ts';
import { filterQuery } from '../schemas/task-queries.ts';
import { checkSeesAll, searchedNamespaces } from '../scope.ts';
import { filterOf } from '../task-filter.ts';
import { PruneSchema, StatsSchema, StatusSchema, SummarySchema } from './overview-schemas.ts';

const STATUS = describeRoute({
  method: 'get',
  path: '/v1/status',
  permission: 'system:analytics_read',
  summary: 'Returns the state of the installation: workers, queues, open tasks, counts of problems, and rates',
  answer: StatusSchema,
});
const SUMMARY = describeRoute({
  method: 'get',
  path: '/v1/summary',
  permission: 'tasks:list',
  scoped: true,
  summary: 'Counts tasks by template and state, and groups the causes that block them',
  description:
    'Without a condition on a time, ended tasks are counted if they ended in the last 24 hours; `ended_since` changes that. `filter` of a group has the parameters of `GET /v1/tasks`, with `status` for `state`.',
  request: {
    query: z.object({ ...filterQuery, ended_since: time.optional(), limit: limitOf(100) }),
  },
  answer: SummarySchema,
});
const STATS = describeRoute({
  method: 'get',
  path: '/v1/stats',
  permission: 'system:analytics_read',
  scoped: true,
  summary: 'Returns statistics of tasks and steps: rates, durations and queueing times',
  request: {
    query: z.object({
      namespace: z.string().optional(),
      name: z.string().optional().openapi({ description: 'The name of a template.' }),
      template_version: z.string().optional(),
      step: z.string().optional(),
      since: time.optional().openapi({ description: 'Default: one hour ago.' }),
      until: time.optional(),
      sort: z.enum(['time', 'duration', 'queueing', 'failures', 'count']).optional(),
      limit: limitOf(100),
    }),
  },
  answer: StatsSchema,
  errors: [404],
});
const RETENTION = describeRoute({
  method: 'get',
  path: '/v1/retention',
  permission: 'system:config_read',
  summary: 'Returns the policy for pruning tasks, and the last prune',
  description: 'The policy in the configuration of the server. Workers prune by their own configuration.',
  answer: z
    .object({
      policy: z
        .object({
          rules: z.array(z.record(z.string(), z.unknown())).openapi({
            description:
              'The first rule that matches a task applies. `keep_ms`: time after the end of the task; 0 means forever.',
          }),
          archive: z.string().nullable().openapi({ description: 'The folder for archive files.' }),
          release_keys: z.boolean(),
          share: z.number(),
        })
        .nullable()
        .openapi({ description: 'If null, tasks are kept forever.' }),
      events_retention_ms: z.number().nullable(),
      audit_retention_ms: z.number().nullable(),
      last_prune: orNull(PruneSchema),
    })
    .openapi('Retention'),
});

/** The period in which ended tasks are counted. The command line has the same default. */
const RECENT = '24h';
const TIMES = [
  'created_after',
  'created_before',
  'ended_after',
  'ended_before',
  'updated_after',
  'updated_before',
  'key',
  'correlation_id',
  'parent_correlation_id',
] as const;

/** Routes for the overview of an installation. */
export function overviewRoutes(tasker: Tasker): OpenAPIHono {
  return new OpenAPIHono({ defaultHook: refuseInvalid })
    .openapi(STATUS, async (c) => {
      checkSeesAll(callerOf(c), 'GET /v1/status', 'GET /v1/summary and GET /v1/queues');
      return c.json(statusJson(await tasker.status()), 200);
    })
    .openapi(SUMMARY, async (c) => {
      const { ended_since: given, limit: groups, ...query } = c.req.valid('query');
      const recent = TIMES.every((key) => query[key] === undefined) ? RECENT : undefined;
      const filter = filterOf(query, callerOf(c));
      const summary = await tasker.summarizeTasks(filter, { groups, endedSince: given ?? recent });
      return c.json(summaryJson(summary, filter), 200);
    })
    .openapi(STATS, async (c) => {
      const { template_version: templateVersion, namespace, ...options } = c.req.valid('query');
      const only = onlyNamespace(callerOf(c), namespace);
      const found = await tasker.analytics({ ...options, templateVersion, namespace: only });
      return c.json(statsJson(found), 200);
    })
    .openapi(RETENTION, async (c) => {
      const { policy, eventsMs, auditMs } = tasker.retention;
      const prune = await lastPruneOf(tasker.engine);
      return c.json(
        {
          policy: policy
            ? {
                rules: policy.rules.map((rule): Record<string, unknown> => ({ ...snakeKeys(rule) })),
                archive: policy.archive ?? null,
                release_keys: policy.releaseKeys,
                share: policy.share,
              }
            : null,
          events_retention_ms: eventsMs,
          audit_retention_ms: auditMs,
          last_prune: prune && snakeKeys(prune),
        },
        200,
      );
    });
}

/** Returns the namespace of statistics, which cover one or all. @throws TaskerError `bad_request`, `forbidden` */
function onlyNamespace(caller: Caller, asked: string | undefined): string | undefined {
  const found = searchedNamespaces(caller, asked);
  if (found === undefined || typeof found === 'string') return found;
  if (found.length === 1) return found[0];
  const names = caller.namespaces?.join(', ') ?? '';
  if (asked === undefined) {
    throw new TaskerError('bad_request', `namespace is missing; this credential may see ${names}: pass one of them`);
  }
  throw new TaskerError('forbidden', `this credential may not see namespace ${asked}, only ${names}`);
}
