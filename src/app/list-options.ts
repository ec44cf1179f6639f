import type { Engine } from '../engine/engine.ts';
import { TaskerError } from '../errors.ts';
import { stateHint } from '../model/state-hint.ts';
import { TASK_STATES } from '../model/states.ts';

const HIDDEN: readonly string[] = ['initializing', 'enqueuing_steps', 'evaluating_results', 'waiting_for_dependencies'];
/** The visible states of a task. The other states exist only within a transaction. */
export const VISIBLE_STATES = TASK_STATES.filter((state) => !HIDDEN.includes(state));

export { UNNOTICED_LAG_MS } from '../model/search-lag.ts';
export { stateHint };

/** Selects the tasks that {@link Tasker.listTasks} returns. */
export interface ListOptions {
  namespace?: string;
  name?: string;
  /** A task state. `pending` selects tasks of which no step has been claimed, including tasks that start later. */
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
    throw new TaskerError('bad_request', `${status} is not a task state; ${stateHint(status, TASK_STATES)}`);
  }
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new TaskerError('bad_request', `limit must be a whole number from 1 to 1000, got ${limit}`);
  }
  const states = status === undefined ? null : [status];
  return { before, namespace, name, states, openOnly, stale, limit };
}
