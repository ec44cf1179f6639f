import { z } from 'zod';
import { CATCH_UPS, FAILURE_ACTIONS, FIRING_CAUSES, FIRING_OUTCOMES, OVERLAPS } from '../../model/schedule/spec.ts';
import { named, time, timeOrNull } from './action-results.ts';
import { NAMES } from './names.ts';
import { givenFields, userFields } from './user-json.ts';

const span = z.union([z.number(), z.string().max(100)]);

/** The settings of a schedule, with the keys of a schedule file. */
const SETTINGS = {
  description: z.string().max(1000),
  context: givenFields('context'),
  tags: z.array(z.string().max(128)).max(1000),
  priority: z.int().min(-100).max(100),
  cron: named(1000),
  every: span,
  timezone: named(100),
  jitter: span,
  start: named(100),
  end: named(100),
  catch_up: z.string().max(50),
  catch_up_window: span,
  overlap: z.string().max(50),
  on_failure: z.string().max(50),
};
const changeable = z.object({ template: named(500), ...SETTINGS });

export const SettingsSchema = z.strictObject({
  ...changeable.partial().shape,
  name: named(),
  template: named(500).meta({ description: '`namespace/name@version`, or `@latest`.' }),
});
export const ChangeSchema = z.strictObject({
  template: named(500).optional(),
  ...Object.fromEntries(Object.entries(SETTINGS).map(([key, schema]) => [key, schema.nullish()])),
});

const FiringSchema = z
  .object({
    due_at: time,
    until: timeOrNull,
    cause: z.enum(FIRING_CAUSES),
    outcome: z.enum(FIRING_OUTCOMES),
    task_uuid: z.uuid().nullable(),
    task_state: z.string().nullable(),
    reason: z.string().nullable(),
    at: time,
  })
  .register(NAMES, { id: 'ScheduleFiring' });

export const ScheduleSchema = z
  .object({
    id: z.uuid(),
    name: z.string(),
    description: z.string().nullable(),
    template: z.string(),
    context: userFields('context'),
    tags: z.array(z.string()),
    priority: z.int().nullable(),
    cron: z.string().nullable(),
    every_ms: z.number().nullable(),
    timezone: z.string(),
    jitter_ms: z.number(),
    start: timeOrNull,
    end: timeOrNull,
    catch_up: z.enum(CATCH_UPS),
    catch_up_window_ms: z.number().nullable(),
    overlap: z.enum(OVERLAPS),
    on_failure: z.enum(FAILURE_ACTIONS),
    words: z.string(),
    state: z.enum(['active', 'paused', 'over']),
    next: z.array(time),
    next_firing_at: timeOrNull,
    queued: timeOrNull,
    last_due_at: timeOrNull,
    last: z.array(FiringSchema),
    source: z.string().nullable(),
    paused_at: timeOrNull,
    paused_by: z.string().nullable(),
    pause_reason: z.string().nullable(),
    created_at: time,
    updated_at: time,
  })
  .register(NAMES, { id: 'Schedule' });

export const ChangedScheduleSchema = ScheduleSchema.extend({ changed: z.boolean() }).register(NAMES, {
  id: 'ChangedSchedule',
});

export const BackfilledSchema = z
  .object({
    due_at: time,
    outcome: z.enum(['created', 'exists', 'planned', 'failed']),
    task_uuid: z.uuid().nullable(),
    reason: z.string().nullable(),
  })
  .register(NAMES, { id: 'BackfilledDue' });
