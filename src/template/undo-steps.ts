import type { StepTemplate } from './task-template.ts';

/** Returns the name of the step that undoes a step. */
export function nameOfUndo(step: string): string {
  return `undo:${step}`;
}

/** A step of a task: of its template, or one that undoes such a step. */
export interface RunnableTemplate extends StepTemplate {
  /** The name of the step that it undoes. Null for the steps of the template. */
  undoes: string | null;
}

/**
 * Returns the steps that the tasks of a template can have: the steps of the template, and after them a step for each that
 * can be undone. Its index is its place in a task. It has the inputs of the step that it undoes, and no dependencies: an
 * undo decides its order.
 */
export function withUndoSteps(steps: readonly StepTemplate[]): RunnableTemplate[] {
  const undoing = steps.flatMap((step): RunnableTemplate[] => {
    if (!step.undo) return [];
    const { handler, retry, timeoutSeconds } = step.undo;
    return [
      {
        ...step,
        name: nameOfUndo(step.name),
        description: null,
        type: 'standard',
        handler,
        retry,
        timeoutSeconds,
        dependencies: [],
        runIf: null,
        join: null,
        others: null,
        when: null,
        message: null,
        inputs: step.child ? step.child.context : step.inputs,
        publishesEvents: [],
        batchConfig: null,
        timer: null,
        signal: null,
        approval: null,
        child: null,
        forEach: null,
        wait: null,
        undo: null,
        resultSchema: null,
        sensitive: null,
        composition: null,
        undoes: step.name,
      },
    ];
  });
  return [...steps.map((step) => ({ ...step, undoes: null })), ...undoing];
}
