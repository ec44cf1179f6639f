import { type Engine, sqlState } from '../engine/engine.ts';
import { isTaskerError } from '../errors.ts';
import { StepExecutionError } from '../handlers/failures/handler-errors.ts';
import type { ChildTaskStart } from '../handlers/step-wait.ts';
import type { DispatchedStep } from './dispatched-step.ts';
import { saveWithRetries } from './save-with-retries.ts';

/** Maximum number of child tasks that one transaction starts. */
const STARTED_TOGETHER = 200;
/** Maximum characters of their contexts, which are in memory and in one statement together. */
const MOST_TOGETHER = 4 * 1024 * 1024;
/** SQLSTATE. */
const UNIQUE_VIOLATION = '23505';

interface Start extends ChildTaskStart {
  settle(result: Promise<string>): void;
}

/**
 * Starts the child tasks of running handlers. Starts of one step that a handler requests while others are in progress share the
 * next transaction.
 */
export class ChildStarts {
  readonly #engine: Engine;
  /** The starts that wait for the next transaction of their step. */
  readonly #waiting = new Map<DispatchedStep, Start[]>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Starts a child task, and returns its id. @throws StepExecutionError */
  start(step: DispatchedStep, start: ChildTaskStart): Promise<string> {
    if (step.transacting) return Promise.reject(insideTransaction(step));
    return new Promise((resolve) => {
      const before = this.#waiting.get(step);
      const one = { ...start, settle: resolve };
      if (before) before.push(one);
      else {
        this.#waiting.set(step, [one]);
        // Later calls of the same turn join the first transaction.
        setImmediate(() => void this.#run(step));
      }
    });
  }

  async #run(step: DispatchedStep): Promise<void> {
    const waiting = this.#waiting.get(step)!;
    while (waiting.length > 0) await this.#startSome(step, takeSome(waiting));
    this.#waiting.delete(step);
  }

  async #startSome(step: DispatchedStep, starts: readonly Start[]): Promise<void> {
    try {
      const results = await saveWithRetries(step, () => this.#startOnce(step, starts));
      for (const [i, { settle }] of starts.entries()) {
        const result = results[i]!;
        settle(typeof result === 'string' ? Promise.resolve(result) : Promise.reject(refused(result)));
      }
    } catch (error) {
      const isTaken = isTaskerError(error) && error.code === 'step_taken_away';
      for (const { settle } of starts) settle(Promise.reject(isTaken ? takenAway(step) : error));
    }
  }

  async #startOnce(step: DispatchedStep, starts: readonly ChildTaskStart[]): ReturnType<Engine['startKeyed']> {
    if (step.over) throw takenAway(step);
    const { taskUuid, idx, claim, name, rank, correlationId, traceparent } = step;
    const { namespace } = step.task.snapshot.template;
    const parent = { taskUuid, idx, claim, name, namespace, rank, correlationId, traceparent };
    const keyed = starts.map(({ key, template, context, onCancel }) => {
      const isKeySensitive = step.sensitiveKeysOf({ key }).length > 0;
      return { key, template, context, onCancel, sensitiveKeys: step.sensitiveKeysOf(context), isKeySensitive };
    });
    try {
      return await this.#engine.startKeyed(parent, keyed);
    } catch (error) {
      // A request whose response was lost has committed in the meantime: its children are found now.
      if (sqlState(error) !== UNIQUE_VIOLATION) throw error;
      return this.#engine.startKeyed(parent, keyed);
    }
  }
}

/** Removes the first starts, with different keys. */
function takeSome(waiting: Start[]): Start[] {
  const keys = new Set<string>();
  let size = 0;
  for (let characters = 0; size < Math.min(waiting.length, STARTED_TOGETHER); size++) {
    const { key, context } = waiting[size]!;
    characters += JSON.stringify(context).length;
    if (size > 0 && (keys.has(key) || characters > MOST_TOGETHER)) break;
    keys.add(key);
  }
  return waiting.splice(0, size);
}

function refused({ message, errorType }: Exclude<Awaited<ReturnType<Engine['startKeyed']>>[number], string>): Error {
  return new StepExecutionError(message, { errorType, retryable: false });
}

function takenAway({ name }: DispatchedStep): StepExecutionError {
  const message = `step ${name} is no longer held by this worker, so it started no child task; stop when context.signal fires`;
  return new StepExecutionError(message, { errorType: 'child_error', retryable: true });
}

function insideTransaction({ name }: DispatchedStep): StepExecutionError {
  const message = `step ${name}: a transaction of this step is open, and a child task would survive its rollback; start it before or after the transaction`;
  return new StepExecutionError(message, { errorType: 'child_error', retryable: false });
}
