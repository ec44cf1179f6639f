import type { Engine } from '../engine/engine.ts';
import { TASK_STATES } from '../engine/task-view.ts';
import { TaskerError } from '../errors.ts';
import { nearNames } from '../model/near-names.ts';

/** Selects the tasks that {@link Tasker.listTasks} returns. */
export interface ListOptions {
  namespace?: string;
  name?: string;
  /** A task state. `pending` and `steps_in_process` select the same tasks. */
  status?: string;
  /** Only tasks that have not ended. */
  openOnly?: boolean;
  /** Only open tasks that exceed a time limit of their template's `lifecycle`. */
  stale?: boolean;
  /** Maximum number of tasks, from 1 to 1000. Default 50. */
  limit?: number;
  /** For the next page: the id of the last task of this page. */
  before?: string;
}

/** Checks the options and fills in defaults. @throws TaskerError `bad_request` */
export function readListOptions(options: ListOptions): Parameters<Engine['listTasks']>[0] {
  const { limit = 50, before = null, namespace = null, name = null, status, openOnly = false, stale = false } = options;
  if (status !== undefined && !TASK_STATES.some((state) => state === status)) {
    const near = meantState(status, TASK_STATES);
    const hint = near ? `did you mean ${near}?` : `the states are ${TASK_STATES.join(', ')}`;
    throw new TaskerError('bad_request', `${status} is not a task state; ${hint}`);
  }
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new TaskerError('bad_request', `limit must be a whole number from 1 to 1000, got ${limit}`);
  }
  const state = status === 'pending' ? 'steps_in_process' : (status ?? null);
  return { before, namespace, name, state, openOnly, stale, limit };
}

const FAILED: ReadonlySet<string> = new Set(['failed', 'failure', 'fail', 'failing']);

/** The task state that an unknown word may mean, or undefined if no state is similar. */
export function meantState(word: string, states: readonly string[]): string | undefined {
  if (FAILED.has(word.toLowerCase())) {
    return 'blocked_by_failures (a step failed, an operator must act) or error (the task ended)';
  }
  return nearNames(word, states, 1)[0];
}
