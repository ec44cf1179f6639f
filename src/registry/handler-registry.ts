import { TaskerError } from '../errors.ts';
import { namedStepsOf, noteNamedSteps } from '../handlers/named-steps.ts';
import type { ExecutableHandler, StepHandlerClass } from '../handlers/step-handler.ts';
import { type AnyLogger, loggerOf } from '../logging/any-logger.ts';
import { type Logger, silentLogger } from '../logging/logger.ts';
import type { BaseResolver, Registrable } from './base-resolver.ts';
import { discoverHandlers } from './discover-handlers.ts';
import { type ExplicitMappingResolver, kindOf, makerOf, ownNameOf, whyNot } from './explicit-mapping-resolver.ts';
import { type HandlerDefinition, type HandlerSpec, normalizeToDefinition } from './handler-definition.ts';
import { NoResolverMatchError } from './resolution-errors.ts';
import { ResolverChain, type ResolverInfo } from './resolver-chain.ts';

/** Options of a {@link HandlerRegistry}. */
export interface HandlerRegistryOptions {
  /** Where a replaced handler is warned of; silent by default. */
  logger?: AnyLogger;
  /**
   * Lets templates name handlers by file (`./billing/charge`, below this folder) or package (`@shop/charge`, installed
   * for it). Default: none, only registered names and resolvers count.
   */
  baseFolder?: string | undefined;
}

/** Is called with each handler that is registered. */
export type RegistryObserver = (name: string, handler: Registrable | (() => ExecutableHandler)) => void;

/**
 * The handlers that a worker knows, by name, and the resolvers that find more.
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
  readonly #explicit: ExplicitMappingResolver;
  readonly #chain: ResolverChain;
  readonly #observers = new Set<RegistryObserver>();

  constructor({ logger = silentLogger, baseFolder }: HandlerRegistryOptions = {}) {
    this.logger = loggerOf(logger);
    this.#chain = ResolverChain.usual({ baseFolder });
    this.#explicit = this.#chain.getResolver('explicit_mapping') as ExplicitMappingResolver;
  }

  /** The registry of this process. `new HandlerRegistry()` makes others that have nothing to do with it. */
  static instance(): HandlerRegistry {
    HandlerRegistry.#instance ??= new HandlerRegistry();
    return HandlerRegistry.#instance;
  }

  /** Nothing to do: a registry is ready when it is made. */
  initialize(): Promise<void> {
    return Promise.resolve();
  }

  /**
   * Adds a handler, under its own `handlerName` or under a given name. A name that is taken gets the new handler, with
   * a warning. Throws `handler_invalid`, naming what it got, when that is no handler.
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

  /** Adds a function that makes a handler each time one is needed. */
  registerFactory(name: string, factory: () => ExecutableHandler): void {
    if (typeof factory !== 'function') {
      throw new TaskerError('handler_invalid', `handler ${name}: its factory is no function but ${kindOf(factory)}`);
    }
    this.#add(name, factory);
  }

  /** Adds the entry of another registry for a name. That registry creates its handlers. @internal */
  forward(name: string, from: HandlerRegistry): void {
    const make = () => from.resolveSync(name)!;
    const named = namedStepsOf(from.sourceOf(name));
    if (named) noteNamedSteps(make, named);
    this.registerFactory(name, make);
  }

  /** The entry that was registered under a name: a class, an instance or a factory. @internal */
  sourceOf(name: string): unknown {
    return this.#explicit.sourceOf(name);
  }

  /** Takes a handler out; false when there was none of that name. */
  unregister(name: string): boolean {
    return this.#explicit.unregister(name);
  }

  /** Whether a handler has that name. What resolvers would find does not count; see {@link canResolve}. */
  isRegistered(name: string): boolean {
    return this.#explicit.has(name);
  }

  /** Whether a handler is registered for it or a resolver takes it for its business; that one may still find none. */
  canResolve(spec: HandlerSpec): boolean {
    return this.#chain.canResolve(normalizeToDefinition(spec));
  }

  /**
   * A handler ready to be called: of a class a new instance, of a `defineHandler` value the one that serves all steps.
   * A definition's `method` takes the place of `call`; with its `resolver` only that one is asked. Null when nobody
   * knows it. Throws a `ResolutionError` when there is no such resolver or method, or the handler can't be made.
   */
  resolve(spec: HandlerSpec): Promise<ExecutableHandler | null> {
    return this.#chain.resolve(normalizeToDefinition(spec));
  }

  /** As {@link resolve}, without a promise; null also for what a resolver would have to be asked for. */
  resolveSync(spec: HandlerSpec): ExecutableHandler | null {
    const definition = normalizeToDefinition(spec);
    if (definition.resolver) this.#chain.hinted(definition.resolver);
    return this.resolveKnown(definition) ?? null;
  }

  /** As {@link resolveSync}; undefined when a resolver must be asked first, null for an unknown resolver. @internal */
  resolveKnown(definition: HandlerDefinition): ExecutableHandler | null | undefined {
    const maker = this.#chain.known(definition);
    return maker && this.#chain.wrapForMethodDispatch(maker(), definition);
  }

  /** Whether it is known that nobody here has it. @internal */
  lacks(definition: HandlerDefinition): boolean {
    return this.#chain.known(definition) === null;
  }

  /** Why a definition does not resolve, and what may have been meant. */
  whyMissing({ callable, resolver }: HandlerDefinition): NoResolverMatchError {
    const asked = resolver && this.#chain.getResolver(resolver) ? [resolver] : [];
    return new NoResolverMatchError(callable, asked, this.listHandlers());
  }

  /** The class that was registered under a name; undefined for instances and factories. */
  getHandlerClass(name: string): StepHandlerClass | undefined {
    return this.#explicit.classOf(name);
  }

  /** The names, sorted. */
  listHandlers(): string[] {
    return this.#explicit.registeredCallables();
  }

  handlerCount(): number {
    return this.#explicit.size;
  }

  /** Takes all handlers out; resolvers stay. */
  clear(): void {
    this.#explicit.clear();
  }

  /**
   * Registers the handlers of a folder, a file or an installed package, and answers how many. `discoverHandlers`, the
   * function, tells also what each file gave, and its docs what is found.
   *
   * @example
   * console.log(`discovered ${await registry.discoverHandlers('./handlers')} handlers`);
   */
  async discoverHandlers(source: string): Promise<number> {
    return (await discoverHandlers(source, { registry: this, logger: this.logger })).count;
  }

  /** Adds a resolver to this registry; one of the same name is replaced. It is in use when the call returns. */
  addResolver(resolver: BaseResolver): Promise<void> {
    this.#chain.addResolver(resolver);
    return Promise.resolve();
  }

  getResolver(name: string): Promise<BaseResolver | undefined> {
    return Promise.resolve(this.#chain.getResolver(name));
  }

  /** Names and priorities, in the order in which they are asked. */
  listResolvers(): Promise<[string, number][]> {
    return Promise.resolve(this.#chain.listResolvers());
  }

  /** The chain of this registry, and of no other. */
  getResolverChain(): Promise<ResolverChain> {
    return Promise.resolve(this.#chain);
  }

  /** Resolvers are asked anew for what they answered before. `tasker.refresh()` calls it. */
  refresh(): void {
    this.#chain.forget();
  }

  /** What is registered and who is asked, for people to read. */
  debugInfo(): { handlerCount: number; handlers: string[]; resolvers: ResolverInfo[] } {
    return { handlerCount: this.handlerCount(), handlers: this.listHandlers(), resolvers: this.#chain.chainInfo() };
  }

  /** @internal */
  get chain(): ResolverChain {
    return this.#chain;
  }

  /** Tells of each handler that is registered from now on; the answer ends it. @internal */
  onRegistered(observer: RegistryObserver): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  #add(name: string, source: Registrable | (() => ExecutableHandler)): void {
    const before: unknown = this.#explicit.sourceOf(name);
    this.#explicit.register(name, source);
    if (before !== undefined && before !== source) {
      this.logger.warn({ handler: name }, `handler ${name} is replaced: it was registered before`);
    }
    for (const observer of this.#observers) observer(name, source);
  }
}
