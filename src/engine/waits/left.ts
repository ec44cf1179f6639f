import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import { QUEUE_ORDER } from '../../store/planner.ts';
import { LAST_TASK } from '../../store/queue.ts';
import type { StepKey } from '../../store/step-key.ts';
import { closeStrayWaits, closeWaitsOfEnded } from '../../store/waits/due-waits.ts';
import { dropLeftWaits, leftWaits } from '../../store/waits/left-waits.ts';
import { withFreeTasks } from '../with-free-tasks.ts';

/** Maximum number of waits in one slice. A slice of open waits takes the server about 0.1 s. */
const WAITS_PER_SLICE = 20_000;
/** Maximum number of waits that one transaction closes, because it locks their tasks. */
const CLOSED_AT_ONCE = 500;

const SETTINGS = opening({
  ...QUEUE_ORDER,
  lock_timeout: '2s',
  statement_timeout: '30s',
  idle_in_transaction_session_timeout: '30s',
});

/** One slice of the search for waits that were left open. */
export interface WaitSlice {
  /** The end of the previous slice. If undefined, the search starts with the newest task. */
  before?: StepKey | undefined;
  /** Maximum number of waits to read. Default 20,000. */
  limit?: number;
}

/**
 * Closes the waits in a slice that programs of earlier versions left open: these programs end, delete and rerun tasks
 * without ending their waits. Waits with a limit are closed when they are due, so only waits without a limit need this.
 * Waits of locked tasks are left for a later run.
 */
export async function closeLeftWaits(
  database: Database,
  { before = { taskUuid: LAST_TASK, idx: 0 }, limit = WAITS_PER_SLICE }: WaitSlice = {},
): Promise<{ closed: number; next: StepKey | undefined }> {
  const { waits, next } = await database.transaction(SETTINGS, (tx) => leftWaits(tx, { before, limit }));
  const gone = waits.filter(({ state }) => state === 'gone');
  if (gone.length > 0) await dropLeftWaits(database, gone);
  const left = waits.filter(({ state }) => state !== 'gone');
  let closed = gone.length;
  for (let i = 0; i < left.length; i += CLOSED_AT_ONCE) {
    const some = left.slice(i, i + CLOSED_AT_ONCE);
    const tasks = [...new Set(some.map(({ taskUuid }) => taskUuid))];
    await withFreeTasks(database, { settings: SETTINGS, tasks }, async (tx, free) => {
      await closeWaitsOfEnded(tx, free);
      const locked = new Set(free);
      const mine = some.filter(({ taskUuid }) => locked.has(taskUuid));
      await closeStrayWaits(tx, mine);
      closed += mine.length;
    });
  }
  return { closed, next };
}
