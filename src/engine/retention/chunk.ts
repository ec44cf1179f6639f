import { opening } from '../../db/opening.ts';
import type { Db } from '../../db/statement.ts';
import { TaskerError } from '../../errors.ts';
import { deleteTasks } from '../../store/delete-tasks.ts';
import { PINNED_PLANS } from '../../store/planner.ts';
import { archiveLines } from '../../store/retention/archive-tasks.ts';
import { type CheckedTask, checkPrunable } from '../../store/retention/candidates.ts';
import { keepPruneTurn, notePruned } from '../../store/retention/runs.ts';
import type { WaitingEvents } from '../../store/retention/waiting-events.ts';
import { lockFreeTasks } from '../../store/tasks.ts';
import type { ArchiveWriter } from './archive-writer.ts';
import { TURN_MS } from './turn.ts';

/**
 * Why a prune skips a task that ended long enough ago. `undelivered_events`: a group of subscribers has yet to receive
 * one of its events, or has a dead delivery of one. `locked`: another transaction has locked it. `changed`: it was run
 * again. `too_large`: it is too large for an archive. `dead_letter`: it is in the dead-letter queue. `parent_open`: it is a
 * child task whose root task has not ended, or whose end has not been delivered.
 */
export type SkipReason = 'dead_letter' | 'undelivered_events' | 'locked' | 'changed' | 'too_large' | 'parent_open';

/** The outcome of a chunk. */
export interface ChunkAnswer {
  /** Number of the given tasks that were considered. The others are left for the next chunk. */
  taken: number;
  deleted: string[];
  skipped: { taskUuid: string; why: SkipReason }[];
}

export const CHUNK = opening({
  ...PINNED_PLANS,
  lock_timeout: '5s',
  statement_timeout: '30s',
  idle_in_transaction_session_timeout: '60s',
});

/** Limits of one transaction: rows to delete, and stored bytes to archive. */
const STEPS_AT_ONCE = 2_000;
const BYTES_AT_ONCE = 8 * 1024 * 1024;
/** The line of a larger task might exceed the maximum length of a string in PostgreSQL or Node. */
const LARGEST_BYTES = 64 * 1024 * 1024;

/**
 * Locks tasks, checks them again, archives and deletes them. The archive is on the disk before the deletion commits.
 * @throws TaskerError `illegal_transition` if another process has taken over the lease
 */
export async function pruneChunk(
  tx: Db,
  {
    pruneId,
    runner,
    releaseKeys,
    writer,
  }: { pruneId: number; runner: string; releaseKeys: boolean; writer: ArchiveWriter | undefined },
  { ids, cutoffs, waiting }: { ids: readonly string[]; cutoffs: string; waiting: WaitingEvents },
): Promise<ChunkAnswer> {
  const [mine, free] = await Promise.all([keepPruneTurn(tx, runner, TURN_MS), lockFreeTasks(tx, ids)]);
  if (!mine) {
    throw new TaskerError(
      'illegal_transition',
      `prune ${pruneId} was stopped by another prune; run it again to delete the remaining tasks`,
    );
  }
  const judging = { free: new Set(free), sized: writer !== undefined };
  const checked = await checkPrunable(tx, ids, { cutoffs, waiting, sized: judging.sized });
  const taken = limited(checked, judging);
  const answer: ChunkAnswer = { taken: taken.length, deleted: [], skipped: [] };
  for (const task of taken) {
    const why = reasonOf(task, judging);
    if (why === null) answer.deleted.push(task.taskUuid);
    else if (why !== 'gone') answer.skipped.push({ taskUuid: task.taskUuid, why });
  }
  if (answer.deleted.length === 0) return answer;
  if (writer) await writer.append(tx, await archiveLines(tx, answer.deleted));
  await deleteTasks(tx, answer.deleted, { pruneId, keepIdentities: !releaseKeys });
  await notePruned(tx, pruneId, answer.deleted.length);
  return answer;
}

interface Judging {
  free: ReadonlySet<string>;
  /** Whether the tasks are archived, so that their sizes are limited. */
  sized: boolean;
}

function reasonOf({ taskUuid, why, bytes }: CheckedTask, { free, sized }: Judging): SkipReason | 'gone' | null {
  if (why === 'gone') return why;
  if (!free.has(taskUuid)) return 'locked';
  if (why !== null) return why as SkipReason;
  return sized && bytes > LARGEST_BYTES ? 'too_large' : null;
}

/** Returns as many tasks as one transaction may delete, but at least one. */
function limited(tasks: readonly CheckedTask[], judging: Judging): readonly CheckedTask[] {
  let steps = 0;
  let bytes = 0;
  const end = tasks.findIndex((task, i) => {
    if (reasonOf(task, judging) !== null) return false;
    steps += task.steps;
    bytes += task.bytes;
    return i > 0 && (steps > STEPS_AT_ONCE || bytes > BYTES_AT_ONCE);
  });
  return end === -1 ? tasks : tasks.slice(0, end);
}
