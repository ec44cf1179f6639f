import { z } from 'zod';
import { path } from '../../client/path.ts';
import { getTool, type ReadTool, readTool, STEP, stepPath, TASK } from './tool.ts';

const text = z.string().optional();
const time = z.string().describe('ISO 8601, or an age: 15m, 2h, 7d.').optional();
const limitOf = (byDefault: number) => z.int().min(1).max(100).default(byDefault);
const page = {
  limit: limitOf(20),
  cursor: z.string().describe('`next_cursor` of the previous page.').optional(),
};
const filter = {
  namespace: text,
  name: z.string().describe('The name of a template.').optional(),
  template_version: z.string().describe('A version, or a range such as >=1.2.0 <2.0.0.').optional(),
  state: z.string().describe('Task states, separated by commas.').optional(),
  open: z.boolean().describe('Only tasks that have not ended.').optional(),
  tag: text,
  correlation_id: text,
  key: z.string().describe('The idempotency key of the task.').optional(),
  created_after: time,
  created_before: time,
  ended_after: time,
  step: z.string().describe('The name of a step; the conditions below then apply to that step.').optional(),
  step_state: text,
  handler: text,
  error_type: text,
  error: z.string().describe('A part of the error message.').optional(),
  worker: text,
};
const hasStep = { task_uuid: TASK, step: STEP };
const ofTemplate = { namespace: z.string(), name: z.string(), version: z.string() };

/** Parameters are not assigned to the path by name, because `step` is also a search parameter. */
const searches = ({ name, description, at }: { name: string; description: string; at: string }) =>
  readTool({
    name,
    description,
    permission: name === 'step_list' ? 'steps:read' : 'tasks:list',
    input: name === 'task_summary' ? filter : { ...filter, ...page },
    run: (ask, given) => ask({ method: 'GET', path: { text: at }, query: given }),
  });

const ofTask = (name: string, part: string, description: string) =>
  getTool({
    name,
    description,
    permission: 'tasks:read',
    input: { task_uuid: TASK },
    at: ({ task_uuid }) => (part === '' ? path`/v1/tasks/${task_uuid}` : path`/v1/tasks/${task_uuid}/${part}`),
  });

const fixed = (name: string, at: string, more: { permission?: ReadTool['permission']; description: string }) =>
  getTool({ name, input: {}, at: () => ({ text: at }), ...more });

/** The tools about tasks and steps. */
const TASK_TOOLS: readonly ReadTool[] = [
  searches({ name: 'task_list', at: '/v1/tasks', description: 'Finds tasks, newest first.' }),
  searches({
    name: 'task_summary',
    at: '/v1/summary',
    description: 'Counts tasks by template and state, and groups the failures that block them. Start here.',
  }),
  ofTask('task_inspect', '', 'Returns a task with its context and the readiness of its steps.'),
  ofTask('task_why', 'why', 'Explains why each step of a task is in its state, and what would change that.'),
  ofTask('task_timeline', 'timeline', 'Returns when each step was queued, running and waiting.'),
  getTool({
    name: 'task_visualize',
    description: 'Returns the graph of a task as a Mermaid flowchart, with the states of its steps.',
    permission: 'tasks:read',
    input: { task_uuid: TASK },
    at: ({ task_uuid }) => path`/v1/tasks/${task_uuid}/graph`,
    fixed: { format: 'mermaid' },
  }),
  searches({ name: 'step_list', at: '/v1/steps', description: 'Finds steps of all tasks.' }),
  readTool({
    name: 'step_inspect',
    description: 'Returns a step with its result or error.',
    permission: 'steps:read',
    input: hasStep,
    run: async (ask, given) =>
      ask({ method: 'GET', path: path`/v1/tasks/${given.task_uuid}/workflow_steps/${await stepPath(ask, given)}` }),
  }),
  readTool({
    name: 'step_audit',
    description: "Returns the outcomes of a step's attempts, newest first.",
    permission: 'steps:read',
    input: hasStep,
    run: async (ask, given) =>
      ask({
        method: 'GET',
        path: path`/v1/tasks/${given.task_uuid}/workflow_steps/${await stepPath(ask, given)}/audit`,
      }),
  }),
  getTool({
    name: 'step_logs',
    description: 'Returns the log lines of the handler of a step. Usually, only the lines of failed attempts are kept.',
    permission: 'steps:read',
    input: { ...hasStep, attempt: z.int().min(1).optional() },
    at: ({ task_uuid, step }) => path`/v1/tasks/${task_uuid}/workflow_steps/${step}/logs`,
  }),
  getTool({
    name: 'signal_list',
    description: 'Lists the signals that a task received.',
    permission: 'tasks:read',
    input: { task_uuid: TASK, ...page },
    at: ({ task_uuid }) => path`/v1/tasks/${task_uuid}/signals`,
  }),
  getTool({
    name: 'approval_list',
    description: 'Lists open approvals, oldest first.',
    permission: 'approvals:read',
    input: { assignee: text, namespace: text, task: TASK.optional(), ...page },
    at: () => path`/v1/approvals`,
  }),
];

/** The tools about the installation. */
const SYSTEM_TOOLS: readonly ReadTool[] = [
  getTool({
    name: 'dlq_list',
    description: 'Lists dead letters, newest first.',
    permission: 'dlq:read',
    input: {
      resolution_status: z.enum(['pending', 'manually_resolved', 'permanently_failed', 'cancelled']).optional(),
      limit: limitOf(20),
      offset: z.int().min(0).default(0),
    },
    at: () => path`/v1/dlq`,
  }),
  getTool({
    name: 'dlq_inspect',
    description: 'Returns the newest dead letter of a task.',
    permission: 'dlq:read',
    input: { task_uuid: TASK },
    at: ({ task_uuid }) => path`/v1/dlq/task/${task_uuid}`,
  }),
  fixed('dlq_stats', '/v1/dlq/stats', { permission: 'dlq:stats', description: 'Counts dead letters by reason.' }),
  getTool({
    name: 'dlq_queue',
    description: 'Lists open dead letters by priority.',
    permission: 'dlq:read',
    input: { limit: limitOf(20) },
    at: () => path`/v1/dlq/investigation-queue`,
  }),
  getTool({
    name: 'staleness_check',
    description: 'Lists open tasks that are close to a limit of their lifecycle, or beyond it.',
    permission: 'dlq:read',
    input: { limit: limitOf(20) },
    at: () => path`/v1/dlq/staleness`,
  }),
  getTool({
    name: 'analytics_performance',
    description: 'Returns counts, rates and durations of the last hours.',
    permission: 'system:analytics_read',
    input: { hours: z.int().min(1).max(8760).default(24) },
    at: () => path`/v1/analytics/performance`,
  }),
  getTool({
    name: 'analytics_bottlenecks',
    description: 'Returns the slowest steps and templates of the last day.',
    permission: 'system:analytics_read',
    input: { limit: limitOf(10), min_executions: z.int().min(0).default(5) },
    at: () => path`/v1/analytics/bottlenecks`,
  }),
  readTool({
    name: 'stats',
    description: 'Returns success rates, durations and queueing times of tasks and steps.',
    permission: 'system:analytics_read',
    input: {
      namespace: text,
      name: text,
      template_version: text,
      step: text,
      since: time,
      until: time,
      limit: limitOf(20),
    },
    run: (ask, query) => ask({ method: 'GET', path: path`/v1/stats`, query }),
  }),
  fixed('system_health', '/health/detailed', { description: 'Returns the state of every part of the server.' }),
  fixed('system_status', '/v1/status', {
    permission: 'system:analytics_read',
    description: 'Returns workers, queues, open tasks, counts of problems that need a person, and rates.',
  }),
  fixed('system_config', '/config', {
    permission: 'system:config_read',
    description: 'Returns the effective configuration, with secrets hidden.',
  }),
  getTool({
    name: 'worker_list',
    description: 'Lists workers, with their namespaces and running steps.',
    permission: 'workers:read',
    input: page,
    at: () => path`/v1/workers`,
  }),
  getTool({
    name: 'template_list_remote',
    description: 'Lists the registered templates.',
    permission: 'templates:read',
    input: { namespace: text },
    at: () => path`/v1/templates`,
  }),
  readTool({
    name: 'template_inspect_remote',
    description: 'Returns a whole registered template: steps, schemas, retries.',
    permission: 'templates:read',
    input: ofTemplate,
    run: (ask, { namespace, name, version }) =>
      ask({
        method: 'GET',
        path: path`/v1/templates/${namespace}/${name}/${version}/source`,
        query: { format: 'json' },
      }),
  }),
];

/** The tools that read tasks and the installation. */
export const READ_TOOLS: readonly ReadTool[] = [...TASK_TOOLS, ...SYSTEM_TOOLS];
