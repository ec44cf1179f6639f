import { ExpressionFailed } from '../expressions/expression-error.ts';
import { expressionMap, orFailure } from '../expressions/expression-map.ts';
import { HIDDEN, leadsTo } from '../model/sensitive.ts';
import type { StepTemplate } from '../template/task-template.ts';
import { pathsOfStep } from './sensitive.ts';
import type { Step, Task } from './task-view.ts';
import type { Snapshot } from './template-store.ts';

/** Returns what the condition of a step reads, with the values. Sensitive values are replaced for every reader. */
export function readsOfCondition({
  task,
  steps,
  snapshot: { sensitive },
  step,
  element,
}: {
  task: Task;
  steps: readonly Step[];
  snapshot: Snapshot;
  step: StepTemplate;
  /** The number of the element that the step runs for. */
  element: number | undefined;
}): string {
  const map = orFailure(() => expressionMap({ when: step.when ?? 'true' }));
  if (map instanceof ExpressionFailed) return '';
  const shown = new Map<string, string>();
  for (const { root, keys } of map.expressions.get('when')!.reads) {
    const [name, ...path] = keys;
    if (keys.includes(null) || (root !== 'context' && root !== 'steps')) continue;
    const paths = root === 'context' ? sensitive?.context : pathsOfStep(sensitive, name!);
    const at = root === 'context' ? keys : path;
    const isRead = (one: Step) =>
      one.name === name || (one.templateStepName === name && one.element?.number === element);
    const from = root === 'context' ? task.context : steps.find(isRead)?.results?.result;
    const value = at.reduce(memberOf, from);
    const text = leadsTo(paths, at) ? HIDDEN : (JSON.stringify(value) ?? 'absent');
    shown.set([root, ...keys].join('.'), text.length > 60 ? `${text.slice(0, 59)}…` : text);
  }
  return [...shown].map(([path, text]) => `${path} is ${text}`).join(', ');
}

/** Returns the value of a key of an object, or of an index of a list. Undefined if there is none. */
function memberOf(value: unknown, key: string | null): unknown {
  const isOwn = typeof value === 'object' && value !== null && key !== null && Object.hasOwn(value, key);
  return isOwn ? (value as Record<string, unknown>)[key] : undefined;
}
