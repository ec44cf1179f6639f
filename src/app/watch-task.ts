import type { Engine } from '../engine/engine.ts';
import type { Step, Task } from '../engine/task-view.ts';
import { TaskerError } from '../errors.ts';
import { isResting, type TaskWaiter } from './task-waiter.ts';

/** Options of {@link Tasker.waitForTask}. */
export interface WaitOptions {
  /** Milliseconds; without it, as long as it takes. */
  timeoutMs?: number;
  /** Reject with `task_failed` when the task did not complete. Default false: the task tells by its status. */
  throwOnFailure?: boolean;
  signal?: AbortSignal;
}

/** What {@link Tasker.watchTask} yields: the task and its steps, whenever something changed. */
export interface TaskSnapshot {
  task: Task;
  steps: Step[];
}

/** @throws TaskerError `task_failed` unless the task completed */
export function onlySuccess(task: Task): Task {
  const { taskUuid, status } = task;
  if (status === 'complete' || status === 'resolved_manually') return task;
  throw new TaskerError('task_failed', `task ${taskUuid} is ${status}; \`tasker task why ${taskUuid}\` tells why`, {
    details: { status },
  });
}

const WATCH_MS = 250;

/** What a watch needs of its tasker. */
export interface Watching {
  engine: Engine;
  waiter: TaskWaiter;
  signal: AbortSignal | undefined;
}

/** Yields the task and its steps whenever something changed, the last time when it rests. */
export async function* watchTask(taskUuid: string, { engine, waiter, signal }: Watching): AsyncGenerator<TaskSnapshot> {
  let shown = '';
  while (!signal?.aborted) {
    const task = await engine.getTask(taskUuid);
    // After the task: of one that rests, the steps are shown as they ended.
    const steps = await engine.getSteps(taskUuid);
    const now = JSON.stringify([
      task.status,
      steps.map((step) => [step.currentState, step.attempts, step.nextRetryAt]),
    ]);
    if (now !== shown) yield { task, steps };
    shown = now;
    if (isResting(task.status)) return;
    await waiter.wait(taskUuid, { timeoutMs: WATCH_MS, signal }).catch((error: unknown) => {
      if (!signal?.aborted) onlyTimeout(error);
    });
  }
}

function onlyTimeout(error: unknown): void {
  if (!(error instanceof TaskerError && error.code === 'timeout')) throw error;
}
