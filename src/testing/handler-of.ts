import { TaskerError } from '../errors.ts';
import type { StepContext } from '../handlers/step-context.ts';
import {
  type ExecutableHandler,
  type HandlerOutcome,
  isExecutableHandler,
  isHandlerClass,
  type StepHandlerClass,
} from '../handlers/step-handler.ts';
import { HandlerRegistry } from '../registry/handler-registry.ts';

/**
 * A handler in a test: a class, an instance, the return value of a `define…()` function, or a function of the context.
 */
export type TestHandler = StepHandlerClass | ExecutableHandler | ((context: StepContext) => unknown);

/** Returns the handler in a form that a registry accepts. */
export function registrableOf(name: string, handler: TestHandler): StepHandlerClass | ExecutableHandler {
  if (isHandlerClass(handler) || isExecutableHandler(handler)) return handler;
  if (typeof handler === 'function') return handlerOfFunction(name, handler as (context: StepContext) => unknown);
  throw new TaskerError(
    'handler_invalid',
    `test handler ${name}: ${typeof handler} is not a handler; pass a class, an instance, the return value of defineHandler, or a function of the context`,
  );
}

/** Returns an instance, created as a worker creates it. */
export function instanceOf(handler: TestHandler, method: string | undefined): ExecutableHandler {
  const name = nameOf(handler) || 'test_handler';
  const registry = new HandlerRegistry({ baseFolder: null });
  registry.register(name, registrableOf(name, handler));
  return registry.resolveSync(method === undefined ? name : { callable: name, method })!;
}

function nameOf(handler: TestHandler): string {
  if (isHandlerClass(handler)) return handler.handlerName || (handler as { name?: string }).name || '';
  return handler.name;
}

function handlerOfFunction(name: string, call: (context: StepContext) => unknown): ExecutableHandler {
  return {
    name,
    version: '1.0.0',
    capabilities: ['process'],
    // The caller converts the returned value to a result.
    call: (context) => call(context) as HandlerOutcome,
    configSchema: () => null,
  };
}
