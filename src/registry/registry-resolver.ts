import type { BaseResolver, ResolvedHandler, ResolverConfig } from './base-resolver.ts';
import type { HandlerDefinition } from './handler-definition.ts';

/** The static members of a subclass of {@link RegistryResolver}. */
export interface RegistryResolverStatic {
  /** The name that templates use in `handler.resolver`. Default `custom_resolver`. */
  readonly _name: string;
  /** Resolvers with a lower number are asked first. Default 50: after registered names (10), before files (100). */
  readonly _priority?: number;
  /** Resolves callables that match. The match is passed to `resolveHandler`. */
  readonly pattern?: RegExp | undefined;
  /** Resolves callables with this prefix. */
  readonly prefix?: string | undefined;
}

/** The name of resolvers without a name of their own. */
export const UNNAMED = 'custom_resolver';

/**
 * Base class of resolvers that find handlers by the form of a callable. Without `pattern` and `prefix`, it is used only
 * for templates that name it in `handler.resolver`.
 *
 * @example
 * class Tenants extends RegistryResolver {
 *   static override readonly _name = 'tenants';
 *   static override readonly pattern = /^tenant\.(\w+)$/;
 *
 *   resolveHandler(_definition: HandlerDefinition, match: RegExpMatchArray | null) {
 *     return match && new TenantHandler(match[1]!);
 *   }
 * }
 * await registry.addResolver(new Tenants());
 */
export abstract class RegistryResolver implements BaseResolver {
  static readonly _name: string = '';
  static readonly _priority: number = 50;
  static readonly pattern: RegExp | undefined = undefined;
  static readonly prefix: string | undefined = undefined;

  get name(): string {
    return this.#own._name || UNNAMED;
  }

  get priority(): number {
    return this.#own._priority ?? 50;
  }

  get pattern(): RegExp | undefined {
    return this.#own.pattern;
  }

  get prefix(): string | undefined {
    return this.#own.prefix;
  }

  get #own(): RegistryResolverStatic {
    return this.constructor as unknown as RegistryResolverStatic;
  }

  canResolve({ callable }: HandlerDefinition, _config?: ResolverConfig): boolean {
    if (this.pattern) return matchOf(this.pattern, callable) !== null;
    return this.prefix !== undefined && callable.startsWith(this.prefix);
  }

  resolve(definition: HandlerDefinition, config?: ResolverConfig): ResolvedHandler | Promise<ResolvedHandler> {
    const match = this.pattern ? matchOf(this.pattern, definition.callable) : null;
    return this.resolveHandler(definition, match, config);
  }

  /** Returns the handler of a callable (a class or an instance), or null. `match` is the match of `pattern`. */
  abstract resolveHandler(
    definition: HandlerDefinition,
    match: RegExpMatchArray | null,
    config?: ResolverConfig,
  ): ResolvedHandler | Promise<ResolvedHandler>;
}

/** Resets `lastIndex`, because a pattern with the flag g or y would continue after its last match. */
function matchOf(pattern: RegExp, callable: string): RegExpMatchArray | null {
  pattern.lastIndex = 0;
  return pattern.exec(callable);
}
