import {
  type ExecutableHandler,
  isHandlerClass,
  isStepHandler,
  type StepHandler,
  type StepHandlerClass,
} from '../handlers/step-handler.ts';
import { MethodDispatchWrapper } from './method-dispatch.ts';

/** Where another thread finds a handler: data, which can be sent. */
export interface HandlerOrigin {
  /** The module that exports it. */
  url: string;
  /** Which of the handlers in that module, as {@link handlersIn} counts them. */
  index: number;
}

const origins = new WeakMap<object, HandlerOrigin>();

/** Classes and instances that a module exports, by themselves or in lists and plain objects; each once. */
export function handlersIn(module: Record<string, unknown>): (StepHandlerClass | StepHandler)[] {
  return exportsOf(module).filter((value) => isHandlerClass(value) || isStepHandler(value));
}

/** All that a module exports, by itself or in lists and plain objects; each once. */
export function exportsOf(module: Record<string, unknown>): unknown[] {
  const exported = Object.values(module);
  return [...new Set([...exported, ...exported.flatMap(within)])];
}

/** What an exported list or plain object holds: `export default [charge, refund]`, `export const billing = { charge }`. */
function within(value: unknown): unknown[] {
  if (Array.isArray(value)) return value as unknown[];
  if (typeof value !== 'object' || value === null || isStepHandler(value)) return [];
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? Object.values(value) : [];
}

/** Keeps in mind where the handlers of a module came from. */
export function noteOrigins(module: Record<string, unknown>, url: string): void {
  for (const [index, handler] of handlersIn(module).entries()) origins.set(handler, { url, index });
}

/** Where a handler came from; undefined when it was not read from a file or a package, but made by the program. */
export function originOf(handler: ExecutableHandler): HandlerOrigin | undefined {
  const own = ownHandler(handler);
  return origins.get(own) ?? origins.get(own.constructor);
}

/** The handler itself, without the wrapper that calls another of its methods. */
export function ownHandler(handler: ExecutableHandler): ExecutableHandler {
  return handler instanceof MethodDispatchWrapper ? handler.unwrap() : handler;
}
