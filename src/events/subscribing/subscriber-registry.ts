import { messageOf, TaskerError } from '../../errors.ts';
import { type AnyLogger, loggerOf } from '../../logging/any-logger.ts';
import { type Logger, silentLogger } from '../../logging/logger.ts';
import { callable } from '../callable-instance.ts';
import type { RunningConsumers, StopOptions } from '../delivery/event-consumer.ts';
import { BaseSubscriber, isSubscriber, isSubscriberClass, type SubscriberClass } from './base-subscriber.ts';
import { filteredSource } from './bus-source.ts';
import { checkSubscriber } from './check-subscriber.ts';
import type { InProcessEventSource } from './subscriber.ts';

const BRAND = Symbol.for('tasker-core.subscriber-registry');

/** Options of a {@link SubscriberRegistry}. */
export interface SubscriberRegistryOptions {
  /** The logger for subscribers that have none. Default: no logging. */
  logger?: AnyLogger;
}

/** The state of a {@link SubscriberRegistry} and its subscribers. */
export interface SubscriberStats {
  readonly started: boolean;
  readonly subscriberCount: number;
  readonly activeCount: number;
  readonly subscribers: readonly {
    readonly className: string;
    readonly subscriberName: string;
    readonly active: boolean;
    readonly patterns: readonly string[];
  }[];
}

/** Runs the subscribers of a registry. A tasker is a host: it has a database and the events of its worker. */
export interface SubscriberHost {
  /** `poller`: the source that already passes the events of this process to the subscribers. */
  run(subscribers: readonly BaseSubscriber[], options: { poller: InProcessEventSource | undefined }): RunningConsumers;
}

/**
 * The subscribers of a process. A tasker with this registry starts and stops them together with itself. The worker of
 * this process does the same for `SubscriberRegistry.instance()`. Otherwise call `startAll(poller)`.
 *
 * @example
 * class AuditLogger extends BaseSubscriber {
 *   handle(event: DomainEvent) {
 *     console.log(event.eventName, event.payload);
 *   }
 * }
 *
 * const registry = new SubscriberRegistry();
 * registry.register(AuditLogger);
 * const tasker = await createTasker({ subscribers: registry, worker: false });
 */
export class SubscriberRegistry {
  static #instance: (SubscriberRegistry & (() => SubscriberRegistry)) | undefined;

  static {
    Object.defineProperty(SubscriberRegistry.prototype, BRAND, { value: true });
  }

  readonly #subscribers = new Map<string, { subscriber: BaseSubscriber; source: unknown }>();
  readonly #hosts = new Set<SubscriberHost>();
  readonly #runs = new Map<SubscriberHost, RunningConsumers[]>();
  readonly #logger: Logger;
  #poller: InProcessEventSource | undefined;
  #started = false;

  constructor({ logger = silentLogger }: SubscriberRegistryOptions = {}) {
    this.#logger = loggerOf(logger);
  }

  /**
   * The shared registry of this process. The registry can be called, so `SubscriberRegistry.instance()` returns the
   * same.
   */
  static get instance(): SubscriberRegistry & (() => SubscriberRegistry) {
    SubscriberRegistry.#instance ??= callable(new SubscriberRegistry());
    return SubscriberRegistry.#instance;
  }

  /**
   * Adds a subscriber class, which is instantiated, or the result of `defineSubscriber`. Adding the same class again
   * has no effect. If the registry is started, the subscriber is started too.
   * @throws TaskerError `subscriber_invalid`, including for its patterns and delivery options; `conflict` if its name is taken
   */
  register(subscriberClass: SubscriberClass): void {
    this.#add(subscriberClass, isSubscriber(subscriberClass) ? subscriberClass : made(subscriberClass));
  }

  /** Adds an instance of a subscriber. Throws the same errors as {@link register}. */
  registerInstance(subscriber: BaseSubscriber<never>): void {
    if (!isSubscriber(subscriber)) throw notOne(subscriber);
    this.#add(subscriber, subscriber);
  }

  /**
   * Starts all subscribers. With a poller, the subscribers get the events of this process from the poller, which the
   * caller starts. Without a poller, the subscribers get these events from the taskers that use this registry.
   */
  startAll(poller?: InProcessEventSource): void {
    if (this.#started && (!poller || poller === this.#poller)) return;
    const before = this.#started ? this.#release({}) : undefined;
    // Not awaited here; `stopAll` waits for deliveries in progress.
    before?.catch((error: unknown) => this.#logger.warn({ error }, 'subscribers failed to stop'));
    this.#started = true;
    this.#poller = poller;
    this.#run(this.listSubscribers());
  }

  /** Stops all subscribers. Resolves when the events received so far are handled. */
  async stopAll(options: StopOptions = {}): Promise<void> {
    this.#started = false;
    await this.#release(options);
    this.#poller = undefined;
  }

  /** Whether its subscribers run, or will run as soon as a tasker uses this registry. */
  get isStarted(): boolean {
    return this.#started;
  }

  /** The number of registered subscribers, started or not. */
  get count(): number {
    return this.#subscribers.size;
  }

  /** The subscribers in the order of registration. */
  listSubscribers(): BaseSubscriber[] {
    return [...this.#subscribers.values()].map(({ subscriber }) => subscriber);
  }

  /** A snapshot of the current state, with the subscribers in the order of registration. */
  get stats(): SubscriberStats {
    const subscribers = this.listSubscribers().map((subscriber) => ({
      className: subscriber.constructor.name,
      subscriberName: subscriber.subscriberName,
      active: subscriber.active,
      patterns: subscriber.subscribesTo(),
    }));
    const activeCount = subscribers.filter(({ active }) => active).length;
    return { started: this.#started, subscriberCount: subscribers.length, activeCount, subscribers };
  }

  /** Stops and removes all subscribers. For tests. */
  async reset(): Promise<void> {
    const stopped = this.stopAll();
    this.#subscribers.clear();
    await stopped;
  }

  /** Lets a tasker run the subscribers until {@link detach}. Resolves when their delivery has started. @internal */
  async attach(host: SubscriberHost): Promise<void> {
    this.#hosts.add(host);
    if (this.#started) this.#runOn(host, this.listSubscribers());
    else this.startAll();
    await Promise.all((this.#runs.get(host) ?? []).map(({ started }) => started));
  }

  /**
   * Undoes {@link attach} and stops the subscribers that the tasker runs. Without other hosts, the registry is stopped.
   * @internal
   */
  async detach(host: SubscriberHost, options: StopOptions = {}): Promise<void> {
    this.#hosts.delete(host);
    const runs = this.#runs.get(host) ?? [];
    this.#runs.delete(host);
    if (this.#hosts.size === 0 && !this.#poller) this.#started = false;
    await Promise.all(runs.map((run) => run.stop(options)));
  }

  /**
   * Removes some subscribers and adds others. Running subscribers are stopped first, so that two of the same name never
   * run at the same time.
   * @throws TaskerError `subscriber_invalid`, before anything has changed @internal
   */
  async exchange({ removed, added }: Record<'removed' | 'added', readonly BaseSubscriber[]>): Promise<void> {
    for (const subscriber of added) checkSubscriber(subscriber);
    if (removed.length > 0) {
      if (this.#started) await this.#release({});
      for (const { subscriberName } of removed) this.#subscribers.delete(subscriberName);
    }
    const missing = added.filter(({ subscriberName }) => !this.#subscribers.has(subscriberName));
    // The remaining subscribers were stopped too.
    const left = removed.length > 0 ? this.listSubscribers() : [];
    for (const subscriber of missing) this.#add(subscriber, subscriber);
    if (this.#started && left.length > 0) this.#run(left);
  }

  #add(source: unknown, subscriber: BaseSubscriber): void {
    const { subscriberName } = subscriber;
    const before = this.#subscribers.get(subscriberName);
    if (before?.source === source) return;
    if (before) {
      throw new TaskerError(
        'conflict',
        `another subscriber is named ${subscriberName}; give this one a different subscriberName, because each of them would get only part of the events`,
      );
    }
    checkSubscriber(subscriber);
    BaseSubscriber.useLogger(subscriber, this.#logger);
    this.#subscribers.set(subscriberName, { subscriber, source });
    if (this.#started) this.#run([subscriber]);
  }

  #run(subscribers: readonly BaseSubscriber[]): void {
    const poller = this.#poller;
    if (poller) for (const subscriber of subscribers) subscriber.start(this.#ofPoller(poller, subscriber));
    for (const host of this.#hosts) this.#runOn(host, subscribers);
  }

  /** Returns the events of a poller, without broadcast events if a tasker delivers those to the subscriber's group. */
  #ofPoller(poller: InProcessEventSource, subscriber: BaseSubscriber): InProcessEventSource {
    if (subscriber.delivery.mode === 'in_process') return poller;
    return filteredSource(poller, ({ deliveryMode }) => deliveryMode !== 'broadcast' || this.#hosts.size === 0);
  }

  #runOn(host: SubscriberHost, subscribers: readonly BaseSubscriber[]): void {
    if (subscribers.length === 0) return;
    const runs = this.#runs.get(host) ?? [];
    this.#runs.set(host, runs);
    runs.push(host.run(subscribers, { poller: this.#poller }));
  }

  async #release(options: StopOptions): Promise<void> {
    const runs = [...this.#runs.values()].flat();
    this.#runs.clear();
    await Promise.all([
      ...runs.map((run) => run.stop(options)),
      ...this.listSubscribers().map((subscriber) => subscriber.stop(options)),
    ]);
  }
}

/** Returns whether a value is a {@link SubscriberRegistry}, from this or another copy of the package. */
export function isSubscriberRegistry(value: unknown): value is SubscriberRegistry {
  return ((typeof value === 'object' && value !== null) || typeof value === 'function') && BRAND in value;
}

function made(given: unknown): BaseSubscriber {
  if (!isSubscriberClass(given)) throw notOne(given);
  try {
    return new given();
  } catch (cause) {
    const { name } = given as unknown as { name: string };
    throw new TaskerError('subscriber_invalid', `subscriber ${name} could not be created: ${messageOf(cause)}`, {
      cause,
    });
  }
}

function notOne(given: unknown): TaskerError {
  const what = typeof given === 'function' ? `function ${given.name || '(anonymous)'}` : String(given);
  const way = 'register a class that extends BaseSubscriber, an instance of one, or the result of defineSubscriber';
  return new TaskerError('subscriber_invalid', `${what} is not a subscriber; ${way}`);
}
