import { messageOf, TaskerError } from '../errors.ts';
import { isSharedHandlerClass } from '../handlers/handler-of-function.ts';
import {
  type ExecutableHandler,
  isExecutableHandler,
  isHandlerClass,
  type StepHandlerClass,
} from '../handlers/step-handler.ts';
import type { BaseResolver, Registrable, ResolverConfig } from './base-resolver.ts';
import type { HandlerDefinition } from './handler-definition.ts';
import { ResolutionError } from './resolution-errors.ts';

/** Returns the handler for a step. Throws `handler_invalid` if it cannot be created. */
export type HandlerMaker = () => ExecutableHandler;

/** Creates a handler each time one is needed. */
export type HandlerFactory = (config: ResolverConfig) => ExecutableHandler;

/** A value that {@link ExplicitMappingResolver.register} accepts. */
export type HandlerEntry = Registrable | HandlerFactory;

interface Entry {
  /** The registered value, to distinguish a repeated registration from a replacement. */
  readonly source: unknown;
  readonly make: (config: ResolverConfig) => ExecutableHandler;
  /** Calls `make` without a configuration. This function is created once, because every step needs it. */
  readonly maker: HandlerMaker;
}

const NO_CONFIG: ResolverConfig = Object.freeze({});

/**
 * Maps registered names to handlers. Every registry has one named `explicit_mapping`. Another mapping with its own name
 * is a second set of handlers, which templates select with `handler.resolver`.
 *
 * @example
 * const sandbox = new ExplicitMappingResolver('sandbox');
 * sandbox.register('charge', FakeCharge);
 * sandbox.register('refund', () => new FakeRefund({ delayMs: 5 }));
 * await registry.addResolver(sandbox);
 */
export class ExplicitMappingResolver implements BaseResolver {
  readonly name: string;
  readonly priority = 10;
  readonly #entries = new Map<string, Entry>();

  constructor(name = 'explicit_mapping') {
    this.name = name;
  }

  /** Adds a class, an instance, or a function that creates handlers. Replaces the previous entry of the same name. */
  register(key: string, handler: HandlerEntry): void {
    if (typeof key !== 'string' || key.trim() === '') {
      throw new TaskerError('handler_invalid', `Handler name must be a non-empty string, not ${kindOf(key)}`);
    }
    const make = makerOf(key, handler) ?? factoryOf(key, handler);
    if (!make) throw new TaskerError('handler_invalid', `handler ${key}: ${whyNot(handler)}`);
    this.#entries.set(key, { source: handler, make, maker: () => make(NO_CONFIG) });
  }

  /** Removes an entry. Returns false if there was none. */
  unregister(key: string): boolean {
    return this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  /** The registered names, sorted. */
  registeredCallables(): string[] {
    return [...this.#entries.keys()].sort();
  }

  get size(): number {
    return this.#entries.size;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  canResolve({ callable }: HandlerDefinition, _config?: ResolverConfig): boolean {
    return this.#entries.has(callable);
  }

  /** Returns a handler, a new instance if a class is registered. Rejects with `handler_invalid` if it cannot be created. */
  resolve({ callable }: HandlerDefinition, config?: ResolverConfig): Promise<ExecutableHandler | null> {
    return Promise.resolve().then(() => this.makerFor(callable, config)?.() ?? null);
  }

  /** Returns the function that creates the handler of a name, without a promise. @internal */
  makerFor(callable: string, config = NO_CONFIG): HandlerMaker | null {
    const entry = this.#entries.get(callable);
    if (!entry) return null;
    return config === NO_CONFIG ? entry.maker : () => entry.make(config);
  }

  /** Returns the value registered under a name. @internal */
  sourceOf(key: string): unknown {
    return this.#entries.get(key)?.source;
  }

  /** Returns the class registered under a name. Undefined for instances and factories. */
  classOf(key: string): StepHandlerClass | undefined {
    const source = this.sourceOf(key);
    return isHandlerClass(source) ? source : undefined;
  }
}

function factoryOf(key: string, handler: HandlerEntry): Entry['make'] | undefined {
  // A class cannot be called, so it is not a factory. This class is abstract or not a handler class.
  if (typeof handler !== 'function' || isClass(handler)) return undefined;
  const factory = handler as HandlerFactory;
  return (config) => made(key, () => factory(config));
}

/** Returns a maker for a class or an instance. Undefined for any other value. */
export function makerOf(name: string, source: unknown): HandlerMaker | undefined {
  if (isHandlerClass(source)) {
    if (!isSharedHandlerClass(source)) return () => made(name, () => new source());
    let shared: ExecutableHandler | undefined;
    return () => (shared ??= made(name, () => new source()));
  }
  return isExecutableHandler(source) ? () => source : undefined;
}

/** Calls a constructor or factory of the user and checks that it returns a handler. */
export function made(name: string, make: () => unknown): ExecutableHandler {
  let handler: unknown;
  try {
    handler = make();
  } catch (cause) {
    throw new ResolutionError(`handler ${name} could not be created: ${messageOf(cause)}`, { cause });
  }
  // In JavaScript, a class may have no `call`, and a factory may return anything.
  if (isExecutableHandler(handler)) return handler;
  throw new ResolutionError(`handler ${name}: ${whyNot(handler)}`);
}

/** Returns the name that a class or an instance declares. Throws `handler_invalid` without a name. */
export function ownNameOf(source: unknown): string {
  const name = isHandlerClass(source) ? source.handlerName : isExecutableHandler(source) ? source.name : undefined;
  if (name) return name;
  if (name === undefined && !isHandlerClass(source)) throw new TaskerError('handler_invalid', whyNot(source));
  const what = (source as { name?: unknown }).name;
  throw new TaskerError('handler_invalid', `class ${String(what)} has no handlerName; add one, or register it by name`);
}

/** Returns the error message for a value that is not a handler. */
export function whyNot(got: unknown): string {
  const way = 'register a class that extends StepHandler, an instance of one, or the result of defineHandler';
  const factory =
    typeof got === 'function' && !isClass(got) ? '; use registerFactory for a function that creates handlers' : '';
  return `${kindOf(got)} is not a handler; ${way}${factory}`;
}

/** Describes a value for an error message. */
export function kindOf(got: unknown): string {
  if (typeof got === 'function') return functionKind(got);
  if (typeof got === 'string') return `the string ${JSON.stringify(got)}`;
  if (typeof got === 'object' && got !== null) return 'an object without a call method';
  return String(got);
}

function functionKind(got: { name: string }): string {
  if (isClass(got)) return `the class ${got.name}, which has no call method,`;
  return got.name ? `the plain function ${got.name}` : 'an anonymous function';
}

/** Returns whether a function was written as a class. */
export function isClass(got: unknown): boolean {
  return /^class\b/.test(Function.prototype.toString.call(got));
}
