import type { Db } from '../../db/statement.ts';
import { TaskerError } from '../../errors.ts';
import { nearNames } from '../../model/near-names.ts';
import { dueAfter } from '../../model/schedule/due-times.ts';
import { type CatchUp, type FailureAction, jitterOf, type Overlap, timingOf } from '../../model/schedule/spec.ts';
import { scheduleWords } from '../../model/schedule/words.ts';
import { type FiringRow, firingsOf } from '../../store/schedules/firings.ts';
import { listSchedules, type ScheduleRow, scheduleNames } from '../../store/schedules/schedules.ts';

/** The outcome of a due time. Times are ISO 8601. */
export interface ScheduleFiring extends Omit<FiringRow, 'scheduleId'> {
  /** The due time. For a task that was triggered by hand, the time of the trigger. */
  dueAt: string;
  /** The last due time of the outcome, if it covers several due times without a task. */
  until: string | null;
}

/** A schedule. Times are ISO 8601, durations are milliseconds. */
export interface Schedule {
  id: string;
  name: string;
  description: string | null;
  /** `namespace/name@version`. */
  template: string;
  context: Record<string, unknown>;
  tags: string[];
  priority: number | null;
  cron: string | null;
  everyMs: number | null;
  timezone: string;
  jitterMs: number;
  start: string | null;
  end: string | null;
  catchUp: CatchUp;
  catchUpWindowMs: number | null;
  overlap: Overlap;
  onFailure: FailureAction;
  /** When it is due, in plain words: `at 09:00 on weekdays, Europe/Berlin`. */
  words: string;
  /** `over`: it has no further due time. */
  state: 'active' | 'paused' | 'over';
  /** The next five due times. With a jitter, their tasks are created later: see `nextFiringAt`. */
  next: string[];
  /** When the next task is created: the next due time with its jitter. Null if it is paused or has ended. */
  nextFiringAt: string | null;
  /** The due time that waits for an open task to end. */
  queued: string | null;
  /** The last due time that was handled. */
  lastDueAt: string | null;
  /** The newest outcomes, newest first. */
  last: ScheduleFiring[];
  /** The package whose files define it. Null if it was created by hand. */
  source: string | null;
  pausedAt: string | null;
  pausedBy: string | null;
  pauseReason: string | null;
  createdAt: string;
  updatedAt: string;
}

/** Number of due times and outcomes to show with a schedule. */
const SHOWN = 5;

const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());

/** Returns schedules with their next due times and newest outcomes. */
export async function viewsOf(db: Db, rows: readonly ScheduleRow[], firings = SHOWN): Promise<Schedule[]> {
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.id);
  const last = new Map<string, ScheduleFiring[]>(ids.map((id) => [id, []]));
  for (const row of await firingsOf(db, ids, { limit: firings })) last.get(row.scheduleId)!.push(firingView(row));
  return rows.map((row) => viewOf(row, last.get(row.id)!));
}

function viewOf(row: ScheduleRow, last: ScheduleFiring[]): Schedule {
  const { id, spec, nextMs, pausedAt } = row;
  const { namespace, name, version } = spec.template;
  return {
    id,
    name: spec.name,
    description: spec.description,
    template: `${namespace}/${name}@${version}`,
    context: spec.context,
    tags: spec.tags,
    priority: spec.priority,
    cron: spec.cron,
    everyMs: spec.everyMs,
    timezone: spec.timezone,
    jitterMs: spec.jitterMs,
    start: iso(spec.startMs),
    end: iso(spec.endMs),
    catchUp: spec.catchUp,
    catchUpWindowMs: spec.windowMs,
    overlap: spec.overlap,
    onFailure: spec.onFailure,
    words: scheduleWords(spec),
    state: pausedAt !== null ? 'paused' : nextMs === null ? 'over' : 'active',
    next: nextDues(row).map((ms) => new Date(ms).toISOString()),
    nextFiringAt: pausedAt !== null || nextMs === null ? null : iso(nextMs + jitterOf(id, nextMs, spec.jitterMs)),
    queued: iso(row.queuedMs),
    lastDueAt: iso(row.passedMs),
    last,
    source: row.source,
    pausedAt,
    pausedBy: row.pausedBy,
    pauseReason: row.pauseReason,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}

/** Returns the next due times. For a paused schedule: the due times that it would have if it were resumed now. */
function nextDues({ spec, anchorMs, nextMs, nowMs, pausedAt }: ScheduleRow): number[] {
  const timing = timingOf(spec, anchorMs);
  const dues: number[] = [];
  let due = pausedAt === null ? nextMs : dueAfter(timing, nowMs);
  while (due !== null && dues.length < SHOWN) {
    dues.push(due);
    due = dueAfter(timing, due);
  }
  return dues;
}

/** Returns an outcome without the id of its schedule. */
export function firingView({ scheduleId: _, ...firing }: FiringRow): ScheduleFiring {
  return { ...firing, dueAt: short(firing.dueAt), until: firing.until === null ? null : short(firing.until) };
}

const short = (text: string) => new Date(text).toISOString();

/** Returns a schedule. @throws TaskerError `schedule_not_found` */
export async function findSchedule(db: Db, name: string): Promise<ScheduleRow> {
  const [row] = typeof name === 'string' ? await listSchedules(db, { name }) : [];
  return row ?? notFound(db, name);
}

/** Throws the error for a schedule that does not exist, and suggests similar names. */
export async function notFound(db: Db, name: string): Promise<never> {
  const names = await scheduleNames(db);
  const near = nearNames(String(name), names);
  const way =
    near.length > 0
      ? `did you mean ${near.join(' or ')}?`
      : names.length === 0
        ? 'no schedules exist; create one with `tasker schedule create`'
        : '`tasker schedule list` lists the schedules';
  throw new TaskerError('schedule_not_found', `schedule ${String(name)} not found; ${way}`, { details: { near } });
}
