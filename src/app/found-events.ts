import type { BasePublisher } from '../events/publishing/base-publisher.ts';
import { isPublisher, isPublisherClass } from '../events/publishing/publisher-brand.ts';
import type { BaseSubscriber } from '../events/subscribing/base-subscriber.ts';
import { isSubscriber, isSubscriberClass } from '../events/subscribing/base-subscriber.ts';
import type { EventRegistries } from './event-registries.ts';

interface Found {
  publishers: Map<string, BasePublisher>;
  subscribers: Map<string, BaseSubscriber>;
}

const none = (): Found => ({ publishers: new Map(), subscribers: new Map() });

/**
 * The publishers and subscribers that folders of handlers export, on their way into registries: instances, and classes
 * with a name of their own. What was registered by hand under the same name stays.
 */
export class FoundEvents {
  readonly #registries: EventRegistries;
  /** By class: one that has not changed is the one from before. */
  readonly #made = new Map<unknown, BasePublisher | BaseSubscriber>();
  #found = none();
  readonly #own = none();

  constructor(registries: EventRegistries) {
    this.#registries = registries;
  }

  /** Takes an export; answers with its name when it is a publisher or a subscriber. */
  readonly take = (exported: unknown): string | undefined => {
    if (isPublisher(exported)) return this.#takePublisher(exported);
    if (isSubscriber(exported)) return this.#takeSubscriber(exported);
    if (isPublisherClass(exported) && hasOwnName(exported, 'publisherName')) {
      return this.#takePublisher(this.#instance(exported, () => new exported()));
    }
    if (isSubscriberClass(exported) && hasOwnName(exported, 'subscriberName')) {
      return this.#takeSubscriber(this.#instance(exported, () => new exported() as BaseSubscriber));
    }
    return undefined;
  };

  /** Forgets what was taken and not applied. */
  begin(): void {
    this.#found = none();
  }

  /**
   * Puts what was taken since {@link begin} into the registries, in the place of what was put there before.
   * @throws TaskerError `conflict` when the registry of publishers is frozen, and others come or go
   */
  async apply(): Promise<void> {
    this.applyPublishers();
    await this.applySubscribers();
  }

  /** The first half of {@link apply}: it throws before anything has changed. */
  applyPublishers(): void {
    const { publishers } = this.#registries;
    const found = this.#found.publishers;
    const removed = [...this.#own.publishers].filter(([name, publisher]) => found.get(name) !== publisher);
    const names = removed.map(([name]) => name);
    const added = [...found].filter(([name]) => names.includes(name) || !publishers.isRegistered(name));
    publishers.exchange({ removed: names, added: added.map(([, publisher]) => publisher) });
    this.#own.publishers = found;
  }

  /** The second half of {@link apply}. */
  async applySubscribers(): Promise<void> {
    const { subscribers } = this.#registries;
    const removed = [...this.#own.subscribers].filter(([name, one]) => this.#found.subscribers.get(name) !== one);
    const known = new Set(subscribers.listSubscribers().map(({ subscriberName }) => subscriberName));
    for (const [name] of removed) known.delete(name);
    const added = [...this.#found.subscribers.values()].filter(({ subscriberName }) => !known.has(subscriberName));
    await subscribers.exchange({ removed: removed.map(([, one]) => one), added });
    this.#own.subscribers = this.#found.subscribers;
  }

  #instance<T extends BasePublisher | BaseSubscriber>(exported: unknown, make: () => T): T {
    const before = this.#made.get(exported) as T | undefined;
    if (before) return before;
    const made = make();
    this.#made.set(exported, made);
    return made;
  }

  #takePublisher(publisher: BasePublisher): string {
    this.#found.publishers.set(publisher.publisherName, publisher);
    return publisher.publisherName;
  }

  #takeSubscriber(subscriber: BaseSubscriber): string {
    this.#found.subscribers.set(subscriber.subscriberName, subscriber);
    return subscriber.subscriberName;
  }
}

/** A class that inherits its name is a base of others, or a variant. */
function hasOwnName(exported: object, member: string): boolean {
  return Object.hasOwn(exported, member) && Boolean((exported as Record<string, unknown>)[member]);
}
