/** A value now, or a promise of it. */
export type NowOrLater<T> = T | Promise<T>;

/** What a hook gives that need not return anything. */
// biome-ignore lint/suspicious/noConfusingVoidType: a function without a return has this type, and no other
export type HookAnswer<T = never> = T | void | Promise<T | void>;

/**
 * Runs steps that yield what their hooks gave, and are resumed with what that settles to. It answers at once as long as
 * no hook gives a promise: those who call synchronous hooks by hand need not wait. `until` may limit the wait for a promise.
 */
export function inOrder<T>(
  steps: Generator<unknown, T, unknown>,
  until: (promise: Promise<unknown>) => Promise<unknown> = (promise) => promise,
): NowOrLater<T> {
  const resume = (step: () => IteratorResult<unknown, T>): NowOrLater<T> => {
    let turn = step();
    while (!turn.done) {
      const promise = promiseOf(turn.value);
      if (promise) {
        return until(promise).then(
          (value) => resume(() => steps.next(value)),
          (thrown: unknown) => resume(() => steps.throw(thrown)),
        );
      }
      turn = steps.next(turn.value);
    }
    return turn.value;
  };
  return resume(() => steps.next());
}

/** Undefined for what is no promise; what can't even be asked is a rejected one. */
export function promiseOf(value: unknown): Promise<unknown> | undefined {
  try {
    if (typeof value !== 'object' || value === null || !('then' in value) || typeof value.then !== 'function') return;
  } catch (thrown) {
    return Promise.reject(thrown as Error);
  }
  return Promise.resolve(value);
}
