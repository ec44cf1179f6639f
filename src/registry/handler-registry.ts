import { messageOf, TaskerError } from '../errors.ts';
import { isSharedHandlerClass } from '../handlers/handler-of-function.ts';
import {
  type ExecutableHandler,
  isExecutableHandler,
  isHandlerClass,
  type StepHandlerClass,
} from '../handlers/step-handler.ts';
import { type Logger, silentLogger } from '../logging/logger.ts';
import type { HandlerSpec } from './handler-definition.ts';
import { MethodDispatchWrapper } from './method-dispatch.ts';

/** What can be registered: a class, an instance, or what `defineHandler` gave. */
export type Registrable = StepHandlerClass | (new () => ExecutableHandler) | ExecutableHandler;

interface Entry {
  /** What was registered, to tell a repeat from a replacement. */
  readonly source: unknown;
  make(): ExecutableHandler;
}

/**
 * The handlers that a worker knows, by name.
 *
 * @example
 * const registry = new HandlerRegistry();
 * registry.register('process_order', ProcessOrder);
 * const handler = await registry.resolve('process_order'); // a new ProcessOrder
 */
export class HandlerRegistry {
  static #instance: HandlerRegistry | undefined;

  /** Where a replaced handler is warned of; silent by default. */
  logger: Logger;
  readonly #entries = new Map<string, Entry>();

  constructor({ logger = silentLogger }: { logger?: Logger } = {}) {
    this.logger = logger;
  }

  /** The registry of this process. `new HandlerRegistry()` makes others that have nothing to do with it. */
  static instance(): HandlerRegistry {
    HandlerRegistry.#instance ??= new HandlerRegistry();
    return HandlerRegistry.#instance;
  }

  /**
   * Adds a handler, under its own `handlerName` or under a given name. A name that is taken gets the new handler, with
   * a warning. Throws `handler_invalid`, naming what it got, when that is no handler.
   */
  register(handler: StepHandlerClass | ExecutableHandler): void;
  register(name: string, handler: Registrable): void;
  register(...args: [Registrable] | [string, Registrable]): void {
    const [name, handler] = args.length === 1 ? [nameOf(args[0]), args[0]] : args;
    if (isHandlerClass(handler)) this.#add(name, { source: handler, make: makerOf(handler) });
    else if (isExecutableHandler(handler)) this.#add(name, { source: handler, make: () => handler });
    else throw new TaskerError('handler_invalid', `handler ${String(name)}: ${whyNot(handler)}`);
  }

  /** Adds a function that makes a handler each time one is needed. */
  registerFactory(name: string, factory: () => ExecutableHandler): void {
    if (typeof factory !== 'function') {
      throw new TaskerError('handler_invalid', `handler ${name}: its factory is no function but ${kindOf(factory)}`);
    }
    this.#add(name, { source: factory, make: factory });
  }

  /** Takes a handler out; false when there was none of that name. */
  unregister(name: string): boolean {
    return this.#entries.delete(name);
  }

  isRegistered(name: string): boolean {
    return this.#entries.has(name);
  }

  /**
   * A handler ready to be called: of a class a new instance, of a `defineHandler` value the one that serves all steps.
   * Null when nothing has that name. Throws `handler_invalid` when its constructor throws, or it has no such method.
   */
  async resolve(spec: HandlerSpec): Promise<ExecutableHandler | null> {
    return this.resolveSync(spec);
  }

  /** As {@link resolve}, without a promise. */
  resolveSync(spec: HandlerSpec): ExecutableHandler | null {
    const name = typeof spec === 'string' ? spec : spec.callable;
    const entry = this.#entries.get(name);
    if (!entry) return null;

    const handler = made(name, entry);
    const method = typeof spec === 'string' ? null : spec.method;
    return method && method !== 'call' ? new MethodDispatchWrapper(handler, method) : handler;
  }

  /** The names, sorted. */
  listHandlers(): string[] {
    return [...this.#entries.keys()].sort();
  }

  handlerCount(): number {
    return this.#entries.size;
  }

  clear(): void {
    this.#entries.clear();
  }

  #add(name: string, entry: Entry): void {
    if (typeof name !== 'string' || name.trim() === '') {
      throw new TaskerError(
        'handler_invalid',
        `a handler's name must be a text that is not empty, not ${kindOf(name)}`,
      );
    }
    const before = this.#entries.get(name);
    if (before && before.source !== entry.source) {
      this.logger.warn({ handler: name }, `handler ${name} is replaced: it was registered before`);
    }
    this.#entries.set(name, entry);
  }
}

function makerOf(handlerClass: StepHandlerClass): () => ExecutableHandler {
  if (!isSharedHandlerClass(handlerClass)) return () => new handlerClass();
  const shared = new handlerClass();
  return () => shared;
}

function made(name: string, entry: Entry): ExecutableHandler {
  let handler: ExecutableHandler;
  try {
    handler = entry.make();
  } catch (cause) {
    throw new TaskerError('handler_invalid', `handler ${name}: making it throws: ${messageOf(cause)}`, { cause });
  }
  // A class in JavaScript may leave `call` out, and a factory may give anything.
  if (isExecutableHandler(handler)) return handler;
  throw new TaskerError('handler_invalid', `handler ${name}: ${whyNot(handler)}`);
}

function nameOf(handler: unknown): string {
  const name = isHandlerClass(handler) ? handler.handlerName : isExecutableHandler(handler) ? handler.name : undefined;
  if (name) return name;
  if (name === undefined && !isHandlerClass(handler)) throw new TaskerError('handler_invalid', whyNot(handler));
  const what = (handler as { name?: unknown }).name;
  throw new TaskerError('handler_invalid', `class ${String(what)} has no handlerName; add one, or register it by name`);
}

function whyNot(got: unknown): string {
  const way = 'register a class that extends StepHandler, an instance of one, or what defineHandler gives';
  return `${kindOf(got)} is no handler; ${way}`;
}

function kindOf(got: unknown): string {
  if (typeof got === 'function') return functionKind(got);
  if (typeof got === 'string') return `the text ${JSON.stringify(got)}`;
  if (typeof got === 'object' && got !== null) return 'an object without a call method';
  return String(got);
}

function functionKind(got: { name: string }): string {
  if (/^class\b/.test(Function.prototype.toString.call(got))) return `the class ${got.name}, which has no call,`;
  return got.name ? `the plain function ${got.name}` : 'a plain function without a name';
}
