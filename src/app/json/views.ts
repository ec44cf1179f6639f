import type { Tasker, TaskSnapshot } from '../tasker.ts';

export type Task = TaskSnapshot['task'];
export type Step = TaskSnapshot['steps'][number];
export type EarlierRun = Awaited<ReturnType<Tasker['getEarlierRuns']>>[number];
export type TaskRerun = Awaited<ReturnType<Tasker['rerunTask']>>;
export type HistoryEntry = Awaited<ReturnType<Tasker['getHistory']>>[number];

/**
 * Converts the keys of a view to snake_case, as in all JSON output. Values, which may be user data, are not changed,
 * except the pauses of a task and the waits of a step.
 */
export function snakeKeys(view: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(view).map(([key, value]) => [
      key.replace(/[A-Z]/g, (sign) => `_${sign.toLowerCase()}`),
      key === 'paused' && Array.isArray(value)
        ? value.map(snakeKeys)
        : key === 'wait' && value
          ? snakeKeys(value)
          : value,
    ]),
  );
}

/** Returns a task and its steps as JSON. */
export function taskJson({ task, steps }: TaskSnapshot): Record<string, unknown> {
  return { ...snakeKeys(task), steps: steps.map(snakeKeys) };
}
