import type { Database } from '../db/database.ts';
import { opening } from '../db/opening.ts';
import type { Db } from '../db/statement.ts';
import { counted } from '../model/counted.ts';
import { type AddedDeadLetter, addDeadLetters } from '../store/dead-letters/add.ts';
import { PINNED_PLANS } from '../store/planner.ts';
import {
  type DueWatchRow,
  dueWatches,
  failTasks,
  forgetWatches,
  type JudgedRow,
  judgeTasks,
  noteWatches,
} from '../store/stale-tasks.ts';
import { BY_ITSELF, missingHandlersOf } from './dead-letters/find-stuck.ts';
import { withFreeTasks } from './with-free-tasks.ts';

/** A task that exceeds a limit of its template's lifecycle. */
export interface StaleTask {
  taskUuid: string;
  /** A sentence that names the exceeded limit. */
  reason: string;
}

/** The tasks that one transaction ended or noted. */
export interface LifecycleTurn {
  /** Tasks that were ended in `error`. */
  ended: StaleTask[];
  /** Tasks that were noted for an operator, and continue. */
  noted: StaleTask[];
  /** The ended tasks that had running steps. */
  running: string[];
  /** Noted tasks that were added to the dead letters. */
  added: AddedDeadLetter[];
}

/** The actor in the history. */
const ACTOR = 'lifecycle';
/** Maximum number of steps that one transaction ends with their tasks, because of its statement timeout. */
const STEPS_PER_TRANSACTION = 20_000;
const SETTINGS = opening({
  ...PINNED_PLANS,
  lock_timeout: '2s',
  statement_timeout: '30s',
  idle_in_transaction_session_timeout: '30s',
});

/**
 * Ends or notes the tasks that have exceeded a limit, and yields the outcome of each transaction. Several workers may
 * run this function at the same time. Tasks that are locked by another transaction are left for the next run.
 */
export async function* endStale(database: Database): AsyncGenerator<LifecycleTurn> {
  for (;;) {
    const due = await dueWatches(database);
    const gone = due.filter((row) => row.openSteps === null).map((row) => row.taskUuid);
    if (gone.length > 0) await forgetWatches(database, gone);
    const tasks = portion(due);
    const turn = tasks.length > 0 && (await withFreeTasks(database, { settings: SETTINGS, tasks }, settle));
    if (turn) yield turn;
    else if (gone.length === 0) return;
  }
}

/** Returns as many tasks as one transaction may end, but at least one. */
function portion(due: readonly DueWatchRow[]): string[] {
  let steps = 0;
  const tasks = due.filter((row) => row.openSteps !== null);
  const end = tasks.findIndex((row, i) => {
    steps += row.openSteps!;
    return i > 0 && steps > STEPS_PER_TRANSACTION;
  });
  return (end === -1 ? tasks : tasks.slice(0, end)).map((row) => row.taskUuid);
}

/** Ends or notes locked tasks. Because of the locks, each statement sees the current state. */
async function settle(tx: Db, tasks: readonly string[]): Promise<LifecycleTurn> {
  const rows = await judgeTasks(tx, tasks);
  const open = rows.filter((row) => !row.ended);
  const failing = open.filter((row) => row.rule !== null && row.action === 'error');
  const staying = open.filter((row) => !failing.includes(row));
  const isReady = ({ state }: JudgedRow) => ['pending', 'steps_in_process', 'undoing'].includes(state);
  const stuck = open.filter((row) => row.rule !== null && isReady(row));
  const missing: Missing =
    stuck.length > 0
      ? await missingHandlersOf(
          tx,
          stuck.map((row) => row.taskUuid),
        )
      : new Map();
  const notes = staying.map((row) => ({
    ...row,
    reason: row.rule !== null && !row.noted ? reasonOf(row, missing) : null,
  }));
  const ended = failing.map((row) => ({ taskUuid: row.taskUuid, state: row.state, reason: reasonOf(row, missing) }));
  const over = rows.filter((row) => row.ended).map((row) => row.taskUuid);

  if (over.length > 0) await forgetWatches(tx, over);
  if (notes.length > 0) await noteWatches(tx, notes, ACTOR);
  const running = ended.length > 0 ? await failTasks(tx, ended, ACTOR) : [];
  const dead = staying.filter((row) => row.rule !== null && row.action === 'dlq');
  return {
    added: dead.length > 0 ? await addStale(tx, dead, missing) : [],
    ended: ended.map(({ taskUuid, reason }) => ({ taskUuid, reason })),
    noted: notes.flatMap(({ taskUuid, reason }) => (reason === null ? [] : { taskUuid, reason })),
    running,
  };
}

/** Adds tasks that exceed a limit to the dead letters. Open entries stay as they are. */
async function addStale(tx: Db, rows: readonly JudgedRow[], missing: Missing): Promise<AddedDeadLetter[]> {
  const entries = rows.map((row) => {
    const { taskUuid, rule, minutes, since } = row;
    const alone = rule !== 'max_duration_minutes' && missing.has(taskUuid);
    const isUnserved = alone && missing.get(taskUuid)!.length === 0;
    const cause = `${reasonOf(row, missing)}${isUnserved ? '; no live worker can run its ready steps' : ''}`;
    return {
      taskUuid,
      reason: alone ? 'worker_unavailable' : 'staleness_timeout',
      cause,
      rule,
      minutes,
      since,
    } as const;
  });
  return addDeadLetters(tx, entries, BY_ITSELF);
}

/** The handlers that the live workers lack, by task with steps that no live worker can run. */
type Missing = ReadonlyMap<string, string[]>;

/**
 * Returns a string such as `max_steps_in_process_minutes of shop/orders@1.0.0 is 20: no progress for 61 minutes, since
 * 2026-…`
 */
function reasonOf(row: JudgedRow, missing: Missing): string {
  const { taskUuid, rule, template, minutes, passed, held, since, rerun, startedLater, action } = row;
  const handlers = missing.get(taskUuid) ?? [];
  const found =
    rule === 'max_duration_minutes' || rule!.endsWith('lifetime_hours')
      ? `not done ${counted(passed!, 'minute')} after its ${rerun ? 'rerun' : startedLater ? 'start' : 'creation'}`
      : `no progress for ${counted(passed!, 'minute')}, since ${since}`;
  const limit = action === 'note' ? `${rule} is ${inItsUnit(rule!, minutes!)}` : `${rule} of ${template} is ${minutes}`;
  const paused = held ? `, without ${held} in which it was paused` : '';
  const lacking =
    handlers.length > 0 ? `; no live worker that takes steps has handler ${handlers.slice(0, 5).join(', ')}` : '';
  return `${limit}: ${found}${paused}${lacking}`;
}

/** Returns a threshold in the unit of its configuration key. */
function inItsUnit(rule: string, minutes: number): number {
  return rule.endsWith('_hours') ? minutes / 60 : minutes;
}
