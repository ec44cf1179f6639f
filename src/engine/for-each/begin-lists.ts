import type { Db } from '../../db/statement.ts';
import { type BeginningList, beginLists } from '../../store/for-each.ts';
import type { EndedTaskRow } from '../../store/record-steps.ts';
import { decideLocked } from '../decide.ts';
import type { Expanding } from '../operator-actions.ts';
import { hasEnded, type Recording } from '../record.ts';

/** The consequences of lists that begin. */
interface BegunLists {
  /** Indexes of the lists that the fence rejected. */
  refused: number[];
  /** Number of steps that became ready. */
  queued: number;
  ended: EndedTaskRow[];
}

export const NO_LISTS: BegunLists = { refused: [], queued: 0, ended: [] };

/** Begins lists in locked tasks, and starts their first elements. */
export async function beginListsLocked(
  { templates }: Expanding,
  tx: Db,
  batch: readonly Recording[],
): Promise<BegunLists> {
  const lists = batch.map(({ taskUuid, idx, claim, list }): BeginningList => ({ taskUuid, idx, claim, ...list! }));
  const accepted = await beginLists(tx, lists);
  const refused = batch.flatMap((_, i) => (accepted.has(i) ? [] : [i]));
  const begun = batch.filter((_, i) => accepted.has(i)).map(({ taskUuid }) => taskUuid);
  const { tasks, queued } = await decideLocked({ tx, templates }, [...new Set(begun)]);
  return { refused, queued, ended: tasks.filter(hasEnded) };
}
