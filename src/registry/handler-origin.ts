import {
  type ExecutableHandler,
  isHandlerClass,
  isStepHandler,
  type StepHandler,
  type StepHandlerClass,
} from '../handlers/step-handler.ts';
import { isWorkflow } from '../workflow/workflow.ts';
import { MethodDispatchWrapper } from './method-dispatch.ts';

/**
 * The location from which another thread can import a handler. The location is plain data, so it can be sent to a
 * thread.
 */
export interface HandlerOrigin {
  /** The module that exports the handler. */
  url: string;
  /** The position of the handler in the result of {@link handlersIn} for that module. */
  index: number;
}

const origins = new WeakMap<object, HandlerOrigin>();

/** Returns the handler classes and instances among {@link exportsOf}. */
export function handlersIn(module: Record<string, unknown>): (StepHandlerClass | StepHandler)[] {
  return exportsOf(module).filter((value) => isHandlerClass(value) || isStepHandler(value));
}

/**
 * Returns the exports of a module, including the items of exported arrays and plain objects and the handlers of workflows,
 * without duplicates.
 */
export function exportsOf(module: Record<string, unknown>): unknown[] {
  const exported = Object.values(module);
  const all = [...exported, ...exported.flatMap(within)];
  return [...new Set([...all, ...all.flatMap((one) => (isWorkflow(one) ? one.handlers : []))])];
}

/**
 * Returns the items of an exported array or plain object: `export default [charge, refund]`,
 * `export const billing = { charge }`.
 */
function within(value: unknown): unknown[] {
  if (Array.isArray(value)) return value as unknown[];
  if (typeof value !== 'object' || value === null || isStepHandler(value)) return [];
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? Object.values(value) : [];
}

/** Records a module as the origin of the handlers that it exports. */
export function noteOrigins(module: Record<string, unknown>, url: string): void {
  for (const [index, handler] of handlersIn(module).entries()) origins.set(handler, { url, index });
}

/**
 * Returns the origin of a handler. Undefined if the program created it instead of loading it from a file or package.
 */
export function originOf(handler: ExecutableHandler): HandlerOrigin | undefined {
  const own = ownHandler(handler);
  return origins.get(own) ?? origins.get(own.constructor);
}

/** Unwraps a handler from the wrapper that calls another of its methods. */
export function ownHandler(handler: ExecutableHandler): ExecutableHandler {
  return handler instanceof MethodDispatchWrapper ? handler.unwrap() : handler;
}
