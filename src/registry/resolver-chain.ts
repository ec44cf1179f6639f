import path from 'node:path';
import { messageOf } from '../errors.ts';
import type { ExecutableHandler } from '../handlers/step-handler.ts';
import type { BaseResolver, ResolverConfig } from './base-resolver.ts';
import { ClassLookupResolver } from './class-lookup-resolver.ts';
import {
  ExplicitMappingResolver,
  type HandlerEntry,
  type HandlerMaker,
  makerOf,
  whyNot,
} from './explicit-mapping-resolver.ts';
import { effectiveMethod, type HandlerDefinition, usesMethodDispatch } from './handler-definition.ts';
import { withMethod } from './method-dispatch.ts';
import { UNNAMED } from './registry-resolver.ts';
import { ResolutionError, ResolverNotFoundError } from './resolution-errors.ts';

/** An entry of {@link ResolverChain.chainInfo}. */
export interface ResolverInfo {
  name: string;
  priority: number;
  pattern: string | null;
  prefix: string | null;
}

/** The cached result of a resolver. */
interface Answer {
  maker: HandlerMaker | null;
  /** On the clock of `performance.now()`. */
  at: number;
}

/** How long a null result is cached. The result expires, because the source of a resolver may change. */
const NULL_HOLDS_MS = 1_000;

/**
 * Resolvers in order of priority. The first resolver that finds a handler for a callable is used. A definition with
 * `resolver` asks only that resolver. Each registry has its own chain.
 *
 * @example
 * const chain = ResolverChain.withResolvers([new ExplicitMappingResolver(), new Tenants()]);
 * chain.register('charge', Charge);
 * const handler = await chain.resolve({ callable: 'charge', method: 'refund' });
 */
export class ResolverChain {
  #resolvers: BaseResolver[] = [];
  /** Keyed by the definition object, which exists as long as its template is in use. */
  #answers = new WeakMap<HandlerDefinition, Map<BaseResolver, Answer | Promise<Answer>>>();
  readonly #learned = new Set<string>();

  /**
   * Creates a chain with the default resolvers: registered names first, then files of `baseFolder` (default: the working
   * directory, unless it is the root of the file system) and packages with a scope. If it is null, only registered names.
   */
  static default({ baseFolder }: { baseFolder?: string | null | undefined } = {}): Promise<ResolverChain> {
    return Promise.resolve(ResolverChain.usual({ baseFolder }));
  }

  /** Does nothing: there is no shared chain, because each call of `default()` creates a new one. */
  static resetDefault(): void {}

  /** Like {@link default}, but synchronous. @internal */
  static usual({ baseFolder = workingFolder() }: { baseFolder?: string | null | undefined }): ResolverChain {
    const lookup = new ClassLookupResolver({ baseFolder: baseFolder ?? undefined });
    return ResolverChain.withResolvers([new ExplicitMappingResolver(), lookup]);
  }

  /** Creates a chain with only these resolvers. */
  static withResolvers(resolvers: readonly BaseResolver[]): ResolverChain {
    const chain = new ResolverChain();
    for (const resolver of resolvers) chain.addResolver(resolver);
    return chain;
  }

  /** Adds a resolver, replacing one of the same name. Unnamed resolvers of another class are kept. */
  addResolver(resolver: BaseResolver): void {
    const others = this.#resolvers.filter(
      (one) => one.name !== resolver.name || (one.name === UNNAMED && one.constructor !== resolver.constructor),
    );
    this.#resolvers = [...others, resolver].sort((a, b) => a.priority - b.priority);
  }

  /** Removes a resolver. Returns false if there was none of that name. */
  removeResolver(name: string): boolean {
    const before = this.#resolvers.length;
    this.#resolvers = this.#resolvers.filter((resolver) => resolver.name !== name);
    this.forget();
    return this.#resolvers.length < before;
  }

  getResolver(name: string): BaseResolver | undefined {
    return this.#resolvers.find((resolver) => resolver.name === name);
  }

  /** The names and priorities of the resolvers, in the order in which they are asked. */
  listResolvers(): [string, number][] {
    return this.#resolvers.map(({ name, priority }) => [name, priority]);
  }

  /** Like {@link listResolvers}, with pattern and prefix of each resolver. */
  chainInfo(): ResolverInfo[] {
    return this.#resolvers.map(({ name, priority, pattern, prefix }) => {
      return { name, priority, pattern: pattern ? String(pattern) : null, prefix: prefix ?? null };
    });
  }

  /** Registers a handler in the chain's explicit mapping. Throws `handler_invalid` if the chain has none. */
  register(key: string, handler: HandlerEntry): void {
    const explicit = this.#resolvers.find((resolver) => resolver instanceof ExplicitMappingResolver);
    if (!explicit) {
      throw new ResolutionError(
        `handler ${key}: this chain has no ExplicitMappingResolver to register it with; add one`,
      );
    }
    explicit.register(key, handler);
  }

  /** Returns whether a resolver accepts the definition. That resolver may still find no handler. */
  canResolve(definition: HandlerDefinition, config?: ResolverConfig): boolean {
    if (definition.resolver) return this.getResolver(definition.resolver) !== undefined;
    return this.#resolvers.some((resolver) => resolver.canResolve(definition, config));
  }

  /**
   * Returns the handler, whose `call` is the method that the definition names. Null if no resolver finds one. Throws
   * `ResolverNotFoundError`, `MethodDispatchError`, or a `ResolutionError` if the handler cannot be created or a
   * resolver throws.
   */
  async resolve(definition: HandlerDefinition, config?: ResolverConfig): Promise<ExecutableHandler | null> {
    const maker = await this.find(definition, config);
    return maker && this.wrapForMethodDispatch(maker(), definition);
  }

  /**
   * Returns the handler itself, or a wrapper whose `call` is the method that the definition names. A handler created
   * from a function is never wrapped. Throws `MethodDispatchError` if the method does not exist.
   */
  wrapForMethodDispatch(handler: ExecutableHandler, definition: HandlerDefinition): ExecutableHandler {
    return usesMethodDispatch(definition) ? withMethod(handler, effectiveMethod(definition)) : handler;
  }

  /**
   * Returns the maker of the handler if it is known, null if the definition has no handler, and undefined if a resolver
   * must be asked. @internal
   */
  known(definition: HandlerDefinition): HandlerMaker | null | undefined {
    const { resolver: hint } = definition;
    for (const resolver of this.#resolvers) {
      if (hint ? resolver.name !== hint : !resolver.canResolve(definition)) continue;
      const maker = this.#knownOf(resolver, definition);
      if (maker !== null) return maker;
    }
    return null;
  }

  /** Returns the maker of the handler. Asks each resolver only once for a definition. @internal */
  async find(definition: HandlerDefinition, config?: ResolverConfig): Promise<HandlerMaker | null> {
    for (const resolver of this.#candidates(definition, config)) {
      if (resolver instanceof ExplicitMappingResolver) {
        const maker = resolver.makerFor(definition.callable, config);
        if (maker) return maker;
        continue;
      }
      const { maker } = await this.#ask(resolver, definition, config);
      if (!maker) continue;
      if (!definition.resolver) this.#learned.add(definition.callable);
      return maker;
    }
    // A worker must not announce a handler that its resolvers no longer find.
    this.#learned.delete(definition.callable);
    return null;
  }

  /** Callables for which resolvers have found a handler, without the registered names. @internal */
  get learned(): ReadonlySet<string> {
    return this.#learned;
  }

  /** The resolvers in the order in which they are asked. @internal */
  get resolvers(): readonly BaseResolver[] {
    return this.#resolvers;
  }

  /** Whether all resolvers are built in, so that they accept exactly what is announced. @internal */
  get isBuiltIn(): boolean {
    return this.#resolvers.every((resolver) => {
      const { constructor: type, name } = resolver;
      return (type === ExplicitMappingResolver && name === 'explicit_mapping') || type === ClassLookupResolver;
    });
  }

  /** Discards the cached results of resolvers, so that they are asked again. */
  forget(): void {
    this.#answers = new WeakMap();
    this.#learned.clear();
  }

  /** Returns the resolver that a definition names. Throws if the chain has none of that name. @internal */
  hinted(name: string): BaseResolver {
    const resolver = this.getResolver(name);
    if (resolver) return resolver;
    const known = this.#resolvers.map((one) => one.name);
    throw new ResolverNotFoundError(name, known);
  }

  #candidates(definition: HandlerDefinition, config?: ResolverConfig): BaseResolver[] {
    if (definition.resolver) return [this.hinted(definition.resolver)];
    return this.#resolvers.filter((resolver) => resolver.canResolve(definition, config));
  }

  #knownOf(resolver: BaseResolver, definition: HandlerDefinition): HandlerMaker | null | undefined {
    if (resolver instanceof ExplicitMappingResolver) return resolver.makerFor(definition.callable);
    const answer = this.#answers.get(definition)?.get(resolver);
    return answer && !(answer instanceof Promise) && holds(answer) ? answer.maker : undefined;
  }

  #ask(resolver: BaseResolver, definition: HandlerDefinition, config?: ResolverConfig): Answer | Promise<Answer> {
    // A result that depends on the caller's configuration is not cached.
    if (config) return askNow(resolver, definition, config);
    const answers = this.#answers.get(definition) ?? new Map<BaseResolver, Answer | Promise<Answer>>();
    this.#answers.set(definition, answers);
    const before = answers.get(resolver);
    if (before && (before instanceof Promise || holds(before))) return before;

    const asking = askNow(resolver, definition, {});
    answers.set(resolver, asking);
    const settled = (answer: Answer | undefined) => {
      if (answers.get(resolver) !== asking) return;
      if (answer) answers.set(resolver, answer);
      else answers.delete(resolver);
    };
    asking.then(settled, () => settled(undefined));
    return asking;
  }
}

/** Returns the working directory. Null in the root of the file system, below which every file of the disk is. */
function workingFolder(): string | null {
  const folder = process.cwd();
  return path.dirname(folder) === folder ? null : folder;
}

function holds({ maker, at }: Answer): boolean {
  return maker !== null || performance.now() - at < NULL_HOLDS_MS;
}

async function askNow(resolver: BaseResolver, definition: HandlerDefinition, config: ResolverConfig): Promise<Answer> {
  const { callable } = definition;
  const found = await resultOf(resolver, definition, config);
  const at = performance.now();
  // In JavaScript, a resolver may return undefined for "not found".
  if (found === null || found === undefined) return { maker: null, at };
  const maker = makerOf(callable, found);
  if (!maker) throw new ResolutionError(`handler ${callable}, from resolver ${resolver.name}: ${whyNot(found)}`);
  return { maker, at };
}

async function resultOf(resolver: BaseResolver, definition: HandlerDefinition, config: ResolverConfig) {
  try {
    return await resolver.resolve(definition, config);
  } catch (cause) {
    if (cause instanceof ResolutionError) throw cause;
    const given = (cause as { retryable?: unknown } | null)?.retryable;
    throw new ResolutionError(`handler ${definition.callable}: resolver ${resolver.name} throws: ${messageOf(cause)}`, {
      cause,
      // The resolver's source may be unavailable for a while.
      retryable: typeof given === 'boolean' ? given : true,
    });
  }
}
