import { z } from 'zod';
import { cursor, named } from './schemas/action-results.ts';
import { KeyHeader } from './schemas/idempotency-key.ts';
import { NAMES } from './schemas/names.ts';
import { ActBody, OPERATOR } from './schemas/operator.ts';
import { queryNumber } from './schemas/query.ts';
import {
  BackfilledSchema,
  ChangedScheduleSchema,
  ChangeSchema,
  ScheduleSchema,
  SettingsSchema,
} from './schemas/schedules.ts';
import { givenFields } from './schemas/user-json.ts';
import { verb } from './verb.ts';

const Named = z.object({ name: z.string() });

/** The verbs for schedules. */
export const schedules = {
  list: verb({
    method: 'get',
    path: '/v1/schedules',
    on: 'visible',
    permission: 'schedules:read',
    summary: 'Lists schedules by name, with their next due times and last outcomes',
    takes: {
      query: z.object({
        state: z.enum(['active', 'paused', 'over']).optional(),
        source: named().optional(),
        limit: queryNumber(50, { max: 1000 }),
        cursor,
      }),
    },
    gives: z.object({ schedules: z.array(ScheduleSchema), next_cursor: z.string().nullable() }),
    mcp: { name: 'schedule_list', without: ['source'] },
  }),
  create: verb({
    method: 'post',
    path: '/v1/schedules',
    on: 'visible',
    permission: 'schedules:write',
    summary: 'Creates a schedule',
    takes: {
      body: SettingsSchema.extend({
        ...OPERATOR,
        paused: z.boolean().default(false),
        if_exists: z.enum(['error', 'keep', 'update']).default('error'),
      }).register(NAMES, { id: 'ScheduleRequest' }),
    },
    gives: ScheduleSchema,
    status: 201,
    errors: [404, 409],
  }),
  get: verb({
    method: 'get',
    path: '/v1/schedules/{name}',
    on: 'schedule',
    permission: 'schedules:read',
    summary: 'Returns a schedule with the outcomes of its due times, newest first',
    takes: { path: Named, query: z.object({ limit: queryNumber(20, { max: 1000 }), before: named(100).optional() }) },
    gives: ScheduleSchema,
    errors: [404],
    mcp: { name: 'schedule_inspect' },
  }),
  update: verb({
    method: 'patch',
    path: '/v1/schedules/{name}',
    on: 'schedule',
    permission: 'schedules:write',
    summary: 'Changes a schedule; null removes a setting',
    takes: { path: Named, body: ChangeSchema.extend(OPERATOR).register(NAMES, { id: 'ScheduleChange' }) },
    gives: ScheduleSchema,
    errors: [404],
  }),
  delete: verb({
    method: 'delete',
    path: '/v1/schedules/{name}',
    on: 'schedule',
    permission: 'schedules:write',
    summary: 'Deletes a schedule, but not its tasks',
    takes: { path: Named, optionalBody: ActBody },
    gives: z.object({ deleted: z.string() }),
    errors: [404],
  }),
  pause: verb({
    method: 'post',
    path: '/v1/schedules/{name}/pause',
    on: 'schedule',
    permission: 'schedules:write',
    summary: 'Pauses a schedule; its open tasks continue',
    takes: { path: Named, optionalBody: ActBody },
    gives: ChangedScheduleSchema,
    errors: [404],
    mcp: { name: 'schedule_pause', does: 'pause schedule {name}' },
  }),
  resume: verb({
    method: 'post',
    path: '/v1/schedules/{name}/resume',
    on: 'schedule',
    permission: 'schedules:write',
    summary: 'Resumes a schedule; due times during the pause get no task',
    takes: { path: Named, optionalBody: ActBody },
    gives: ChangedScheduleSchema,
    errors: [404],
    mcp: { name: 'schedule_resume', does: 'resume schedule {name}' },
  }),
  trigger: verb({
    method: 'post',
    path: '/v1/schedules/{name}/trigger',
    on: 'schedule',
    permission: 'schedules:write',
    summary: 'Creates a task of a schedule now',
    takes: {
      path: Named,
      headers: KeyHeader,
      optionalBody: z
        .strictObject({
          ...OPERATOR,
          context: givenFields('context').optional(),
          idempotency_key: named(1000).optional(),
        })
        .register(NAMES, { id: 'TriggerRequest' }),
    },
    gives: z.object({ task_uuid: z.uuid() }),
    status: 201,
    errors: [404],
    mcp: { name: 'schedule_trigger', does: 'create a task of schedule {name} now' },
  }),
  backfill: verb({
    method: 'post',
    path: '/v1/schedules/{name}/backfill',
    on: 'schedule',
    permission: 'schedules:write',
    summary: 'Creates the tasks of past due times, or lists them',
    takes: {
      path: Named,
      body: z
        .strictObject({ ...OPERATOR, from: named(100), to: named(100), dry_run: z.boolean().default(false) })
        .register(NAMES, { id: 'BackfillRequest' }),
    },
    gives: z.array(BackfilledSchema),
    errors: [404],
  }),
};
