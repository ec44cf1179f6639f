import { logWarn } from '../../logging/log.ts';
import { HandlerRegistry } from '../../registry/handler-registry.ts';
import { EventNames, RECEIVED_ALIAS } from './event-names.ts';
import type { BridgeEventMap } from './event-payloads.ts';
import { GuardedEmitter } from './guarded-emitter.ts';

// `Symbol.for`, so that two copies of the package in one process recognize each other's bridges.
const BRAND = Symbol.for('tasker-core.event-bridge');

/** The name of an event of an {@link EventBridge}, or the alias `step_execution_received`. */
export type BridgeEventName = keyof BridgeEventMap;
/** A function that receives an event of an {@link EventBridge}. */
export type BridgeListener<Name extends BridgeEventName> = (...args: BridgeEventMap[Name]) => unknown;

/**
 * Publishes events to subscribers within a process: connects a poller with its subscribers, and serves any other
 * listener. A listener that throws is logged, and affects neither the other listeners nor the step.
 *
 * @example
 * const bridge = EventBridge.instance();
 * bridge.start();
 * bridge.subscribe(EventNames.STEP_EXECUTION_RECEIVED, (event) => console.log(`step ${event.stepUuid}`));
 */
export class EventBridge {
  static {
    Object.defineProperty(EventBridge.prototype, BRAND, { value: true });
  }

  static #instance: EventBridge | undefined;
  readonly #emitter = new GuardedEmitter('subscriber');
  readonly #registries = new Map<HandlerRegistry, () => void>();
  #active = false;
  #warned = false;

  /** The bridge of this process. */
  static instance(): EventBridge {
    EventBridge.#instance ??= new EventBridge();
    return EventBridge.#instance;
  }

  /** Stops the bridge of this process. The next `instance()` returns a new bridge. For tests. */
  static resetInstance(): void {
    EventBridge.#instance?.stop();
    EventBridge.#instance = undefined;
  }

  /** Starts delivering events, including `handler.registered` for the registry of this process. */
  start(): void {
    if (this.#active) return;
    this.#active = true;
    if (this === EventBridge.#instance) this.observe(HandlerRegistry.instance());
  }

  /** Stops delivering events and removes all subscribers. Results that are in progress are still recorded. */
  stop(): void {
    this.#active = false;
    this.#warned = false;
    for (const forget of this.#registries.values()) forget();
    this.#registries.clear();
    this.#emitter.removeAllListeners();
  }

  get isActive(): boolean {
    return this.#active;
  }

  /** Calls the listener with every future event of this name. Returns a function that ends the subscription. */
  subscribe<Name extends BridgeEventName>(name: Name, listener: BridgeListener<Name>): () => void {
    this.#emitter.on(canonical(name), listener);
    return () => this.unsubscribe(name, listener);
  }

  /** Like {@link subscribe}, but only for the next event. */
  subscribeOnce<Name extends BridgeEventName>(name: Name, listener: BridgeListener<Name>): () => void {
    this.#emitter.once(canonical(name), listener);
    return () => this.unsubscribe(name, listener);
  }

  /** Ends a subscription. Returns false if the listener was not subscribed. */
  unsubscribe<Name extends BridgeEventName>(name: Name, listener: BridgeListener<Name>): boolean {
    if (typeof listener !== 'function') return false;
    const before = this.listenerCount(name);
    this.#emitter.off(canonical(name), listener);
    return this.listenerCount(name) < before;
  }

  /**
   * Calls the subscribers in the order of their subscription. Returns false if none was called, because the event has
   * none or the bridge is not started.
   *
   * @example
   * bridge.publish(EventNames.HANDLER_REGISTERED, 'my_handler', MyHandler);
   */
  publish<Name extends BridgeEventName>(name: Name, ...args: BridgeEventMap[Name]): boolean {
    if (this.#active) return this.#emitter.emit(canonical(name), ...args);
    if (!this.#warned) logWarn(`the event bridge is not started, so ${name} was not delivered; call start() first`);
    this.#warned = true;
    return false;
  }

  /** Returns the number of subscribers to an event. */
  listenerCount(name: BridgeEventName): number {
    return this.#emitter.listenerCount(canonical(name));
  }

  /** Publishes `handler.registered` for this registry, until the bridge stops. @internal */
  observe(registry: HandlerRegistry): void {
    if (this.#registries.has(registry)) return;
    const forget = registry.onRegistered((name, handler) => {
      if (this.#active) this.publish(EventNames.HANDLER_REGISTERED, name, handler);
    });
    this.#registries.set(registry, forget);
  }
}

/** Returns whether a value is a bridge, from this or another copy of the package. */
export function isEventBridge(value: unknown): value is EventBridge {
  return typeof value === 'object' && value !== null && (value as { [BRAND]?: unknown })[BRAND] === true;
}

function canonical(name: BridgeEventName): string {
  return name === RECEIVED_ALIAS ? EventNames.STEP_EXECUTION_RECEIVED : name;
}
