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

/** Gives the handler of one step. Throws `handler_invalid` when that can't be made. */
export type HandlerMaker = () => ExecutableHandler;

/** Makes a handler each time one is needed. */
export type HandlerFactory = (config: ResolverConfig) => ExecutableHandler;

/** What {@link ExplicitMappingResolver.register} takes. */
export type HandlerEntry = Registrable | HandlerFactory;

interface Entry {
  /** What was registered, to tell a repeat from a replacement. */
  readonly source: unknown;
  readonly make: (config: ResolverConfig) => ExecutableHandler;
  /** The same without a configuration: asked for at every step. */
  readonly maker: HandlerMaker;
}

const NO_CONFIG: ResolverConfig = Object.freeze({});

/**
 * Handlers by the names that they were given. Every registry has one, named `explicit_mapping`; another one, with a
 * name of its own, is a second set of names that templates reach by `handler.resolver`.
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

  /** Adds a class, an instance, or a function that makes handlers; a name that is taken gets the new one. */
  register(key: string, handler: HandlerEntry): void {
    if (typeof key !== 'string' || key.trim() === '') {
      throw new TaskerError('handler_invalid', `a handler's name must be a text that is not empty, not ${kindOf(key)}`);
    }
    const make = makerOf(key, handler) ?? factoryOf(key, handler);
    if (!make) throw new TaskerError('handler_invalid', `handler ${key}: ${whyNot(handler)}`);
    this.#entries.set(key, { source: handler, make, maker: () => make(NO_CONFIG) });
  }

  /** False when there was none of that name. */
  unregister(key: string): boolean {
    return this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  /** The names, sorted. */
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

  /** Of a class a new instance. Throws `handler_invalid` when making it throws. */
  resolve({ callable }: HandlerDefinition, config?: ResolverConfig): Promise<ExecutableHandler | null> {
    return Promise.resolve().then(() => this.makerFor(callable, config)?.() ?? null);
  }

  /** What makes the handler of a name, without a promise. @internal */
  makerFor(callable: string, config = NO_CONFIG): HandlerMaker | null {
    const entry = this.#entries.get(callable);
    if (!entry) return null;
    return config === NO_CONFIG ? entry.maker : () => entry.make(config);
  }

  /** What was registered under a name. @internal */
  sourceOf(key: string): unknown {
    return this.#entries.get(key)?.source;
  }

  /** The class that was registered under a name. */
  classOf(key: string): StepHandlerClass | undefined {
    const source = this.sourceOf(key);
    return isHandlerClass(source) ? source : undefined;
  }
}

function factoryOf(key: string, handler: HandlerEntry): Entry['make'] | undefined {
  // The abstract base, or a class that is not a handler: calling it could only throw.
  if (typeof handler !== 'function' || isClass(handler)) return undefined;
  const factory = handler as HandlerFactory;
  return (config) => made(key, () => factory(config));
}

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
