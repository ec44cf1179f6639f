import { TaskerError } from '../errors.ts';
import { namedStepsOf, noteNamedSteps } from '../handlers/named-steps.ts';
import { type ExecutableHandler, isHandlerClass, type StepHandlerClass } from '../handlers/step-handler.ts';
import { type AnyLogger, loggerOf } from '../logging/any-logger.ts';
import { type Logger, silentLogger } from '../logging/logger.ts';
import { isWaitCallable } from '../model/waits.ts';
import type { BaseResolver, Registrable } from './base-resolver.ts';
import { discoverHandlers } from './discover-handlers.ts';
import { type ExplicitMappingResolver, kindOf, makerOf, ownNameOf, whyNot } from './explicit-mapping-resolver.ts';
import { type HandlerDefinition, type HandlerSpec, normalizeToDefinition } from './handler-definition.ts';
import { NoResolverMatchError } from './resolution-errors.ts';
import { ResolverChain, type ResolverInfo } from './resolver-chain.ts';

/** Options of a {@link HandlerRegistry}. */
export interface HandlerRegistryOptions {
  /** Receives a warning when a handler is replaced. Default: no logging. */
  logger?: AnyLogger;
  /**
   * Lets templates name handlers by a file in this folder (`./billing/charge`) or an installed package (`@shop/charge`).
   * Default: the working directory. Null allows only registered names and resolvers.
   */
  baseFolder?: string | null | undefined;
}

/** The result of `debugInfo()`. */
export interface RegistryInfo {
  handlerCount: number;
  /** By name: the name of the class, `instance of` and that name, or `factory`. */
  handlers: Record<string, string>;
  resolvers: ResolverInfo[];
}

/** Called with each handler that is registered. */
export type RegistryObserver = (name: string, handler: Registrable | (() => ExecutableHandler)) => void;

/**
 * The handlers of a worker by name, and the resolvers that find other handlers.
 *
 * @example
 * const registry = new HandlerRegistry();
 * registry.register('process_order', ProcessOrder);
 * const handler = await registry.resolve('process_order'); // a new ProcessOrder
 */
export class HandlerRegistry {
  static #instance: HandlerRegistry | undefined;

  /** Receives a warning when a handler is replaced. Default: no logging. */
  logger: Logger;
  readonly #explicit: ExplicitMappingResolver;
  readonly #chain: ResolverChain;
  readonly #observers = new Set<RegistryObserver>();

  constructor({ logger = silentLogger, baseFolder }: HandlerRegistryOptions = {}) {
    this.logger = loggerOf(logger);
    this.#chain = ResolverChain.usual({ baseFolder });
    this.#explicit = this.#chain.getResolver('explicit_mapping') as ExplicitMappingResolver;
  }

  /** The shared registry of this process. `new HandlerRegistry()` creates an independent one. */
  static instance(): HandlerRegistry {
    HandlerRegistry.#instance ??= new HandlerRegistry();
    return HandlerRegistry.#instance;
  }

  /** Does nothing: a registry is ready once it is constructed. */
  initialize(): Promise<void> {
    return Promise.resolve();
  }

  /**
   * Adds a handler under its own `handlerName` or under a given name. Replaces an existing handler of that name, with a
   * warning. Throws `handler_invalid` if the value is not a handler.
   */
  register(handler: StepHandlerClass | ExecutableHandler): void;
  register(name: string, handler: Registrable): void;
  register(...args: [Registrable] | [string, Registrable]): void {
    const [name, handler] = args.length === 1 ? [ownNameOf(args[0]), args[0]] : args;
    if (!makerOf(name, handler)) {
      throw new TaskerError('handler_invalid', `handler ${String(name)}: ${whyNot(handler)}`);
    }
    this.#add(name, handler);
  }

  /** Adds a function that creates a handler each time one is needed. */
  registerFactory(name: string, factory: () => ExecutableHandler): void {
    if (typeof factory !== 'function') {
      throw new TaskerError(
        'handler_invalid',
        `handler ${name}: its factory must be a function, not ${kindOf(factory)}`,
      );
    }
    this.#add(name, factory);
  }

  /** Adds the entry that another registry has for a name. That registry creates the handlers. @internal */
  forward(name: string, from: HandlerRegistry): void {
    const make = () => from.resolveSync(name)!;
    const named = namedStepsOf(from.sourceOf(name));
    if (named) noteNamedSteps(make, named);
    this.registerFactory(name, make);
  }

  /** Returns the entry that was registered under a name: a class, an instance or a factory. @internal */
  sourceOf(name: string): unknown {
    return this.#explicit.sourceOf(name);
  }

  /** Removes a handler. Returns false if there was none of that name. */
  unregister(name: string): boolean {
    return this.#explicit.unregister(name);
  }

  /** Returns whether a handler is registered under that name. Does not ask resolvers; see {@link canResolve}. */
  isRegistered(name: string): boolean {
    return this.#explicit.has(name);
  }

  /**
   * Returns whether a handler is registered or a resolver accepts the spec. That resolver may still find no handler.
   */
  canResolve(spec: HandlerSpec): boolean {
    return this.#chain.canResolve(normalizeToDefinition(spec));
  }

  /**
   * Returns a handler that can be called: a new instance of a class, or the only instance of a `defineHandler` value.
   * The definition's `method` replaces `call`. If the definition names a `resolver`, only that resolver is asked. Null
   * if no handler is found. Throws a `ResolutionError` if the resolver or method does not exist or the handler cannot
   * be created.
   */
  resolve(spec: HandlerSpec): Promise<ExecutableHandler | null> {
    return this.#chain.resolve(normalizeToDefinition(spec));
  }

  /** Like {@link resolve}, but synchronous. Also returns null if a resolver would have to be asked. */
  resolveSync(spec: HandlerSpec): ExecutableHandler | null {
    const definition = normalizeToDefinition(spec);
    if (definition.resolver) this.#chain.hinted(definition.resolver);
    return this.resolveKnown(definition) ?? null;
  }

  /** Like {@link resolveSync}. Undefined if a resolver must be asked first, null for an unknown resolver. @internal */
  resolveKnown(definition: HandlerDefinition): ExecutableHandler | null | undefined {
    const maker = this.#chain.known(definition);
    return maker && this.#chain.wrapForMethodDispatch(maker(), definition);
  }

  /** Returns whether the definition is known to have no handler. @internal */
  lacks(definition: HandlerDefinition): boolean {
    return this.#chain.known(definition) === null;
  }

  /** Returns an error that reports why a definition does not resolve, and suggests similar names. */
  whyMissing({ callable, resolver }: HandlerDefinition): NoResolverMatchError {
    const asked = resolver && this.#chain.getResolver(resolver) ? [resolver] : [];
    return new NoResolverMatchError(callable, asked, this.listHandlers());
  }

  /** Returns the class registered under a name. Undefined for instances and factories. */
  getHandlerClass(name: string): StepHandlerClass | undefined {
    return this.#explicit.classOf(name);
  }

  /** The registered names, sorted. */
  listHandlers(): string[] {
    return this.#explicit.registeredCallables();
  }

  handlerCount(): number {
    return this.#explicit.size;
  }

  /** Removes all handlers, but no resolvers. */
  clear(): void {
    this.#explicit.clear();
  }

  /**
   * Registers the handlers of a folder, a file or an installed package, and returns their number. The function
   * `discoverHandlers` also returns the result for each file. Its documentation describes which files and exports are
   * used.
   *
   * @example
   * console.log(`discovered ${await registry.discoverHandlers('./handlers')} handlers`);
   */
  async discoverHandlers(source: string): Promise<number> {
    return (await discoverHandlers(source, { registry: this, logger: this.logger })).count;
  }

  /** Adds a resolver to this registry, replacing one of the same name. The resolver takes effect immediately. */
  addResolver(resolver: BaseResolver): Promise<void> {
    this.#chain.addResolver(resolver);
    return Promise.resolve();
  }

  getResolver(name: string): Promise<BaseResolver | undefined> {
    return Promise.resolve(this.#chain.getResolver(name));
  }

  /** The names and priorities of the resolvers, in the order in which they are asked. */
  listResolvers(): Promise<[string, number][]> {
    return Promise.resolve(this.#chain.listResolvers());
  }

  /** The resolver chain of this registry. It is not shared with other registries. */
  getResolverChain(): Promise<ResolverChain> {
    return Promise.resolve(this.#chain);
  }

  /** Discards the cached results of resolvers, so that they are asked again. `tasker.refresh()` calls this. */
  refresh(): void {
    this.#chain.forget();
  }

  /** The registered handlers and the resolvers, for debugging. */
  debugInfo(): RegistryInfo {
    const handlers = this.listHandlers().map((name) => [name, describedSource(this.sourceOf(name))]);
    return {
      handlerCount: handlers.length,
      handlers: Object.fromEntries(handlers) as Record<string, string>,
      resolvers: this.#chain.chainInfo(),
    };
  }

  /** @internal */
  get chain(): ResolverChain {
    return this.#chain;
  }

  /** Calls the observer with each handler that is registered from now on. Returns a function that removes it. @internal */
  onRegistered(observer: RegistryObserver): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  #add(name: string, source: Registrable | (() => ExecutableHandler)): void {
    if (isWaitCallable(name)) {
      throw new TaskerError(
        'handler_invalid',
        `handler ${name}: this name is reserved for steps that wait, which need no handler; choose another name`,
      );
    }
    const before: unknown = this.#explicit.sourceOf(name);
    this.#explicit.register(name, source);
    if (before !== undefined && before !== source) {
      this.logger.warn({ handler: name }, 'handler already registered; replacing it');
    }
    for (const observer of this.#observers) observer(name, source);
  }
}

function describedSource(source: unknown): string {
  if (isHandlerClass(source)) return source.name;
  return typeof source === 'function' ? 'factory' : `instance of ${(source as object).constructor?.name ?? 'Object'}`;
}
