import { isFunctionHandler } from '../handlers/handler-of-function.ts';
import type { StepContext } from '../handlers/step-context.ts';
import { type ExecutableHandler, type HandlerOutcome, runInStep } from '../handlers/step-handler.ts';

import { MethodDispatchError } from './resolution-errors.ts';

// Marks the prototype of StepHandler. Its methods are helpers that every handler has, so templates cannot name them.
const STEP_HANDLER = Symbol.for('tasker-core.step-handler');

/**
 * Wraps a handler so that `call` runs another of its methods, which a template names in `handler.method`. Throws
 * {@link MethodDispatchError} if the method does not exist. The helpers of StepHandler itself cannot be called this
 * way.
 *
 * @example
 * const refund = new MethodDispatchWrapper(new PaymentHandler(), 'refund');
 * await refund.call(context); // runs PaymentHandler's refund(context)
 */
export class MethodDispatchWrapper implements ExecutableHandler {
  readonly handler: ExecutableHandler;
  readonly targetMethod: string;

  constructor(handler: ExecutableHandler, targetMethod: string) {
    const known = methodsOf(handler);
    if (!known.includes(targetMethod)) throw new MethodDispatchError(handler.name, targetMethod, known);
    this.handler = handler;
    this.targetMethod = targetMethod;
  }

  get name(): string {
    return this.handler.name;
  }

  get version(): string {
    return this.handler.version;
  }

  get capabilities(): string[] {
    return this.handler.capabilities;
  }

  call(context: StepContext): HandlerOutcome {
    const methods = this.handler as unknown as Record<string, HandlerMethod>;
    return runInStep(this.handler, context, () => methods[this.targetMethod]!.call(this.handler, context));
  }

  configSchema(): Record<string, unknown> | null {
    return this.handler.configSchema();
  }

  /** The wrapped handler. */
  unwrap(): ExecutableHandler {
    return this.handler;
  }

  toString(): string {
    return `MethodDispatchWrapper(${this.name}.${this.targetMethod})`;
  }
}

/**
 * Returns the handler with this method in place of `call`. A handler created from a function has no other methods, so
 * it is returned unchanged. Throws {@link MethodDispatchError} if a class does not have the method.
 *
 * @internal
 */
export function withMethod(handler: ExecutableHandler, method: string): ExecutableHandler {
  return isFunctionHandler(handler) ? handler : new MethodDispatchWrapper(handler, method);
}

type HandlerMethod = (this: ExecutableHandler, context: StepContext) => HandlerOutcome;

/** Returns the methods of the handler's own classes below StepHandler, most derived class first. @internal */
export function methodsOf(handler: object): string[] {
  const names = new Set<string>();
  for (let from: unknown = handler; isWritten(from); from = Object.getPrototypeOf(from)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(from))) {
      if (!(name in Object.prototype) && typeof value === 'function') names.add(name);
    }
  }
  return [...names];
}

function isWritten(from: unknown): from is object {
  if (typeof from !== 'object' || from === null || from === Object.prototype) return false;
  return !Object.hasOwn(from, STEP_HANDLER);
}
