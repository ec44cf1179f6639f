import { isFunctionHandler } from '../handlers/handler-of-function.ts';
import type { StepContext } from '../handlers/step-context.ts';
import { type ExecutableHandler, type HandlerOutcome, runInStep } from '../handlers/step-handler.ts';

import { MethodDispatchError } from './resolution-errors.ts';

// The mark of StepHandler's own prototype: what stands there is what every handler has, and no step's work.
const STEP_HANDLER = Symbol.for('tasker-core.step-handler');

/**
 * A handler whose `call` is another of its methods: what a template's `handler.method` asks for.
 * Throws {@link MethodDispatchError} when there is no such method; helpers of StepHandler itself are none.
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

  /** The handler itself. */
  unwrap(): ExecutableHandler {
    return this.handler;
  }

  toString(): string {
    return `MethodDispatchWrapper(${this.name}.${this.targetMethod})`;
  }
}

/**
 * Returns the handler with this method in place of `call`. A handler made from a function has only that function, so it
 * is returned unchanged for any method. Throws {@link MethodDispatchError} when a class lacks the method.
 *
 * @internal
 */
export function withMethod(handler: ExecutableHandler, method: string): ExecutableHandler {
  return isFunctionHandler(handler) ? handler : new MethodDispatchWrapper(handler, method);
}

type HandlerMethod = (this: ExecutableHandler, context: StepContext) => HandlerOutcome;

/** The methods that somebody wrote for this handler, the nearest class first. @internal */
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
