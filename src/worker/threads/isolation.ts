import type { ExecutableHandler } from '../../handlers/step-handler.ts';
import { StepHandlerResult } from '../../handlers/step-handler-result.ts';
import { effectiveMethod, type HandlerDefinition, usesMethodDispatch } from '../../registry/handler-definition.ts';
import { originOf } from '../../registry/handler-origin.ts';
import type { HandlerRegistry } from '../../registry/handler-registry.ts';
import { ResolutionError } from '../../registry/resolution-errors.ts';
import type { DispatchedStep } from '../dispatched-step.ts';
import { isolationOf } from '../run-step.ts';
import type { Deadlines } from '../running-steps.ts';
import { type ThreadJob, ThreadPool, type ThreadPoolOptions, type ThreadStats } from './thread-pool.ts';

/** Why a handler can't run in a thread though it is to; undefined when it can, or is not to. */
export function whyNotIsolated(definition: HandlerDefinition, handler: ExecutableHandler): ResolutionError | undefined {
  if (isolationOf(definition, handler) === 'none' || originOf(handler)) return undefined;
  return new ResolutionError(
    `handler ${definition.callable} is to run in a thread (isolation: thread), and a thread can load only what a file exports: this one was given in code; export it from a file of the handlers' folder, or set isolation: none`,
    { details: { handler: definition.callable } },
  );
}

/**
 * Says, before anything runs, which handlers can't run in a thread though they are to. Those that only a resolver knows,
 * or that are registered later, are found out when their first step runs.
 * @throws ResolutionError `handler_invalid`
 */
export function checkIsolation(registry: HandlerRegistry, definitions: readonly HandlerDefinition[]): void {
  const registered = registry.listHandlers().map((callable) => ({ callable }));
  for (const definition of [...definitions, ...registered]) {
    const { callable, isolation } = definition as HandlerDefinition;
    const wanted = isolation ?? registry.getHandlerClass(callable)?.isolation;
    if (wanted !== 'thread') continue;
    const handler = madeIfItCan(registry, definition);
    const refused = handler && whyNotIsolated(definition, handler);
    if (refused) throw refused;
  }
}

function madeIfItCan(registry: HandlerRegistry, definition: HandlerDefinition): ExecutableHandler | undefined {
  try {
    return registry.resolveKnown(definition) ?? undefined;
  } catch {
    return undefined; // why it can't be made is told by what checks that
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

  /** Returns a handler that runs the given one in a thread. @throws ResolutionError `handler_invalid` */
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
      // Its time does not run while it waits for a thread.
      this.#deadlines.delete(step);
      signal.addEventListener('abort', aborted, { once: true });
      this.#pool.add(job);
    });
  }

  /**
   * Nobody waits for a step any more. Its signal may have fired before, and not have been heeded: its thread is ended
   * soon. Where that was done already, by a stop, its call ends here.
   */
  over(step: DispatchedStep): void {
    const job = this.#jobs.get(step);
    if (job && !this.#pool.end(job)) job.settled(stoppedBefore(step));
  }

  /** Ends all threads; nothing is told of the steps that ran in them until they are {@link over}. */
  stop(): Promise<void> {
    return this.#pool.stop();
  }
}

function stoppedBefore(step: DispatchedStep): StepHandlerResult {
  step.neverBegan = true;
  return StepHandlerResult.failure(`step ${step.name} was stopped before a thread was free for it`);
}
