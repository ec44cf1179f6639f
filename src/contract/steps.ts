import { z } from 'zod';
import { ActedStepSchema, named, time } from './schemas/action-results.ts';
import { NAMES } from './schemas/names.ts';
import { ActBody, OPERATOR } from './schemas/operator.ts';
import { StepPath, TaskPath } from './schemas/paths.ts';
import { pageQuery } from './schemas/query.ts';
import { FoundStepSchema, searchFields } from './schemas/step-search.ts';
import { filterQuery, RARE_CONDITIONS } from './schemas/task-filter.ts';
import { StepActionSchema, StepAuditSchema, StepResponseSchema } from './schemas/tasks.ts';
import { userFields } from './schemas/user-json.ts';
import { verb } from './verb.ts';

/** A step by its id only, as clients of the earlier system name it. */
export const StepIdPath = TaskPath.extend({ step_uuid: z.string() });

const common = { method: 'post', permission: 'steps:resolve', gives: ActedStepSchema, errors: [404, 409] } as const;

const act = { path: StepPath, optionalBody: ActBody };

/** The verbs for steps. */
export const steps = {
  list: verb({
    tolerant: true,
    method: 'get',
    path: '/v1/tasks/{uuid}/workflow_steps',
    on: 'task',
    permission: 'steps:read',
    summary: 'Returns the steps of a task',
    etag: true,
    takes: { path: TaskPath },
    gives: z.array(StepResponseSchema),
    errors: [404],
  }),
  get: verb({
    tolerant: true,
    method: 'get',
    path: '/v1/tasks/{uuid}/workflow_steps/{step_uuid}',
    on: 'task',
    permission: 'steps:read',
    summary: 'Returns a step',
    etag: true,
    takes: { path: StepIdPath },
    gives: StepResponseSchema,
    errors: [404],
    mcp: { name: 'step_inspect', description: 'Returns a step with its result or error.' },
  }),
  update: verb({
    tolerant: true,
    method: 'patch',
    path: '/v1/tasks/{uuid}/workflow_steps/{step_uuid}',
    on: 'task',
    operationId: 'resolveTaskWorkflowStep',
    permission: 'steps:resolve',
    summary: 'Resets, resolves or completes a step by hand',
    takes: { path: StepIdPath, body: StepActionSchema },
    gives: StepResponseSchema,
    errors: [404],
    mcp: [
      {
        name: 'step_retry',
        description: 'Retries a failed step with its full number of attempts.',
        does: 'retry step {step} of task {task_uuid}',
        fixed: { action_type: 'reset_for_retry' },
        operator: 'reset_by',
      },
      {
        name: 'step_resolve',
        description: 'Marks a step as resolved without a result; the steps after it run.',
        does: 'resolve step {step} of task {task_uuid} without running it',
        destructive: true,
        fixed: { action_type: 'resolve_manually' },
        without: ['result'],
        operator: 'resolved_by',
      },
    ],
  }),
  audit: verb({
    tolerant: true,
    method: 'get',
    path: '/v1/tasks/{uuid}/workflow_steps/{step_uuid}/audit',
    on: 'task',
    permission: 'steps:read',
    summary: "Returns the outcomes of a step's attempts, newest first",
    etag: true,
    takes: { path: StepIdPath },
    gives: z.array(StepAuditSchema),
    errors: [404],
    mcp: { name: 'step_audit' },
  }),
  search: verb({
    method: 'get',
    path: '/v1/steps',
    on: 'visible',
    permission: 'steps:read',
    summary: 'Finds steps in all tasks that are ready, running, waiting, failed or resolved by hand',
    takes: { query: z.object({ ...filterQuery, order: z.enum(['asc', 'desc']).optional(), ...pageQuery() }) },
    gives: z.object({ steps: z.array(FoundStepSchema), ...searchFields }).register(NAMES, { id: 'StepList' }),
    mcp: {
      name: 'step_list',
      description: 'Finds steps of all tasks, with the conditions of task_list.',
      describedBy: 'task_list',
      without: [...RARE_CONDITIONS, 'order'],
    },
  }),
  logs: verb({
    method: 'get',
    path: '/v1/tasks/{uuid}/workflow_steps/{step}/logs',
    on: 'task',
    permission: 'steps:read',
    summary: "Returns the log lines of a step's handler, by attempt",
    description: 'By default, only the last 200 lines of failed attempts are kept.',
    takes: {
      path: StepPath,
      query: z.object({ attempt: z.coerce.number().int().min(1).optional() }),
    },
    gives: z
      .object({
        logs: z.array(
          z.object({
            attempt: z.int(),
            lines: z.array(
              z.object({
                at: z.string(),
                level: z.string(),
                message: z.string(),
                fields: userFields('public'),
              }),
            ),
            dropped: z.int().meta({ description: 'Number of earlier lines that were dropped.' }),
          }),
        ),
      })
      .register(NAMES, { id: 'StepLogs' }),
    errors: [404],
    etag: true,
    mcp: {
      name: 'step_logs',
      description: "Returns the log lines of a step's handler, usually those of failed attempts.",
      about: { step: '' },
    },
  }),
  retry: verb({
    ...common,
    path: '/v1/tasks/{uuid}/workflow_steps/{step}/retry',
    on: 'task',
    summary: 'Retries a step that failed or waits for a retry',
    takes: act,
  }),
  fire: verb({
    ...common,
    path: '/v1/tasks/{uuid}/workflow_steps/{step}/fire',
    on: 'task',
    summary: 'Completes a timer step now',
    takes: act,
  }),
  move: verb({
    method: 'post',
    path: '/v1/tasks/{uuid}/workflow_steps/{step}/move',
    on: 'task',
    permission: 'steps:resolve',
    summary: 'Changes the time of a timer step',
    takes: {
      path: StepPath,
      body: z
        .strictObject({
          ...OPERATOR,
          until: named(100).optional().meta({ description: 'ISO 8601 with a zone.' }),
          in: named(100).optional().meta({ description: 'A duration from now, such as `2h`.' }),
        })
        .register(NAMES, { id: 'MoveTimerRequest' }),
    },
    gives: z.object({ task_uuid: z.uuid(), step: z.string(), until: time }),
    errors: [404, 409],
  }),
};
