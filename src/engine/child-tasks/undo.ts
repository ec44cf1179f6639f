import type { Db } from '../../db/statement.ts';
import type { WaitRequest } from '../../model/waits.ts';
import { undoChildren } from '../../store/child-tasks.ts';
import type { StepKey } from '../../store/step-key.ts';
import { childrenToUndo } from '../../store/undo.ts';
import type { Recording } from '../record.ts';
import { blockedBy } from '../undo/plan.ts';
import type { OpenWait, WaitEnding } from '../waits/waits.ts';
import { ChildRefused } from './start.ts';

// A step that undoes a child task waits for the end of that undo. The row of the child in `child_task` is open until then, and
// a worker begins the undo of the child after the commit.

/** The error type of a step whose child no longer exists. */
const CHILD_DELETED = 'child_deleted';

/** A step that undoes the child task of another step. */
export interface UndoingChild {
  taskUuid: string;
  /** Its name. */
  step: string;
  /** The step that has started the child. */
  undone: { idx: number; name: string };
}

/**
 * Prepares the wait for the undo of a child task.
 * @throws ChildRefused if the child was abandoned or deleted
 */
export async function prepareChildUndo(db: Db, { taskUuid, step, undone }: UndoingChild): Promise<WaitRequest> {
  const [child] = await childrenToUndo(db, taskUuid, undone.idx);
  if (!child) throw new ChildRefused(CHILD_DELETED, `step ${undone.name} has no child task; resolve step ${step}`);
  const { childUuid, namespace, name, version } = child;
  const which = `child task ${childUuid} (${namespace}/${name})`;
  const reason = blockedBy(child);
  if (reason === CHILD_DELETED) throw new ChildRefused(reason, deleted(which, step));
  if (reason) {
    throw new ChildRefused(
      reason,
      `${which} was abandoned by step ${undone.name} (on_cancel: abandon), so it is not undone with its parent; undo it (\`tasker task undo ${childUuid}\`) and retry step ${step}, or resolve that step`,
    );
  }
  return { kind: 'task', settings: { task_uuid: childUuid, namespace, name, version, undo: true } };
}

function deleted(which: string, step: string): string {
  return `${which} no longer exists, so it cannot be undone; undo its effects by hand, and then resolve step ${step}`;
}

/** Returns whether a step begins to wait for the undo of a child task. */
export function waitsForUndo({ wait }: Pick<Recording, 'wait'>): boolean {
  return wait?.kind === 'task' && wait.settings['undo'] === true;
}

/** Returns the child task that a wait is for. */
const childOf = ({ settings }: Pick<WaitRequest, 'settings'>) => String(settings['task_uuid']);

/**
 * Links child tasks to the steps that have begun to wait for their undo. Returns the ends of the waits whose child was deleted in
 * the meantime. Call it in the transaction that begins the waits.
 */
export async function beginChildUndos(tx: Db, waits: readonly OpenWait[]): Promise<WaitEnding[]> {
  if (waits.length === 0) return [];
  const steps = waits.map((wait) => ({ ...wait, childUuid: childOf(wait) }));
  const linked = await undoChildren(tx, steps);
  return steps.flatMap(({ childUuid, settings }, i): WaitEnding[] => {
    if (linked.has(childUuid)) return [];
    const message = deleted(`child task ${childUuid} (${settings['namespace']}/${settings['name']})`, 'of the undo');
    return [{ wait: waits[i]!, by: 'child', kind: 'permanent', error: { message, error_type: CHILD_DELETED } }];
  });
}

/** Returns the child tasks whose undo the accepted steps of a recording wait for. */
export function childrenOfUndos(batch: readonly (StepKey & Pick<Recording, 'wait'>)[]): string[] {
  return batch.flatMap((step) => (waitsForUndo(step) ? [childOf(step.wait!)] : []));
}

/** Returns how the wait for the undo of a child ends. `state`: the state in which the child has ended. Null if it was deleted. */
export function endOfChildUndo(wait: OpenWait, state: string | null): WaitEnding {
  const childUuid = childOf(wait);
  if (state === 'undone') {
    return { wait, by: 'child', kind: 'completed', result: { task_uuid: childUuid, state } };
  }
  const which = `child task ${childUuid} (${wait.settings['namespace']}/${wait.settings['name']})`;
  const error =
    state === null
      ? { message: deleted(which, 'of the undo'), error_type: CHILD_DELETED }
      : {
          message: `${which} ended in ${state} before it was undone; retry this step to continue its undo, or undo the rest by hand and resolve this step`,
          error_type: 'child_not_undone',
        };
  return { wait, by: 'child', kind: 'permanent', error };
}
