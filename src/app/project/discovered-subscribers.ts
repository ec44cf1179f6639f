import { type BasePublisher, isPublisher, isPublisherClass } from '../../events/publishing/base-publisher.ts';
import type { BaseSubscriber } from '../../events/subscribing/base-subscriber.ts';
import { isSubscriber, isSubscriberClass } from '../../events/subscribing/base-subscriber.ts';
import { checkSubscriber } from '../../events/subscribing/check-subscriber.ts';
import type { EventRegistries } from '../event-registries.ts';

interface Found {
  publishers: Map<string, BasePublisher>;
  subscribers: Map<string, BaseSubscriber>;
}

const none = (): Found => ({ publishers: new Map(), subscribers: new Map() });

/**
 * Puts the publishers and subscribers that handler folders export into registries: instances, and classes with their
 * own name. An object that was registered by hand under the same name stays.
 */
export class DiscoveredSubscribers {
  readonly #registries: EventRegistries;
  /** Instances by class, so that an unchanged class keeps its instance. */
  readonly #made = new Map<unknown, BasePublisher | BaseSubscriber>();
  readonly #publishers: FolderClaims<BasePublisher>;
  readonly #subscribers: FolderClaims<BaseSubscriber>;
  #found = none();

  constructor(registries: EventRegistries) {
    this.#registries = registries;
    this.#publishers = new FolderClaims(registries.publishers);
    this.#subscribers = new FolderClaims(registries.subscribers);
  }

  /**
   * Collects an export. Returns the name of a publisher or a subscriber.
   * @throws TaskerError `subscriber_invalid`, before any registry has changed
   */
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

  /** Discards the exports that were collected and not applied. */
  begin(): void {
    this.#found = none();
  }

  /**
   * Puts the exports that were collected since {@link begin} into the registries. Replaces the exports of the previous
   * call.
   * @throws TaskerError `conflict` if the publisher registry is frozen and its publishers would change
   */
  async apply(): Promise<void> {
    this.applyPublishers();
    await this.applySubscribers();
  }

  /** The first half of {@link apply}. If it throws, nothing has changed. */
  applyPublishers(): void {
    const { publishers } = this.#registries;
    const there = [...publishers.listPublishers(), publishers.getOrDefault()].map(
      (one) => [one.publisherName, one] as const,
    );
    const { removed, added, claimed } = this.#publishers.changeTo(this.#found.publishers, new Map(there));
    publishers.exchange({ removed: removed.map(({ publisherName }) => publisherName), added });
    this.#publishers.claim(claimed);
  }

  /** The second half of {@link apply}. */
  async applySubscribers(): Promise<void> {
    const { subscribers } = this.#registries;
    const there = subscribers.listSubscribers().map((one) => [one.subscriberName, one] as const);
    const { claimed, ...change } = this.#subscribers.changeTo(this.#found.subscribers, new Map(there));
    await subscribers.exchange(change);
    this.#subscribers.claim(claimed);
  }

  /**
   * Removes the objects that came from the folders when their worker stops. Objects that another worker also has from a
   * folder stay. The publishers of a frozen registry also stay, and the next worker of this process takes them over.
   */
  async leave(): Promise<void> {
    this.begin();
    if (this.#registries.publishers.isFrozen) this.#publishers.claim([]);
    else this.applyPublishers();
    await this.applySubscribers();
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
    checkSubscriber(subscriber);
    this.#found.subscribers.set(subscriber.subscriberName, subscriber);
    return subscriber.subscriberName;
  }
}

/**
 * Returns whether a class has its own name. A class that inherits its name is a variant of another class, and is not
 * registered.
 */
function hasOwnName(exported: object, member: string): boolean {
  return Object.hasOwn(exported, member) && Boolean((exported as Record<string, unknown>)[member]);
}

/** The change that brings a registry up to date with the exports of folders. */
interface FolderChange<Thing> {
  removed: Thing[];
  added: Thing[];
  /** The objects from these folders that are in the registry after the change. */
  claimed: Thing[];
}

/** For each registry: its objects that come from folders, each with the claims that need the object. */
const claimantsIn = new WeakMap<object, WeakMap<object, Set<unknown>>>();

/**
 * Tracks the objects that are in a registry because folders export them. An object is removed with the last worker that
 * has it from a folder. Objects that were registered by hand stay.
 */
class FolderClaims<Thing extends object> {
  readonly #claimants: WeakMap<object, Set<unknown>>;
  #claimed: readonly Thing[] = [];

  /** Workers with the same registry share its contents. */
  constructor(registry: object) {
    this.#claimants = claimantsIn.get(registry) ?? new WeakMap();
    claimantsIn.set(registry, this.#claimants);
  }

  /** Computes the change. `found`: the exports of the folders, by name. `there`: the contents of the registry, by name. */
  changeTo(found: ReadonlyMap<string, Thing>, there: ReadonlyMap<string, Thing>): FolderChange<Thing> {
    const change: FolderChange<Thing> = { removed: [], added: [], claimed: [] };
    for (const [name, before] of there) {
      const now = found.get(name);
      if (now === undefined ? this.#isLast(before) : now !== before && this.#mayReplace(before))
        change.removed.push(before);
    }
    for (const [name, now] of found) {
      const before = there.get(name);
      if (before && !change.removed.includes(before)) {
        if (this.#claimants.has(before)) change.claimed.push(before);
        continue;
      }
      change.added.push(now);
      change.claimed.push(now);
    }
    return change;
  }

  /** Claims objects for the folders. Earlier objects that are still in the registry are left for the next worker. */
  claim(things: readonly Thing[]): void {
    for (const thing of this.#claimed) this.#claimants.get(thing)?.delete(this);
    for (const thing of things) {
      const claimants = this.#claimants.get(thing) ?? new Set();
      this.#claimants.set(thing, claimants.add(this));
    }
    this.#claimed = things;
  }

  /** Returns whether an object came from a folder and no other worker has the object. */
  #isLast(thing: Thing): boolean {
    const claimants = this.#claimants.get(thing);
    return claimants !== undefined && claimants.size === (claimants.has(this) ? 1 : 0);
  }

  /** Returns whether an object came from these folders, or from the folders of a worker that has stopped. */
  #mayReplace(thing: Thing): boolean {
    const claimants = this.#claimants.get(thing);
    return claimants !== undefined && (claimants.size === 0 || claimants.has(this));
  }
}
