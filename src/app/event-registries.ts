import type { BasePublisher, PublisherClass } from '../events/publishing/base-publisher.ts';
import { isPublisherRegistry, PublisherRegistry } from '../events/publishing/publisher-registry.ts';
import type { BaseSubscriber, SubscriberClass } from '../events/subscribing/base-subscriber.ts';
import { isSubscriber } from '../events/subscribing/base-subscriber.ts';
import { isSubscriberRegistry, SubscriberRegistry } from '../events/subscribing/subscriber-registry.ts';
import type { Logger } from '../logging/logger.ts';

/** The `publishers` option of `createTasker`: classes, instances, or a registry. */
export type PublisherSource =
  | PublisherRegistry
  | PublisherClass
  | BasePublisher
  | readonly (PublisherClass | BasePublisher)[];

/** The `subscribers` option of `createTasker`: classes, instances, `defineSubscriber` values, or a registry. */
export type SubscriberSource =
  | SubscriberRegistry
  | SubscriberClass
  | BaseSubscriber<never>
  | readonly (SubscriberClass | BaseSubscriber<never>)[];

/** The publishers and subscribers of a tasker's domain events. */
export interface EventRegistries {
  publishers: PublisherRegistry;
  subscribers: SubscriberRegistry;
}

/** The registries of this process, which `bootstrapWorker` and `WorkerServer` use. */
export function processEventRegistries(): EventRegistries {
  return { publishers: PublisherRegistry.instance, subscribers: SubscriberRegistry.instance };
}

/** Returns a warning for each registry of this process that no worker uses and that has members this tasker lacks. */
export function unusedProcessRegistries(
  used: Partial<EventRegistries>,
  { publishes }: { publishes: boolean },
): string[] {
  const own = processEventRegistries();
  const publishers = own.publishers.registeredNames.filter((name) => !used.publishers?.isRegistered(name));
  const known = new Set(used.subscribers?.listSubscribers().map(({ subscriberName }) => subscriberName));
  const subscribers = own.subscribers
    .listSubscribers()
    .flatMap(({ subscriberName }) => (known.has(subscriberName) ? [] : [subscriberName]));
  return [
    ...(publishes && publishers.length > 0 ? [notGiven('publishers', 'PublisherRegistry', publishers)] : []),
    ...(!own.subscribers.isStarted && subscribers.length > 0
      ? [notGiven('subscribers', 'SubscriberRegistry', subscribers)]
      : []),
  ];
}

function notGiven(what: string, registry: string, names: readonly string[]): string {
  return `${registry}.instance() has ${what} that this tasker does not use: ${names.join(', ')}; pass ${what}: ${registry}.instance(), or export them from the handlers folder`;
}

/**
 * Adds publishers and subscribers to registries. A given registry is used directly, so that more can be added later.
 * @throws TaskerError `publisher_invalid`, `subscriber_invalid`, `conflict`
 */
export function eventRegistries(
  given: { publishers?: PublisherSource | undefined; subscribers?: SubscriberSource | undefined },
  logger: Logger,
): EventRegistries {
  const { publishers = [], subscribers = [] } = given;
  return {
    publishers: isPublisherRegistry(publishers) ? publishers : publishersOf([publishers].flat(), logger),
    subscribers: isSubscriberRegistry(subscribers) ? subscribers : subscribersOf([subscribers].flat(), logger),
  };
}

function publishersOf(sources: readonly (PublisherClass | BasePublisher)[], logger: Logger): PublisherRegistry {
  const registry = new PublisherRegistry({ logger });
  for (const one of sources) registry.register(one as PublisherClass);
  return registry;
}

function subscribersOf(sources: readonly (SubscriberClass | BaseSubscriber<never>)[], logger: Logger) {
  const registry = new SubscriberRegistry({ logger });
  for (const one of sources) {
    if (isSubscriber(one)) registry.registerInstance(one);
    else registry.register(one as SubscriberClass);
  }
  return registry;
}
