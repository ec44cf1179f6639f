import type { Tasker, TaskSnapshot } from '../../app/tasker.ts';

export type Task = TaskSnapshot['task'];
export type Step = TaskSnapshot['steps'][number];
export type HistoryEntry = Awaited<ReturnType<Tasker['getHistory']>>[number];

/** The keys of a view in snake_case, as JSON has them everywhere. Values, which may be users' data, stay as they are. */
export function snakeKeys(view: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(view).map(([key, value]) => [key.replace(/[A-Z]/g, (sign) => `_${sign.toLowerCase()}`), value]),
  );
}

/** A task with its steps as JSON. */
export function taskJson({ task, steps }: TaskSnapshot): Record<string, unknown> {
  return { ...snakeKeys(task), steps: steps.map(snakeKeys) };
}
