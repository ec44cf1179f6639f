import { storableText } from '../../handlers/failures/thrown.ts';
import type { FfiStepDefinition, FfiStepEvent } from '../../handlers/ffi-step-event.ts';
import { resultOfThrown } from '../../handlers/outcome.ts';
import { paramsOfEvent } from '../../handlers/params-of-event.ts';
import { StepContext, type StepContextParams } from '../../handlers/step-context.ts';
import { StepHandlerResult } from '../../handlers/step-handler-result.ts';
import { logError } from '../../logging/log.ts';
import type { HandlerDefinition } from '../../registry/handler-definition.ts';
import type { HandlerRegistry } from '../../registry/handler-registry.ts';
import { type Runnable, StepRunner } from '../step-runner.ts';
import { timeoutFailure } from '../worker-failures.ts';
import type { NapiStepExecutionResult } from './execution-result.ts';
import type { StepResultSink } from './napi-module.ts';
import { errorOf, yieldOf } from './step-news.ts';
import type { OfferedStep, TakenStepEvents } from './taken-steps.ts';

/** How a subscriber takes steps of a module that is not of this process. */
export interface ForeignStepsOptions {
  registry: HandlerRegistry;
  module: StepResultSink;
  /** For steps without `timeout_seconds`; 0: none. */
  timeoutMs: number;
  /** A result in the form in which it is sent. */
  sent(step: OfferedStep, result: StepHandlerResult): NapiStepExecutionResult;
}

/** Events that are remembered after they were completed: one that is published once more is not run again. */
const REMEMBERED = 10_000;
/** Maximum characters of the error about a result that can't be sent, because it may quote the whole result. */
const MAX_UNSENT = 500;
/** No timer of Node runs longer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A step of somebody's own module: all that is known of it is its event. */
class ForeignStep implements OfferedStep, Runnable {
  readonly event: FfiStepEvent;
  readonly template: { readonly handler: HandlerDefinition };
  readonly controller = new AbortController();
  /** Its result was sent: what its handler still comes to is nobody's business. */
  over: 'timeout' | undefined;
  timer: NodeJS.Timeout | undefined;
  /** What its context reads from, once the event was found readable. */
  params: StepContextParams | undefined;
  readonly #steps: ForeignSteps;

  constructor(steps: ForeignSteps, event: FfiStepEvent) {
    this.#steps = steps;
    this.event = event;
    const { handlerCallable, handlerMethod, handlerResolver, handlerInitialization } =
      // An event without a step definition fails when it is run, and the failure names the event.
      (event.stepDefinition ?? {}) as FfiStepDefinition;
    this.template = {
      handler: {
        callable: handlerCallable,
        method: handlerMethod ?? null,
        resolver: handlerResolver ?? null,
        initialization: (handlerInitialization as Record<string, unknown> | null | undefined) ?? {},
      },
    };
  }

  get handlerName(): string {
    return this.template.handler.callable;
  }

  readonly open = true;

  /** Whoever gave it gave it once. */
  take(): boolean {
    return true;
  }

  run(): void {
    this.#steps.run(this);
  }

  /** There is no way back: whoever gave it finds that nobody completed it. */
  giveBack(): void {}

  abort(reason: string): void {
    this.controller.abort(new DOMException(reason, 'AbortError'));
  }
}

/** Steps that come from a module that was given, and go back to it. */
export class ForeignSteps {
  readonly #options: ForeignStepsOptions;
  readonly #events: TakenStepEvents<OfferedStep>;
  readonly #runner: StepRunner<ForeignStep>;
  readonly #seen = new Set<string>();

  constructor(options: ForeignStepsOptions, events: TakenStepEvents<OfferedStep>) {
    this.#options = options;
    this.#events = events;
    this.#runner = new StepRunner<ForeignStep>(options.registry, {
      starts: (step) => this.#startClock(step),
      contextOf: (step) => contextOf(step),
      settled: (step, result) => this.#settled(step, result),
      yielded: (step, _handler, result) => this.#yielded(step, result),
      broken: (step, result) => this.#settled(step, result),
      unknown: (step) => this.#missing(step),
      unresolved: (step) => this.#missing(step),
    });
  }

  offered(event: FfiStepEvent): OfferedStep | undefined {
    if (this.#seen.has(event.eventId)) return undefined;
    this.#seen.add(event.eventId);
    if (this.#seen.size > REMEMBERED) this.#seen.delete(this.#seen.values().next().value!);
    return new ForeignStep(this, event);
  }

  run(step: ForeignStep): void {
    try {
      step.params = paramsOfEvent(step.event, step.template.handler.callable);
    } catch (thrown) {
      this.#settled(step, resultOfThrown(thrown));
      return;
    }
    this.#runner.run(step);
  }

  #startClock(step: ForeignStep): void {
    const { timeoutSeconds, name } = step.event.stepDefinition;
    const ms = timeoutSeconds == null ? this.#options.timeoutMs : timeoutSeconds * 1000;
    if (ms <= 0) return;
    step.timer = setTimeout(
      () => {
        step.over = 'timeout';
        const result = timeoutFailure(name, ms);
        const error = new DOMException(result.errorMessage ?? '', 'TimeoutError');
        step.controller.abort(error);
        this.#events.timedOut(step, error);
        void this.#send(step, result);
      },
      Math.min(ms, LONGEST_TIMER_MS),
    );
    step.timer.unref();
  }

  #settled(step: ForeignStep, result: StepHandlerResult): void {
    clearTimeout(step.timer);
    if (step.over) this.#events.gone(step);
    else this.#events.settled(step, result, this.#send(step, result));
  }

  #yielded(step: ForeignStep, result: StepHandlerResult): void {
    clearTimeout(step.timer);
    if (step.over) this.#events.gone(step);
    else this.#events.yielded(step, result, this.#sendYield(step, result));
  }

  #missing(step: ForeignStep): void {
    if (step.over) {
      this.#events.gone(step);
      return;
    }
    const { message } = this.#options.registry.whyMissing(step.template.handler);
    const failure = { message, errorType: 'handler_not_found', retryable: false };
    const result = StepHandlerResult.failure(failure);
    clearTimeout(step.timer);
    this.#events.missing(step, result, this.#send(step, result));
  }

  /**
   * A module may refuse a result that it can't send. It must still learn that the step failed and whether to retry it.
   */
  async #send(step: ForeignStep, result: StepHandlerResult): Promise<boolean> {
    const { module, sent } = this.#options;
    try {
      return await module.completeStepEvent(step.event.eventId, sent(step, result));
    } catch (thrown) {
      const { message } = errorOf(thrown);
      logError(`the result of step ${step.event.stepUuid} was refused: ${message}`, { error: thrown });
      const said = storableText(`the result can't be sent: ${message}`, MAX_UNSENT);
      const retryable = !result.success && result.retryable;
      const failure = { message: said, retryable };
      try {
        await module.completeStepEvent(step.event.eventId, sent(step, StepHandlerResult.failure(failure)));
      } catch (again) {
        logError(`nor could its failure be sent: ${errorOf(again).message}`, { error: again });
      }
      return false;
    }
  }

  async #sendYield(step: ForeignStep, result: StepHandlerResult): Promise<boolean> {
    const { event } = step;
    try {
      return await this.#options.module.checkpointYieldStepEvent(event.eventId, yieldOf(event.stepUuid, result));
    } catch (thrown) {
      logError(`the checkpoint of step ${event.stepUuid} was refused: ${errorOf(thrown).message}`, { error: thrown });
      return false;
    }
  }
}

function contextOf({ params, controller }: ForeignStep): StepContext {
  // Not a spread: its getters copy what is read, when it is read.
  return new StepContext(Object.assign(params!, { signal: controller.signal }));
}
