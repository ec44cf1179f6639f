import { createHash } from 'node:crypto';
import type { Fields } from '../json.ts';
import type { Timing } from './due-times.ts';

/** The missed due times that still get a task: none, only the last, or all. */
export const CATCH_UPS = ['none', 'last', 'all'] as const;
export type CatchUp = (typeof CATCH_UPS)[number];

/** The action at a due time while a task of the schedule is open. */
export const OVERLAPS = ['allow', 'skip', 'queue_one', 'cancel_running'] as const;
export type Overlap = (typeof OVERLAPS)[number];

/** The effect of a failed task on its schedule. */
export const FAILURE_ACTIONS = ['continue', 'pause'] as const;
export type FailureAction = (typeof FAILURE_ACTIONS)[number];

/** The version of a template that is resolved at each due time: the highest registered one. */
export const LATEST = 'latest';

/** The reasons why a schedule created a task. */
export const FIRING_CAUSES = ['due', 'catch_up', 'queued', 'trigger', 'backfill'] as const;
export type FiringCause = (typeof FIRING_CAUSES)[number];

/** The schedule that created a task, as handlers see it in `context.schedule`. */
export interface TaskSchedule {
  name: string;
  /** ISO 8601. For a task that was triggered by hand, the time of the trigger. */
  due_at: string;
  /** The due time before this one. Null for the first. */
  previous_due_at: string | null;
  /** `catch_up`: the due time was missed at first; `queued`: it waited for an earlier task to end. */
  cause: FiringCause;
}

/** The source of scheduled tasks, by which workers recognize them. */
export const SCHEDULE_SOURCE = 'tasker.schedule';

/** The outcomes of a due time. */
export const FIRING_OUTCOMES = ['created', 'queued', 'skipped', 'missed', 'failed'] as const;
export type FiringOutcome = (typeof FIRING_OUTCOMES)[number];

/** A schedule as it was given, with defaults. Stored as JSON. */
export interface ScheduleSpec {
  name: string;
  description: string | null;
  /** `version` may be `latest`. */
  template: { namespace: string; name: string; version: string };
  context: Fields;
  tags: string[];
  priority: number | null;
  cron: string | null;
  everyMs: number | null;
  timezone: string;
  jitterMs: number;
  /** Milliseconds since 1970. */
  startMs: number | null;
  endMs: number | null;
  catchUp: CatchUp;
  /** How late a missed due time may still get a task. Null means no limit. */
  windowMs: number | null;
  overlap: Overlap;
  onFailure: FailureAction;
}

/**
 * Returns when a schedule is due. `anchorMs`: when it was created. `every` is measured from then if the schedule has no
 * start.
 */
export function timingOf({ cron, everyMs, timezone, startMs, endMs }: ScheduleSpec, anchorMs: number): Timing {
  return { cron, everyMs, timezone, startMs, endMs, anchorMs: startMs ?? anchorMs };
}

/** Returns the delay of a due time, from 0 to the jitter. The delay depends only on the schedule and the due time. */
export function jitterOf(scheduleId: string, dueMs: number, jitterMs: number): number {
  if (jitterMs === 0) return 0;
  const hash = createHash('sha256').update(`${scheduleId} ${dueMs}`).digest();
  return Math.floor((hash.readUInt32BE(0) / 2 ** 32) * jitterMs);
}

/** Returns a digest of a schedule's contents. */
export function digestOfSchedule(spec: ScheduleSpec): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(spec)))
    .digest('hex');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
