import { z } from 'zod';
import { DEAD_LETTER_CONDITIONS } from './filters/dead-letters.ts';
import { named, RedriveSchema } from './schemas/action-results.ts';
import { queryOf } from './schemas/conditions.ts';
import {
  DlqChangedSchema,
  DlqChangeSchema,
  DlqEntrySchema,
  DlqStatsSchema,
  QueueEntrySchema,
  StalenessSchema,
  statusText,
} from './schemas/dead-letters.ts';
import { NAMES } from './schemas/names.ts';
import { ActBody, OPERATOR } from './schemas/operator.ts';
import { DeadLetterDetailsSchema, DeadLetterPageSchema } from './schemas/operators.ts';
import { cursor, limitOf, queryNumber, time } from './schemas/query.ts';
import { givenFields } from './schemas/user-json.ts';
import { verb } from './verb.ts';

const DLQ_STATUSES = 'pending, manually_resolved, permanently_failed or cancelled.';

/** A dead letter, by its id. */
export const EntryPath = z.object({ dlq_entry_uuid: z.string() });

const ChangedSchema = z.object({ changed: z.int() }).register(NAMES, { id: 'ChangedDeadLetters' });

/** The verbs for dead letters. */
export const deadLetters = {
  list: verb({
    tolerant: true,
    method: 'get',
    path: '/v1/dlq',
    on: 'visible',
    permission: 'dlq:read',
    summary: 'Lists dead letters, newest first',
    takes: {
      query: z.object({
        resolution_status: statusText.optional(),
        limit: queryNumber(50, { max: 1000 }),
        offset: queryNumber(0, { min: 0, max: 100_000 }),
      }),
    },
    gives: z.array(DlqEntrySchema),
    mcp: { name: 'dlq_list', about: { resolution_status: DLQ_STATUSES } },
  }),
  ofTask: verb({
    tolerant: true,
    method: 'get',
    path: '/v1/dlq/task/{task_uuid}',
    on: 'task',
    permission: 'dlq:read',
    summary: 'Returns the newest dead letter of a task',
    takes: { path: z.object({ task_uuid: z.string() }) },
    gives: DlqEntrySchema,
    errors: [404],
    mcp: { name: 'dlq_inspect' },
  }),
  update: verb({
    tolerant: true,
    method: 'patch',
    path: '/v1/dlq/entry/{dlq_entry_uuid}',
    on: 'dead_letter',
    permission: 'dlq:update',
    summary: 'Changes a dead letter',
    takes: { path: z.object({ dlq_entry_uuid: z.string() }), body: DlqChangeSchema },
    gives: DlqChangedSchema,
    errors: [404, 409],
    mcp: {
      name: 'dlq_update',
      description: 'Changes the status or the notes of a dead letter. Its task does not change.',
      does: 'change dead letter {dlq_entry_uuid}',
      about: { resolution_status: DLQ_STATUSES },
      without: ['metadata', 'reason'],
      operator: 'resolved_by',
      preview: '/v1/dlq/task/{task_uuid}',
    },
  }),
  stats: verb({
    tolerant: true,
    method: 'get',
    path: '/v1/dlq/stats',
    on: 'visible',
    permission: 'dlq:stats',
    summary: 'Counts dead letters by reason',
    takes: {
      query: z.object({ namespace: z.string().optional(), name: z.string().optional(), added_after: time.optional() }),
    },
    gives: z.array(DlqStatsSchema),
    mcp: { name: 'dlq_stats', without: ['namespace', 'name', 'added_after'] },
  }),
  queue: verb({
    tolerant: true,
    method: 'get',
    path: '/v1/dlq/investigation-queue',
    on: 'visible',
    permission: 'dlq:read',
    summary: 'Lists open dead letters by priority',
    takes: { query: z.object({ limit: queryNumber(100, { max: 1000 }) }) },
    gives: z.array(QueueEntrySchema),
    mcp: { name: 'dlq_queue' },
  }),
  staleness: verb({
    tolerant: true,
    method: 'get',
    path: '/v1/dlq/staleness',
    on: 'visible',
    permission: 'dlq:read',
    summary: 'Lists open tasks with lifecycle limits, closest to a limit first',
    takes: { query: z.object({ limit: queryNumber(100, { max: 1000 }) }) },
    gives: z.array(StalenessSchema),
    mcp: {
      name: 'staleness_check',
      description: 'Lists open tasks that are close to a limit of their lifecycle, or beyond it.',
    },
  }),
  search: verb({
    method: 'get',
    path: '/v1/dlq/entries',
    on: 'visible',
    permission: 'dlq:read',
    summary:
      'Finds the dead letters that meet the given conditions; by default, the open entries, highest priority first',
    takes: {
      query: z.object({
        ...queryOf(DEAD_LETTER_CONDITIONS),
        sort: z.enum(['priority', 'added']).optional(),
        limit: limitOf(50),
        cursor,
      }),
    },
    gives: DeadLetterPageSchema,
  }),
  get: verb({
    method: 'get',
    path: '/v1/dlq/entry/{dlq_entry_uuid}',
    on: 'dead_letter',
    permission: 'dlq:read',
    summary: 'Returns a dead letter, by its id or the id of its task, with its notes and the snapshot of the task',
    takes: { path: z.object({ dlq_entry_uuid: z.string() }) },
    gives: DeadLetterDetailsSchema,
    errors: [404],
  }),
  add: verb({
    method: 'post',
    path: '/v1/dlq',
    on: 'visible',
    permission: 'dlq:update',
    summary: 'Adds a task to the dead letters',
    takes: {
      body: z
        .strictObject({
          ...OPERATOR,
          task_uuid: z.string(),
          assignee: named(128).optional(),
          priority: z.int().min(-100).max(100).optional(),
          metadata: givenFields('public').optional(),
        })
        .register(NAMES, { id: 'DeadLetterRequest' }),
    },
    gives: DeadLetterDetailsSchema,
    status: 201,
    errors: [404, 409],
  }),
  assign: verb({
    method: 'post',
    path: '/v1/dlq/entry/{dlq_entry_uuid}/assign',
    on: 'dead_letter',
    permission: 'dlq:update',
    summary: 'Assigns a dead letter to a person or a team; null removes the assignee',
    takes: {
      path: EntryPath,
      body: z
        .strictObject({
          ...OPERATOR,
          to: named(128).nullish(),
          priority: z.int().min(-100).max(100).optional(),
        })
        .register(NAMES, { id: 'AssignRequest' }),
    },
    gives: ChangedSchema,
    errors: [404, 409],
  }),
  note: verb({
    method: 'post',
    path: '/v1/dlq/entry/{dlq_entry_uuid}/note',
    on: 'dead_letter',
    permission: 'dlq:update',
    summary: 'Adds a remark to a dead letter',
    takes: {
      path: EntryPath,
      body: z.strictObject({ ...OPERATOR, note: z.string().min(1).max(10_000) }).register(NAMES, { id: 'NoteRequest' }),
    },
    gives: ChangedSchema,
    errors: [404],
  }),
  resolve: verb({
    method: 'post',
    path: '/v1/dlq/entry/{dlq_entry_uuid}/resolve',
    on: 'dead_letter',
    permission: 'dlq:update',
    summary: 'Closes a dead letter; its task does not change',
    takes: {
      path: EntryPath,
      optionalBody: z
        .strictObject({
          ...OPERATOR,
          status: z.enum(['manually_resolved', 'permanently_failed', 'cancelled']).default('manually_resolved'),
          notes: z.string().max(10_000).optional(),
        })
        .register(NAMES, { id: 'ResolveDeadLetterRequest' }),
    },
    gives: ChangedSchema,
    errors: [404, 409],
  }),
  redrive: verb({
    method: 'post',
    path: '/v1/dlq/entry/{dlq_entry_uuid}/redrive',
    on: 'dead_letter',
    permission: 'dlq:update',
    summary: 'Runs the task of a dead letter again, and closes the entry',
    takes: { path: EntryPath, optionalBody: ActBody },
    gives: RedriveSchema,
    errors: [404, 409],
  }),
};
