import { randomUUID } from 'node:crypto';
import { TaskerError } from '../../errors.ts';
import type { FfiStepEvent } from '../../handlers/ffi-step-event.ts';
import type { StepHandlerResult } from '../../handlers/step-handler.ts';
import { logError } from '../../logging/log.ts';
import type { HandlerRegistry } from '../../registry/handler-registry.ts';
import { waitAtMost } from '../../time/wait-at-most.ts';
import type { DispatchChannel } from '../dispatch-channel.ts';
import { StepRunner } from '../run-step.ts';
import { type EventBridge, isEventBridge } from './event-bridge.ts';
import type { TaskerEventEmitter } from './event-emitter.ts';
import { EventNames } from './event-names.ts';
import type { StepExecutionReceivedPayload } from './event-payloads.ts';
import { isOwnModule, type StepResultSink } from './napi-module.ts';
import { processWorker } from './process-worker.ts';
import { foreignSteps, OwnStep, type ReceivedStep } from './received-step.ts';
import { type RunOfStep, StepEvents, yieldOf } from './step-events.ts';

/** Settings of a {@link StepExecutionSubscriber}. */
export interface StepExecutionSubscriberConfig {
  /**
   * Id that is stored with each result. Default: the name of the worker, or `typescript-worker-` and a random id
   * without a worker.
   */
  workerId?: string;
  /** Maximum number of handlers that run concurrently. Default 10. */
  maxConcurrent?: number;
  /** Timeout in milliseconds for steps without `timeout_seconds`; 0 means none. Default: the worker's, 300,000. */
  handlerTimeoutMs?: number;
}

/** Options of a {@link StepExecutionSubscriber}. */
export interface StepExecutionSubscriberOptions extends StepExecutionSubscriberConfig {
  eventBridge: EventBridge;
  handlerRegistry: HandlerRegistry;
}

type Arguments =
  | [options: StepExecutionSubscriberOptions]
  | [bridge: EventBridge, registry: HandlerRegistry, workerId?: string]
  | [
      emitter: TaskerEventEmitter,
      registry: HandlerRegistry,
      module: StepResultSink,
      config?: StepExecutionSubscriberConfig,
    ];

const MAX_CONCURRENT = 10;
const HANDLER_TIMEOUT_MS = 300_000;
const DRAIN_MS = 30_000;
const TIDY_AT = 64;
/** Time for handlers to settle after their signal fires. */
const LAST_MOMENT_MS = 500;

/**
 * Takes steps that are published on an event bridge, calls their handlers, at most `maxConcurrent` at a time, and sends
 * their outcomes. A step runs once, even if its event is published several times or under both names.
 *
 * @example
 * const subscriber = new StepExecutionSubscriber({
 *   eventBridge: EventBridge.instance(),
 *   handlerRegistry: HandlerRegistry.instance(),
 *   workerId: 'worker-001',
 * });
 * subscriber.start();
 */
export class StepExecutionSubscriber {
  readonly #givenId: string | undefined;
  readonly #ownId = `typescript-worker-${randomUUID()}`;
  readonly #from: EventBridge | TaskerEventEmitter;
  readonly #registry: HandlerRegistry;
  readonly #maxConcurrent: number;
  /** Returns the step of an event, or undefined if it must not run. */
  readonly #stepOf: (event: FfiStepEvent) => ReceivedStep | undefined;
  readonly #runner: StepRunner<ReceivedStep>;
  readonly #own: boolean;
  readonly #events: StepEvents;
  readonly #running = new Map<ReceivedStep, RunOfStep>();
  readonly #ends: (() => void)[] = [];
  #waiting: ReceivedStep[] = [];
  /** At this number of waiting steps, the steps that other subscribers took are removed. */
  #tidyAt = TIDY_AT;
  #active = false;
  #stopping = false;
  #starting = false;
  #processed = 0;
  #errors = 0;
  /** Number of results that are not committed yet. */
  #unsent = 0;
  #idle: (() => void)[] = [];

  /** Takes options; or a bridge, a registry and a worker id; or an emitter, a registry and a module. */
  constructor(options: StepExecutionSubscriberOptions);
  constructor(bridge: EventBridge, registry: HandlerRegistry, workerId?: string);
  constructor(
    emitter: TaskerEventEmitter,
    registry: HandlerRegistry,
    module: StepResultSink,
    config?: StepExecutionSubscriberConfig,
  );
  constructor(...args: Arguments) {
    const { from, registry, module, config } = partsOf(args);
    const { workerId, handlerTimeoutMs: timeoutMs } = config;
    this.#from = from;
    this.#registry = registry;
    this.#givenId = workerId;
    this.#maxConcurrent = checked('maxConcurrent', config.maxConcurrent ?? MAX_CONCURRENT, 1);
    if (timeoutMs !== undefined) checked('handlerTimeoutMs', timeoutMs, 0);
    this.#events = new StepEvents(from, () => this.workerId);
    this.#own = module === undefined || isOwnModule(module);
    if (module === undefined || isOwnModule(module)) {
      this.#stepOf = (event) => OwnStep.of(event, { registry, runBy: workerId, timeoutMs });
    } else {
      const sent = (step: ReceivedStep, result: StepHandlerResult) =>
        this.#events.executionResult(this.#running.get(step) ?? runOf(step), result);
      this.#stepOf = foreignSteps({ registry, module, timeoutMs: timeoutMs ?? HANDLER_TIMEOUT_MS, sent });
    }
    this.#runner = new StepRunner<ReceivedStep>(registry, {
      starts: (step) => step.starts(),
      settled: (step, result, version) => this.#completed(step, result, version),
      yielded: (step, result) => this.#yielded(step, result),
      broken: (step, result) => this.#completed(step, result, '1.0.0'),
      unknown: (step) => this.#missing(step),
      unresolved: (step) => this.#missing(step),
    });
  }

  /** Starts taking steps. Does nothing if it is active. */
  start(): void {
    if (this.#active) return;
    this.#active = true;
    this.#stopping = false;
    this.#ends.push(this.#listen());
    if (!this.#own) return;
    if (isEventBridge(this.#from)) this.#from.observe(this.#registry);
    this.#ends.push(this.#takeFromChannel());
  }

  /**
   * Stops taking steps immediately, whether or not the promise is awaited. Settles when running handlers have settled
   * and their results are committed. After `drainTimeoutMs`, 30,000 by default, their signals fire, and 500 ms later it
   * settles anyway.
   */
  async stop({ drainTimeoutMs = DRAIN_MS }: { drainTimeoutMs?: number } = {}): Promise<void> {
    if (!this.#active) return;
    this.#active = false;
    for (const end of this.#ends.splice(0)) end();
    for (const step of this.#waiting.splice(0)) step.release();
    if (await this.waitForCompletion(drainTimeoutMs)) return;
    this.#stopping = true;
    for (const step of this.#running.keys()) step.abort('the subscriber is stopping');
    await this.waitForCompletion(LAST_MOMENT_MS);
  }

  /** The id that is stored with each result. */
  get workerId(): string {
    return this.#givenId ?? (this.#own ? processWorker.name : undefined) ?? this.#ownId;
  }

  /** Whether it takes steps. */
  get isActive(): boolean {
    return this.#active;
  }

  /** Returns whether it takes steps. */
  isRunning(): boolean {
    return this.#active;
  }

  /** Returns the number of handlers that settled, successfully or not. Excludes steps with an unknown handler. */
  getProcessedCount(): number {
    return this.#processed;
  }

  /** Returns the number of failed steps. */
  getErrorCount(): number {
    return this.#errors;
  }

  /** Returns the number of running handlers. */
  getActiveHandlers(): number {
    return this.#running.size;
  }

  /**
   * Waits until no handler runs and all results are committed. Resolves to false after `timeoutMs`, 30,000 by default.
   */
  async waitForCompletion(timeoutMs = DRAIN_MS): Promise<boolean> {
    const isDone = () => this.#running.size === 0 && this.#waiting.length === 0 && this.#unsent === 0;
    if (isDone()) return true;
    const done = new Promise<void>((resolve) => {
      const look = () => {
        if (isDone()) resolve();
        else this.#idle.push(look);
      };
      look();
    });
    return waitAtMost(timeoutMs, done);
  }

  // ---- receiving

  #listen(): () => void {
    const from = this.#from;
    // A bridge publishes bare events, and an emitter wrapped ones. Both forms are accepted from both, because users'
    // tests publish them.
    const listener = (payload: FfiStepEvent | StepExecutionReceivedPayload) =>
      this.#received('event' in payload ? payload.event : payload);
    if (isEventBridge(from)) return from.subscribe(EventNames.STEP_EXECUTION_RECEIVED, listener);
    from.on(EventNames.STEP_EXECUTION_RECEIVED, listener);
    return () => from.off(EventNames.STEP_EXECUTION_RECEIVED, listener);
  }

  /** Makes the worker claim no more than its subscribers can run, and announce the handlers that they have. */
  #takeFromChannel(): () => void {
    let channel: DispatchChannel | undefined;
    let leave: (() => void) | undefined;
    const forget = this.#registry.onRegistered(() => channel?.refresh());
    const unwatch = processWorker.watch({
      running: (next) => {
        leave?.();
        channel = next;
        leave = next.use({ slots: this.#maxConcurrent, registry: this.#registry });
      },
    });
    return () => {
      unwatch();
      forget();
      leave?.();
    };
  }

  #received(event: FfiStepEvent): void {
    const step = this.#stepOf(event);
    if (!step) return;
    this.#waiting.push(step);
    this.#next();
    if (this.#waiting.length >= this.#tidyAt) this.#tidy();
  }

  /** Removes waiting steps that another subscriber of the same bridge has taken while this one had no slot. */
  #tidy(): void {
    this.#waiting = this.#waiting.filter(({ open }) => open);
    this.#tidyAt = Math.max(TIDY_AT, 2 * this.#waiting.length);
  }

  #next(): void {
    // A handler that settles synchronously calls this method from within the loop below, which then continues by
    // itself.
    if (this.#starting) return;
    this.#starting = true;
    try {
      while (this.#waiting.length > 0 && this.#running.size < this.#maxConcurrent) this.#begin(this.#waiting.shift()!);
    } finally {
      this.#starting = false;
    }
  }

  #begin(step: ReceivedStep): void {
    // Skips the event of a step that another subscriber completed, because reading it would build the event again.
    if (!step.take((error) => this.#events.timedOut(this.#running.get(step)!, error))) return;
    const run = runOf(step);
    this.#running.set(step, run);
    this.#events.started(run);
    this.#runner.run(step);
  }

  // ---- outcomes

  #completed(step: ReceivedStep, settled: StepHandlerResult, version: string): void {
    const result = step.outcomeOf(settled);
    const sent = step.complete(result, { version, stopping: this.#stopping });
    if (!sent) {
      this.#gone(step);
      return;
    }
    this.#processed++;
    this.#settled(step, result, sent);
  }

  #missing(step: ReceivedStep): void {
    const failed = step.missing();
    if (failed) this.#settled(step, failed.result, failed.sent);
    else this.#gone(step);
  }

  #yielded(step: ReceivedStep, result: StepHandlerResult): void {
    const sent = step.yield(result);
    if (!sent) {
      this.#gone(step);
      return;
    }
    const run = this.#ended(step);
    this.#track(sent, () => this.#events.yielded(run, yieldOf(run.event.stepUuid, result)));
    this.#next();
  }

  /** Called when a step ended without a result from this subscriber. */
  #gone(step: ReceivedStep): void {
    this.#ended(step);
    this.#next();
    this.#look();
  }

  #settled(step: ReceivedStep, result: StepHandlerResult, sent: Promise<boolean>): void {
    const run = this.#ended(step);
    if (!result.success) this.#errors++;
    this.#events.settled(run, result);
    this.#track(sent, this.#events.wantsSent ? () => this.#events.sent(run, result) : undefined);
    this.#next();
  }

  #ended(step: ReceivedStep): RunOfStep {
    const run = this.#running.get(step)!;
    this.#running.delete(step);
    run.tookMs = Math.round(performance.now() - run.startedAt);
    return run;
  }

  #track(sent: Promise<boolean>, whenTaken: (() => void) | undefined): void {
    this.#unsent++;
    sent.then(
      (taken) => {
        this.#unsent--;
        if (taken) whenTaken?.();
        this.#look();
      },
      (error: unknown) => {
        this.#unsent--;
        logError('result of a step not sent', { error });
        this.#look();
      },
    );
  }

  #look(): void {
    if (this.#idle.length === 0 || this.#running.size > 0 || this.#unsent > 0) return;
    for (const look of this.#idle.splice(0)) look();
  }
}

function runOf({ event, handlerName }: ReceivedStep): RunOfStep {
  return { event, handlerName, startedAt: performance.now() };
}

function partsOf(args: Arguments): {
  from: EventBridge | TaskerEventEmitter;
  registry: HandlerRegistry;
  module?: StepResultSink;
  config: StepExecutionSubscriberConfig;
} {
  const [first, registry, third, config = {}] = args;
  if (registry === undefined) {
    const { eventBridge, handlerRegistry, ...others } = first as StepExecutionSubscriberOptions;
    return { from: eventBridge, registry: handlerRegistry, config: others };
  }
  const from = first as EventBridge | TaskerEventEmitter;
  if (typeof third !== 'object') return { from, registry, config: third === undefined ? {} : { workerId: third } };
  return { from, registry, module: third, config };
}

function checked(name: string, value: number, least: number): number {
  if (Number.isInteger(value) && value >= least && value < 2 ** 31) return value;
  throw new TaskerError(
    'config_invalid',
    `StepExecutionSubscriber: ${name} must be a whole number of at least ${least}, got ${value}`,
  );
}
