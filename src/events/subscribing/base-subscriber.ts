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

// `Symbol.for`, so that two copies of the package in one process know each other's subscribers.
const BRAND = Symbol.for('tasker-core.subscriber');

/** One source that a subscriber listens to. */
interface Feed {
  readonly incoming: InProcessDelivery;
  readonly patterns: readonly string[];
  readonly take: DomainEventCallback;
}

/**
 * Reacts to domain events whose names match. Its hooks may be synchronous or not; all but `handle` are optional.
 *
 * Fast events come from this process, right after the commit. Durable and broadcast ones come from the log, at least once
 * and across processes: all subscribers of one `subscriberName`, in whichever processes, are a group that gets each event.
 * A delivery fails when a hook throws, when the result says so, or when it takes too long; a durable event is then
 * delivered again, later each time, and given up after `delivery.maxDeliveries`. Keep `event.eventId` to do a thing once.
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

  /** Its name, and that of its group; a field of the instance does as well. Default: the class's name. */
  static readonly subscriberName: string = '';

  /** How events come to it; a field of the instance does as well. */
  static readonly delivery: SubscriberDelivery = {};

  /** As the class says, unless the instance has one of its own. */
  declare readonly subscriberName: string;

  /** As the class says, unless the instance has one of its own. */
  declare readonly delivery: SubscriberDelivery;

  /** Writes nowhere until the subscriber is registered where something is logged. */
  protected logger: Logger = silentLogger;

  #matcher: EventMatcher | undefined;
  readonly #feeds = new Map<InProcessEventSource, Feed>();

  /** The patterns of a class; `subscribesTo` of the instance wins. Default: all events. */
  static subscribesTo(): string[] {
    return ['*'];
  }

  /** Which events it handles, by patterns of their names: `payment.*`; a dot is a dot. Default: as the class says. */
  subscribesTo(): string[] {
    return (this.constructor as typeof BaseSubscriber).subscribesTo();
  }

  /** Does what the event is for. Nothing returned: it was handled. */
  abstract handle(event: DomainEvent<Payload>, delivery: EventDelivery): HookAnswer<SubscriberResult>;

  /** False: this event is not for this subscriber; it counts as handled. */
  beforeHandle(_event: DomainEvent<Payload>): HookAnswer<boolean> {}

  /** After `handle`, also when its result says that it failed. */
  afterHandle(_event: DomainEvent<Payload>, _result: SubscriberResult): HookAnswer {}

  /** Once a failed delivery. */
  onHandleError(_event: DomainEvent<Payload>, _error: Error): HookAnswer {}

  /** Whether an event of that name is one of its. The patterns are read once. */
  matches(eventName: string): boolean {
    this.#matcher ??= eventMatcher(this.subscribesTo());
    return this.#matcher(eventName);
  }

  /** Whether it is started. */
  get active(): boolean {
    return this.#feeds.size > 0;
  }

  /** Its patterns while it is started. */
  get subscriptions(): readonly string[] {
    const [feed] = this.#feeds.values();
    return feed?.patterns ?? [];
  }

  /**
   * Handles the events of a source until it is stopped; each once, however many patterns match.
   * @throws TaskerError `subscriber_invalid` for delivery options that make no sense
   */
  start(source: InProcessEventSource): void {
    if (this.#feeds.has(source)) return;
    checkDelivery(this.subscriberName, this.delivery);
    const incoming = new InProcessDelivery(this as Subscriber<never>, {
      logger: this.logger,
      letGo: () => source.letGo?.(),
    });
    const patterns = [...new Set(this.subscribesTo())];
    const take = (event: DomainEvent): void => incoming.push(event);
    this.#feeds.set(source, { incoming, patterns, take });
    for (const pattern of patterns) source.subscribe(pattern, take);
  }

  /**
   * Takes nothing more, of one source or of all, and resolves when what it was given is handled. What takes longer than
   * the drain time is aborted.
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

  /** Gives a subscriber that has none a logger. @internal */
  static useLogger(subscriber: BaseSubscriber<never>, logger: Logger): void {
    if (subscriber.logger === silentLogger) subscriber.logger = logger;
  }
}

/** A class of subscribers that can be made without arguments. */
export interface SubscriberClass {
  new (): BaseSubscriber<never>;
  readonly subscriberName?: string;
  subscribesTo(): string[];
}

/** Whether a value is a {@link BaseSubscriber}, of this copy of the package or of another. */
export function isSubscriber(value: unknown): value is BaseSubscriber {
  return typeof value === 'object' && value !== null && BRAND in value;
}

/** Whether a value is a class of subscribers, and not {@link BaseSubscriber} itself. */
export function isSubscriberClass(value: unknown): value is SubscriberClass {
  if (typeof value !== 'function') return false;
  const prototype: unknown = value.prototype;
  return typeof prototype === 'object' && prototype !== null && BRAND in prototype && !Object.hasOwn(prototype, BRAND);
}
