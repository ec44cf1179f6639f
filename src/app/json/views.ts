import { snakeCase } from '../../model/key-case.ts';
import type { Tasker, TaskSnapshot } from '../tasker.ts';

export { snakeCase };

export type Task = TaskSnapshot['task'];
export type Step = TaskSnapshot['steps'][number];
export type EarlierRun = Awaited<ReturnType<Tasker['getEarlierRuns']>>[number];
export type TaskRerun = Awaited<ReturnType<Tasker['rerunTask']>>;
/** The undo of a task, or what it would undo. */
export type TaskUndo = Awaited<ReturnType<Tasker['undoTask']>>;
export type HistoryEntry = Awaited<ReturnType<Tasker['getHistory']>>[number];

/** `createdAt` as `created_at`. */
type SnakeCase<Key extends string> = Key extends `${infer Sign}${infer Rest}`
  ? `${Sign extends Lowercase<Sign> ? Sign : `_${Lowercase<Sign>}`}${SnakeCase<Rest>}`
  : '';

/** Converts the pauses of a task and the wait of a step to JSON. Leaves other values unchanged. */
type SnakeValue<Key, Value> = Key extends 'paused' | 'wait'
  ? Value extends readonly (infer Item extends object)[]
    ? SnakeKeys<Item>[]
    : Value extends object
      ? SnakeKeys<Value>
      : Value
  : Value;

/** A view with its keys in snake_case, as {@link snakeKeys} returns it. */
export type SnakeKeys<View> = {
  [Key in keyof View as Key extends string ? SnakeCase<Key> : never]: SnakeValue<Key, View[Key]>;
};

/**
 * Converts the keys of a view to snake_case, as in all JSON output. Values, which may be user data, are not changed,
 * except the pauses of a task, the waits of a step, and the names of keys in `atLeast`.
 */
export function snakeKeys<View extends object>(view: View): SnakeKeys<View> {
  return Object.fromEntries(
    Object.entries(view).map(([key, value]) => [
      snakeCase(key),
      key === 'paused' && Array.isArray(value)
        ? value.map((pause: object) => snakeKeys(pause))
        : key === 'wait' && value
          ? snakeKeys(value)
          : key === 'atLeast' && Array.isArray(value)
            ? value.map(snakeCase)
            : value,
    ]),
  ) as SnakeKeys<View>;
}

/** Returns a task and its steps as JSON. */
export function taskJson({ task, steps }: TaskSnapshot) {
  return { ...snakeKeys(task), steps: steps.map((step) => snakeKeys(step)) };
}
