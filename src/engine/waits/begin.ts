import type { Db } from '../../db/statement.ts';
import type { WaitKind } from '../../model/waits.ts';
import { type BeginningWait, beginWaits } from '../../store/waits/begin-waits.ts';
import { openWaits } from '../../store/waits/read.ts';
import { beginListWait } from '../child-tasks/lists.ts';
import { startChildren } from '../child-tasks/start.ts';
import { beginChildUndos, waitsForUndo } from '../child-tasks/undo.ts';
import type { Expanding } from '../operator-actions.ts';
import type { Recording } from '../record.ts';
import { requestApproval } from './approvals.ts';
import { endLocked } from './end.ts';
import { takeKept } from './signals.ts';
import type { BegunRule, EndedWait, WaitEnding } from './waits.ts';

/** The rules that may end a wait as soon as it begins, by its kind. For example, a signal may have arrived earlier. */
export const whenBegun: Partial<Record<WaitKind, BegunRule>> = {
  signal: takeKept,
  approval: requestApproval,
  tasks: beginListWait,
};

/** Returns whether a wait of this step may end as soon as it begins. */
function mayEndAtOnce({ wait }: Recording): boolean {
  return wait !== undefined && whenBegun[wait.kind] !== undefined;
}

/**
 * Returns whether the transaction that begins the wait of this step also creates a child task, links one to its undo, or may end
 * the wait.
 */
export function hasConsequences(step: Recording): boolean {
  return step.child !== undefined || mayEndAtOnce(step) || waitsForUndo(step);
}

/**
 * Begins the waits of steps in locked tasks, and creates the child tasks that they wait for. Returns the indexes of the steps that
 * the fence rejected, and the waits that ended immediately.
 */
export async function beginLocked(
  engine: Expanding,
  tx: Db,
  batch: readonly Recording[],
): Promise<{ refused: number[]; ended: EndedWait[] }> {
  const accepted = await beginWaits(tx, batch as readonly (Recording & BeginningWait)[]);
  const refused = batch.flatMap((_, i) => (accepted.has(i) ? [] : [i]));
  await startChildren(
    tx,
    batch.flatMap((step, i) => (step.child && accepted.has(i) ? [{ ...step, child: step.child }] : [])),
  );
  const undoing = batch.filter((step, i) => accepted.has(i) && waitsForUndo(step));
  const checked = batch.filter((step, i) => accepted.has(i) && mayEndAtOnce(step));
  const ends: WaitEnding[] = await beginChildUndos(tx, await openWaits(tx, undoing));
  for (const wait of await openWaits(tx, checked)) {
    const end = await whenBegun[wait.kind]!(tx, wait, engine);
    if (end) ends.push(end);
  }
  const ended = await endLocked(engine, tx, ends);
  return { refused, ended: ended.filter((wait) => wait !== undefined) };
}
