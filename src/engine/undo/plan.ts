import type { Db } from '../../db/statement.ts';
import { earliestMinutes } from '../../model/task-limits.ts';
import { readyToUndo, type UNDO_REASONS, undoOrder } from '../../model/undo.ts';
import { watchTaskAgain } from '../../store/stale-tasks.ts';
import { beginUndo, type ChildToUndo, type UndoStepRow } from '../../store/undo.ts';
import type { StepState } from '../task-view.ts';
import type { Snapshot } from '../template-store.ts';

/** A step in an undo. */
export interface UndoStep {
  step: string;
  /** The state of the step before the undo. */
  state: StepState;
  /** Whether it is undone. */
  undone: boolean;
  /** The handler that undoes it. Null if the template has none. `tasker.task` undoes a child task. */
  handler: string | null;
  /** The child task that is undone for it. Null if it is undone by a handler, or not at all. */
  childTaskUuid: string | null;
  /** The steps that are undone before it. */
  after: string[];
  /** Why it is not undone. Null if it is. With `child_abandoned` and `child_deleted`, the undo is blocked by this step. */
  reason: (typeof UNDO_REASONS)[number] | null;
}

/** The steps of an undo. */
export interface UndoPlan {
  /** The steps that are undone or block the undo, in their order, and then the others. */
  steps: UndoStep[];
  /** The steps of the task that undo them. */
  begin: { idx: number; ready: boolean }[];
}

/** Decides which steps are undone, and which of these can start. */
export function undoPlan({ steps: templates, graph, template }: Snapshot, rows: readonly UndoStepRow[]): UndoPlan {
  const rowOf = new Map(rows.map((row) => [row.idx, row]));
  const undoneBy = new Map([...graph.undoes].map(([by, step]) => [step, by]));
  const chosen = new Set<number>();
  const left: UndoStep[] = [];
  for (const [idx, { name: step, undo }] of template.steps.entries()) {
    const row = rowOf.get(idx);
    if (!row) continue;
    const by = undoneBy.get(idx);
    const ofChild = by !== undefined && templates[by]!.undoesChild;
    const reason =
      by === undefined
        ? 'no_undo'
        : ofChild
          ? reasonAgainstChild(row, rowOf.get(by))
          : reasonAgainst(row, rowOf.get(by), undo!.include);
    if (reason === null) chosen.add(by!);
    const handler = undo?.handler.callable ?? null;
    // A step without `undo` that never ran has nothing to tell.
    if (reason === 'no_undo' && !row.attempted && row.state !== 'complete') continue;
    const childTaskUuid = (ofChild && row.child?.childUuid) || null;
    const state = row.state as StepState;
    if (reason !== null) left.push({ step, state, undone: false, handler, childTaskUuid, after: [], reason });
  }
  const order = undoOrder(graph, chosen);
  const states = new Map([...chosen].map((by) => [by, 'pending']));
  const ready = new Set(readyToUndo(order, states));
  const nameOf = (by: number) => templates[by]!.undoes!;
  const undone = [...order].map(([by, after]): UndoStep => {
    const { state, child } = rowOf.get(graph.undoes.get(by)!)!;
    const { handler, undoesChild } = templates[by]!;
    const reason = (undoesChild && child && blockedBy(child)) || null;
    return {
      step: nameOf(by),
      state: state as StepState,
      undone: reason === null,
      handler: handler.callable,
      childTaskUuid: undoesChild ? child!.childUuid : null,
      after: after.map(nameOf),
      reason,
    };
  });
  return { steps: [...undone, ...left], begin: [...order.keys()].map((idx) => ({ idx, ready: ready.has(idx) })) };
}

/** Returns why a child task cannot be undone, or undefined. */
export function blockedBy({ gone, abandoned }: Pick<ChildToUndo, 'gone' | 'abandoned'>) {
  if (gone) return 'child_deleted' as const;
  return abandoned ? ('child_abandoned' as const) : undefined;
}

/**
 * Returns why the child task of a step is not undone. A child is undone in any state, because each of its own steps decides
 * whether there is something to undo. Null also if the undo is blocked.
 */
function reasonAgainstChild({ child }: UndoStepRow, earlier: UndoStepRow | undefined): UndoStep['reason'] {
  if (earlier && earlier.state !== 'cancelled') return 'already_undone';
  if (!child) return 'not_started';
  return child.undoable ? null : 'no_undo';
}

function reasonAgainst(
  { state, attempted }: UndoStepRow,
  earlier: UndoStepRow | undefined,
  include: 'completed' | 'attempted',
): UndoStep['reason'] {
  if (earlier && earlier.state !== 'cancelled') return 'already_undone';
  if (state === 'complete') return null;
  if (state === 'resolved_manually') return include === 'attempted' && attempted ? null : 'resolved_manually';
  if (!attempted) return 'not_started';
  return include === 'attempted' ? null : 'not_completed';
}

/** Begins an undo. Returns the state of the task, and the number of steps that became ready or were stopped. */
export async function beginLocked(
  tx: Db,
  { taskUuid, snapshot, plan }: { taskUuid: string; snapshot: Snapshot; plan: UndoPlan },
): Promise<{ state: string; queued: number; running: number }> {
  const begun = await beginUndo(tx, taskUuid, plan.begin);
  if (snapshot.limits) await watchTaskAgain(tx, { taskUuid, minutes: earliestMinutes(snapshot.limits) });
  return begun;
}
