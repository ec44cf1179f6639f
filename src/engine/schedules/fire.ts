import { isConnectionError, sqlState } from '../../db/connection-error.ts';
import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import type { Db } from '../../db/statement.ts';
import { isTaskerError, messageOf } from '../../errors.ts';
import {
  noteFirings,
  noteSeenTasks,
  type OpenTaskRow,
  openTasksOf,
  pruneFirings,
} from '../../store/schedules/firings.ts';
import {
  lockDueSchedules,
  lookAtDueSchedules,
  type PassedSchedule,
  passDueTimes,
  type ScheduleRow,
} from '../../store/schedules/schedules.ts';
import type { OperatorOptions } from '../operator-actions.ts';
import type { TemplateStore } from '../template-store.ts';
import { type Plan, planDue } from './plan.ts';
import {
  createScheduled,
  type Firing,
  type FoundTemplate,
  findTemplate,
  identityOf,
  looksAtTasks,
  taskOf,
  templateKey,
} from './tasks.ts';

/** Maximum number of schedules that one transaction handles. */
const AT_ONCE = 100;
const SETTINGS = opening({
  lock_timeout: '5s',
  statement_timeout: '30s',
  idle_in_transaction_session_timeout: '30s',
  jit: 'off',
});

/** The parts of the engine that schedules need. */
export interface FiringEngine {
  database: Database;
  templates: TemplateStore;
  cancelTask(taskUuid: string, options: OperatorOptions): Promise<boolean>;
}

/** The result of a pass. */
export interface Fired {
  /** Number of schedules whose due times were handled. */
  schedules: number;
  /** The tasks that were created. */
  taskUuids: string[];
  /** The lowest of their ranks. */
  rank: number;
}

/**
 * Handles the due times of schedules that have come: creates their tasks, or stores the reason why a due time gets
 * none. A due time, its task and the schedule's next due time are committed together, under a lock of the schedule. So
 * any number of processes can run this function at the same time, and no due time is lost if one dies. All times are by
 * the database's clock.
 *
 * If the transaction fails because of the data of one schedule, each schedule is tried alone. If one fails again, the
 * error becomes the outcome of its due time.
 */
export async function fireDue(engine: FiringEngine): Promise<Fired> {
  const looked = await lookAtDueSchedules(engine.database, AT_ONCE);
  if (looked.length === 0) return { schedules: 0, taskUuids: [], rank: 0 };
  const found = await templatesOf(engine, looked);
  await cancelRunning(engine, looked, found);
  try {
    return await pass(engine, found, { limit: AT_ONCE });
  } catch (error) {
    if (mayPass(error)) throw error;
  }
  try {
    return await pass(engine, found, { limit: 1 });
  } catch (error) {
    if (mayPass(error)) throw error;
    return pass(engine, found, { limit: 1, problem: `the task could not be created: ${messageOf(error)}` });
  }
}

/**
 * Returns whether the same due times may succeed later. This is the case after any database error that the data did not
 * cause, such as a locked table, a timeout or a full disk.
 */
function mayPass(error: unknown): boolean {
  const state = sqlState(error);
  return isConnectionError(error) || (state !== undefined && !/^(22|23|54|P0)/.test(state));
}

async function templatesOf(
  engine: FiringEngine,
  schedules: readonly Pick<ScheduleRow, 'spec'>[],
): Promise<Map<string, FoundTemplate>> {
  const found = new Map<string, FoundTemplate>();
  for (const { spec } of schedules) {
    const key = templateKey(spec);
    if (!found.has(key)) found.set(key, await findTemplate(engine, spec));
  }
  return found;
}

/**
 * Cancels the open tasks of schedules with `cancel_running` that receive a new task now. Another process may have
 * handled the schedules since they were read, and its new tasks must stay. So the open tasks are read together with the
 * due times that remain.
 */
async function cancelRunning(
  engine: FiringEngine,
  looked: readonly ScheduleRow[],
  found: ReadonlyMap<string, FoundTemplate>,
): Promise<void> {
  const cancelling = new Map(
    looked.filter((row) => row.spec.overlap === 'cancel_running' && willCreate(row, found)).map((row) => [row.id, row]),
  );
  const tasks = await openTasksOf(engine.database, [...cancelling.keys()], { due: true });
  for (const task of tasks) {
    const { spec } = cancelling.get(task.scheduleId)!;
    const pauses = failedOf(
      spec,
      tasks.filter(({ scheduleId }) => scheduleId === task.scheduleId),
    );
    if (!counts(task) || pauses) continue;
    const reason = `schedule ${spec.name} is due again (overlap: cancel_running)`;
    try {
      await engine.cancelTask(task.taskUuid, { actor: 'schedule', reason });
    } catch (error) {
      // A task that another transaction has locked must not stop the other schedules. Its schedule is retried later.
      if (isConnectionError(error) || !isTaskerError(error)) throw error;
    }
  }
}

/** Returns whether a task is created now if none is open. */
function willCreate(row: ScheduleRow, found: ReadonlyMap<string, FoundTemplate>): boolean {
  if (!canCreate(row, found)) return false;
  return planDue({ ...row, open: [], pauseReason: null }).firings.some(({ outcome }) => outcome === 'created');
}

/** Returns the task whose failure pauses the schedule. */
function failedOf({ onFailure }: ScheduleRow['spec'], tasks: readonly OpenTaskRow[]): OpenTaskRow | undefined {
  return onFailure === 'pause' ? tasks.find((task) => hasFailed(task) && !task.failureNoted) : undefined;
}

function canCreate({ id, spec }: Pick<ScheduleRow, 'id' | 'spec'>, found: ReadonlyMap<string, FoundTemplate>): boolean {
  const template = found.get(templateKey(spec))!;
  if ('problem' in template) return false;
  const firing: Firing = { scheduleId: id, spec, identity: 'check', dueMs: 0, previousMs: null, cause: 'due' };
  return !('problem' in taskOf(firing, template));
}

/**
 * Returns whether an open task matters for the overlap. A task that is blocked by failures does not, because it waits
 * for a person.
 */
function counts({ ended, state }: OpenTaskRow): boolean {
  return !ended && state !== 'blocked_by_failures';
}

function hasFailed({ state }: OpenTaskRow): boolean {
  return state === 'error' || state === 'blocked_by_failures';
}

async function pass(
  { database }: FiringEngine,
  found: ReadonlyMap<string, FoundTemplate>,
  { limit, problem }: { limit: number; problem?: string },
): Promise<Fired> {
  return database.transaction(SETTINGS, async (tx) => {
    const locked = await lockDueSchedules(tx, limit);
    // A schedule that was changed meanwhile is handled in the next round.
    const rows = locked.filter(({ spec }) => found.has(templateKey(spec)));
    const tasks = await openTasksOf(
      tx,
      rows.filter(({ spec }) => looksAtTasks(spec)).map(({ id }) => id),
    );
    const seen = new Map(rows.map(({ id }) => [id, tasks.filter((task) => task.scheduleId === id)]));
    const plans = rows.map((row) => planOf(row, seen.get(row.id)!, found));
    await noteSeenTasks(
      tx,
      tasks
        .filter((task) => task.ended || (hasFailed(task) && !task.failureNoted))
        .map((task) => ({ ...task, failed: hasFailed(task) })),
    );
    const firings = rows.flatMap((row, i) => firingsOf(row, plans[i]!));
    const at = (firing: Firing) => (problem === undefined ? found.get(templateKey(firing.spec))! : { problem });
    const fired = await createScheduled(tx, firings, at);
    await noteFirings(
      tx,
      rows.flatMap(({ id }, i) => leftOut(id, plans[i]!)),
    );
    await store(tx, rows, plans);
    const fresh = fired.filter((one) => one.fresh);
    return {
      schedules: rows.length,
      taskUuids: fresh.map((one) => one.taskUuid!),
      rank: Math.min(0, ...fresh.map((one) => one.rank)),
    };
  });
}

function planOf(row: ScheduleRow, tasks: readonly OpenTaskRow[], found: ReadonlyMap<string, FoundTemplate>): Plan {
  const failed = failedOf(row.spec, tasks);
  // If its next task cannot be created, nothing was cancelled, and the due time must still be handled.
  const free = row.spec.overlap === 'cancel_running' && !canCreate(row, found);
  const open = free ? [] : tasks.filter(counts).map((task) => `task ${task.taskUuid}`);
  const pauseReason = failed ? `task ${failed.taskUuid} failed (on_failure: pause)` : null;
  return planDue({ ...row, open, pauseReason });
}

function firingsOf({ id, spec }: ScheduleRow, plan: Plan): Firing[] {
  return plan.firings.flatMap(({ dueMs, previousMs, cause, outcome }) =>
    outcome === 'created' ? [{ scheduleId: id, spec, identity: identityOf(dueMs), dueMs, previousMs, cause }] : [],
  );
}

function leftOut(scheduleId: string, plan: Plan) {
  return plan.firings.flatMap(({ dueMs, untilMs, cause, outcome, reason }) =>
    outcome === 'created' ? [] : [{ scheduleId, dueMs, untilMs, cause, outcome, taskUuid: null, reason }],
  );
}

async function store(tx: Db, rows: readonly ScheduleRow[], plans: readonly Plan[]): Promise<void> {
  if (rows.length === 0) return;
  const passed = rows.map(({ id }, i): PassedSchedule => {
    const { passedMs, nextMs, wakeMs, queuedMs, pauseReason, firings } = plans[i]!;
    return { id, passedMs, nextMs, wakeMs, queuedMs, pauseReason, rows: firings.length };
  });
  await pruneFirings(tx, await passDueTimes(tx, passed));
}
