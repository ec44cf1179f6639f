import { TaskerError } from '../../errors.ts';
import type { NowOrLater } from '../delivery/in-order.ts';

/**
 * Runs steps that yield what hooks gave, and resumes them with what that settles to; all that they wait for takes `ms`
 * at most, then what is waited for is thrown to them as late, and so is all that they wait for after it. It answers at
 * once as long as no hook gives a promise. The steps catch what is thrown to them.
 */
export function withinTime<T>(steps: Generator<unknown, T, unknown>, ms: number): NowOrLater<T> {
  let turn = steps.next();
  while (!turn.done) {
    const promise = promiseOf(turn.value);
    if (promise) return later(steps, promise, ms);
    turn = steps.next(turn.value);
  }
  return turn.value;
}

async function later<T>(steps: Generator<unknown, T, unknown>, first: Promise<unknown>, ms: number): Promise<T> {
  const clock = new Clock(ms);
  try {
    let waiting: Promise<unknown> = first;
    for (;;) {
      let turn = await clock.settled(waiting).then(
        (value) => steps.next(value),
        (thrown: unknown) => steps.throw(thrown),
      );
      for (;;) {
        if (turn.done) return turn.value;
        const promise = promiseOf(turn.value);
        if (promise) {
          waiting = promise;
          break;
        }
        turn = steps.next(turn.value);
      }
    }
  } finally {
    clock.stop();
  }
}

/** Fires once. */
class Clock {
  readonly #late: Promise<never>;
  readonly #timer: NodeJS.Timeout;

  constructor(ms: number) {
    let fire!: (error: Error) => void;
    this.#late = new Promise((_, reject) => {
      fire = reject;
    });
    this.#late.catch(() => undefined); // it is told to whoever waits
    this.#timer = setTimeout(() => fire(new TaskerError('timeout', `the hooks took longer than ${ms} ms`)), ms);
  }

  settled<T>(promise: Promise<T>): Promise<T> {
    return Promise.race([promise, this.#late]);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** Undefined for what is no promise; what can't even be asked is a rejected one. */
function promiseOf(value: unknown): Promise<unknown> | undefined {
  try {
    if (typeof value !== 'object' || value === null || !('then' in value) || typeof value.then !== 'function') return;
  } catch (thrown) {
    return Promise.reject(thrown as Error);
  }
  return Promise.resolve(value);
}
