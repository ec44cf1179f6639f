import type { ExecutableHandler, StepHandlerClass } from '../handlers/step-handler.ts';
import type { HandlerDefinition } from './handler-definition.ts';

/** Options that a caller of `resolve` can pass to resolvers and factories. Empty when the worker resolves a step. */
export interface ResolverConfig {
  readonly [key: string]: unknown;
}

/** A handler class, which is instantiated for each step, or an instance, which serves all steps. */
export type Registrable = StepHandlerClass | (new () => ExecutableHandler) | ExecutableHandler;

/**
 * The result of a resolver. For a class, the worker creates an instance for each step. An instance serves all steps
 * with the callable, even concurrently, so it must not keep the state of a step in its fields. Null lets the next
 * resolver try.
 */
export type ResolvedHandler = Registrable | null;

/**
 * Finds handlers for callables that are not registered by name. The worker calls the resolver once for each step of a
 * template, not for each task, and again after `tasker.refresh()`. A null result is cached for one second. Most
 * resolvers extend {@link RegistryResolver}.
 *
 * @example
 * const legacy: BaseResolver = {
 *   name: 'legacy',
 *   priority: 20,
 *   canResolve: ({ callable }) => callable.includes('::'),
 *   resolve: async ({ callable }) => (await import(`./legacy/${callable.replace('::', '-')}.js`)).default,
 * };
 * await registry.addResolver(legacy);
 */
export interface BaseResolver {
  /** The name that templates use in `handler.resolver`. */
  readonly name: string;
  /** Resolvers with a lower number are asked first. Registered names have 10, files and packages 100. */
  readonly priority: number;
  /**
   * The callables that this resolver resolves. Workers without the resolver leave steps with these callables to workers
   * that have it. Without a pattern or prefix, they leave only steps with callables that this worker has already
   * resolved.
   */
  readonly pattern?: RegExp | undefined;
  readonly prefix?: string | undefined;
  /** Returns whether to ask this resolver for the definition. Must be fast, because it is called for each step. */
  canResolve(definition: HandlerDefinition, config?: ResolverConfig): boolean;
  /** Finds the handler. An error fails the step, which is retried unless the error has `retryable: false`. */
  resolve(definition: HandlerDefinition, config?: ResolverConfig): ResolvedHandler | Promise<ResolvedHandler>;
}
