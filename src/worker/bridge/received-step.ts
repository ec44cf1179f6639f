import { storableText } from '../../handlers/failures/thrown.ts';
import type { FfiStepEvent } from '../../handlers/ffi-step-event.ts';
import { waitIn } from '../../handlers/outcome.ts';
import { paramsOfEvent, StepContext } from '../../handlers/step-context.ts';
import type { StepContextParams } from '../../handlers/step-context-params.ts';
import { type ExecutableHandler, StepHandlerResult } from '../../handlers/step-handler.ts';
import { logError } from '../../logging/log.ts';
import { oldestKeys } from '../../model/oldest-keys.ts';
import type { HandlerDefinition } from '../../registry/handler-definition.ts';
import type { HandlerRegistry } from '../../registry/handler-registry.ts';
import { timeoutFailure } from '../attempt-end.ts';
import { type Delivery, deliveryOf, type Settling, type Taking } from '../dispatch-channel.ts';
import type { RunnableStep } from '../run-step.ts';
import type { NapiStepExecutionResult } from './execution-result.ts';
import type { StepResultSink } from './napi-module.ts';
import { errorOf, yieldOf } from './step-events.ts';

/** A step that a subscriber received as an event: from the worker of this process, or from another module. */
export interface ReceivedStep extends RunnableStep {
  readonly event: FfiStepEvent;
  readonly handlerName: string;
  /** Whether {@link take} may still succeed. */
  readonly open: boolean;
  /**
   * Takes the step in order to call its handler. Calls `timedOut` if the step times out. Returns false if another
   * subscriber took the step, or the step has ended.
   */
  take(timedOut: (error: Error) => void): boolean;
  /** Called when the handler is known or being resolved. */
  starts(): void;
  /** Returns the outcome that is sent for a result: a failure if the step cannot wait. */
  outcomeOf(result: StepHandlerResult): StepHandlerResult;
  /**
   * Sends the outcome and resolves to whether it was accepted and committed. If the step has ended, sends nothing and
   * returns undefined.
   */
  complete(result: StepHandlerResult, how: Settling): Promise<boolean> | undefined;
  /**
   * Sends the progress, after which the step is delivered again as another event. If the step has ended, sends nothing
   * and returns undefined.
   */
  yield(result: StepHandlerResult): Promise<boolean> | undefined;
  /** Called when the handler is unknown. Returns the failure to send. Undefined if nothing is sent. */
  missing(): { result: StepHandlerResult; sent: Promise<boolean> } | undefined;
  /** Releases the step. */
  release(): void;
  /** Fires the signal of the step. */
  abort(reason: string): void;
}

/** A step that this process's worker holds. Its context and its outcome are handled as without events. */
export class OwnStep implements ReceivedStep {
  readonly #delivery: Delivery;
  readonly #taking: Taking;

  constructor(delivery: Delivery, taking: Taking) {
    this.#delivery = delivery;
    this.#taking = taking;
  }

  /** Returns the step of an event, or undefined if it is no longer needed. */
  static of(event: FfiStepEvent, taking: Taking): OwnStep | undefined {
    const delivery = deliveryOf(event.eventId);
    if (!delivery) return undefined;
    delivery.channel.await(delivery);
    return new OwnStep(delivery, taking);
  }

  get event(): FfiStepEvent {
    return this.#delivery.event;
  }

  get handler(): HandlerDefinition {
    return this.#delivery.step.handler;
  }

  get handlerName(): string {
    return this.#delivery.step.handlerName;
  }

  get over(): string | undefined {
    return this.#delivery.step.over;
  }

  get open(): boolean {
    return this.#delivery.state === 'read' && !this.over && deliveryOf(this.#delivery.eventId) !== undefined;
  }

  take(timedOut: (error: Error) => void): boolean {
    const { channel, step } = this.#delivery;
    if (!channel.take(this.#delivery, this.#taking)) return false;
    this.#delivery.whenOver = () => {
      if (step.over !== 'timeout') return;
      timedOut(new DOMException(`step ${step.name} took longer than its timeout`, 'TimeoutError'));
    };
    return true;
  }

  starts(): void {
    // The timeout started when the event was read.
  }

  context(): StepContext {
    return new StepContext(this.#delivery.step);
  }

  isolated(handler: ExecutableHandler): ExecutableHandler {
    return this.#delivery.step.isolated(handler);
  }

  calls(): void {
    this.#delivery.step.calls();
  }

  called(from: number): void {
    this.#delivery.step.called(from);
  }

  get within(): ((call: () => unknown) => unknown) | undefined {
    return this.#delivery.step.within;
  }

  outcomeOf(result: StepHandlerResult): StepHandlerResult {
    return result;
  }

  complete(result: StepHandlerResult, how: Settling): Promise<boolean> {
    return this.#delivery.channel.complete(this.#delivery, result, how);
  }

  yield(result: StepHandlerResult): Promise<boolean> {
    return this.#delivery.channel.yield(this.#delivery, result);
  }

  /** Leaves the step to its worker, because another worker may have the handler. */
  missing(): undefined {
    this.#delivery.channel.missing(this.#delivery);
  }

  release(): void {
    // Released only if no other subscriber has taken it.
    if (this.#delivery.state === 'read') this.#delivery.channel.release(this.#delivery);
  }

  abort(reason: string): void {
    if (!this.over) this.#delivery.step.warn(reason);
  }
}

/** Options of {@link foreignSteps}. */
export interface ForeignStepOptions {
  registry: HandlerRegistry;
  module: StepResultSink;
  /** Timeout for steps without `timeout_seconds`; 0 means none. */
  timeoutMs: number;
  /** Converts a result to the form in which it is sent. */
  sent(step: ReceivedStep, result: StepHandlerResult): NapiStepExecutionResult;
}

/** Number of events that are remembered, so that a step does not run again when its event is published again. */
const REMEMBERED = 10_000;
/**
 * Maximum length in characters of the error about a result that cannot be sent. The error may quote the whole result.
 */
const MAX_UNSENT = 500;
/** The longest timeout of a Node timer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Returns a function that creates the step of an event. That function returns undefined for an event that it has
 * already seen.
 */
export function foreignSteps(options: ForeignStepOptions): (event: FfiStepEvent) => ReceivedStep | undefined {
  const seen = new Set<string>();
  return (event) => {
    if (seen.has(event.eventId)) return undefined;
    seen.add(event.eventId);
    for (const oldest of oldestKeys(seen, REMEMBERED)) seen.delete(oldest);
    return new ForeignStep(event, options);
  };
}

/** A step from a module of another process. Only its event is known, and its outcome is sent to the module. */
class ForeignStep implements ReceivedStep {
  readonly event: FfiStepEvent;
  readonly handlerName: string;
  readonly open = true;
  readonly within = undefined;
  /** Set when the timeout failure was sent. A later result of the handler is not sent. */
  over: 'timeout' | undefined;
  readonly #options: ForeignStepOptions;
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #params: StepContextParams | undefined;
  #timedOut: ((error: Error) => void) | undefined;

  constructor(event: FfiStepEvent, options: ForeignStepOptions) {
    this.event = event;
    // The step definition may be missing. If reading it throws, the event is not received at all.
    this.handlerName = (event.stepDefinition as { handlerCallable: string } | undefined)?.handlerCallable as string;
    this.#options = options;
  }

  /** @throws ConversionError when the event cannot be read, which fails the step */
  get handler(): HandlerDefinition {
    this.#params ??= paramsOfEvent(this.event, this.handlerName);
    const { handlerMethod, handlerResolver, handlerInitialization } = this.event.stepDefinition;
    return {
      callable: this.handlerName,
      method: handlerMethod ?? null,
      resolver: handlerResolver ?? null,
      initialization: (handlerInitialization as Record<string, unknown> | null | undefined) ?? {},
    };
  }

  /** Always succeeds, because the module published the event for this subscriber. */
  take(timedOut: (error: Error) => void): boolean {
    this.#timedOut = timedOut;
    return true;
  }

  starts(): void {
    const { timeoutSeconds, name } = this.event.stepDefinition;
    const ms = timeoutSeconds == null ? this.#options.timeoutMs : timeoutSeconds * 1000;
    if (ms <= 0) return;
    const expire = () => {
      this.over = 'timeout';
      const result = timeoutFailure(name, ms);
      const error = new DOMException(result.errorMessage ?? '', 'TimeoutError');
      this.#controller.abort(error);
      this.#timedOut?.(error);
      void this.#send(result);
    };
    this.#timer = setTimeout(expire, Math.min(ms, LONGEST_TIMER_MS));
    this.#timer.unref();
  }

  context(): StepContext {
    // Avoids a spread, which would call the getters. Each part must be copied only when it is read.
    return new StepContext(Object.assign(this.#params!, { signal: this.#controller.signal }));
  }

  isolated(handler: ExecutableHandler): ExecutableHandler {
    return handler;
  }

  calls(): void {
    // This process has no worker whose event loop must be watched.
  }

  called(): void {
    // See calls().
  }

  outcomeOf(result: StepHandlerResult): StepHandlerResult {
    return waitIn(result) ? cannotWait(this.event) : result;
  }

  complete(result: StepHandlerResult): Promise<boolean> | undefined {
    return this.#ends() ? this.#send(result) : undefined;
  }

  yield(result: StepHandlerResult): Promise<boolean> | undefined {
    return this.#ends() ? this.#sendYield(result) : undefined;
  }

  missing(): { result: StepHandlerResult; sent: Promise<boolean> } | undefined {
    if (!this.#ends()) return undefined;
    const { message } = this.#options.registry.whyMissing(this.handler);
    const result = StepHandlerResult.failure({ message, errorType: 'handler_not_found', retryable: false });
    return { result, sent: this.#send(result) };
  }

  release(): void {
    // A module has no method to release a step. The module itself detects that the event was not completed.
  }

  abort(reason: string): void {
    this.#controller.abort(new DOMException(reason, 'AbortError'));
  }

  #ends(): boolean {
    clearTimeout(this.#timer);
    return !this.over;
  }

  /**
   * Sends a result. If the module rejects it, sends a failure instead, so that the module learns about the failure and
   * whether to retry.
   */
  async #send(result: StepHandlerResult): Promise<boolean> {
    const { module, sent } = this.#options;
    const { eventId, stepUuid } = this.event;
    try {
      return await module.completeStepEvent(eventId, sent(this, result));
    } catch (thrown) {
      const { message } = errorOf(thrown);
      logError(`the result of step ${stepUuid} was rejected: ${message}`, { error: thrown });
      const failure = StepHandlerResult.failure({
        message: storableText(`the result cannot be sent: ${message}`, MAX_UNSENT),
        retryable: !result.success && result.retryable,
      });
      try {
        await module.completeStepEvent(eventId, sent(this, failure));
      } catch (again) {
        logError(`the failure of step ${stepUuid} could not be sent either: ${errorOf(again).message}`, {
          error: again,
        });
      }
      return false;
    }
  }

  async #sendYield(result: StepHandlerResult): Promise<boolean> {
    const { eventId, stepUuid } = this.event;
    try {
      return await this.#options.module.checkpointYieldStepEvent(eventId, yieldOf(stepUuid, result));
    } catch (thrown) {
      logError(`the checkpoint of step ${stepUuid} was rejected: ${errorOf(thrown).message}`, { error: thrown });
      return false;
    }
  }
}

/** The failure of a handler that asked to wait. The module of this step has no message for waits. */
function cannotWait({ stepDefinition: { name } }: FfiStepEvent): StepHandlerResult {
  return StepHandlerResult.failure({
    message: `step ${name}: its handler returned completeLater, notYet or untilTasksEnd, which a step from another module cannot do; run the handler in a worker of this package`,
    errorType: 'wait_refused',
    retryable: false,
  });
}
