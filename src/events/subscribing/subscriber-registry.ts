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
  /** Given to subscribers that have none of their own; silent by default. */
  logger?: AnyLogger;
}

/** What a {@link SubscriberRegistry} says of its subscribers. */
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

/** What runs the subscribers of a registry: a tasker, with its database and the events of its worker. */
export interface SubscriberHost {
  /** `poller`: where they get the events of this process from already. */
  run(subscribers: readonly BaseSubscriber[], options: { poller: InProcessEventSource | undefined }): RunningConsumers;
}

/**
 * The subscribers of a process. A tasker that it is given to, or the worker of this process with
 * `SubscriberRegistry.instance()`, starts them and stops them with itself; without either, `startAll(poller)` does.
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

  /** The registry of this process, as a value and as a call: `SubscriberRegistry.instance()` is the same. */
  static get instance(): SubscriberRegistry & (() => SubscriberRegistry) {
    SubscriberRegistry.#instance ??= callable(new SubscriberRegistry());
    return SubscriberRegistry.#instance;
  }

  /**
   * Adds a subscriber: a class, of which one is made, or what `defineSubscriber` gives. The same class again changes
   * nothing. One that is added while the others run is started.
   * @throws TaskerError `subscriber_invalid`, for patterns and delivery options too; `conflict` when another one has its name
   */
  register(subscriberClass: SubscriberClass): void {
    this.#add(subscriberClass, isSubscriber(subscriberClass) ? subscriberClass : made(subscriberClass));
  }

  /** Adds a subscriber that was made by hand. Throws as {@link register}. */
  registerInstance(subscriber: BaseSubscriber<never>): void {
    if (!isSubscriber(subscriber)) throw notOne(subscriber);
    this.#add(subscriber, subscriber);
  }

  /**
   * Starts all. With a poller they get the events of this process from it (starting the poller is the caller's); without
   * one, from the taskers that the registry was given to, as soon as there is one.
   */
  startAll(poller?: InProcessEventSource): void {
    if (this.#started && (!poller || poller === this.#poller)) return;
    const before = this.#started ? this.#release({}) : undefined;
    // What was under way is nobody's to wait for here; stopAll would.
    before?.catch((error: unknown) => this.#logger.warn({ error }, 'subscribers did not stop cleanly'));
    this.#started = true;
    this.#poller = poller;
    this.#run(this.listSubscribers());
  }

  /** Stops all: they take nothing more, and it resolves when what they were given is handled. */
  async stopAll(options: StopOptions = {}): Promise<void> {
    this.#started = false;
    await this.#release(options);
    this.#poller = undefined;
  }

  /** Whether its subscribers run, or will as soon as a tasker is there to run them. */
  get isStarted(): boolean {
    return this.#started;
  }

  /** How many subscribers are registered, started or not. */
  get count(): number {
    return this.#subscribers.size;
  }

  /** The subscribers in the order of registration. */
  listSubscribers(): BaseSubscriber[] {
    return [...this.#subscribers.values()].map(({ subscriber }) => subscriber);
  }

  /** Its subscribers as they are now, in the order of registration. A snapshot: it does not change by itself. */
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

  /** Stops all and takes them out. For tests. */
  async reset(): Promise<void> {
    const stopped = this.stopAll();
    this.#subscribers.clear();
    await stopped;
  }

  /** Lets a tasker run the subscribers until {@link detach}; resolves when new groups get all from now on. @internal */
  async attach(host: SubscriberHost): Promise<void> {
    this.#hosts.add(host);
    if (this.#started) this.#runOn(host, this.listSubscribers());
    else this.startAll();
    await Promise.all((this.#runs.get(host) ?? []).map(({ started }) => started));
  }

  /** Ends {@link attach}: what that tasker runs is stopped; without another one, the registry is stopped. @internal */
  async detach(host: SubscriberHost, options: StopOptions = {}): Promise<void> {
    this.#hosts.delete(host);
    const runs = this.#runs.get(host) ?? [];
    this.#runs.delete(host);
    if (this.#hosts.size === 0 && !this.#poller) this.#started = false;
    await Promise.all(runs.map((run) => run.stop(options)));
  }

  /**
   * Takes some out and puts others in; what runs is stopped first, so that no two of one name do.
   * @throws TaskerError `subscriber_invalid`, before anything has changed @internal
   */
  async exchange({ removed, added }: Record<'removed' | 'added', readonly BaseSubscriber[]>): Promise<void> {
    for (const subscriber of added) checkSubscriber(subscriber);
    if (removed.length > 0) {
      if (this.#started) await this.#release({});
      for (const { subscriberName } of removed) this.#subscribers.delete(subscriberName);
    }
    const missing = added.filter(({ subscriberName }) => !this.#subscribers.has(subscriberName));
    // Those that are still here were stopped with the others.
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
        `another subscriber is called ${subscriberName}; give this one a subscriberName of its own, or both get half of the events each`,
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

  /** Where a tasker runs the subscriber's group too, broadcast events come from there. */
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

/** Whether a value is a {@link SubscriberRegistry}, of this copy of the package or of another. */
export function isSubscriberRegistry(value: unknown): value is SubscriberRegistry {
  return ((typeof value === 'object' && value !== null) || typeof value === 'function') && BRAND in value;
}

function made(given: unknown): BaseSubscriber {
  if (!isSubscriberClass(given)) throw notOne(given);
  try {
    return new given();
  } catch (cause) {
    const { name } = given as unknown as { name: string };
    throw new TaskerError('subscriber_invalid', `subscriber ${name}: creating it throws: ${messageOf(cause)}`, {
      cause,
    });
  }
}

function notOne(given: unknown): TaskerError {
  const what = typeof given === 'function' ? `function ${given.name || '(anonymous)'}` : String(given);
  const way = 'register a class that extends BaseSubscriber, an instance of one, or what defineSubscriber gives';
  return new TaskerError('subscriber_invalid', `${what} is no subscriber; ${way}`);
}
