import type { TaskFilter } from '../../app/operator-types.ts';
import { commandOf } from './command-of.ts';

/**
 * Returns which steps a search leaves out, because the search tables have only steps that are ready, running, waiting,
 * failed or resolved by hand, and workers only of running and failed steps. Undefined if it leaves out none.
 */
export function leftOut(filter: TaskFilter, what: 'step' | 'task'): string | undefined {
  const { step, handler, worker, errorType, error, stepState } = filter;
  // Only failed steps have an error.
  if (errorType !== undefined || error !== undefined) return undefined;
  if (worker !== undefined) {
    if (stepState !== undefined) return undefined;
    return 'left out: steps that the worker completed; the list has only steps that it runs, or that failed there last';
  }
  if (what === 'task' || stepState !== undefined || (step ?? handler) === undefined) return undefined;
  const complete = commandOf('task list', { ...filter, stepState: 'complete' }, { acts: false });
  return `left out: steps that are pending, complete or cancelled; \`${complete}\` finds the tasks of completed ones`;
}
