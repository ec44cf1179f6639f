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
 * The publishers and subscribers that folders of handlers export, on their way into registries: instances, and classes
 * with a name of their own. What was registered by hand under the same name stays.
 */
export class DiscoveredSubscribers {
  readonly #registries: EventRegistries;
  /** By class: one that has not changed is the one from before. */
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
   * Takes an export; answers with its name when it is a publisher or a subscriber.
   * @throws TaskerError `subscriber_invalid`, before anything of the folder has changed
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
   * Takes out what came from the folders, at the end of their worker. What others have from there too stays, and so do the
   * publishers of a frozen registry: the next worker of this process takes them over.
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

/** A class that inherits its name is a base of others, or a variant. */
function hasOwnName(exported: object, member: string): boolean {
  return Object.hasOwn(exported, member) && Boolean((exported as Record<string, unknown>)[member]);
}

/** What a registry is to change, so that it has what folders export now. */
interface FolderChange<Thing> {
  removed: Thing[];
  added: Thing[];
  /** What is in the registry for these folders, then. */
  claimed: Thing[];
}

/** Of each registry: what folders put there, and for whom. */
const claimantsIn = new WeakMap<object, WeakMap<object, Set<unknown>>>();

/**
 * What stands in a registry because folders export it: it goes with the last worker that has it from there. What was
 * registered by hand stays.
 */
class FolderClaims<Thing extends object> {
  readonly #claimants: WeakMap<object, Set<unknown>>;
  #claimed: readonly Thing[] = [];

  /** Workers that are given the same registry share what is in it. */
  constructor(registry: object) {
    this.#claimants = claimantsIn.get(registry) ?? new WeakMap();
    claimantsIn.set(registry, this.#claimants);
  }

  /** By name: what is in the registry, and what the folders export. */
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

  /** The registry has these for its folders. What it had before and is still there is left to whoever reads folders next. */
  claim(things: readonly Thing[]): void {
    for (const thing of this.#claimed) this.#claimants.get(thing)?.delete(this);
    for (const thing of things) {
      const claimants = this.#claimants.get(thing) ?? new Set();
      this.#claimants.set(thing, claimants.add(this));
    }
    this.#claimed = things;
  }

  /** Nobody else has it from a folder. */
  #isLast(thing: Thing): boolean {
    const claimants = this.#claimants.get(thing);
    return claimants !== undefined && claimants.size === (claimants.has(this) ? 1 : 0);
  }

  /** It came from these folders, or from those of a worker that is gone. */
  #mayReplace(thing: Thing): boolean {
    const claimants = this.#claimants.get(thing);
    return claimants !== undefined && (claimants.size === 0 || claimants.has(this));
  }
}
