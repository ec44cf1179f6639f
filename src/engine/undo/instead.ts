import type { Db } from '../../db/statement.ts';
import { noteAct } from '../../store/audit.ts';
import type { Operator } from '../../store/operator-actions.ts';
import { readForUndo, undoneOnCancel } from '../../store/undo.ts';
import type { TemplateStore } from '../template-store.ts';
import { beginLocked, undoPlan } from './plan.ts';

/** An undo that began instead of a cancellation. */
export interface UndoInstead {
  /** The state of the task. */
  state: string;
  /** Number of steps that became ready. */
  queued: number;
  /** Number of attempts that it stopped. */
  running: number;
}

/**
 * Begins to undo the tasks among these that are cancelled for the first time, and whose templates ask for that
 * (`on_cancel: undo`). Returns them. Call it after lockTasks.
 */
export async function undoInstead(
  { tx, templates }: { tx: Db; templates: TemplateStore },
  taskUuids: readonly string[],
  operator: Operator,
): Promise<Map<string, UndoInstead>> {
  const begun = new Map<string, UndoInstead>();
  const rows = await undoneOnCancel(tx, taskUuids);
  if (rows.length === 0) return begun;
  const ids = rows.map(({ templateId }) => templateId);
  for (const error of (await templates.load(ids, tx)).values()) throw error;
  for (const { taskUuid, templateId, state } of rows) {
    const snapshot = templates.get(templateId);
    const { steps } = (await readForUndo(tx, taskUuid))!;
    const undo = await beginLocked(tx, { taskUuid, snapshot, plan: undoPlan(snapshot, steps) });
    await noteAct(tx, { action: 'undo', taskUuid, fromState: state, toState: undo.state }, operator);
    begun.set(taskUuid, undo);
  }
  return begun;
}
