import type { BasePublisher, PublisherClass } from './base-publisher.ts';

/** What tells a publisher. `Symbol.for`, so that two copies of the package in one process know each other's. */
export const PUBLISHER = Symbol.for('tasker-core.publisher');

/** Whether a value is a {@link BasePublisher}, of this copy of the package or of another. */
export function isPublisher(value: unknown): value is BasePublisher {
  return typeof value === 'object' && value !== null && PUBLISHER in value;
}

/** Whether a value is a class of publishers, and not {@link BasePublisher} itself. */
export function isPublisherClass(value: unknown): value is PublisherClass {
  if (typeof value !== 'function') return false;
  const prototype: unknown = value.prototype;
  if (typeof prototype !== 'object' || prototype === null) return false;
  return PUBLISHER in prototype && !Object.hasOwn(prototype, PUBLISHER);
}

/** Whether a publisher has a `publishesFor` of its own, whatever that answers. */
export function hasPublishesFor(publisher: BasePublisher): boolean {
  for (let owner: object | null = publisher; owner !== null; owner = Object.getPrototypeOf(owner) as object | null) {
    if (Object.hasOwn(owner, 'publishesFor')) return !Object.hasOwn(owner, PUBLISHER);
  }
  return false;
}
