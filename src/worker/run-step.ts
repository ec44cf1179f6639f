import { resultOfReturn, resultOfThrown } from '../handlers/outcome.ts';
import type { StepContext } from '../handlers/step-context.ts';
import { callInStep, type ExecutableHandler, type StepHandlerResult } from '../handlers/step-handler.ts';

import { inLogScope } from '../logging/log-scope.ts';
import type { HandlerDefinition } from '../registry/handler-definition.ts';
import type { HandlerRegistry } from '../registry/handler-registry.ts';
import { ResolverNotFoundError } from '../registry/resolution-errors.ts';

/** Stored with a result unless the handler states its version. */
const DEFAULT_VERSION = '1.0.0';

/** A step whose handler can be found and called. */
export interface RunnableStep {
  readonly handler: HandlerDefinition;
  /** Set: the outcome is no longer needed. */
  readonly over?: string | undefined;
  /** The context for the handler, which is called next. */
  context(): StepContext;
  /** Returns what to call: its handler, or what runs that in a thread. What it throws fails the step. */
  isolated(handler: ExecutableHandler): ExecutableHandler;
  /** Its handler is called now: until {@link called}, it has the event loop. */
  calls(): void;
  /** The synchronous part of its handler is over, which began at `from` on the clock of `performance.now()`. */
  called(from: number): void;
  /** Calls its handler within its span; undefined: it has none. */
  readonly within: ((call: () => unknown) => unknown) | undefined;
}

/** The outcomes of running steps. Each step that {@link starts} ends in one of the others, or yields. */
export interface RunOutcomes<S extends RunnableStep> {
  /** Its handler is known or being resolved: it takes its slot, and its time runs. */
  starts(step: S): void;
  settled(step: S, result: StepHandlerResult, version: string): void;
  /** It wants to be called again once its progress is saved. */
  yielded(step: S, result: StepHandlerResult, handler: ExecutableHandler): void;
  /** Its handler can't be made; it did not start. */
  broken(step: S, result: StepHandlerResult): void;
  /** No resolver knows its handler; it did not start. */
  unknown(step: S): void;
  /** It started, and then no resolver knew its handler, or it was taken away meanwhile. */
  unresolved(step: S): void;
}

/** Finds the handlers of steps and calls them: for a worker's own steps and for those of subscribers. */
export class StepRunner<S extends RunnableStep> {
  readonly #registry: HandlerRegistry;
  readonly #outcomes: RunOutcomes<S>;

  constructor(registry: HandlerRegistry, outcomes: RunOutcomes<S>) {
    this.#registry = registry;
    this.#outcomes = outcomes;
  }

  run(step: S): void {
    let handler: ExecutableHandler | null | undefined;
    try {
      handler = this.#registry.resolveKnown(step.handler);
    } catch (thrown) {
      this.#outcomes.broken(step, resultOfThrown(thrown));
      return;
    }
    if (handler === null) {
      this.#outcomes.unknown(step);
      return;
    }
    this.#outcomes.starts(step);
    if (handler) this.call(step, handler);
    else void this.#resolveAndCall(step);
  }

  /** Asks the resolvers. Meanwhile the step has its slot. */
  async #resolveAndCall(step: S): Promise<void> {
    let handler: ExecutableHandler | null;
    try {
      handler = await this.#registry.resolve(step.handler);
    } catch (thrown) {
      // Unknown resolvers are missing handlers, as unknown names are: another worker may have them.
      if (!(thrown instanceof ResolverNotFoundError)) {
        this.#outcomes.settled(step, resultOfThrown(thrown), DEFAULT_VERSION);
        return;
      }
      handler = null;
    }
    if (handler && !step.over) this.call(step, handler);
    else this.#outcomes.unresolved(step);
  }

  /** Calls the handler; once more for a step that yielded. */
  call(step: S, handler: ExecutableHandler): void {
    const outcomes = this.#outcomes;
    const context = step.context();
    let called: ExecutableHandler;
    try {
      called = step.isolated(handler);
    } catch (thrown) {
      outcomes.settled(step, resultOfThrown(thrown), DEFAULT_VERSION);
      return;
    }
    const from = performance.now();
    const settled = (result: StepHandlerResult, version: string) => {
      if (isCheckpointYield(result)) outcomes.yielded(step, result, handler);
      else outcomes.settled(step, result, version);
    };
    step.calls();
    callHandler(called, context, settled, step.within);
    step.called(from);
  }
}

/**
 * Calls a handler. Its outcome is passed to `settled` exactly once: at once when it returns or throws, later when it
 * returned a promise, never when that never settles. Never throws. `within` calls the handler, for example in a span.
 */
export function callHandler(
  handler: ExecutableHandler,
  context: StepContext,
  settled: (result: StepHandlerResult, version: string) => void,
  within?: (call: () => unknown) => unknown,
): void {
  let version = DEFAULT_VERSION;
  let result: StepHandlerResult;
  try {
    const stated: unknown = handler.version;
    if (typeof stated === 'string') version = stated;
    const returned: unknown = within
      ? within(() => inLogScope(context, callInStep, handler))
      : inLogScope(context, callInStep, handler);
    if (isThenable(returned)) {
      // Not `returned.then`: a foreign thenable may call back twice, or throw.
      Promise.resolve(returned).then(
        (value) => settled(resultOfReturn(value), version),
        (thrown: unknown) => settled(resultOfThrown(thrown), version),
      );
      return;
    }
    result = resultOfReturn(returned);
  } catch (thrown) {
    result = resultOfThrown(thrown);
  }
  settled(result, version);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/** Whether a handler asks to be called again with its progress so far. */
export function isCheckpointYield(result: StepHandlerResult): boolean {
  try {
    return result.success && result.metadata?.checkpoint_yield === true;
  } catch {
    return false; // unreadable metadata requests nothing
  }
}
