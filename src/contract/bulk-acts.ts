import { z } from 'zod';
import type { Permission } from '../model/permissions.ts';
import { named } from './schemas/action-results.ts';
import { StartedSchema } from './schemas/bulk-acts.ts';
import { NAMES } from './schemas/names.ts';
import { ActBody, OPERATOR } from './schemas/operator.ts';
import { pageFields, pageQuery } from './schemas/query.ts';
import { BulkReportSchema, BulkSchema } from './schemas/records.ts';
import { userFields, userJson } from './schemas/user-json.ts';
import { verb } from './verb.ts';

/** The actions, with the permission that each needs. */
export const PERMISSIONS = {
  task_retry: 'tasks:update',
  task_cancel: 'tasks:cancel',
  task_resolve: 'tasks:update',
  task_delete: 'tasks:delete',
  task_redrive: 'dlq:update',
  task_undo: 'tasks:update',
  step_retry: 'steps:resolve',
  step_reset: 'steps:resolve',
  step_resolve: 'steps:resolve',
} as const satisfies Record<string, Permission>;

type Action = keyof typeof PERMISSIONS;

/** Maximum number of ids in one request. Use a filter for more tasks. */
const MOST_IDS = 10_000;

export const BulkActRequestSchema = z
  .strictObject({
    ...OPERATOR,
    action: z.enum(Object.keys(PERMISSIONS) as [Action, ...Action[]]),
    filter: userFields('context')
      .optional()
      .meta({ description: 'The conditions of GET /v1/tasks, such as `{"error_type": "timeout"}`.' }),
    ids: z.array(z.string()).min(1).max(MOST_IDS).optional().meta({ description: 'Ids of tasks, or of steps.' }),
    steps: z
      .array(z.strictObject({ task_uuid: z.string(), step: named(1000) }))
      .min(1)
      .max(MOST_IDS)
      .optional(),
    result: userJson('result', { description: 'For step_resolve.' }).optional(),
    dry_run: z.boolean().default(false),
  })
  .register(NAMES, { id: 'BulkActRequest' });

const Id = z.object({ id: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) });

/** The verbs for bulk acts. */
export const bulkActs = {
  start: verb({
    method: 'post',
    path: '/v1/bulk-acts',
    on: 'visible',
    permission: 'tasks:update',
    summary: 'Acts on many tasks or steps; GET /v1/bulk-acts/{id} shows the progress',
    description:
      'A repeated request with the same `Idempotency-Key` starts nothing, and returns the action that the first request started.',
    takes: { headers: z.object({ 'idempotency-key': named(256).optional() }), body: BulkActRequestSchema },
    gives: StartedSchema,
    status: 202,
    errors: [404, 409],
  }),
  stop: verb({
    method: 'post',
    path: '/v1/bulk-acts/{id}/stop',
    on: 'visible',
    permission: 'tasks:update',
    summary: 'Stops a bulk action after the transaction in progress',
    takes: { path: Id, optionalBody: ActBody },
    gives: z.object({ id: z.int(), stopped: z.boolean() }),
    errors: [404],
  }),
  resume: verb({
    method: 'post',
    path: '/v1/bulk-acts/{id}/resume',
    on: 'visible',
    permission: 'tasks:update',
    summary: 'Continues a bulk action that was stopped or whose process died; finished items are not repeated',
    takes: { path: Id, optionalBody: ActBody },
    gives: StartedSchema,
    status: 202,
    errors: [404, 409],
  }),
  list: verb({
    method: 'get',
    path: '/v1/bulk-acts',
    on: 'visible',
    permission: 'audit:read',
    summary: 'Lists bulk actions, newest first',
    takes: { query: z.object(pageQuery()) },
    gives: z.object({ bulk_acts: z.array(BulkSchema), ...pageFields }).register(NAMES, { id: 'BulkActList' }),
  }),
  get: verb({
    method: 'get',
    path: '/v1/bulk-acts/{id}',
    on: 'visible',
    permission: 'audit:read',
    summary: 'Returns a bulk action with its progress, and the items that were skipped or failed',
    takes: { path: z.object({ id: z.coerce.number().int().min(1) }) },
    gives: BulkReportSchema,
    errors: [404],
  }),
};
