import { type Logger, silentLogger } from '../../logging/logger.ts';
import { type EventMatcher, eventMatcher } from '../../model/event-pattern.ts';
import type { StopOptions } from '../delivery/event-consumer.ts';
import type { HookAnswer } from '../delivery/in-order.ts';
import { readFromClass } from '../from-class.ts';
import { checkDelivery } from './check-subscriber.ts';
import type { DomainEvent } from './domain-event.ts';
import { InProcessDelivery } from './in-process-delivery.ts';
import type {
  DomainEventCallback,
  EventDelivery,
  InProcessEventSource,
  Subscriber,
  SubscriberDelivery,
} from './subscriber.ts';
import type { SubscriberResult } from './subscriber-result.ts';

// `Symbol.for`, so that two copies of the package in one process recognize each other's subscribers.
const BRAND = Symbol.for('tasker-core.subscriber');

/** A source that a subscriber listens to. */
interface Feed {
  readonly incoming: InProcessDelivery;
  readonly patterns: readonly string[];
  readonly take: DomainEventCallback;
}

/**
 * Base class of subscribers, which handle domain events with matching names. All hooks may be asynchronous, and all except
 * `handle` are optional.
 *
 * Fast events come from this process, right after the commit. Durable and broadcast events come from the log, at least once
 * and across processes. All subscribers with the same `subscriberName`, in any process, form a group that gets each event.
 * A delivery fails if a hook throws, if the result is a failure, or if it times out. A durable event is then delivered
 * again with increasing delays. After `delivery.maxDeliveries` it becomes a dead delivery. Store `event.eventId` to detect
 * duplicates.
 *
 * @example
 * class AuditLogger extends BaseSubscriber {
 *   static override subscriberName = 'audit_logger';
 *
 *   override subscribesTo() {
 *     return ['payment.*', 'order.completed'];
 *   }
 *
 *   async handle(event: DomainEvent) {
 *     this.logger.info({ event: event.eventId, payload: event.payload }, event.eventName);
 *     return SubscriberResult({ success: true });
 *   }
 * }
 */
export abstract class BaseSubscriber<Payload = Record<string, unknown>> implements Subscriber<Payload> {
  static {
    Object.defineProperty(BaseSubscriber.prototype, BRAND, { value: true });
    readFromClass(BaseSubscriber.prototype, 'subscriberName', ({ name }) => name);
    readFromClass(BaseSubscriber.prototype, 'delivery', () => ({}));
  }

  /** The name of the subscriber and its group. It can also be an instance field. Default: the name of the class. */
  static readonly subscriberName: string = '';

  /** The delivery options. They can also be an instance field. */
  static readonly delivery: SubscriberDelivery = {};

  /** The name of the class, unless the instance has its own. */
  declare readonly subscriberName: string;

  /** The options of the class, unless the instance has its own. */
  declare readonly delivery: SubscriberDelivery;

  /** Writes nothing until the subscriber is registered with a registry that has a logger. */
  protected logger: Logger = silentLogger;

  #matcher: EventMatcher | undefined;
  readonly #feeds = new Map<InProcessEventSource, Feed>();

  /** The patterns of the class. `subscribesTo` of the instance takes precedence. Default: all events. */
  static subscribesTo(): string[] {
    return ['*'];
  }

  /** Patterns for the names of its events, such as `payment.*`. A dot is literal. Default: the patterns of the class. */
  subscribesTo(): string[] {
    return (this.constructor as typeof BaseSubscriber).subscribesTo();
  }

  /** Handles an event. A missing return value means success. */
  abstract handle(event: DomainEvent<Payload>, delivery: EventDelivery): HookAnswer<SubscriberResult>;

  /** Called before `handle`. Returns false to skip the event, which is then treated as handled. */
  beforeHandle(_event: DomainEvent<Payload>): HookAnswer<boolean> {}

  /** Called after `handle`, even if its result reports a failure. */
  afterHandle(_event: DomainEvent<Payload>, _result: SubscriberResult): HookAnswer {}

  /** Called once for each failed delivery. */
  onHandleError(_event: DomainEvent<Payload>, _error: Error): HookAnswer {}

  /** Returns whether an event name matches its patterns, which are read only once. */
  matches(eventName: string): boolean {
    this.#matcher ??= eventMatcher(this.subscribesTo());
    return this.#matcher(eventName);
  }

  /** Whether the subscriber has been started. */
  get active(): boolean {
    return this.#feeds.size > 0;
  }

  /** The patterns of the subscriber while it is started. Empty otherwise. */
  get subscriptions(): readonly string[] {
    const [feed] = this.#feeds.values();
    return feed?.patterns ?? [];
  }

  /**
   * Handles the events of a source until it is stopped. An event is handled once, even if several patterns match.
   * @throws TaskerError `subscriber_invalid` for invalid delivery options
   */
  start(source: InProcessEventSource): void {
    if (this.#feeds.has(source)) return;
    checkDelivery(this.subscriberName, this.delivery);
    const incoming = new InProcessDelivery(this as Subscriber<never>, {
      logger: this.logger,
      onDrop: () => source.letGo?.(),
    });
    const patterns = [...new Set(this.subscribesTo())];
    const take = (event: DomainEvent): void => incoming.push(event);
    this.#feeds.set(source, { incoming, patterns, take });
    for (const pattern of patterns) source.subscribe(pattern, take);
  }

  /**
   * Stops listening to one source or all sources. Resolves when the events received so far are handled. Deliveries
   * that take longer than the drain time are aborted.
   */
  async stop({ source: only, ...options }: StopOptions & { source?: InProcessEventSource } = {}): Promise<void> {
    const stopped: Promise<void>[] = [];
    for (const [source, { incoming, patterns, take }] of this.#feeds) {
      if (only && source !== only) continue;
      this.#feeds.delete(source);
      for (const pattern of patterns) source.unsubscribe(pattern, take);
      stopped.push(incoming.stop(options));
    }
    await Promise.all(stopped);
  }

  /** Sets the logger of a subscriber that has none. @internal */
  static useLogger(subscriber: BaseSubscriber<never>, logger: Logger): void {
    if (subscriber.logger === silentLogger) subscriber.logger = logger;
  }
}

/** A subscriber class with a constructor without arguments. */
export interface SubscriberClass {
  new (): BaseSubscriber<never>;
  readonly subscriberName?: string;
  subscribesTo(): string[];
}

/** Returns whether a value is a {@link BaseSubscriber}, from this or another copy of the package. */
export function isSubscriber(value: unknown): value is BaseSubscriber {
  return typeof value === 'object' && value !== null && BRAND in value;
}

/** Returns whether a value is a subscriber class other than {@link BaseSubscriber} itself. */
export function isSubscriberClass(value: unknown): value is SubscriberClass {
  if (typeof value !== 'function') return false;
  const prototype: unknown = value.prototype;
  return typeof prototype === 'object' && prototype !== null && BRAND in prototype && !Object.hasOwn(prototype, BRAND);
}
