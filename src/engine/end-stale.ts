import type { Database } from '../db/database.ts';
import { opening } from '../db/opening.ts';
import type { Db } from '../db/statement.ts';
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
import { withFreeTasks } from './with-free-tasks.ts';

/** A task that was found to stand for longer than its template's lifecycle allows. */
export interface StaleTask {
  taskUuid: string;
  /** A sentence. */
  reason: string;
}

/** What one turn came to. */
export interface LifecycleTurn {
  /** Tasks that were ended in `error`. */
  ended: StaleTask[];
  /** Tasks that were noted for an operator, and go on. */
  noted: StaleTask[];
  /** Those of the ended tasks that had running steps. */
  running: string[];
}

/** Who acted, in the history. */
const ACTOR = 'lifecycle';
/** One transaction must end within the time that its statements have. */
const STEPS_AT_ONCE = 20_000;
const SETTINGS = opening({
  ...PINNED_PLANS,
  lock_timeout: '2s',
  statement_timeout: '30s',
  idle_in_transaction_session_timeout: '30s',
});

/**
 * Looks at the tasks whose limits may be over, ends those that are to be ended, and notes the others; yields what each
 * transaction came to. Any worker may do it, two at once do it once; tasks that others hold are left for the next time.
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

/** As many tasks as one transaction may end, but one at least. */
function portion(due: readonly DueWatchRow[]): string[] {
  let steps = 0;
  const tasks = due.filter((row) => row.openSteps !== null);
  const end = tasks.findIndex((row, i) => {
    steps += row.openSteps!;
    return i > 0 && steps > STEPS_AT_ONCE;
  });
  return (end === -1 ? tasks : tasks.slice(0, end)).map((row) => row.taskUuid);
}

/** Of locked tasks: a statement that starts now sees them as they are. */
async function settle(tx: Db, tasks: readonly string[]): Promise<LifecycleTurn> {
  const rows = await judgeTasks(tx, tasks);
  const open = rows.filter((row) => !row.ended);
  const failing = open.filter((row) => row.rule !== null && row.action === 'error');
  const staying = open.filter((row) => !failing.includes(row));
  const notes = staying.map((row) => ({ ...row, reason: row.rule !== null && !row.noted ? reasonOf(row) : null }));
  const ended = failing.map((row) => ({ taskUuid: row.taskUuid, state: row.state, reason: reasonOf(row) }));
  const over = rows.filter((row) => row.ended).map((row) => row.taskUuid);

  if (over.length > 0) await forgetWatches(tx, over);
  if (notes.length > 0) await noteWatches(tx, notes, ACTOR);
  const running = ended.length > 0 ? await failTasks(tx, ended, ACTOR) : [];
  return {
    ended: ended.map(({ taskUuid, reason }) => ({ taskUuid, reason })),
    noted: notes.flatMap(({ taskUuid, reason }) => (reason === null ? [] : { taskUuid, reason })),
    running,
  };
}

/** `max_steps_in_process_minutes of shop/orders@1.0.0 is 20: nothing moved for 61 minutes, since 2026-11-25T15:00:00.000000Z` */
function reasonOf({ rule, template, minutes, passed, since }: JudgedRow): string {
  const found =
    rule === 'max_duration_minutes'
      ? `not done ${passed} minutes after its creation`
      : `nothing moved for ${passed} minutes, since ${since}`;
  return `${rule} of ${template} is ${minutes}: ${found}`;
}
