import { messageOf, TaskerError } from '../../errors.ts';
import { type AnyLogger, loggerOf } from '../../logging/any-logger.ts';
import { type Logger, silentLogger } from '../../logging/logger.ts';
import { callable } from '../callable-instance.ts';
import { notOneOf } from '../consuming-options.ts';
import { BasePublisher, isPublisher, isPublisherClass, type PublisherClass } from './base-publisher.ts';
import { DefaultPublisher } from './default-publisher.ts';
import {
  DuplicatePublisherError,
  PublisherNotFoundError,
  PublisherValidationError,
  RegistryFrozenError,
} from './publisher-errors.ts';

const BRAND = Symbol.for('tasker-core.publisher-registry');
const DEFAULT = 'default';

/** Options of a {@link PublisherRegistry}. */
export interface PublisherRegistryOptions {
  /** The logger for publishers that have none. Default: no logging. */
  logger?: AnyLogger;
}

/**
 * The publishers of a worker by name. There is always a publisher `default`, which uses the step's result as the payload.
 *
 * @example
 * class ShopEvents extends BasePublisher {
 *   static override publisherName = 'shop_events';
 * }
 *
 * const registry = new PublisherRegistry();
 * registry.register(ShopEvents);
 * const publisher = registry.getForStep('process_payment') ?? registry.getOrDefault();
 */
export class PublisherRegistry {
  static #instance: (PublisherRegistry & (() => PublisherRegistry)) | undefined;

  static {
    Object.defineProperty(PublisherRegistry.prototype, BRAND, { value: true });
  }

  readonly #publishers = new Map<string, BasePublisher>();
  readonly #default = new DefaultPublisher();
  readonly #logger: Logger;
  #frozen = false;

  constructor({ logger = silentLogger }: PublisherRegistryOptions = {}) {
    this.#logger = loggerOf(logger);
  }

  /**
   * The shared registry of this process. The registry can be called, so `PublisherRegistry.instance()` returns the
   * same.
   */
  static get instance(): PublisherRegistry & (() => PublisherRegistry) {
    PublisherRegistry.#instance ??= callable(new PublisherRegistry());
    return PublisherRegistry.#instance;
  }

  /** Alias of {@link instance}. */
  static getInstance(): PublisherRegistry {
    return PublisherRegistry.instance;
  }

  /**
   * Adds a publisher: an instance, or a class, which is instantiated.
   * @throws TaskerError `publisher_invalid`; `conflict` ({@link DuplicatePublisherError}, {@link RegistryFrozenError})
   */
  register(publisher: PublisherClass | BasePublisher): void {
    this.#mayChange();
    const made = publisherOf(publisher);
    const { publisherName } = made;
    if (this.isRegistered(publisherName)) throw new DuplicatePublisherError(publisherName);
    checkPublisher(made);
    BasePublisher.useLogger(made, this.#logger);
    this.#publishers.set(publisherName, made);
  }

  /** Returns the publisher of that name, or undefined. `default` always exists. */
  get(name: string): BasePublisher | undefined {
    return name === DEFAULT ? this.#default : this.#publishers.get(name);
  }

  /**
   * Returns the publisher of that name, or the default publisher without a name. For an unknown name, returns the
   * default publisher and logs a warning.
   */
  getOrDefault(name?: string | null): BasePublisher {
    const found = this.get(name || DEFAULT);
    if (found) return found;
    this.#logger.warn({ publisher: name }, 'publisher not registered; using the default one');
    return this.#default;
  }

  /** Returns the publisher of that name. @throws TaskerError `publisher_not_found` ({@link PublisherNotFoundError}) */
  getStrict(name: string): BasePublisher {
    const found = this.get(name);
    if (!found) throw new PublisherNotFoundError(name, this.registeredNames);
    return found;
  }

  /** Returns the first registered publisher whose `publishesFor` contains the step, or undefined. */
  getForStep(stepName: string): BasePublisher | undefined {
    for (const publisher of this.#publishers.values()) {
      if (publisher.publishesFor().includes(stepName)) return publisher;
    }
    return undefined;
  }

  /** Returns whether there is a publisher of that name. Always true for `default`. */
  isRegistered(name: string): boolean {
    return name === DEFAULT || this.#publishers.has(name);
  }

  /** The names in the order of registration, without `default`. */
  get registeredNames(): string[] {
    return [...this.#publishers.keys()];
  }

  /** The publishers in the order of registration, without the default one. */
  listPublishers(): BasePublisher[] {
    return [...this.#publishers.values()];
  }

  /** The number of registered publishers, without the default one. */
  get count(): number {
    return this.#publishers.size;
  }

  /** Whether no publisher is registered, except the default one. */
  get isEmpty(): boolean {
    return this.#publishers.size === 0;
  }

  /** Whether `register`, `unregister` and `clear` throw {@link RegistryFrozenError}. */
  get isFrozen(): boolean {
    return this.#frozen;
  }

  /** Prevents further changes of the registry. */
  freeze(): void {
    this.#frozen = true;
  }

  /** Undoes {@link freeze}. */
  unfreeze(): void {
    this.#frozen = false;
  }

  /** Removes a publisher. Returns false if it was not registered. @throws TaskerError `conflict` if frozen */
  unregister(name: string): boolean {
    this.#mayChange();
    return this.#publishers.delete(name);
  }

  /** Removes all publishers. @throws TaskerError `conflict` if frozen */
  clear(): void {
    this.#mayChange();
    this.#publishers.clear();
  }

  /** Removes all publishers and unfreezes the registry. For tests. */
  reset(): void {
    this.#frozen = false;
    this.#publishers.clear();
  }

  /**
   * Removes some publishers and adds others, or changes nothing if one is invalid. A frozen registry allows this only if
   * each added publisher replaces one of the same name. @internal
   */
  exchange({ removed, added }: { removed: readonly string[]; added: readonly BasePublisher[] }): void {
    for (const publisher of added) checkPublisher(publisher);
    const names = added.map(({ publisherName }) => publisherName);
    const leaving = removed.filter((name) => !names.includes(name));
    const coming = names.filter((name) => !removed.includes(name));
    if (this.#frozen && leaving.length + coming.length > 0) throw new RegistryFrozenError(changeOf(coming, leaving));
    for (const name of leaving) this.#publishers.delete(name);
    for (const publisher of added) {
      BasePublisher.useLogger(publisher, this.#logger);
      this.#publishers.set(publisher.publisherName, publisher);
    }
  }

  /**
   * Checks that all these publishers are registered, and freezes the registry.
   * @throws TaskerError `publisher_not_found` ({@link PublisherValidationError}) with all missing names
   */
  validateRequired(names: readonly string[]): void {
    const missing = [...new Set(names)].filter((name) => !this.isRegistered(name));
    if (missing.length > 0) throw new PublisherValidationError(missing, this.registeredNames);
    this.freeze();
  }

  #mayChange(): void {
    if (this.#frozen) throw new RegistryFrozenError();
  }
}

/** Returns whether a value is a {@link PublisherRegistry}, from this or another copy of the package. */
export function isPublisherRegistry(value: unknown): value is PublisherRegistry {
  return ((typeof value === 'object' && value !== null) || typeof value === 'function') && BRAND in value;
}

function changeOf(coming: readonly string[], leaving: readonly string[]): string {
  const added = coming.length > 0 ? `${coming.join(', ')} would be added` : '';
  const takenOut = leaving.length > 0 ? `${leaving.join(', ')} ${added ? 'be' : 'would be'} removed` : '';
  return [added, takenOut].filter(Boolean).join(' and ');
}

function publisherOf(given: unknown): BasePublisher {
  if (isPublisher(given)) return given;
  if (!isPublisherClass(given)) {
    throw new TaskerError(
      'publisher_invalid',
      `${typeof given === 'function' ? `function ${given.name || '(anonymous)'}` : String(given)} is not a publisher; register a class that extends BasePublisher, or an instance of one`,
    );
  }
  try {
    return new given();
  } catch (cause) {
    throw new TaskerError('publisher_invalid', `publisher ${given.name} could not be created: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/**
 * Checks `publishesFor` and `hookArguments` of a publisher. `publishesFor` of all publishers is called for events without a
 * publisher, so an error in one would prevent the events of others.
 * @throws TaskerError `publisher_invalid`
 */
function checkPublisher(publisher: BasePublisher): void {
  const refuse = (what: string, cause?: unknown): never => {
    throw new TaskerError('publisher_invalid', `publisher ${publisher.publisherName}: ${what}`, { cause });
  };
  const { hookArguments } = publisher.constructor as typeof BasePublisher;
  const wrong = notOneOf('hookArguments', hookArguments, ['context', 'positional']);
  if (wrong !== undefined) refuse(wrong);
  let steps: unknown;
  try {
    steps = publisher.publishesFor();
  } catch (cause) {
    refuse(`publishesFor throws: ${messageOf(cause)}`, cause);
  }
  if (Array.isArray(steps) && steps.every((step) => typeof step === 'string')) return;
  refuse('publishesFor must return a list of step names');
}
