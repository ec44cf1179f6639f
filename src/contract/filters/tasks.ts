import { type Conditions, type ConditionValues, namedConditions } from './condition.ts';

const TIME_FORMS = 'a time (2026-01-31T12:00Z, yesterday) or age (90s, 15m, 2h, 24h30m, 7d)';

const after = (event: string) =>
  ({ kind: 'after', event, value: 'time', help: `only tasks ${event} since ${TIME_FORMS}` }) as const;
const before = (event: string) =>
  ({ kind: 'before', event, value: 'time', help: `only tasks ${event} before a time or age` }) as const;

/** The conditions of a search for tasks or steps, under the names of their parameters, in the order of the help. */
export const TASK_CONDITIONS = {
  namespace: { kind: 'text', short: 'n', value: 'namespace', help: 'only tasks of this namespace' },
  name: {
    kind: 'text',
    value: 'name',
    help: 'only tasks of this template',
    description: 'The name of the template.',
  },
  template_version: {
    kind: 'text',
    value: 'version',
    help: 'only tasks of this version, or range such as ">=1.2.0 <2.0.0"',
    description: 'A version, or a range.',
    example: '>=1.2.0 <2.0.0',
  },
  state: {
    kind: 'states',
    own: 'status',
    short: 's',
    value: 'state',
    help: 'only tasks in this state; may be repeated',
    description: 'One state or several, separated by commas.',
    example: ['error', 'cancelled'],
  },
  open: {
    kind: 'flag',
    help: 'only tasks that have not ended',
    description: 'Only tasks that have not ended.',
  },
  ended: {
    kind: 'flag',
    help: 'only tasks that have ended',
    description: 'Only tasks that have ended.',
  },
  stale: {
    kind: 'flag',
    help: 'only tasks that exceed a limit of their lifecycle',
    description: 'Only tasks that exceed a limit of their lifecycle.',
  },
  tag: {
    kind: 'texts',
    value: 'tag',
    help: 'only tasks with this tag; may be repeated',
    description: 'May be repeated. A task must have all given tags.',
  },
  initiator: { kind: 'text', value: 'name', help: 'only tasks of this initiator' },
  source: { kind: 'text', value: 'name', help: 'only tasks of this source system' },
  source_system: { kind: 'text', own: 'source', description: 'The same as `source`.' },
  reason: { kind: 'text', value: 'text', help: 'only tasks that were created with this reason' },
  correlation_id: { kind: 'text', value: 'uuid', help: 'only tasks with this correlation id' },
  parent_correlation_id: { kind: 'text', value: 'uuid', help: 'only tasks with this parent correlation id' },
  parent_task: { kind: 'text', value: 'uuid', help: 'only the child tasks of this task' },
  root_task: { kind: 'text', value: 'uuid', help: 'only the tasks below this task, at all levels' },
  key: {
    kind: 'text',
    value: 'key',
    help: 'only tasks with this idempotency key',
    description: 'The idempotency key that the task was created with.',
  },
  created_after: after('created'),
  created_before: before('created'),
  ended_after: after('ended'),
  ended_before: before('ended'),
  updated_after: after('updated'),
  updated_before: before('updated'),
  context: {
    kind: 'object',
    value: 'json',
    help: 'only tasks whose context contains this JSON object; slow',
    description: 'JSON that the context contains. May be slow.',
  },
  step: {
    kind: 'text',
    value: 'name',
    help: 'only tasks with this step; the options below then apply to it',
    description: 'The name of a step. The conditions below then apply to that step.',
  },
  step_state: { kind: 'text', value: 'state', help: 'only tasks with a step in this state' },
  handler: { kind: 'text', value: 'name', help: 'only tasks with a step of this handler' },
  error_type: { kind: 'text', value: 'type', help: 'only tasks with a step that failed with this error type' },
  error: {
    kind: 'text',
    value: 'text',
    help: 'only tasks with a step whose error contains this text; slow',
    description: 'A part of the first line of the error. May be slow.',
  },
  worker: {
    kind: 'text',
    value: 'name',
    help: 'only tasks with a step that this worker runs, or that failed there last',
    description:
      'The worker that runs the step, or that last ran it before it failed. Steps that the worker completed are not found.',
  },
} as const satisfies Conditions;

/** The conditions under their names in the library, with the values of the options. */
export type TaskConditionValues = ConditionValues<typeof TASK_CONDITIONS>;

export const NAMED_TASK_CONDITIONS = namedConditions(TASK_CONDITIONS);
