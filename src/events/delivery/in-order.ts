/** A value now, or a promise of it. */
export type NowOrLater<T> = T | Promise<T>;

/** What a hook gives that need not return anything. */
// biome-ignore lint/suspicious/noConfusingVoidType: a function without a return has this type, and no other
export type HookAnswer<T = never> = T | void | Promise<T | void>;

/**
 * Runs steps that yield what their hooks gave, and are resumed with what that settles to. It answers at once as long as
 * no hook gives a promise: those who call synchronous hooks by hand need not wait.
 */
export function inOrder<T>(steps: Generator<unknown, T, unknown>): NowOrLater<T> {
  const resume = (step: () => IteratorResult<unknown, T>): NowOrLater<T> => {
    let turn = step();
    while (!turn.done) {
      const given = turn.value;
      if (isThenable(given)) {
        return Promise.resolve(given).then(
          (value) => resume(() => steps.next(value)),
          (thrown: unknown) => resume(() => steps.throw(thrown)),
        );
      }
      turn = steps.next(given);
    }
    return turn.value;
  };
  return resume(() => steps.next());
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
