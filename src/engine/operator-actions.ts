import { sqlState } from '../db/connection-error.ts';
import type { Database } from '../db/database.ts';
import { opening } from '../db/opening.ts';
import type { Db } from '../db/statement.ts';
import { TaskerError } from '../errors.ts';
import { hasOutcome } from '../model/dynamic-outcome.ts';
import { readElementName } from '../model/for-each.ts';
import { isStorableText, storableJson } from '../model/json.ts';
import { START_IDX } from '../model/waits.ts';
import { noteAct } from '../store/audit.ts';
import { recountBatches, releaseWorkers } from '../store/batches.ts';
import { neededBy } from '../store/child-tasks.ts';
import { openEntriesOf } from '../store/dead-letters/change.ts';
import { closeEntriesOf } from '../store/dead-letters/checks.ts';
import { holdRoutes } from '../store/decide.ts';
import { deleteTasks, releaseIdentity } from '../store/delete-tasks.ts';
import { existingSteps } from '../store/expand-tasks.ts';
import {
  type ENDINGS,
  endTask as end,
  type Operator,
  resetStep as reset,
  settleStep as settle,
} from '../store/operator-actions.ts';
import { getStep } from '../store/read-steps.ts';
import { type FailingStepRow, failingSteps, retryWaitingStep } from '../store/retry-steps.ts';
import type { StepKey } from '../store/step-key.ts';
import { getTasks, lockTasks } from '../store/tasks.ts';
import { isUndone } from '../store/undo.ts';
import { openWaits } from '../store/waits/read.ts';
import { decideLocked, failuresOf } from './decide.ts';
import { grow, growthOf } from './record.ts';
import type { TemplateStore } from './template-store.ts';
import { type UndoInstead, undoInstead } from './undo/instead.ts';

/** The actor and the reason of an action, for the task's history. */
export interface OperatorOptions {
  /** Default `operator`. */
  actor?: string;
  reason?: string;
  /** Where the action came from, for the audit. @internal */
  door?: Door;
}

/** Where an action came from. */
export type Door = 'library' | 'cli' | 'rest' | 'lifecycle' | 'policy';

const OPEN_STATES = ['pending', 'enqueued', 'in_progress', 'waiting_for_retry', 'waiting', 'error'] as const;
/**
 * These timeouts report a locked task to the operator within seconds, and keep an abandoned action from running later.
 */
const SETTINGS = opening({ lock_timeout: '5s', statement_timeout: '30s', idle_in_transaction_session_timeout: '30s' });

/** Checks the actor and the reason of an action. @throws TaskerError `bad_request` */
export function operatorOf(options: OperatorOptions): Operator {
  const { actor = 'operator', reason, door = 'library' } = options;
  for (const [name, text] of Object.entries({ actor, reason })) {
    if (text === undefined || (typeof text === 'string' && isStorableText(text))) continue;
    throw new TaskerError('bad_request', `${name} must be a string without U+0000 or lone surrogates`);
  }
  return { actor, reason: reason ?? null, door, bulkId: null };
}

/**
 * Cancels an open task, or resolves it by hand. Fires the abort signals of its running handlers. A cancelled task is undone
 * instead, if its template asks for that. `unlessUndone`: a task that is being undone, or was, is left alone.
 * @returns the number of running steps and the undo, or undefined if the task had already ended
 */
export async function endTask(
  { database, templates }: Expanding,
  of: { taskUuid: string; action: keyof typeof ENDINGS; unlessUndone?: boolean },
  options: OperatorOptions,
): Promise<{ running: number; undo?: UndoInstead } | undefined> {
  const { taskUuid, action, unlessUndone = false } = of;
  const operator = operatorOf(options);
  const ended = await onLockedTask(database, taskUuid, async (tx) => {
    if (unlessUndone && (await isUndone(tx, taskUuid))) return undefined;
    const undo =
      action === 'cancel' ? (await undoInstead({ tx, templates }, [taskUuid], operator)).get(taskUuid) : undefined;
    return undo ? { running: undo.running, undo } : end(tx, of, operator);
  });
  if (!ended && (await getTasks(database, [taskUuid])).length === 0) throw taskNotFound(taskUuid);
  return ended;
}

function taskNotFound(taskUuid: string): TaskerError {
  return new TaskerError('task_not_found', `task ${taskUuid} not found`);
}

/**
 * Deletes a task that has ended. For a pruned task, releases the identity that is still reserved.
 * @throws TaskerError `illegal_transition` if it has not ended or is in the dead letters, `task_not_found`
 */
export async function deleteTask(database: Database, taskUuid: string, options: OperatorOptions): Promise<void> {
  const operator = operatorOf(options);
  await onFreeTask(database, taskUuid, async (tx) => {
    await lockTasks(tx, [taskUuid]);
    const [task] = await getTasks(tx, [taskUuid]);
    if (!task) {
      if (!(await releaseIdentity(tx, taskUuid))) throw taskNotFound(taskUuid);
      await noteAct(tx, { action: 'delete', taskUuid, details: '{"pruned": true}' }, operator);
      return;
    }
    if (task.completedAt === null) {
      throw new TaskerError(
        'illegal_transition',
        `task ${taskUuid} cannot be deleted: it has not ended, it is in ${task.status}; cancel or resolve it first`,
      );
    }
    const needed = await neededBy(tx, taskUuid);
    if (needed) {
      const { parentUuid, rootUuid, settled } = needed;
      const why = settled
        ? `it is a child task, and its root task ${rootUuid} has not ended; delete it after that task has ended`
        : `its end has not been delivered to its parent task ${parentUuid} yet; try again while a worker is running`;
      throw new TaskerError('illegal_transition', `task ${taskUuid} cannot be deleted: ${why}`);
    }
    await closeEntriesOf(tx, [taskUuid], 'lifecycle');
    const entry = (await openEntriesOf(tx, [taskUuid])).get(taskUuid);
    if (entry !== undefined) {
      throw new TaskerError(
        'illegal_transition',
        `task ${taskUuid} cannot be deleted: it is in the dead letters, as entry ${entry}; resolve that first, with \`tasker dlq resolve\``,
      );
    }
    await deleteTasks(tx, [taskUuid], operator);
  });
}

/**
 * Returns a step to the queue: a failed step with all its attempts, or a step that waits for a retry with its remaining
 * attempts.
 */
export function retryLocked(tx: Db, step: FailingStepRow, operator: Operator): Promise<boolean> {
  return step.state === 'error' ? reset(tx, step, operator) : retryWaitingStep(tx, step, operator);
}

/**
 * Retries a step that failed, or that waits for a retry.
 * @throws TaskerError `illegal_transition` if it is in another state
 */
export async function retryStep(engine: Expanding, step: StepKey, options: OperatorOptions): Promise<void> {
  const operator = operatorOf(options);
  const done = await onFreeTask(engine.database, step.taskUuid, async (tx) => {
    await lockTasks(tx, [step.taskUuid]);
    await refuseHandled(tx, { engine, step, action: 'retry' });
    const failing = (await failingSteps(tx, [step.taskUuid])).find(({ idx }) => idx === step.idx);
    const isRetried = failing !== undefined && (await retryLocked(tx, failing, operator));
    if (isRetried) await decideLocked({ tx, templates: engine.templates }, [step.taskUuid], BY_OPERATOR);
    return isRetried;
  });
  if (!done) throw await refusal(engine.database, step, 'retry', ['error', 'waiting_for_retry']);
}

/**
 * Retries all steps of a task that failed or wait for a retry, and returns their indexes.
 * @throws TaskerError `illegal_transition` if there is none, `task_not_found`
 */
export async function retryTask(engine: Expanding, taskUuid: string, options: OperatorOptions): Promise<number[]> {
  const operator = operatorOf(options);
  const retried = await onFreeTask(engine.database, taskUuid, async (tx) => {
    await lockTasks(tx, [taskUuid]);
    return (await retryFailures(tx, engine, taskUuid, operator)).map(({ idx }) => idx);
  });
  if (retried.length > 0) return retried;
  const [task] = await getTasks(engine.database, [taskUuid]);
  if (!task) throw taskNotFound(taskUuid);
  throw new TaskerError(
    'illegal_transition',
    `task ${taskUuid} has no step to retry: it is in ${task.status}, and retry requires a step in error or waiting_for_retry`,
  );
}

/**
 * Retries the steps of a locked task that failed or wait for a retry, except for failures that are handled or were until
 * their route failed. Returns these steps.
 */
export async function retryFailures(
  tx: Db,
  engine: Expanding,
  taskUuid: string,
  operator: Operator,
): Promise<FailingStepRow[]> {
  const on = { tx, templates: engine.templates };
  const failing = await failingSteps(tx, [taskUuid]);
  const { handled, routeFailed } = await failuresOf(on, taskUuid);
  const open = failing.filter(({ idx }) => !handled.has(idx) && !routeFailed.has(idx));
  const done = await Promise.all(open.map((step) => retryLocked(tx, step, operator)));
  const retried = open.filter((_, i) => done[i]);
  if (retried.length > 0) await decideLocked(on, [taskUuid], BY_OPERATOR);
  return retried;
}

/**
 * Returns a step in `error` to the queue with all its attempts.
 * @throws TaskerError `illegal_transition` if it is in another state
 */
export async function resetStep(engine: Expanding, step: StepKey, options: OperatorOptions): Promise<void> {
  const operator = operatorOf(options);
  const done = await onFreeTask(engine.database, step.taskUuid, async (tx) => {
    await lockTasks(tx, [step.taskUuid]);
    await refuseHandled(tx, { engine, step, action: 'reset' });
    const isReset = await reset(tx, step, operator);
    if (isReset) await decideLocked({ tx, templates: engine.templates }, [step.taskUuid], BY_OPERATOR);
    return isReset;
  });
  if (!done) throw await refusal(engine.database, step, 'reset', ['error']);
}

const BY_OPERATOR = { byOperator: true };

const SETTLEMENTS = {
  resolve: { action: 'resolve', toState: 'resolved_manually', fromStates: OPEN_STATES },
  complete: { action: 'complete', toState: 'complete', fromStates: [...OPEN_STATES, 'complete', 'resolved_manually'] },
} as const;

/** Options for finishing a step by hand. */
export interface SettleOptions extends OperatorOptions {
  /**
   * `resolve` declares the step done, and its children run as if it had completed with `result`. A decision or an
   * analyzer creates steps only if `result` has an outcome. `complete` completes the step with a result, or corrects the
   * result of a step that is done.
   */
  action: keyof typeof SETTLEMENTS;
  result?: unknown;
  /** Kept in the audit and the history. */
  metadata?: Record<string, unknown>;
}

/**
 * Finishes a step by hand. Returns the state of its task.
 * @throws TaskerError `illegal_transition` if its task is cancelled, or for `resolve` if the step is already done
 */
export function settleStep(engine: Expanding, step: StepKey, options: SettleOptions): Promise<string> {
  const { action } = options;
  const result = resultOf(options);
  const details = detailsOf(options);
  const operator = operatorOf(options);
  return onFreeTask(engine.database, step.taskUuid, async (tx) => {
    await lockTasks(tx, [step.taskUuid]);
    return settleLocked(tx, { engine, step, action, result, details }, operator);
  });
}

/** Finishes a step of a locked task by hand. `result`: JSON text, or null to keep the stored one. */
export async function settleLocked(
  tx: Db,
  {
    engine,
    step,
    action,
    result,
    details = null,
  }: {
    engine: Expanding;
    step: StepKey;
    action: SettleOptions['action'];
    result: string | null;
    details?: string | null;
  },
  operator: Operator,
): Promise<string> {
  const how = SETTLEMENTS[action];
  await refuseBeforeStart(tx, step, action);
  await refuseHandled(tx, { engine, step, action });
  if (result !== null && (action === 'complete' || hasOutcome(JSON.parse(result))))
    await expand(tx, { engine, step, result });
  const settled = await settle(tx, { ...step, ...how, result, details }, operator);
  // The error also rolls back the steps that were added.
  if (!settled) throw await refusal(tx, step, action, how.fromStates);
  const { taskState } = { ...settled, ...(await moveBatches(tx, step.taskUuid)) };
  const { tasks } = await decideLocked({ tx, templates: engine.templates }, [step.taskUuid], BY_OPERATOR);
  return tasks[0]?.state ?? taskState;
}

/**
 * Rejects an action on a step whose failure is handled, because other steps have run in its place. If its route has
 * failed, the step can be resolved or completed, but not reset or retried.
 */
async function refuseHandled(
  tx: Db,
  { engine, step: { taskUuid, idx }, action }: { engine: Expanding; step: StepKey; action: string },
): Promise<void> {
  const { handled, routeFailed } = await failuresOf({ tx, templates: engine.templates }, taskUuid);
  const runsAgain = action === 'reset' || action === 'retry';
  if (!handled.has(idx) && !(runsAgain && routeFailed.has(idx))) return;
  const row = await getStep(tx, taskUuid, idx);
  const name = row?.name;
  const ofElement = row !== undefined && readElementName(row.name)?.step === row.templateName;
  const ofOthers = handled.has(idx) ? 'its failure is handled by a step after it' : 'a route after it has failed';
  const why = ofElement ? 'its list has continued without its element, or has ended' : ofOthers;
  throw new TaskerError(
    'illegal_transition',
    `step ${name} of task ${taskUuid} cannot be ${past(action)}: ${why}; rerun the step and everything after it with \`tasker task rerun ${taskUuid} --from ${name}\``,
  );
}

/** Rejects an action on a step of a task that has not started yet, because its steps must not become ready before. */
async function refuseBeforeStart(tx: Db, { taskUuid }: StepKey, action: SettleOptions['action']): Promise<void> {
  const [start] = await openWaits(tx, [{ taskUuid, idx: START_IDX }]);
  if (!start) return;
  throw new TaskerError(
    'illegal_transition',
    `the steps of task ${taskUuid} cannot be ${action}d yet: it starts at ${start.until}; start it now with \`tasker task start-now ${taskUuid}\`, or cancel it`,
  );
}

/** Returns the result as JSON text. Null if the stored result is kept. */
export function resultOf({ action, result }: Pick<SettleOptions, 'action' | 'result'>): string | null {
  if (result === undefined) return action === 'complete' ? '{}' : null;
  const stored = storableJson(result);
  if (stored.ok) return stored.json;
  throw new TaskerError(
    'result_not_storable',
    `the result of the step cannot be stored: ${stored.path}: ${stored.reason}`,
  );
}

/** Returns the details for the audit as JSON text. Null if there are none. */
function detailsOf({ metadata }: Pick<SettleOptions, 'metadata'>): string | null {
  if (metadata === undefined || Object.keys(metadata).length === 0) return null;
  const stored = storableJson({ metadata });
  if (stored.ok) return stored.json;
  throw new TaskerError('bad_request', `the metadata cannot be stored: ${stored.path}: ${stored.reason}`);
}

/** The part of the engine that completing a step needs, because its result may create steps. */
export interface Expanding {
  database: Database;
  templates: TemplateStore;
}

/**
 * Adds the steps that a decision or an analyzer creates when an operator completes it. Each step is created only once.
 */
async function expand(
  tx: Db,
  { engine, step: { taskUuid, idx }, result }: { engine: Expanding; step: StepKey; result: string },
): Promise<void> {
  const [task] = await getTasks(tx, [taskUuid]);
  const row = await getStep(tx, taskUuid, idx);
  if (!task || !row || ['complete', 'resolved_manually', 'skipped'].includes(row.state)) return;
  const { templateId } = task;
  // Reads on the same connection, because a transaction that holds the lock must not wait for another connection of the
  // pool.
  const unreadable = (await engine.templates.load([templateId], tx)).get(templateId);
  if (unreadable) throw unreadable;
  const expansion = engine.templates.get(templateId).expansionOf(idx, JSON.parse(result));
  if (!expansion) return;
  if (expansion.kind === 'wrong') {
    throw new TaskerError('bad_request', `step ${row.name} cannot be completed with this result: ${expansion.reason}`);
  }
  const existing = await existingSteps(tx, [taskUuid]);
  const making = { taskUuid, idx, claim: null, templateId, expansion };
  await Promise.all([...grow(tx, growthOf(engine.templates, [making], existing)), holdRoutes(tx, [taskUuid])]);
}

/** Starts the next worker of a batch, if an operator finished one and another may start. */
async function moveBatches(tx: Db, taskUuid: string): Promise<{ taskState?: string }> {
  await recountBatches(tx, [taskUuid]);
  const released = await releaseWorkers(tx, [taskUuid]);
  return released.size > 0 ? { taskState: 'steps_in_process' } : {};
}

async function refusal(
  database: Db,
  { taskUuid, idx }: StepKey,
  action: string,
  from: readonly string[],
): Promise<TaskerError> {
  const [task] = await getTasks(database, [taskUuid]);
  const row = await getStep(database, taskUuid, idx);
  if (!task || !row) return new TaskerError('step_not_found', `step not found in task ${taskUuid}`);
  const why =
    row.state === 'skipped'
      ? `it was skipped; run the task again from it with \`tasker task rerun ${taskUuid} --from ${row.name}\``
      : task.verdict
        ? `its task ${task.verdict === 'error' ? 'has ended in error' : `is ${task.verdict}`}`
        : action !== 'resolve' && action !== 'complete' && row.state === 'error'
          ? 'its batch continued without it, and a step that joins the batch has started'
          : `it is in ${row.state}, and ${action} requires ${from.join(' or ')}`;
  return new TaskerError(
    'illegal_transition',
    `step ${row.name} of task ${taskUuid} cannot be ${past(action)}: ${why}`,
  );
}

function past(action: string): string {
  if (action === 'retry') return 'retried';
  return action === 'reset' ? 'reset' : `${action}d`;
}

/** Locks a task and changes it, in one round trip. */
function onLockedTask<T>(database: Database, taskUuid: string, act: (tx: Db) => Promise<T>): Promise<T> {
  return onFreeTask(database, taskUuid, async (tx) => {
    const [, answer] = await Promise.all([lockTasks(tx, [taskUuid]), act(tx)]);
    return answer;
  });
}

/**
 * Runs a transaction on a task. @throws TaskerError `database_error` if the task is locked, or the action takes too
 * long
 */
export async function onFreeTask<T>(
  database: Database,
  taskUuid: string,
  work: (tx: Db) => Promise<T>,
  settings = SETTINGS,
): Promise<T> {
  try {
    return await database.transaction(settings, work);
  } catch (error) {
    const why = WHY_NOT[sqlState(error) ?? ''];
    if (why === undefined) throw error;
    throw new TaskerError('database_error', `task ${taskUuid} ${why}`, { cause: error });
  }
}

/** The reason why the timeouts in {@link SETTINGS} ended a transaction, by SQLSTATE. */
const WHY_NOT: Readonly<Record<string, string>> = {
  '55P03': 'is locked by another transaction and was not changed; try again after that transaction has ended',
  '57014':
    'was not changed, because a statement ran for 30 seconds or was cancelled; try again when the database is faster',
};
