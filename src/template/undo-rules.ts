import { isFields } from '../model/json.ts';
import type { Finding, StepSketch } from './step-rules.ts';
import { nameOfUndo } from './undo-steps.ts';

/** Maximum number of steps of a template, with one more for each step that can be undone. */
const MOST_STEPS = 16_000;

/** Why steps of these types cannot be undone. */
const WITHOUT: Readonly<Record<string, string>> = {
  fail: 'it ends the task and has no effect of its own',
  batch_worker: 'workers of a batch cannot be undone one by one; undo their effects in a step after the batch',
};

/** Checks which steps can be undone, and the names of the steps that undo them. */
export function undoRules(data: unknown, steps: readonly StepSketch[]): Finding[] {
  // A step of the type `task` undoes its child task.
  const undone = steps.filter(
    ({ type, fields, elementOf }) => isFields(fields['undo']) || (type === 'task' && elementOf === undefined),
  );
  if (undone.length === 0) return lifecycleRules(data);
  const taken = new Map(steps.map(({ name, path }) => [name, path]));
  const findings = undone.flatMap(({ name, type, path }): Finding[] => {
    const at = [...path, 'undo'];
    const why = WITHOUT[type];
    if (why !== undefined) {
      const message = `step \`${name}\` of the type \`${type}\` cannot have \`undo\`: ${why}`;
      return [{ severity: 'error', code: 'undo_unused', message, path: at, atKey: true }];
    }
    const other = taken.get(nameOfUndo(name));
    if (other === undefined) return [];
    const message = `step \`${nameOfUndo(name)}\` has the name of the step that undoes \`${name}\`; rename it`;
    return [{ severity: 'error', code: 'reserved_name', message, path: [...other, 'name'] }];
  });
  if (steps.length + undone.length <= MOST_STEPS) return findings;
  const message = `${steps.length} steps, of which ${undone.length} can be undone, are more than ${MOST_STEPS} together; remove some, or start child tasks`;
  return [...findings, { severity: 'error', code: 'too_many_steps', message, path: ['steps'], atKey: true }];
}

/** Checks that a template that undoes its tasks has something to undo. */
function lifecycleRules(data: unknown): Finding[] {
  const lifecycle = isFields(data) ? data['lifecycle'] : undefined;
  if (!isFields(lifecycle)) return [];
  return ['on_blocked', 'on_cancel'].flatMap((key): Finding[] => {
    if (lifecycle[key] !== 'undo') return [];
    const message = `\`${key}: undo\` has no effect, because no step has \`undo\`; add it to the steps whose effects can be undone`;
    return [{ severity: 'error', code: 'undo_unused', message, path: ['lifecycle', key] }];
  });
}
