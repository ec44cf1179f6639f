import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import type { Db } from '../../db/statement.ts';
import { TaskerError } from '../../errors.ts';
import { uuidV7 } from '../../model/ids.ts';
import { isStorableText } from '../../model/json.ts';
import { dueAfter } from '../../model/schedule/due-times.ts';
import { digestOfSchedule, type ScheduleSpec, timingOf } from '../../model/schedule/spec.ts';
import { noteAct } from '../../store/audit.ts';
import type { Operator } from '../../store/operator-actions.ts';
import { noteFirings } from '../../store/schedules/firings.ts';
import {
  clockMs,
  insertSchedule,
  listSchedules,
  lockSchedule,
  pauseSchedule,
  deleteSchedule as remove,
  replaceSpec,
  resumeSchedule,
  type ScheduleRow,
  watchOpenTasksOf,
} from '../../store/schedules/schedules.ts';
import { type OperatorOptions, operatorOf } from '../operator-actions.ts';
import type { ScheduleChange, ScheduleOptions } from './options.ts';
import { leaveOut, type PlannedFiring, wakeOf } from './plan.ts';
import { looksAtTasks } from './tasks.ts';
import { findSchedule, notFound, type Schedule, viewsOf } from './view.ts';

/** Timeouts for actions of operators. A locked schedule must be reported within seconds. */
export const ACT_SETTINGS = opening({
  lock_timeout: '5s',
  statement_timeout: '30s',
  idle_in_transaction_session_timeout: '30s',
});

/** How {@link createSchedule} treats a schedule that exists. */
export interface CreateScheduleOptions extends OperatorOptions {
  /** `error` (default), `keep` the existing schedule unchanged, or `update` it. */
  ifExists?: 'error' | 'keep' | 'update';
  /** Creates it paused. */
  paused?: boolean;
}

/** Conditions on the schedules to list. */
export interface ScheduleFilter {
  /** Only schedules from the files of this package. */
  source?: string | undefined;
  /** Only those in this state. */
  state?: Schedule['state'] | undefined;
}

/** The page of schedules to return. */
export interface SchedulePageOptions {
  /** 1 to 1000, default 100. */
  limit?: number | undefined;
  /** The name of the last schedule of the previous page. */
  after?: string | undefined;
}

/** Creates a schedule. @throws TaskerError `schedule_invalid`, `conflict` */
export async function createSchedule(
  database: Database,
  options: ScheduleOptions,
  { ifExists = 'error', paused = false, ...by }: CreateScheduleOptions,
): Promise<void> {
  const operator = operatorOf(by);
  const { readScheduleOptions } = await import('./options.ts');
  const spec = checkedSpec(readScheduleOptions(options));
  await database.transaction(ACT_SETTINGS, async (tx) => {
    const nowMs = await clockMs(tx);
    const pause = paused ? operator : null;
    if (await insertSpec(tx, { spec, nowMs, source: null, pause })) {
      await noteAct(tx, { action: 'schedule_create', target: targetOf(spec.name), details: detailsOf(spec) }, operator);
      return;
    }
    if (ifExists === 'keep') return;
    const row = await lockSchedule(tx, spec.name);
    if (ifExists === 'error' || !row) {
      throw new TaskerError(
        'conflict',
        `schedule ${spec.name} already exists; change it with update (\`tasker schedule update ${spec.name}\`), or choose another name`,
      );
    }
    await replace(tx, row, { spec, operator, source: row.source });
  });
}

function checkedSpec(spec: ScheduleSpec): ScheduleSpec {
  if (isStorableText(JSON.stringify(spec)) && !JSON.stringify(spec).includes('\\u0000')) return spec;
  throw new TaskerError('schedule_invalid', `schedule ${spec.name} has characters that PostgreSQL cannot store`);
}

const targetOf = (name: string) => `schedule ${name}`;
const detailsOf = (spec: ScheduleSpec) => JSON.stringify({ spec });

/**
 * Stores a new schedule. Returns false if this name is taken. @throws TaskerError `schedule_invalid` if it has no due
 * time
 */
export function insertSpec(
  tx: Db,
  of: { spec: ScheduleSpec; nowMs: number; source: string | null; pause: Operator | null },
): Promise<boolean> {
  const { spec, nowMs, source, pause } = of;
  const id = uuidV7();
  const anchorMs = Math.ceil(nowMs);
  const nextMs = dueAfter(timingOf(spec, anchorMs), anchorMs);
  if (nextMs === null) throw isOver(spec);
  const digest = digestOfSchedule(spec);
  return insertSchedule(tx, {
    id,
    source,
    spec,
    digest,
    earlier: source === null ? [] : [digest],
    anchorMs,
    nextMs,
    wakeMs: pause ? null : wakeOf({ id, spec, nowMs }, { nextMs, queuedMs: null }),
    pausedBy: pause?.actor ?? null,
    pauseReason: pause?.reason ?? null,
  });
}

function isOver({ name, endMs }: ScheduleSpec): TaskerError {
  const why = endMs === null ? 'no time matches' : `its end is ${new Date(endMs).toISOString()}`;
  return new TaskerError(
    'schedule_invalid',
    `schedule ${name} has no due time after now: ${why}; change cron, start or end`,
  );
}

/** Replaces the contents of a locked schedule. A due time that has come is kept. */
export async function replace(
  tx: Db,
  row: ScheduleRow,
  {
    spec,
    operator,
    source,
    fileDigest,
  }: { spec: ScheduleSpec; operator: Operator; source: string | null; fileDigest?: string },
): Promise<void> {
  const { id, nowMs, passedMs } = row;
  const timing = timingOf(spec, row.anchorMs);
  const same = JSON.stringify(timingOf(row.spec, row.anchorMs)) === JSON.stringify(timing);
  const keeps = same || (row.nextMs !== null && row.nextMs <= nowMs && row.pausedMs === null);
  const nextMs = keeps ? row.nextMs : dueAfter(timing, Math.max(nowMs, passedMs ?? 0));
  if (nextMs === null && !same) throw isOver(spec);
  const earlier =
    fileDigest === undefined
      ? row.earlier
      : [...row.earlier.filter((digest) => digest !== fileDigest), fileDigest].slice(-100);
  const wakeMs = row.pausedMs === null ? wakeOf({ id, spec, nowMs }, { nextMs, queuedMs: row.queuedMs }) : null;
  await replaceSpec(tx, { id, spec, digest: digestOfSchedule(spec), earlier, source, nextMs, wakeMs });
  if (looksAtTasks(spec) && !looksAtTasks(row.spec)) await watchOpenTasksOf(tx, id);
  await noteAct(tx, { action: 'schedule_update', target: targetOf(spec.name), details: detailsOf(spec) }, operator);
}

/** Changes a schedule. @throws TaskerError `schedule_not_found`, `schedule_invalid` */
export async function updateSchedule(
  database: Database,
  name: string,
  change: ScheduleChange,
  options: OperatorOptions,
): Promise<void> {
  const operator = operatorOf(options);
  const { changedSpec } = await import('./options.ts');
  await onLocked(database, name, async (tx, row) => {
    await replace(tx, row, { spec: checkedSpec(changedSpec(row.spec, change)), operator, source: row.source });
  });
}

/** Pauses a schedule. Returns false if it was already paused. @throws TaskerError `schedule_not_found` */
export function pause(database: Database, name: string, options: OperatorOptions): Promise<boolean> {
  const operator = operatorOf(options);
  return onLocked(database, name, async (tx, row) => {
    if (row.pausedAt !== null) return false;
    await pauseSchedule(tx, row.id, operator);
    await noteAct(tx, { action: 'schedule_pause', target: targetOf(name) }, operator);
    return true;
  });
}

/**
 * Resumes a schedule. Due times during the pause are skipped and listed. Returns false if it was not paused.
 * @throws TaskerError `schedule_not_found`
 */
export function resume(database: Database, name: string, options: OperatorOptions): Promise<boolean> {
  const operator = operatorOf(options);
  return onLocked(database, name, async (tx, row) => {
    if (row.pausedAt === null) return false;
    await resumeLocked(tx, row, operator);
    return true;
  });
}

/** Resumes a locked schedule that is paused. */
export async function resumeLocked(tx: Db, row: ScheduleRow, operator: Operator): Promise<void> {
  const { id, spec, nowMs, anchorMs, queuedMs } = row;
  const timing = timingOf(spec, anchorMs);
  const state = { passedMs: row.passedMs, nextMs: row.nextMs, firings: [] as PlannedFiring[] };
  leaveOut(state, { timing, before: nowMs, reason: 'the schedule was paused' });
  await noteFirings(
    tx,
    state.firings.map(({ previousMs: _, ...firing }) => ({ ...firing, scheduleId: id, taskUuid: null })),
  );
  const { passedMs, nextMs } = state;
  const wakeMs = wakeOf({ id, spec, nowMs }, { nextMs, queuedMs });
  await resumeSchedule(tx, { id, passedMs, nextMs, wakeMs });
  await noteAct(tx, { action: 'schedule_resume', target: targetOf(spec.name) }, operator);
}

/** Deletes a schedule. Its tasks stay. @throws TaskerError `schedule_not_found` */
export async function deleteSchedule(database: Database, name: string, options: OperatorOptions): Promise<void> {
  const operator = operatorOf(options);
  await onLocked(database, name, async (tx, row) => {
    await remove(tx, row.id);
    await noteAct(tx, { action: 'schedule_delete', target: targetOf(name), details: detailsOf(row.spec) }, operator);
  });
}

/** Runs an action in a transaction that has locked the schedule. @throws TaskerError `schedule_not_found` */
export function onLocked<T>(
  database: Database,
  name: string,
  act: (tx: Db, row: ScheduleRow) => Promise<T>,
): Promise<T> {
  return database.transaction(ACT_SETTINGS, async (tx) => {
    const row = typeof name === 'string' && isStorableText(name) ? await lockSchedule(tx, name) : undefined;
    return act(tx, row ?? (await notFound(tx, name)));
  });
}

/** Returns a schedule with its newest outcomes. @throws TaskerError `schedule_not_found` */
export async function getSchedule(database: Database, name: string, firings?: number): Promise<Schedule> {
  const [schedule] = await viewsOf(database, [await findSchedule(database, name)], firings);
  return schedule!;
}

/** Returns schedules by name. @throws TaskerError `bad_request` */
export async function findSchedules(
  database: Database,
  { source, state }: ScheduleFilter,
  { limit = 100, after }: SchedulePageOptions,
): Promise<Schedule[]> {
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new TaskerError('bad_request', `limit must be a whole number from 1 to 1000, got ${limit}`);
  }
  const found: Schedule[] = [];
  for (let from = after ?? null; found.length < limit; ) {
    const rows = await listSchedules(database, { source: source ?? null, after: from, limit });
    const views = await viewsOf(database, rows);
    found.push(...views.filter((view) => state === undefined || view.state === state));
    if (rows.length < limit) break;
    from = rows.at(-1)!.name;
  }
  return found.slice(0, limit);
}
