import type { StepTemplate } from './task-template.ts';

/** Returns the name of the step that undoes a step. */
export function nameOfUndo(step: string): string {
  return `undo:${step}`;
}

/** A step of a task: of its template, or one that undoes such a step. */
export interface RunnableTemplate extends StepTemplate {
  /** The name of the step that it undoes. Null for the steps of the template. */
  undoes: string | null;
  /** Whether it undoes the child task of that step, and runs no handler. */
  undoesChild: boolean;
}

/**
 * Returns whether the undo of a step is that of its child task. A step with an `undo` of its own reverses by itself what its
 * child did.
 */
export function undoesChildOf({ type, undo, elementOf }: Pick<StepTemplate, 'type' | 'undo' | 'elementOf'>): boolean {
  return type === 'task' && !undo && elementOf === null;
}

/**
 * Returns the steps that the tasks of a template can have: the steps of the template, and after them a step for each that
 * can be undone. Its index is its place in a task. It has the inputs of the step that it undoes, and no dependencies: an
 * undo decides its order.
 */
export function withUndoSteps(steps: readonly StepTemplate[]): RunnableTemplate[] {
  const undoing = steps.flatMap((step): RunnableTemplate[] => {
    const undoesChild = undoesChildOf(step);
    if (!step.undo && !undoesChild) return [];
    const { handler, retry, timeoutSeconds } = step.undo ?? step;
    return [
      {
        ...step,
        name: nameOfUndo(step.name),
        description: null,
        type: undoesChild ? 'task' : 'standard',
        handler,
        retry,
        timeoutSeconds,
        dependencies: [],
        runIf: null,
        join: null,
        others: null,
        when: null,
        message: null,
        inputs: undoesChild ? null : step.child ? step.child.context : step.inputs,
        publishesEvents: [],
        batchConfig: null,
        timer: null,
        signal: null,
        approval: null,
        child: null,
        forEach: null,
        wait: null,
        limits: null,
        undo: null,
        resultSchema: null,
        sensitive: null,
        composition: null,
        undoes: step.name,
        undoesChild,
      },
    ];
  });
  return [...steps.map((step) => ({ ...step, undoes: null, undoesChild: false })), ...undoing];
}
