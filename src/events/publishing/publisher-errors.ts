import { TaskerError } from '../../errors.ts';
import { nearNames } from '../../model/near-names.ts';

/**
 * Thrown if no publisher is registered under a name.
 *
 * @example
 * new PublisherNotFoundError('paymnt_events', ['payment_events'])
 */
export class PublisherNotFoundError extends TaskerError {
  override readonly name: string = 'PublisherNotFoundError';
  /** The requested name. */
  readonly publisherName: string;
  /** The registered names, without `default`. */
  readonly registeredPublishers: string[];

  constructor(publisherName: string, registered: readonly string[] = []) {
    super('publisher_not_found', `publisher ${publisherName} not found${hintOf([publisherName], registered)}`, {
      details: { publisher: publisherName, registered: [...registered] },
    });
    this.publisherName = publisherName;
    this.registeredPublishers = [...registered];
  }
}

/**
 * Thrown if publishers that templates name are not registered.
 *
 * @example
 * new PublisherValidationError(['paymnt_events'], ['payment_events'])
 */
export class PublisherValidationError extends TaskerError {
  override readonly name: string = 'PublisherValidationError';
  /** The names without a registered publisher. */
  readonly missingPublishers: string[];
  /** The registered names, without `default`. */
  readonly registeredPublishers: string[];

  /**
   * `places`: the places where each name is used. `inProcess`: the names that are in `PublisherRegistry.instance()`.
   */
  constructor(
    missing: readonly string[],
    registered: readonly string[] = [],
    places: readonly string[] = [],
    inProcess: readonly string[] = [],
  ) {
    const names = missing.map((name, at) => (places[at] === undefined ? name : `${name} (${places[at]})`));
    const nowhere = missing.filter((name) => !inProcess.includes(name));
    const hint = nowhere.length > 0 ? hintOf(nowhere, registered) : '';
    const message = `no publisher is registered for ${names.join(', ')}${notPassed(inProcess)}${hint}`;
    super('publisher_not_found', message, {
      details: { missing: [...missing], registered: [...registered], places: [...places] },
    });
    this.missingPublishers = [...missing];
    this.registeredPublishers = [...registered];
  }
}

/**
 * Thrown if a registry is changed after it was validated or frozen.
 *
 * @example
 * new RegistryFrozenError()
 */
export class RegistryFrozenError extends TaskerError {
  override readonly name: string = 'RegistryFrozenError';

  /** `change`: the change that a reloaded handlers folder would make. */
  constructor(change?: string) {
    super(
      'conflict',
      change === undefined
        ? 'the publisher registry is frozen; register publishers before it is validated, or call unfreeze() first'
        : `the publisher registry is frozen, and ${change}; call unfreeze() first, or restart`,
    );
  }
}

/**
 * Thrown if a publisher of the same name is already registered.
 *
 * @example
 * new DuplicatePublisherError('payment_events')
 */
export class DuplicatePublisherError extends TaskerError {
  override readonly name: string = 'DuplicatePublisherError';
  /** The name that is already registered. */
  readonly publisherName: string;

  constructor(publisherName: string) {
    super(
      'conflict',
      `a publisher ${publisherName} is already registered; give this one another publisherName, or unregister the other one`,
      { details: { publisher: publisherName } },
    );
    this.publisherName = publisherName;
  }
}

function notPassed(inProcess: readonly string[]): string {
  if (inProcess.length === 0) return '';
  const which = inProcess.length === 1 ? `${inProcess[0]} is` : `${inProcess.join(', ')} are`;
  return `; ${which} in PublisherRegistry.instance(), which was not passed; use createTasker({ publishers: PublisherRegistry.instance() })`;
}

/** Returns similar names, or otherwise the registered names. */
function hintOf(wanted: readonly string[], registered: readonly string[]): string {
  const near = [...new Set(wanted.flatMap((name) => nearNames(name, [...registered, 'default'])))];
  if (near.length > 0) return `; did you mean ${near.join(' or ')}?`;
  return registered.length > 0
    ? `; the registered publishers are ${registered.join(', ')}`
    : '; no publisher is registered';
}
