import { type ExecutableHandler, StepHandlerResult } from '../../handlers/step-handler.ts';
import { effectiveMethod, type HandlerDefinition, usesMethodDispatch } from '../../registry/handler-definition.ts';
import { originOf } from '../../registry/handler-origin.ts';
import type { HandlerRegistry } from '../../registry/handler-registry.ts';
import { ResolutionError } from '../../registry/resolution-errors.ts';
import type { DispatchedStep } from '../dispatched-step.ts';
import { isolationOf } from '../run-step.ts';
import type { Deadlines } from '../running-steps.ts';
import { type ThreadJob, ThreadPool, type ThreadPoolOptions, type ThreadStats } from './thread-pool.ts';

/** Returns the reason why a handler cannot run in a thread although it must. Undefined if it can, or need not. */
export function whyNotIsolated(definition: HandlerDefinition, handler: ExecutableHandler): ResolutionError | undefined {
  if (isolationOf(definition, handler) === 'none' || originOf(handler)) return undefined;
  return new ResolutionError(
    `handler ${definition.callable} must run in a thread (isolation: thread), but a thread can only load handlers that a file exports, and this one was passed in code; export it from a file in the handlers folder, or set isolation: none`,
    { details: { handler: definition.callable } },
  );
}

/**
 * Checks on startup that all handlers with `isolation: thread` can run in a thread. Handlers that only a resolver
 * finds, or that are registered later, are checked when their first step runs.
 * @throws ResolutionError `handler_invalid`
 */
export function checkIsolation(registry: HandlerRegistry, definitions: readonly HandlerDefinition[]): void {
  const registered = registry.listHandlers().map((callable) => ({ callable }));
  for (const definition of [...definitions, ...registered]) {
    const { callable, isolation } = definition as HandlerDefinition;
    const wanted = isolation ?? registry.getHandlerClass(callable)?.isolation;
    if (wanted !== 'thread') continue;
    const handler = createdIfPossible(registry, definition);
    const refused = handler && whyNotIsolated(definition, handler);
    if (refused) throw refused;
  }
}

function createdIfPossible(registry: HandlerRegistry, definition: HandlerDefinition): ExecutableHandler | undefined {
  try {
    return registry.resolveKnown(definition) ?? undefined;
  } catch {
    return undefined; // another check reports the error
  }
}

/** Runs handlers in threads. */
export class Isolation {
  readonly #deadlines: Deadlines;
  readonly #pool: ThreadPool;
  readonly #jobs = new Map<DispatchedStep, ThreadJob>();

  constructor(deadlines: Deadlines, options: ThreadPoolOptions) {
    this.#deadlines = deadlines;
    this.#pool = new ThreadPool(options);
  }

  get stats(): ThreadStats {
    return this.#pool.stats;
  }

  /** Returns a handler that runs the given handler in a thread. @throws ResolutionError `handler_invalid` */
  handlerFor(step: DispatchedStep, handler: ExecutableHandler): ExecutableHandler {
    const refused = whyNotIsolated(step.handler, handler);
    if (refused) throw refused;
    return {
      name: handler.name,
      version: handler.version,
      capabilities: handler.capabilities,
      configSchema: () => handler.configSchema(),
      call: () => this.#run(step, handler),
    };
  }

  #run(step: DispatchedStep, handler: ExecutableHandler): Promise<StepHandlerResult> {
    const definition = step.template.handler;
    const { signal } = step;
    return new Promise((resolve) => {
      const aborted = () => {
        if (!this.#pool.abort(job)) job.settled(stoppedBefore(step));
      };
      const job: ThreadJob = {
        step,
        origin: originOf(handler)!,
        method: usesMethodDispatch(definition) ? effectiveMethod(definition) : null,
        begins: () => this.#deadlines.restart(step),
        settled: (result) => {
          signal.removeEventListener('abort', aborted);
          this.#jobs.delete(step);
          resolve(result);
        },
      };
      this.#jobs.set(step, job);
      // The timeout is suspended while the step waits for a thread.
      this.#deadlines.delete(step);
      signal.addEventListener('abort', aborted, { once: true });
      this.#pool.add(job);
    });
  }

  /**
   * Called when a step has ended. Ends its thread soon, because its handler may ignore the signal. If a shutdown has
   * already ended the thread, settles its call.
   */
  over(step: DispatchedStep): void {
    const job = this.#jobs.get(step);
    if (job && !this.#pool.end(job)) job.settled(stoppedBefore(step));
  }

  /** Ends all threads. The calls of their steps are settled when the steps are {@link over}. */
  stop(): Promise<void> {
    return this.#pool.stop();
  }
}

function stoppedBefore(step: DispatchedStep): StepHandlerResult {
  step.neverBegan = true;
  return StepHandlerResult.failure(`step ${step.name} was stopped before a thread was free for it`);
}
