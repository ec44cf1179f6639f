import type { BaseResolver, ResolvedHandler, ResolverConfig } from './base-resolver.ts';
import type { HandlerDefinition } from './handler-definition.ts';

/** What a subclass of {@link RegistryResolver} says about itself, as static members. */
export interface RegistryResolverStatic {
  /** What a template's `handler.resolver` says. */
  readonly _name: string;
  /** The lower is asked the earlier. Default 50: after registered names (10), before files and packages (100). */
  readonly _priority?: number;
  /** Callables that match are resolved here; the match is handed to `resolveHandler`. */
  readonly pattern?: RegExp | undefined;
  /** Callables that begin so are resolved here. */
  readonly prefix?: string | undefined;
}

/**
 * The base of resolvers that find handlers by the form of a callable. With neither `pattern` nor `prefix` it is asked
 * only by templates that name it in `handler.resolver`.
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
    return this.#own._name || this.constructor.name;
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

  /** The handler of a callable, a class or an instance; null when there is none. `match` is the pattern's. */
  abstract resolveHandler(
    definition: HandlerDefinition,
    match: RegExpMatchArray | null,
    config?: ResolverConfig,
  ): ResolvedHandler | Promise<ResolvedHandler>;
}

/** A pattern with the flags g or y remembers where it stopped. */
function matchOf(pattern: RegExp, callable: string): RegExpMatchArray | null {
  pattern.lastIndex = 0;
  return pattern.exec(callable);
}
