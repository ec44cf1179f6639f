import { resultOfThrown } from '../handlers/outcome.ts';
import type { StepContext } from '../handlers/step-context.ts';
import type { ExecutableHandler } from '../handlers/step-handler.ts';
import type { StepHandlerResult } from '../handlers/step-handler-result.ts';
import type { HandlerDefinition } from '../registry/handler-definition.ts';
import type { HandlerRegistry } from '../registry/handler-registry.ts';
import { ResolverNotFoundError } from '../registry/resolution-errors.ts';
import { callHandler } from './call-handler.ts';
import { isCheckpointYield } from './step-progress.ts';

/** What a runner must know of a step. */
export interface Runnable {
  readonly template: { readonly handler: HandlerDefinition };
  /** Set: nobody waits for what it comes to. */
  readonly over?: string | undefined;
}

/** Whom a runner tells what becomes of a step. Each step that {@link starts} ends in one of the others, or yields. */
export interface RunnerPort<S extends Runnable> {
  /** Its handler is known or asked for: it has its slot, and its time runs. */
  starts(step: S): void;
  /** Its handler is called now, with this context. */
  contextOf(step: S): StepContext;
  /** What is called for it: its handler, or what runs that elsewhere. What it throws fails the step. */
  isolated?(step: S, handler: ExecutableHandler): ExecutableHandler;
  /** Its handler is called now: until {@link called}, the event loop is its. */
  calls?(step: S): void;
  /** The synchronous part of its handler is over, which began at `from` on the clock of `performance.now()`. */
  called?(step: S, from: number): void;
  /** Calls its handler where it should run. */
  within?: ((step: S, call: () => unknown) => unknown) | undefined;
  settled(step: S, result: StepHandlerResult, version: string): void;
  /** It wants to be called again once what it came to is saved. */
  yielded(step: S, handler: ExecutableHandler, result: StepHandlerResult): void;
  /** Its handler can't be made; it did not start. */
  broken(step: S, result: StepHandlerResult): void;
  /** Nobody knows its handler; it did not start. */
  unknown(step: S): void;
  /** It started, and then nobody knew its handler, or it was taken away while they were asked. */
  unresolved(step: S): void;
}

/** Finds the handlers of steps and calls them: for a worker's own steps and for those that were handed out. */
export class StepRunner<S extends Runnable> {
  readonly #registry: HandlerRegistry;
  readonly #port: RunnerPort<S>;

  constructor(registry: HandlerRegistry, port: RunnerPort<S>) {
    this.#registry = registry;
    this.#port = port;
  }

  run(step: S): void {
    let handler: ExecutableHandler | null | undefined;
    try {
      handler = this.#registry.resolveKnown(step.template.handler);
    } catch (thrown) {
      this.#port.broken(step, resultOfThrown(thrown));
      return;
    }
    if (handler === null) {
      this.#port.unknown(step);
      return;
    }
    this.#port.starts(step);
    if (handler) this.call(step, handler);
    else void this.#askAndCall(step);
  }

  /** A resolver is asked. Meanwhile the step has its slot. */
  async #askAndCall(step: S): Promise<void> {
    let handler: ExecutableHandler | null;
    try {
      handler = await this.#registry.resolve(step.template.handler);
    } catch (thrown) {
      // Unknown resolvers are missing handlers, as unknown names are: another worker may have them.
      if (!(thrown instanceof ResolverNotFoundError)) {
        this.#port.settled(step, resultOfThrown(thrown), '1.0.0');
        return;
      }
      handler = null;
    }
    if (handler && !step.over) this.call(step, handler);
    else this.#port.unresolved(step);
  }

  /** Calls it; once more for a step that yielded. */
  call(step: S, handler: ExecutableHandler): void {
    const port = this.#port;
    const context = port.contextOf(step);
    let called: ExecutableHandler;
    try {
      called = port.isolated?.(step, handler) ?? handler;
    } catch (thrown) {
      port.settled(step, resultOfThrown(thrown), '1.0.0');
      return;
    }
    const from = performance.now();
    const settled = (result: StepHandlerResult, version: string) => {
      if (isCheckpointYield(result)) port.yielded(step, handler, result);
      else port.settled(step, result, version);
    };
    port.calls?.(step);
    callHandler(called, context, settled, port.within && ((call) => port.within?.(step, call)));
    port.called?.(step, from);
  }
}
