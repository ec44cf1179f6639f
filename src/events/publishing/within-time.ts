import { TaskerError } from '../../errors.ts';
import { inOrder, type NowOrLater } from '../delivery/in-order.ts';

/**
 * Runs steps that yield what hooks gave, as {@link inOrder}; all that they wait for takes `ms` at most, then what is waited
 * for is thrown to them as late, and so is all that they wait for after it. The steps catch what is thrown to them.
 */
export function withinTime<T>(steps: Generator<unknown, T, unknown>, ms: number): NowOrLater<T> {
  let deadline: Deadline | undefined;
  const made = inOrder(steps, (promise) => {
    deadline ??= deadlineIn(ms);
    return Promise.race([promise, deadline.late]);
  });
  return made instanceof Promise ? made.finally(() => clearTimeout(deadline?.timer)) : made;
}

interface Deadline {
  late: Promise<never>;
  timer: NodeJS.Timeout;
}

function deadlineIn(ms: number): Deadline {
  let fire!: (error: Error) => void;
  const late = new Promise<never>((_, reject) => {
    fire = reject;
  });
  late.catch(() => undefined); // it is told to whoever waits
  const timer = setTimeout(() => fire(new TaskerError('timeout', `the hooks took longer than ${ms} ms`)), ms);
  return { late, timer };
}
