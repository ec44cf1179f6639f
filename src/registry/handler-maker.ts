import { messageOf, TaskerError } from '../errors.ts';
import { isSharedHandlerClass } from '../handlers/handler-of-function.ts';
import {
  type ExecutableHandler,
  isExecutableHandler,
  isHandlerClass,
  type StepHandlerClass,
} from '../handlers/step-handler.ts';
import { ResolutionError } from './resolution-errors.ts';

/** Gives the handler of one step. Throws `handler_invalid` when that can't be made. */
export type HandlerMaker = () => ExecutableHandler;

/** What stands for a handler: a class, whose instances serve a step each, or an instance, which serves all. */
export type Registrable = StepHandlerClass | (new () => ExecutableHandler) | ExecutableHandler;

/** A maker of a class or an instance; undefined when the value is neither. */
export function makerOf(name: string, source: unknown): HandlerMaker | undefined {
  if (isHandlerClass(source)) {
    if (!isSharedHandlerClass(source)) return () => made(name, () => new source());
    let shared: ExecutableHandler | undefined;
    return () => (shared ??= made(name, () => new source()));
  }
  return isExecutableHandler(source) ? () => source : undefined;
}

/** What a function of the user's makes, checked. */
export function made(name: string, make: () => unknown): ExecutableHandler {
  let handler: unknown;
  try {
    handler = make();
  } catch (cause) {
    throw new ResolutionError(`handler ${name}: making it throws: ${messageOf(cause)}`, { cause });
  }
  // A class in JavaScript may leave `call` out, and a factory may give anything.
  if (isExecutableHandler(handler)) return handler;
  throw new ResolutionError(`handler ${name}: ${whyNot(handler)}`);
}

/** The name that a class or an instance says itself. Throws `handler_invalid` without one. */
export function ownNameOf(source: unknown): string {
  const name = isHandlerClass(source) ? source.handlerName : isExecutableHandler(source) ? source.name : undefined;
  if (name) return name;
  if (name === undefined && !isHandlerClass(source)) throw new TaskerError('handler_invalid', whyNot(source));
  const what = (source as { name?: unknown }).name;
  throw new TaskerError('handler_invalid', `class ${String(what)} has no handlerName; add one, or register it by name`);
}

/** Why a value is no handler, and what would be one. */
export function whyNot(got: unknown): string {
  const way = 'register a class that extends StepHandler, an instance of one, or what defineHandler gives';
  const factory = typeof got === 'function' && !isClass(got) ? '; a function that makes handlers: registerFactory' : '';
  return `${kindOf(got)} is no handler; ${way}${factory}`;
}

/** What somebody gave, in words. */
export function kindOf(got: unknown): string {
  if (typeof got === 'function') return functionKind(got);
  if (typeof got === 'string') return `the text ${JSON.stringify(got)}`;
  if (typeof got === 'object' && got !== null) return 'an object without a call method';
  return String(got);
}

function functionKind(got: { name: string }): string {
  if (isClass(got)) return `the class ${got.name}, which has no call,`;
  return got.name ? `the plain function ${got.name}` : 'a plain function without a name';
}

/** Whether a function was written as a class. */
export function isClass(got: unknown): boolean {
  return /^class\b/.test(Function.prototype.toString.call(got));
}
