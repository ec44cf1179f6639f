import type { HandlerRegistry } from '../../registry/handler-registry.ts';
import { TaskerEventEmitter } from './event-emitter.ts';
import type { EventPollerConfig } from './event-poller.ts';
import { EventPoller } from './event-poller.ts';
import type { NapiModule } from './napi-module.ts';
import { StepExecutionSubscriber, type StepExecutionSubscriberConfig } from './step-execution-subscriber.ts';

/** Options of an {@link EventSystem}. */
export interface EventSystemConfig {
  poller?: EventPollerConfig;
  subscriber?: StepExecutionSubscriberConfig;
}

/** The state and the counters of an {@link EventSystem}. */
export interface EventSystemStats {
  running: boolean;
  processedCount: number;
  errorCount: number;
  activeHandlers: number;
  pollCount: number;
}

/**
 * A poller and a subscriber that share an emitter, started and stopped in the right order.
 *
 * @example
 * await bootstrapWorker();
 * const system = new EventSystem((await getFfiLayer()).getModule(), HandlerRegistry.instance());
 * system.start();
 * // …
 * await system.stop();
 * await stopWorker();
 */
export class EventSystem {
  readonly #emitter = new TaskerEventEmitter();
  readonly #poller: EventPoller;
  readonly #subscriber: StepExecutionSubscriber;

  constructor(module: NapiModule, registry: HandlerRegistry, { poller, subscriber }: EventSystemConfig = {}) {
    this.#poller = new EventPoller(module, this.#emitter, poller);
    this.#subscriber = new StepExecutionSubscriber(this.#emitter, registry, module, subscriber);
  }

  /**
   * Starts the subscriber, then the poller.
   * @throws WorkerNotInitializedError if the module belongs to this process and no worker has been bootstrapped
   */
  start(): void {
    if (this.isRunning()) return;
    this.#subscriber.start();
    this.#poller.start();
  }

  /** Stops reading, then waits up to `drainTimeoutMs` for running handlers. Default 30,000. */
  async stop(drainTimeoutMs?: number): Promise<void> {
    await this.#poller.stop();
    await this.#subscriber.stop(drainTimeoutMs === undefined ? {} : { drainTimeoutMs });
  }

  isRunning(): boolean {
    return this.#poller.isRunning();
  }

  getEmitter(): TaskerEventEmitter {
    return this.#emitter;
  }

  getStats(): EventSystemStats {
    return {
      running: this.isRunning(),
      processedCount: this.#subscriber.getProcessedCount(),
      errorCount: this.#subscriber.getErrorCount(),
      activeHandlers: this.#subscriber.getActiveHandlers(),
      pollCount: this.#poller.getPollCount(),
    };
  }
}
