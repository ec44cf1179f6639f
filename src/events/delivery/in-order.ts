/** A value, or a promise of one. */
export type NowOrLater<T> = T | Promise<T>;

/** The return type of a hook that may return nothing. */
// biome-ignore lint/suspicious/noConfusingVoidType: a function without a return has this type, and no other
export type HookAnswer<T = never> = T | void | Promise<T | void>;

/**
 * Runs a generator that yields the return values of hooks and is resumed with their settled values. Returns the result
 * directly if no hook returns a promise, so that synchronous hooks need no await. `until` can limit the wait for a promise.
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

/**
 * Returns a promise for a thenable, and undefined for other values. If reading `then` throws, the promise is rejected.
 */
export function promiseOf(value: unknown): Promise<unknown> | undefined {
  try {
    if (typeof value !== 'object' || value === null || !('then' in value) || typeof value.then !== 'function') return;
  } catch (thrown) {
    return Promise.reject(thrown as Error);
  }
  return Promise.resolve(value);
}
