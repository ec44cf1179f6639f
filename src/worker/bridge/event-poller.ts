import { FFIError, messageOf, TaskerError } from '../../errors.ts';
import type { FfiStepEvent } from '../../handlers/ffi-step-event.ts';
import { resultOfThrown } from '../../handlers/outcome.ts';
import { logError, logWarn } from '../../logging/log.ts';
import { waitAtMost } from '../../time/wait-at-most.ts';
import type { DispatchChannel, FfiDispatchMetrics } from '../dispatch-channel.ts';
import { deliveryOf } from '../dispatch-channel.ts';
import { EventBridge } from './event-bridge.ts';
import { isTaskerEventEmitter, type TaskerEventEmitter } from './event-emitter.ts';
import { EventNames } from './event-names.ts';
import type { TaskerEventMap } from './event-payloads.ts';
import { isOwnModule, type StepEventSource } from './napi-module.ts';
import { processWorker } from './process-worker.ts';
import { emitOn, errorOf, type SharedEventName } from './step-events.ts';

/** Options of an {@link EventPoller}. */
export interface EventPollerConfig {
  /**
   * The unit of the intervals below, and the polling interval for a module of another process, in milliseconds. Default
   * 10. The worker of this process wakes its poller, so no step waits for an interval.
   */
  pollingIntervalMs?: number;
  /** Alias of `pollingIntervalMs`. */
  pollIntervalMs?: number;
  /** Number of intervals between checks for starving events. Default 100. */
  starvationCheckInterval?: number;
  /** Number of intervals between cleanups of events that were read but not completed in time. Default 1000. */
  cleanupInterval?: number;
  /** Number of intervals between reports of metrics. Default 100. */
  metricsInterval?: number;
  /** Maximum number of events that are delivered before other work gets a turn. Default 100. */
  maxEventsPerCycle?: number;
}

/** Options of an {@link EventPoller} of this process. */
export interface EventPollerOptions extends EventPollerConfig {
  /** The bridge on which it publishes. Default `EventBridge.instance()`. */
  eventBridge?: EventBridge;
}

/** The checked options. */
type PollerSettings = Required<Omit<EventPollerConfig, 'pollIntervalMs'>>;

const DEFAULTS: PollerSettings = {
  pollingIntervalMs: 10,
  starvationCheckInterval: 100,
  cleanupInterval: 1000,
  metricsInterval: 100,
  maxEventsPerCycle: 100,
};

/** The state of an {@link EventPoller}. */
export type PollerState = 'stopped' | 'running' | 'stopping';
/** Receives a step event; may return a promise. */
export type StepEventCallback = (event: FfiStepEvent) => unknown;
/** Receives the metrics of the dispatch channel. */
export type MetricsCallback = (metrics: FfiDispatchMetrics) => void;
/** Receives an error. */
export type ErrorCallback = (error: Error) => void;

const STOP_MS = 5_000;
/** Number of intervals for which the poller pauses after an error. */
const PAUSE = 10;
/** How long the poller pauses if it has no listeners. */
const NO_LISTENER_MS = 1_000;

/**
 * Reads step events from the worker of this process and passes them to its callbacks. Without a callback it publishes
 * them on `EventBridge.instance()`. The worker wakes its poller, so no step waits for an interval and an idle poller
 * does nothing. The poller keeps the process alive until it is stopped, unless `unref()` was called.
 *
 * @example
 * const poller = new EventPoller({ pollingIntervalMs: 10 });
 * poller.onStepEvent((event) => bridge.publish('step_execution_received', event));
 * poller.onError((error) => console.error(error.message));
 * poller.start();
 * // …
 * await poller.stop();
 */
export class EventPoller {
  readonly #settings: PollerSettings;
  /** Undefined for the worker of this process. */
  readonly #foreign: StepEventSource | undefined;
  readonly #emitter: TaskerEventEmitter | undefined;
  readonly #bridge: EventBridge | undefined;
  readonly #onStep: StepEventCallback[] = [];
  readonly #onMetrics: MetricsCallback[] = [];
  readonly #onError: ErrorCallback[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #underWay = new Set<Promise<unknown>>();
  #state: PollerState = 'stopped';
  #stopped: Promise<void> = Promise.resolve();
  #keepsAlive = true;
  #channel: DispatchChannel | undefined;
  #close: (() => void) | undefined;
  #unwatch: (() => void) | undefined;
  #pause: NodeJS.Timeout | undefined;
  #scheduled = false;
  #started = false;
  #polls = 0;
  #cycles = 0;

  /**
   * Creates a poller for the worker of this process, or one that reads from a module and emits on an emitter.
   * @throws TaskerError `config_invalid`
   */
  constructor(options?: EventPollerOptions);
  constructor(module: StepEventSource, emitter: TaskerEventEmitter, config?: EventPollerConfig);
  constructor(
    ...args: [EventPollerOptions?] | [module: StepEventSource, emitter: TaskerEventEmitter, config?: EventPollerConfig]
  ) {
    if (isTaskerEventEmitter(args[1])) {
      const [module, emitter, config = {}] = args as [StepEventSource, TaskerEventEmitter, EventPollerConfig?];
      this.#foreign = isOwnModule(module) ? undefined : module;
      this.#emitter = emitter;
      this.#settings = pollerSettings(config);
    } else {
      const { eventBridge, ...config } = (args[0] ?? {}) as EventPollerOptions;
      this.#bridge = eventBridge ?? EventBridge.instance();
      this.#settings = pollerSettings(config);
    }
  }

  /** Adds a callback for events. If a callback throws, the step fails, unless a subscriber has taken it. */
  onStepEvent(callback: StepEventCallback): this {
    this.#onStep.push(callback);
    return this;
  }

  /** Adds a callback that receives the metrics every `metricsInterval`. */
  onMetrics(callback: MetricsCallback): this {
    this.#onMetrics.push(callback);
    return this;
  }

  /**
   * Adds a callback for errors of callbacks, of the database, and of a worker that could not start. A database outage is
   * reported once, within 5 s, even if the worker is idle.
   */
  onError(callback: ErrorCallback): this {
    this.#onError.push(callback);
    return this;
  }

  getState(): PollerState {
    return this.#state;
  }

  isRunning(): boolean {
    return this.#state === 'running';
  }

  /** Returns the number of polls since the poller was started. */
  getPollCount(): number {
    return this.#polls;
  }

  /** Returns the number of polls that found events since the poller was started. */
  getCycleCount(): number {
    return this.#cycles;
  }

  /** Returns the metrics of the channel. Null before the poller is started and while the worker is still starting. */
  getMetrics(): FfiDispatchMetrics | null {
    if (!this.#started) return null;
    return this.#foreign ? this.#foreign.getFfiDispatchMetrics() : (this.#channel?.metrics() ?? null);
  }

  /**
   * Starts polling. If the worker is still starting, waits for it. If it cannot start, `onError` receives the reason.
   * Does nothing if the poller is running.
   * @throws FFIError while it is stopping
   * @throws WorkerNotInitializedError when no worker exists; `cause` has the reason why the last worker could not start
   */
  start(): void {
    if (this.#state === 'running') return;
    if (this.#state === 'stopping') {
      throw new FFIError('the event poller is still stopping; await its stop() before start()');
    }
    if (!this.#foreign) processWorker.mustExist();
    this.#state = 'running';
    this.#started = true;
    this.#polls = 0;
    this.#cycles = 0;
    const { pollingIntervalMs, starvationCheckInterval, cleanupInterval, metricsInterval } = this.#settings;
    this.#every(pollingIntervalMs * starvationCheckInterval, () => this.#checkStarvation());
    this.#every(pollingIntervalMs * cleanupInterval, () => this.#cleanUp());
    this.#every(pollingIntervalMs * metricsInterval, () => this.#emitMetrics());
    if (this.#foreign) this.#every(pollingIntervalMs, () => this.#wake());
    else {
      this.#unwatch = processWorker.watch({
        running: (channel) => this.#attach(channel),
        failed: (error) => this.#failed(error),
      });
    }
    this.#emit(EventNames.POLLER_STARTED, () => ({ timestamp: new Date() }));
  }

  /**
   * Stops reading immediately, whether or not the promise is awaited. Unread steps are released to other workers.
   * Settles when the promises of callbacks have settled, or after `timeoutMs`. Default 5,000.
   */
  stop({ timeoutMs = STOP_MS }: { timeoutMs?: number } = {}): Promise<void> {
    if (this.#state === 'running') this.#stopped = this.#stop(timeoutMs);
    return this.#stopped;
  }

  async #stop(timeoutMs: number): Promise<void> {
    this.#state = 'stopping';
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers.clear();
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#unwatch?.();
    this.#close?.();
    this.#close = undefined;
    await waitAtMost(timeoutMs, Promise.allSettled(this.#underWay));
    this.#state = 'stopped';
    this.#emit(EventNames.POLLER_STOPPED, () => ({ timestamp: new Date() }));
  }

  /** Allows the process to exit while the poller is running. */
  unref(): this {
    this.#keepsAlive = false;
    for (const timer of this.#timers) timer.unref();
    return this;
  }

  // ---- reading

  #attach(channel: DispatchChannel): void {
    this.#close?.();
    this.#channel = channel;
    this.#close = channel.open({ wake: () => this.#wake(), failed: (error) => this.#failed(error) });
  }

  /** Polls in the next microtask, so that events that arrive together are read together. */
  #wake(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => this.#cycle());
  }

  #cycle(): void {
    this.#scheduled = false;
    if (this.#state !== 'running' || this.#pause) return;
    this.#polls++;
    let delivered = 0;
    for (; delivered < this.#settings.maxEventsPerCycle && !this.#pause; delivered++) {
      const event = this.#read();
      if (!event) break;
      this.#deliver(event);
    }
    if (delivered === 0) return;
    const cycleNumber = ++this.#cycles;
    this.#emit(EventNames.POLLER_CYCLE_COMPLETE, () => ({
      eventsProcessed: delivered,
      cycleNumber,
      timestamp: new Date(),
    }));
    if (delivered === this.#settings.maxEventsPerCycle) this.#continueSoon();
  }

  #continueSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#cycle());
  }

  #read(): FfiStepEvent | null {
    if (!this.#foreign) return this.#channel?.poll() ?? null;
    try {
      return this.#foreign.pollStepEvents();
    } catch (error) {
      this.#failed(error);
      this.#rest(this.#settings.pollingIntervalMs * PAUSE);
      return null;
    }
  }

  #deliver(event: FfiStepEvent): void {
    this.#emitter?.emitStepReceived(event);
    for (const callback of this.#onStep) this.#call(callback, event);
    if (this.#bridge && this.#onStep.length === 0) this.#publish(this.#bridge, event);
  }

  #call(callback: StepEventCallback, event: FfiStepEvent): void {
    try {
      const returned = callback(event);
      if (!(returned instanceof Promise)) return;
      const done = returned
        .catch((error: unknown) => this.#callbackFailed(event, error))
        .finally(() => this.#underWay.delete(done));
      this.#underWay.add(done);
    } catch (error) {
      this.#callbackFailed(event, error);
    }
  }

  /** Reports the error, and fails the step unless a subscriber has taken it. */
  #callbackFailed(event: FfiStepEvent, error: unknown): void {
    this.#failed(error);
    const delivery = deliveryOf(event.eventId);
    if (delivery?.state === 'read') {
      delivery.channel
        .complete(delivery, resultOfThrown(error), { version: '1.0.0' })
        .catch((thrown: unknown) => this.#failed(thrown));
    }
  }

  #publish(bridge: EventBridge, event: FfiStepEvent): void {
    if (bridge.publish(EventNames.STEP_EXECUTION_RECEIVED, event)) return;
    const delivery = deliveryOf(event.eventId);
    if (delivery) delivery.channel.release(delivery);
    if (this.#pause) return;
    logWarn(
      'no listener for steps; start the event bridge and a StepExecutionSubscriber, or add a callback with onStepEvent',
    );
    this.#rest(NO_LISTENER_MS);
  }

  /** Stops reading for a while. Meanwhile it holds no events. */
  #rest(ms: number): void {
    if (this.#pause || this.#state !== 'running') return;
    this.#close?.();
    this.#close = undefined;
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      if (this.#state !== 'running') return;
      if (this.#channel) this.#attach(this.#channel);
      else this.#wake();
    }, ms);
    if (!this.#keepsAlive) this.#pause.unref();
  }

  // ---- at intervals

  #every(ms: number, act: () => void): void {
    const timer = setInterval(() => {
      try {
        act();
      } catch (error) {
        this.#failed(error);
      }
    }, ms);
    if (!this.#keepsAlive) timer.unref();
    this.#timers.add(timer);
  }

  #cleanUp(): void {
    if (this.#foreign) this.#foreign.cleanupTimeouts();
    else this.#channel?.cleanUp();
  }

  #checkStarvation(): void {
    if (this.#foreign) this.#foreign.checkStarvationWarnings();
    else this.#channel?.warnOfStarving();
    const to = this.#emitter ?? this.#bridge;
    if (!to?.listenerCount(EventNames.POLLER_STARVATION_DETECTED)) return;
    const metrics = this.getMetrics();
    if (metrics?.starvationDetected) {
      this.#emit(EventNames.POLLER_STARVATION_DETECTED, () => ({ metrics, timestamp: new Date() }));
    }
  }

  #emitMetrics(): void {
    const bridged = this.#bridge?.isActive === true && this.#bridge.listenerCount(EventNames.POLLER_METRICS) > 0;
    const to = this.#emitter ?? this.#bridge;
    const listened = to !== undefined && to.listenerCount(EventNames.METRICS_UPDATED) > 0;
    if (!bridged && !listened && this.#onMetrics.length === 0) return;
    const metrics = this.getMetrics();
    if (!metrics) return;
    for (const callback of this.#onMetrics) callback(metrics);
    if (bridged) this.#bridge?.publish(EventNames.POLLER_METRICS, metrics);
    this.#emit(EventNames.METRICS_UPDATED, () => ({ metrics, timestamp: new Date() }));
  }

  #failed(thrown: unknown): void {
    const error = errorOf(thrown);
    const to = this.#emitter ?? this.#bridge;
    const heard = this.#onError.length > 0 || (to !== undefined && to.listenerCount(EventNames.POLLER_ERROR) > 0);
    if (!heard) logError(`event poller failed: ${error.message}`, { error });
    for (const callback of this.#onError) {
      try {
        callback(error);
      } catch (failed) {
        logError(`an onError callback of the event poller failed: ${messageOf(failed)}`, { error: failed });
      }
    }
    this.#emit(EventNames.POLLER_ERROR, () => ({ error, timestamp: new Date() }));
  }

  #emit<Name extends SharedEventName>(name: Name, payload: () => TaskerEventMap[Name]): void {
    const to = this.#emitter ?? this.#bridge;
    if (to) emitOn(to, name, payload);
  }
}

/**
 * Creates a poller, like `new EventPoller(module, emitter, config)`.
 *
 * @example
 * const poller = createEventPoller((await getFfiLayer()).getModule(), new TaskerEventEmitter());
 */
export function createEventPoller(
  module: StepEventSource,
  emitter: TaskerEventEmitter,
  config?: EventPollerConfig,
): EventPoller {
  return new EventPoller(module, emitter, config);
}

/** @throws TaskerError `config_invalid` */
function pollerSettings({ pollIntervalMs, ...config }: EventPollerConfig): PollerSettings {
  const given = { ...config, pollingIntervalMs: config.pollingIntervalMs ?? pollIntervalMs };
  const settings = { ...DEFAULTS };
  for (const key of Object.keys(DEFAULTS) as (keyof PollerSettings)[]) {
    const value = given[key] ?? DEFAULTS[key];
    if (!Number.isInteger(value) || value < 1 || value > 1_000_000) {
      throw new TaskerError(
        'config_invalid',
        `EventPoller: ${key} must be a whole number from 1 to 1000000, got ${value}`,
      );
    }
    settings[key] = value;
  }
  return settings;
}
