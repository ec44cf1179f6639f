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
import { ResolutionError, ResolverNotFoundError } from './resolution-errors.ts';

/** What {@link ResolverChain.chainInfo} tells of a resolver. */
export interface ResolverInfo {
  name: string;
  priority: number;
  pattern: string | null;
  prefix: string | null;
}

/** What a resolver answered. */
interface Answer {
  maker: HandlerMaker | null;
  /** On the clock of `performance.now()`. */
  at: number;
}

/** How long "I don't know" holds: a resolver may look where things come and go. */
const NULL_HOLDS_MS = 1_000;

/**
 * Resolvers in the order of their priority; the first that knows a callable gives its handler. A definition with
 * `resolver` asks that one and no other. Each registry has a chain of its own.
 *
 * @example
 * const chain = ResolverChain.withResolvers([new ExplicitMappingResolver(), new Tenants()]);
 * chain.register('charge', Charge);
 * const handler = await chain.resolve({ callable: 'charge', method: 'refund' });
 */
export class ResolverChain {
  #resolvers: BaseResolver[] = [];
  /** By the very definition: templates keep theirs for as long as they are in use. */
  #answers = new WeakMap<HandlerDefinition, Map<BaseResolver, Answer | Promise<Answer>>>();
  readonly #learned = new Set<string>();

  /** A new chain of the usual resolvers: registered names first, then files of `baseFolder` and packages. */
  static default({ baseFolder }: { baseFolder?: string | undefined } = {}): Promise<ResolverChain> {
    return Promise.resolve(ResolverChain.usual({ baseFolder }));
  }

  /** There is no shared chain: every `default()` is a new one, and there is nothing to reset. */
  static resetDefault(): void {}

  /** As {@link default}, without a promise. @internal */
  static usual({ baseFolder }: { baseFolder?: string | undefined }): ResolverChain {
    return ResolverChain.withResolvers([new ExplicitMappingResolver(), new ClassLookupResolver({ baseFolder })]);
  }

  /** A chain of these resolvers only. */
  static withResolvers(resolvers: readonly BaseResolver[]): ResolverChain {
    const chain = new ResolverChain();
    for (const resolver of resolvers) chain.addResolver(resolver);
    return chain;
  }

  /** Adds a resolver; one of the same name is replaced. */
  addResolver(resolver: BaseResolver): void {
    const others = this.#resolvers.filter(({ name }) => name !== resolver.name);
    this.#resolvers = [...others, resolver].sort((a, b) => a.priority - b.priority);
  }

  /** Takes a resolver out; false when there was none of that name. */
  removeResolver(name: string): boolean {
    const before = this.#resolvers.length;
    this.#resolvers = this.#resolvers.filter((resolver) => resolver.name !== name);
    this.forget();
    return this.#resolvers.length < before;
  }

  getResolver(name: string): BaseResolver | undefined {
    return this.#resolvers.find((resolver) => resolver.name === name);
  }

  /** Names and priorities, in the order in which they are asked. */
  listResolvers(): [string, number][] {
    return this.#resolvers.map(({ name, priority }) => [name, priority]);
  }

  /** As {@link listResolvers}, with what each is for. */
  chainInfo(): ResolverInfo[] {
    return this.#resolvers.map(({ name, priority, pattern, prefix }) => {
      return { name, priority, pattern: pattern ? String(pattern) : null, prefix: prefix ?? null };
    });
  }

  /** Gives a name to a handler, in the chain's explicit mapping. Throws `handler_invalid` when the chain has none. */
  register(key: string, handler: HandlerEntry): void {
    const explicit = this.#resolvers.find((resolver) => resolver instanceof ExplicitMappingResolver);
    if (!explicit) {
      throw new ResolutionError(
        `handler ${key}: this chain has no ExplicitMappingResolver to register it with; add one`,
      );
    }
    explicit.register(key, handler);
  }

  /** Whether some resolver takes it for its business; it may still find nothing. */
  canResolve(definition: HandlerDefinition, config?: ResolverConfig): boolean {
    if (definition.resolver) return this.getResolver(definition.resolver) !== undefined;
    return this.#resolvers.some((resolver) => resolver.canResolve(definition, config));
  }

  /**
   * The handler, with the method that is asked for in the place of `call`; null when no resolver knows it. Throws
   * `ResolverNotFoundError`, `MethodDispatchError`, or a `ResolutionError` when it can't be made or a resolver throws.
   */
  async resolve(definition: HandlerDefinition, config?: ResolverConfig): Promise<ExecutableHandler | null> {
    const maker = await this.find(definition, config);
    return maker && this.wrapForMethodDispatch(maker(), definition);
  }

  /**
   * The handler itself, or one whose `call` is the method that the definition names. A handler made from a function is
   * always returned itself. Throws `MethodDispatchError` when a class lacks the method.
   */
  wrapForMethodDispatch(handler: ExecutableHandler, definition: HandlerDefinition): ExecutableHandler {
    return usesMethodDispatch(definition) ? withMethod(handler, effectiveMethod(definition)) : handler;
  }

  /** What makes the handler, if that is known without asking; undefined when a resolver must be asked. @internal */
  known(definition: HandlerDefinition): HandlerMaker | null | undefined {
    const { resolver: hint } = definition;
    for (const resolver of this.#resolvers) {
      if (hint ? resolver.name !== hint : !resolver.canResolve(definition)) continue;
      const maker = this.#knownOf(resolver, definition);
      if (maker !== null) return maker;
    }
    return null;
  }

  /** What makes the handler; asks each resolver once for a definition. @internal */
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
    return null;
  }

  /** Callables that resolvers have found, besides those that are registered. @internal */
  get learned(): ReadonlySet<string> {
    return this.#learned;
  }

  /** In their order. @internal */
  get resolvers(): readonly BaseResolver[] {
    return this.#resolvers;
  }

  /** Resolvers are asked anew. */
  forget(): void {
    this.#answers = new WeakMap();
    this.#learned.clear();
  }

  /** The resolver that a definition names. Throws when the chain has none of that name. @internal */
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
    // What a caller's own configuration led to is no answer for others.
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

function holds({ maker, at }: Answer): boolean {
  return maker !== null || performance.now() - at < NULL_HOLDS_MS;
}

async function askNow(resolver: BaseResolver, definition: HandlerDefinition, config: ResolverConfig): Promise<Answer> {
  const { callable } = definition;
  const found = await resultOf(resolver, definition, config);
  const at = performance.now();
  // In JavaScript nothing may come back as undefined.
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
    const said = (cause as { retryable?: unknown } | null)?.retryable;
    throw new ResolutionError(`handler ${definition.callable}: resolver ${resolver.name} throws: ${messageOf(cause)}`, {
      cause,
      // What it looks into may be away for a while.
      retryable: typeof said === 'boolean' ? said : true,
    });
  }
}
