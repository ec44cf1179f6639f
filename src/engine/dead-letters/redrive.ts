import type { Db } from '../../db/statement.ts';
import { TaskerError } from '../../errors.ts';
import { checkUuid } from '../../model/ids.ts';
import { type Act, noteAct } from '../../store/audit.ts';
import { changeEntries, entryIds, lockEntries } from '../../store/dead-letters/change.ts';
import { getDeadLetter } from '../../store/dead-letters/list.ts';
import type { Operator } from '../../store/operator-actions.ts';
import { stepNames } from '../../store/read-steps.ts';
import { getTasks, lockTasks, taskStates } from '../../store/tasks.ts';
import { type Expanding, type OperatorOptions, onFreeTask, operatorOf, retryFailures } from '../operator-actions.ts';
import { reopenLocked } from '../rerun/rerun.ts';
import type { TaskState } from '../task-view.ts';
import { keyTaken, lockReopeningKeys, type ReopeningKeys } from '../unique/reopening.ts';
import { deadLetterNotFound } from './entries.ts';

/** The result of redriving one task. */
export interface Redrive {
  taskUuid: string;
  dlqEntryUuid: string;
  /**
   * `retried`: its failed and waiting steps run again. `reopened`: it had ended, and continues with the steps that were
   * cancelled with it.
   */
  how: 'retried' | 'reopened';
  /** The names of these steps. */
  steps: string[];
  statusBefore: TaskState;
  status: TaskState;
}

/**
 * Lets a task of the dead letters run again, and closes its entry.
 * @throws TaskerError `dead_letter_not_found`, `nothing_failed` if it makes progress or is complete, `invalid_uuid`,
 * `conflict` if it has ended, and another open task has its key
 */
export async function redrive(
  engine: Expanding,
  given: string,
  options: OperatorOptions,
): Promise<Redrive & { seconds: number[] }> {
  const id = checkUuid(given, 'the id of the dead letter or its task');
  const operator = operatorOf(options);
  const entry = await getDeadLetter(engine.database, id);
  if (!entry) throw deadLetterNotFound(id);
  const { taskUuid } = entry;
  return onFreeTask(engine.database, taskUuid, async (tx) => {
    const keys = await lockReopeningKeys({ tx, templates: engine.templates }, [taskUuid]);
    await lockTasks(tx, [taskUuid]);
    const redriven = await redriveLocked({ tx, engine, keys }, taskUuid, operator);
    if (!redriven) throw await nothingFailed(tx, taskUuid);
    const dlqEntryUuid = (await entryIds(tx, [taskUuid])).get(taskUuid)!;
    const seconds = await closeRedriven(tx, [{ ...redriven, dlqEntryUuid }], operator);
    return { ...redriven, dlqEntryUuid, seconds };
  });
}

/** Retries the failed steps of an open task, or reopens an ended task. Undefined if nothing failed. */
async function redriveLocked(
  { tx, engine, keys }: { tx: Db; engine: Expanding; keys: ReopeningKeys },
  taskUuid: string,
  operator: Operator,
): Promise<Omit<Redrive, 'dlqEntryUuid'> | undefined> {
  const stateOf = async () => (await taskStates(tx, [taskUuid])).get(taskUuid) as TaskState;
  const statusBefore = await stateOf();
  const retried = await retryFailures(tx, engine, taskUuid, operator);
  if (retried.length > 0) {
    const names = await stepNames(tx, taskUuid);
    const steps = retried.map(({ idx }) => names.get(idx) ?? String(idx));
    return { taskUuid, how: 'retried', steps, statusBefore, status: await stateOf() };
  }
  const reopened = await reopenLocked({ tx, engine, keys }, taskUuid);
  if (reopened && 'reason' in reopened) throw keyTaken(taskUuid, 'redriven', reopened);
  return reopened && { taskUuid, how: 'reopened', statusBefore, ...reopened };
}

/** A redriven task, with its entry. */
export type ClosingRedrive = Omit<Redrive, 'steps'>;

/**
 * Closes the open entries of redriven tasks, and records the redrives. Returns how many seconds each was open. Entries
 * that were already closed stay unchanged.
 */
export async function closeRedriven(
  tx: Db,
  redriven: readonly ClosingRedrive[],
  operator: Operator,
): Promise<number[]> {
  const entries = await lockEntries(
    tx,
    redriven.map((one) => one.dlqEntryUuid),
  );
  const open = entries.filter((entry) => entry.status === 'pending').map((entry) => entry.id);
  const resolution = operator.reason === null ? 'redriven' : `redriven: ${operator.reason.slice(0, 1000)}`;
  const change = { status: 'manually_resolved', resolution } as const;
  const seconds =
    open.length > 0
      ? await changeEntries(
          tx,
          open,
          { act: 'dlq_resolve', change, details: { status: change.status, resolution } },
          operator,
        )
      : [];
  await Promise.all(redriven.map((one) => noteAct(tx, actOf(one), operator)));
  return seconds;
}

function actOf({ taskUuid, dlqEntryUuid, how, statusBefore, status }: ClosingRedrive): Act {
  const details = JSON.stringify({ entry: dlqEntryUuid, how });
  return { action: 'dlq_redrive', taskUuid, fromState: statusBefore, toState: status, details };
}

async function nothingFailed(tx: Db, taskUuid: string): Promise<TaskerError> {
  const [task] = await getTasks(tx, [taskUuid]);
  if (!task) return new TaskerError('task_not_found', `task ${taskUuid} not found`);
  return new TaskerError('nothing_failed', `task ${taskUuid} cannot be redriven: ${whyNothing(task.status)}`, {
    details: { task_uuid: taskUuid, status: task.status },
  });
}

/** Returns why nothing can be redriven in a task in this state. */
export function whyNothing(status: string): string {
  if (status === 'complete') return 'it is complete, and nothing failed; `tasker task rerun` runs a part of it again';
  if (status === 'blocked_by_failures') {
    return 'its batch continued without the failed steps, and a step that joins the batch has started';
  }
  return `it is in ${status}, and nothing failed; \`tasker task why\` shows what it waits for, and \`tasker task rerun\` runs a part of it again`;
}
