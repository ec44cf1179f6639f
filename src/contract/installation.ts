import { z } from 'zod';
import { NAMES } from './schemas/names.ts';
import { PauseListSchema } from './schemas/operators.ts';
import { orNull } from './schemas/or-null.ts';
import { PruneSchema, RetentionRuleSchema, StatsSchema, StatusSchema, SummarySchema } from './schemas/overview.ts';
import { limitOf, pageQuery, time } from './schemas/query.ts';
import { filterQuery, RARE_CONDITIONS } from './schemas/task-filter.ts';
import { verb } from './verb.ts';

/** The verbs for installation. */
export const installation = {
  pauses: verb({
    method: 'get',
    path: '/v1/pauses',
    on: 'visible',
    permission: 'tasks:list',
    summary: 'Lists the pauses in force. A credential for some namespaces sees only pauses within these namespaces',
    takes: { query: z.object(pageQuery(1000)) },
    gives: PauseListSchema,
  }),
  status: verb({
    method: 'get',
    path: '/v1/status',
    on: 'installation',
    permission: 'system:analytics_read',
    summary: 'Returns the state of the installation: workers, queues, open tasks, counts of problems, and rates',
    gives: StatusSchema,
    mcp: {
      name: 'system_status',
      description: 'Returns workers, queues, open tasks, counts of problems that need a person, and rates.',
    },
  }),
  summary: verb({
    method: 'get',
    path: '/v1/summary',
    on: 'visible',
    permission: 'tasks:list',
    summary: 'Counts tasks by template and state, and groups the causes that block them',
    description:
      'Without a condition on a time, ended tasks are counted if they ended in the last 24 hours; `ended_since` changes that. `filter` of a group has the parameters of `GET /v1/tasks`, with `status` for `state`.',
    takes: {
      query: z.object({ ...filterQuery, ended_since: time.optional(), limit: limitOf(100) }),
    },
    gives: SummarySchema,
    mcp: {
      name: 'task_summary',
      description:
        'Counts tasks by template and state, and groups the failures that block them. Start here. Takes the conditions of task_list.',
      describedBy: 'task_list',
      without: [...RARE_CONDITIONS, 'ended_since', 'limit'],
    },
  }),
  stats: verb({
    method: 'get',
    path: '/v1/stats',
    on: 'visible',
    permission: 'system:analytics_read',
    summary: 'Returns statistics of tasks and steps: rates, durations and queueing times',
    takes: {
      query: z.object({
        namespace: z.string().optional(),
        name: z.string().optional().meta({ description: 'The name of a template.' }),
        template_version: z.string().optional(),
        step: z.string().optional(),
        since: time.optional().meta({ description: 'Default: one hour ago.' }),
        until: time.optional(),
        sort: z.enum(['time', 'duration', 'queueing', 'failures', 'count']).optional(),
        limit: limitOf(100),
      }),
    },
    gives: StatsSchema,
    errors: [404],
    mcp: {
      name: 'stats',
      description: 'Returns success rates, durations and queueing times of tasks and steps.',
      about: { name: '', since: 'ISO 8601, or an age: 15m, 2h, 7d. Default: 1h.', until: '' },
      without: ['sort'],
    },
  }),
  retention: verb({
    method: 'get',
    path: '/v1/retention',
    on: 'installation',
    permission: 'system:config_read',
    summary: 'Returns the policy for pruning tasks, and the last prune',
    description: 'The policy in the configuration of the server. Workers prune by their own configuration.',
    gives: z
      .object({
        policy: z
          .object({
            rules: z.array(RetentionRuleSchema).meta({
              description:
                'The first rule that matches a task applies. `keep_ms`: time after the end of the task; 0 means forever.',
            }),
            archive: z.string().nullable().meta({ description: 'The folder for archive files.' }),
            release_keys: z.boolean(),
            share: z.number(),
          })
          .nullable()
          .meta({ description: 'If null, tasks are kept forever.' }),
        events_retention_ms: z.number().nullable(),
        audit_retention_ms: z.number().nullable(),
        last_prune: orNull(PruneSchema),
      })
      .register(NAMES, { id: 'Retention' }),
  }),
};
