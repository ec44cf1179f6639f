import { TaskerError } from '../errors.ts';
import { runInStep } from '../handlers/running-step.ts';
import type { StepContext } from '../handlers/step-context.ts';
import type { ExecutableHandler, HandlerOutcome } from '../handlers/step-handler.ts';

/**
 * A handler whose `call` is another of its methods: what a template's `handler.method` asks for.
 * Throws `handler_invalid` when there is no such method.
 *
 * @example
 * const refund = new MethodDispatchWrapper(new PaymentHandler(), 'refund');
 * await refund.call(context); // runs PaymentHandler's refund(context)
 */
export class MethodDispatchWrapper implements ExecutableHandler {
  readonly handler: ExecutableHandler;
  readonly targetMethod: string;

  constructor(handler: ExecutableHandler, targetMethod: string) {
    if (methodOf(handler, targetMethod) === null) {
      const known = methodsOf(handler).join(', ');
      throw new TaskerError(
        'handler_invalid',
        `handler ${handler.name}: it has no method ${targetMethod}; it has ${known}`,
      );
    }
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
    const method = methodOf(this.handler, this.targetMethod)!;
    return runInStep(this.handler, context, () => method.call(this.handler, context));
  }

  configSchema(): Record<string, unknown> | null {
    return this.handler.configSchema();
  }

  /** The handler itself. */
  unwrap(): ExecutableHandler {
    return this.handler;
  }
}

type HandlerMethod = (this: ExecutableHandler, context: StepContext) => HandlerOutcome;

function methodOf(handler: ExecutableHandler, name: string): HandlerMethod | null {
  if (name === 'constructor' || name in Object.prototype) return null;
  const found = (handler as unknown as Record<string, unknown>)[name];
  return typeof found === 'function' ? (found as HandlerMethod) : null;
}

/** The methods that somebody wrote for this handler, the nearest class first. */
function methodsOf(handler: ExecutableHandler): string[] {
  const names = new Set<string>();
  let from: unknown = handler;
  while (typeof from === 'object' && from !== null && from !== Object.prototype) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(from))) {
      if (name !== 'constructor' && typeof value === 'function') names.add(name);
    }
    from = Object.getPrototypeOf(from);
  }
  return [...names];
}
