import { ErrorType } from '../handlers/failures/handler-errors.ts';
import { storableText } from '../handlers/failures/thrown.ts';
import { isThenable } from '../handlers/handler-of-function.ts';
import { resultOfReturn, resultOfThrown } from '../handlers/outcome.ts';
import type { StepContext } from '../handlers/step-context.ts';
import {
  callInStep,
  type ExecutableHandler,
  type HandlerIsolation,
  StepHandlerResult,
} from '../handlers/step-handler.ts';
import { inLogScope } from '../logging/logger.ts';
import { storableJson } from '../model/json.ts';
import { describeViolations } from '../model/schema-violations.ts';
import { type HandlerDefinition, usesMethodDispatch } from '../registry/handler-definition.ts';
import { ownHandler } from '../registry/handler-origin.ts';
import type { HandlerRegistry } from '../registry/handler-registry.ts';
import { ResolverNotFoundError } from '../registry/resolution-errors.ts';

/** The version that is stored with a result if the handler does not declare one. */
export const DEFAULT_VERSION = '1.0.0';
/** Maximum length in characters of the message about a result that cannot be stored. */
const MAX_UNSTORABLE = 500;

/** A step whose handler can be found and called. */
export interface RunnableStep {
  readonly handler: HandlerDefinition;
  /** Set when the outcome is no longer needed. */
  readonly over?: string | undefined;
  /** Returns the context for the handler, which is called next. */
  context(): StepContext;
  /** Returns a handler that runs the given handler in a thread. An error that it throws fails the step. */
  isolated(handler: ExecutableHandler): ExecutableHandler;
  /** Called when the handler is called. The handler occupies the event loop until {@link called}. */
  calls(): void;
  /**
   * Called when the synchronous part of the handler has ended. `from` is when it started, on the clock of
   * `performance.now()`.
   */
  called(from: number): void;
  /** Calls the handler within the span of the step. Undefined if there is none. */
  readonly within: ((call: () => unknown) => unknown) | undefined;
}

/**
 * Callbacks for the outcomes of running steps. Each step passed to {@link starts} is later passed to one of the others,
 * or yields.
 */
export interface RunOutcomes<S extends RunnableStep> {
  /** Called when the handler is known or being resolved. The step takes its slot, and its timeout starts. */
  starts(step: S): void;
  settled(step: S, result: StepHandlerResult, version: string): void;
  /** Called when the handler asks to be called again once its progress is saved. */
  yielded(step: S, result: StepHandlerResult, handler: ExecutableHandler): void;
  /** Called when the handler cannot be created. The step did not start. */
  broken(step: S, result: StepHandlerResult): void;
  /** Called when no resolver finds the handler. The step did not start. */
  unknown(step: S): void;
  /** Called when the step started, but no resolver found its handler, or the step was taken away during the search. */
  unresolved(step: S): void;
}

/** Returns where a handler runs: as the template specifies, otherwise as its class specifies. */
export function isolationOf(definition: HandlerDefinition, handler: ExecutableHandler): HandlerIsolation {
  if (definition.isolation) return definition.isolation;
  const { isolation } = (usesMethodDispatch(definition) ? ownHandler(handler) : handler).constructor as {
    isolation?: unknown;
  };
  return isolation === 'thread' ? 'thread' : 'none';
}

/** Finds the handlers of steps and calls them: for the steps of a worker and for those of subscribers. */
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

  /** Asks the resolvers. The step keeps its slot until they return. */
  async #resolveAndCall(step: S): Promise<void> {
    let handler: ExecutableHandler | null;
    try {
      handler = await this.#registry.resolve(step.handler);
    } catch (thrown) {
      // An unknown resolver is treated like a missing handler, because another worker may have the resolver.
      if (!(thrown instanceof ResolverNotFoundError)) {
        this.#outcomes.settled(step, resultOfThrown(thrown), DEFAULT_VERSION);
        return;
      }
      handler = null;
    }
    if (handler && !step.over) this.call(step, handler);
    else this.#outcomes.unresolved(step);
  }

  /** Calls the handler. A step that yielded is called again. */
  call(step: S, handler: ExecutableHandler): void {
    const outcomes = this.#outcomes;
    const context = step.context();
    let called: ExecutableHandler;
    try {
      called = isolationOf(step.handler, handler) === 'none' ? handler : step.isolated(handler);
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
 * Calls a handler and passes its outcome to `settled`: immediately if it returns or throws, later if it returns a
 * promise, and never if the promise never settles. Calls `settled` at most once, and never throws. `within` calls the
 * handler, for example in a span.
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
      // Does not call `returned.then` directly, because a foreign thenable may call back twice, or throw.
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

/** Returns whether a handler requests another call with its progress so far. */
export function isCheckpointYield(result: StepHandlerResult): boolean {
  try {
    return result.success && result.metadata?.checkpoint_yield === true;
  } catch {
    return false; // unreadable metadata requests no call
  }
}

/** Options of {@link checkedResult}. */
export interface ResultCheck {
  /** The step's name, for messages. */
  step: string;
  /** Returns the places where a result does not match the template's `result_schema`. */
  violations?: ((result: unknown) => readonly { path: string; message: string }[]) | undefined;
}

/** A result that can be stored, and the JSON text that is stored for it. */
export interface CheckedResult {
  result: StepHandlerResult;
  json: string;
}

/**
 * Returns the result unchanged if it can be stored. Otherwise returns a permanent failure that names the part that
 * cannot be stored.
 */
export function checkedResult(result: StepHandlerResult, { step, violations }: ResultCheck): CheckedResult {
  if (!result.success) return { result, json: 'null' };
  const stored = storableJson(result.result ?? {});
  if (!stored.ok) {
    const message = `step ${step}: the result cannot be stored: ${stored.path}: ${stored.reason}`;
    // The path consists of the handler's own keys, which may be of any length.
    return refused(storableText(message, MAX_UNSTORABLE), ErrorType.PERMANENT_ERROR);
  }
  // Checks the stored form, not the given objects: a date is already a string in it.
  const found = violations?.(JSON.parse(stored.json)) ?? [];
  if (found.length > 0) {
    const message = `step ${step}: the result does not match the template's result_schema: ${describeViolations(found)}`;
    return refused(message, ErrorType.VALIDATION_ERROR);
  }
  return { result, json: stored.json };
}

function refused(message: string, errorType: string): CheckedResult {
  return { result: StepHandlerResult.failure({ message, errorType, retryable: false }), json: 'null' };
}
