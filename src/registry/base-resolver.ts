import type { ExecutableHandler, StepHandlerClass } from '../handlers/step-handler.ts';
import type { HandlerDefinition } from './handler-definition.ts';

/** What a caller of `resolve` may hand to resolvers and factories; empty when the worker asks. */
export interface ResolverConfig {
  readonly [key: string]: unknown;
}

/** What stands for a handler: a class, whose instances serve a step each, or an instance, which serves all. */
export type Registrable = StepHandlerClass | (new () => ExecutableHandler) | ExecutableHandler;

/**
 * What a resolver finds. A class: the worker makes an instance for each step. An instance: it serves all those steps,
 * also at the same time, so it keeps nothing of one step in its fields. Null: another resolver may know.
 */
export type ResolvedHandler = Registrable | null;

/**
 * Finds handlers by names of its own. The worker asks it once for each step of a template, not once for each task, and
 * again after `tasker.refresh()`; a null is asked for again after a second.
 * Most extend {@link RegistryResolver}.
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
  /** What a template's `handler.resolver` says. */
  readonly name: string;
  /** The lower is asked the earlier. Registered names have 10, files and packages 100. */
  readonly priority: number;
  /**
   * Which callables it is for. Other workers are told: they leave such steps to this one. Without either they learn of
   * a callable when this worker has resolved it.
   */
  readonly pattern?: RegExp | undefined;
  readonly prefix?: string | undefined;
  /** Whether it is to be asked. Cheap: it is called for each step. */
  canResolve(definition: HandlerDefinition, config?: ResolverConfig): boolean;
  /** What it throws fails the step, to be tried again unless the error says `retryable: false`. */
  resolve(definition: HandlerDefinition, config?: ResolverConfig): ResolvedHandler | Promise<ResolvedHandler>;
}
