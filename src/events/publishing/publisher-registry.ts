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
  /** Given to publishers that have none of their own; silent by default. */
  logger?: AnyLogger;
}

/**
 * The publishers that a worker knows, by name. The name `default` is always known: that one makes the payload of the
 * step's result.
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

  /** The registry of this process, as a value and as a call: `PublisherRegistry.instance()` is the same. */
  static get instance(): PublisherRegistry & (() => PublisherRegistry) {
    PublisherRegistry.#instance ??= callable(new PublisherRegistry());
    return PublisherRegistry.#instance;
  }

  /** Another name of {@link instance}. */
  static getInstance(): PublisherRegistry {
    return PublisherRegistry.instance;
  }

  /**
   * Adds a publisher: a class, of which one is made, or an instance.
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

  /** The publisher of that name; undefined when there is none. `default` is always there. */
  get(name: string): BasePublisher | undefined {
    return name === DEFAULT ? this.#default : this.#publishers.get(name);
  }

  /** The publisher of that name; the default one without a name, and, with a warning, when there is none. */
  getOrDefault(name?: string | null): BasePublisher {
    const found = this.get(name || DEFAULT);
    if (found) return found;
    this.#logger.warn({ publisher: name }, `there is no publisher ${name}; the default one takes its place`);
    return this.#default;
  }

  /** @throws TaskerError `publisher_not_found` ({@link PublisherNotFoundError}) */
  getStrict(name: string): BasePublisher {
    const found = this.get(name);
    if (!found) throw new PublisherNotFoundError(name, this.registeredNames);
    return found;
  }

  /** The publisher whose `publishesFor` names the step, the first that was registered; undefined when none does. */
  getForStep(stepName: string): BasePublisher | undefined {
    for (const publisher of this.#publishers.values()) {
      if (publisher.publishesFor().includes(stepName)) return publisher;
    }
    return undefined;
  }

  /** Whether there is one of that name; `default` always. */
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

  /** How many are registered, without the default one. */
  get count(): number {
    return this.#publishers.size;
  }

  /** Whether none is registered; the default one does not count. */
  get isEmpty(): boolean {
    return this.#publishers.size === 0;
  }

  /** Whether `register`, `unregister` and `clear` throw {@link RegistryFrozenError}. */
  get isFrozen(): boolean {
    return this.#frozen;
  }

  /** Nothing can be registered or taken out from now on. */
  freeze(): void {
    this.#frozen = true;
  }

  /** Ends {@link freeze}: publishers can be registered and taken out again. */
  unfreeze(): void {
    this.#frozen = false;
  }

  /** Takes a publisher out; false when there was none. @throws TaskerError `conflict` when frozen */
  unregister(name: string): boolean {
    this.#mayChange();
    return this.#publishers.delete(name);
  }

  /** Takes all out. @throws TaskerError `conflict` when frozen */
  clear(): void {
    this.#mayChange();
    this.#publishers.clear();
  }

  /** As new: empty, and not frozen. For tests. */
  reset(): void {
    this.#frozen = false;
    this.#publishers.clear();
  }

  /**
   * Takes some out and puts others in; all or nothing. Also when frozen, as long as each only takes the place of another of
   * its name. @internal
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
   * Checks that all these are registered, and freezes the registry.
   * @throws TaskerError `publisher_not_found` ({@link PublisherValidationError}) with all that are missing
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

/** Whether a value is a {@link PublisherRegistry}, of this copy of the package or of another. */
export function isPublisherRegistry(value: unknown): value is PublisherRegistry {
  return ((typeof value === 'object' && value !== null) || typeof value === 'function') && BRAND in value;
}

function changeOf(coming: readonly string[], leaving: readonly string[]): string {
  const added = coming.length > 0 ? `${coming.join(', ')} would be added` : '';
  const takenOut = leaving.length > 0 ? `${leaving.join(', ')} ${added ? 'be' : 'would be'} taken out` : '';
  return [added, takenOut].filter(Boolean).join(' and ');
}

function publisherOf(given: unknown): BasePublisher {
  if (isPublisher(given)) return given;
  if (!isPublisherClass(given)) {
    throw new TaskerError(
      'publisher_invalid',
      `${typeof given === 'function' ? `function ${given.name || '(anonymous)'}` : String(given)} is no publisher; register a class that extends BasePublisher, or an instance of one`,
    );
  }
  try {
    return new given();
  } catch (cause) {
    throw new TaskerError('publisher_invalid', `publisher ${given.name}: creating it throws: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/**
 * Checks what a publisher says it is for: all publishers are asked for each step whose events name none, so that one which
 * can't answer would cost the events of others. Also checks `hookArguments`.
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
  refuse('publishesFor must give a list of names of steps');
}
