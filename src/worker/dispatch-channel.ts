import { KIND } from '../engine/engine.ts';
import type { FfiStepEvent } from '../handlers/ffi-step-event.ts';
import type { StepHandlerResult } from '../handlers/step-handler.ts';
import type { Logger } from '../logging/logger.ts';
import { uuidV7 } from '../model/ids.ts';
import type { HandlerRegistry } from '../registry/handler-registry.ts';
import { type AttemptEnd, forgotten, released } from './attempt-end.ts';
import type { DispatchedStep } from './dispatched-step.ts';
import type { Deadlines, Slots } from './running-steps.ts';
import { stepEvent } from './step-event.ts';
import { stepFields } from './step-reports.ts';

/** The state of a delivery: in the channel, read from it, or taken by a subscriber that calls the handler. */
export type DeliveryState = 'unread' | 'read' | 'taken';

/** How a handler settled. */
export interface Settling {
  version: string;
  /** Whether its signal fired because a subscriber is stopping. In that case, a failure spends no attempt. */
  stopping?: boolean;
}

/** The way in which a subscriber takes a step. */
export interface Taking {
  /** The registry in which the subscriber looks up the handler. */
  registry: HandlerRegistry;
  /** Id that is stored with the result. Default: the worker's name. */
  runBy: string | undefined;
  /** Timeout for steps without `timeout_seconds`. Default: the worker's timeout. */
  timeoutMs: number | undefined;
}

// Deliveries by event id, for all channels of this process. A subscriber receives only the event, and finds the step
// here.
const open = new Map<string, Delivery>();

/** Returns the delivery of an event. Undefined if the event belongs to another process or was completed. */
export function deliveryOf(eventId: string): Delivery | undefined {
  return open.get(eventId);
}

/** One event that hands a step to a reader of the channel. A step that yields is delivered again, as another event. */
export class Delivery {
  readonly eventId = uuidV7();
  readonly channel: DispatchChannel;
  readonly step: DispatchedStep;
  state: DeliveryState = 'unread';
  /** When it entered this state, on the clock of `performance.now()`. */
  since = performance.now();
  /** Id that is stored with the result. Undefined means the name of the worker that claimed the step. */
  runBy: string | undefined;
  /** Timeout for steps without `timeout_seconds`. Undefined means the worker's timeout. */
  timeoutMs: number | undefined;
  /** Number of subscribers that received it and may still take it. */
  awaited = 0;
  /** Called when the step has ended while a subscriber runs it. */
  whenOver: (() => void) | undefined;
  /** Whether a warning about its starvation was logged. */
  warned = false;
  #event: FfiStepEvent | undefined;

  constructor(channel: DispatchChannel, step: DispatchedStep) {
    this.channel = channel;
    this.step = step;
    open.set(this.eventId, this);
  }

  get event(): FfiStepEvent {
    this.#event ??= stepEvent(this.step, this.eventId);
    return this.#event;
  }

  is(state: DeliveryState): void {
    this.state = state;
    this.since = performance.now();
  }

  /** Drops its event, which is no longer needed while the result waits to be committed. */
  close(): void {
    this.#event = undefined;
    open.delete(this.eventId);
  }
}

/** The events in a worker's dispatch channel that no subscriber has started to work on. */
export interface FfiDispatchMetrics {
  /** Number of waiting events: unread, or read but neither taken by a subscriber nor completed. */
  pendingCount: number;
  /** Milliseconds. Absent if no event waits. */
  oldestPendingAgeMs?: number;
  newestPendingAgeMs?: number;
  oldestEventId?: string;
  /** Whether an event has been waiting for longer than 10 seconds. */
  starvationDetected: boolean;
  /** Number of events that have been waiting for longer than 10 seconds. */
  starvingEventCount: number;
}

/** Callbacks from a channel to its worker. */
export interface ChannelHost {
  /**
   * Called when the handler of a step settled. `stopping` is true if its signal fired because a subscriber is stopping.
   */
  settled(step: DispatchedStep, result: StepHandlerResult, version: string, stopping?: boolean): void;
  /** Frees the slot of a step and records its end. The end is undefined if the outcome is no longer needed. */
  finish(step: DispatchedStep, end: AttemptEnd | undefined): void;
  /**
   * Saves the progress of a step. Resolves to true if the step must be delivered again, and to false if it was settled.
   */
  saveYield(step: DispatchedStep, result: StepHandlerResult): Promise<boolean>;
  /** Called when no subscriber has the handler of a step. */
  unresolved(step: DispatchedStep): void;
  /** Frees the slot of an ended step that no handler will settle. */
  free(step: DispatchedStep): void;
  /** Called when the number of slots or the registries changed. */
  readersChanged(): void;
  /** Called when handlers were registered. */
  handlersChanged(): void;
}

/** A subscriber of this process that takes steps from the channel. */
export interface ChannelUser {
  /** Number of steps that it runs concurrently. */
  readonly slots: number;
  readonly registry: HandlerRegistry;
}

/** A reader of the channel. */
export interface ChannelReader {
  /** Called when an event can be read. */
  wake(): void;
  /** Called when steps cannot be claimed. The worker tries again. */
  failed?(error: unknown): void;
}

export interface DispatchChannelOptions {
  /** The worker's name in history and messages. */
  name: string;
  /** Timeout of an event that was read but not completed, if its step has no `timeout_seconds`. */
  leaseMs: number;
  slots: Slots;
  deadlines: Deadlines;
  logger: Logger;
}

/** An event that waits for longer than this is starving. */
const STARVING_MS = 10_000;

/**
 * Hands out the steps of a worker that does not call its handlers itself. Steps that can start wait here to be read as
 * events, by an `EventPoller` or by hand. The channel holds no more steps than the worker has slots, and without a
 * reader the worker claims nothing. An event that was read is never dropped: it is completed, released, or times out.
 */
export class DispatchChannel {
  /** The worker's name. */
  readonly name: string;
  readonly #host: ChannelHost;
  readonly #options: DispatchChannelOptions;
  #unread: Delivery[] = [];
  readonly #out = new Map<DispatchedStep, Delivery>();
  readonly #readers = new Set<ChannelReader>();
  readonly #users = new Set<ChannelUser>();
  /** Whether there ever was a subscriber. From then on, nothing is handed out without a subscriber. */
  #hadUsers = false;
  readonly #acknowledgements = new Map<DispatchedStep, (accepted: boolean) => void>();
  #stopped = false;

  constructor(host: ChannelHost, options: DispatchChannelOptions) {
    this.#host = host;
    this.#options = options;
    this.name = options.name;
  }

  /** Maximum number of steps that may be held; 0 without a reader. */
  get slots(): number {
    if (this.#stopped || this.#readers.size === 0) return 0;
    if (!this.#hadUsers) return Number.POSITIVE_INFINITY;
    let slots = 0;
    for (const user of this.#users) slots += user.slots;
    return slots;
  }

  /** The distinct registries of the subscribers. */
  get registries(): readonly HandlerRegistry[] {
    return [...new Set([...this.#users].map(({ registry }) => registry))];
  }

  /** Adds a step that can start. If its slot was removed in the meantime, the step is released. */
  offer(step: DispatchedStep): void {
    this.#options.slots.occupy(step);
    if (this.#out.size >= this.slots) this.#release(step);
    else this.#deliver(step);
  }

  #release(step: DispatchedStep): void {
    this.#host.finish(step, released(step));
  }

  #deliver(step: DispatchedStep): void {
    const delivery = new Delivery(this, step);
    step.delivery = delivery;
    this.#out.set(step, delivery);
    this.#unread.push(delivery);
    for (const reader of this.#readers) reader.wake();
  }

  // ---- readers and subscribers

  /** Adds a reader. Returns a function that removes it. Unread events are released when the last reader is removed. */
  open(reader: ChannelReader): () => void {
    const leave = this.#join(this.#readers, reader);
    if (this.#unread.length > 0) reader.wake();
    return leave;
  }

  /** Adds a subscriber. Returns a function that removes it. */
  use(user: ChannelUser): () => void {
    this.#hadUsers = true;
    return this.#join(this.#users, user);
  }

  #join<Member>(members: Set<Member>, member: Member): () => void {
    members.add(member);
    this.#host.readersChanged();
    return () => {
      if (!members.delete(member)) return;
      if (this.slots === 0) this.#releaseUnread();
      this.#host.readersChanged();
    };
  }

  /** Reports to the readers that steps cannot be claimed. */
  failed(error: unknown): void {
    for (const reader of this.#readers) reader.failed?.(error);
  }

  /** Called when the handlers in the registry of a subscriber changed. */
  refresh(): void {
    this.#host.handlersChanged();
  }

  /** Removes and returns the next event, or returns null if there is none. */
  poll(): FfiStepEvent | null {
    for (let next = this.#unread.shift(); next; next = this.#unread.shift()) {
      if (this.#out.get(next.step) !== next) continue;
      next.is('read');
      this.#options.deadlines.restart(next.step);
      next.step.begin();
      return next.event;
    }
    return null;
  }

  /** Whether an event can be read. */
  get ready(): boolean {
    return this.#unread.length > 0;
  }

  /**
   * Called when a subscriber received the event and will take it when it has a slot. Until then, the timeout is
   * suspended.
   */
  await(delivery: Delivery): void {
    delivery.awaited++;
    if (delivery.state === 'read') this.#options.deadlines.delete(delivery.step);
  }

  /**
   * Takes the step for a subscriber that awaited the event and is about to call the handler. Returns false if another
   * subscriber calls or should call the handler, or if the step has ended.
   */
  take(delivery: Delivery, { registry, runBy, timeoutMs }: Taking): boolean {
    delivery.awaited--;
    if (delivery.state !== 'read' || delivery.step.over || this.#out.get(delivery.step) !== delivery) return false;
    if (this.#isForAnother(delivery, registry)) return false;
    delivery.is('taken');
    // The name of the worker itself is not stored with the result.
    if (runBy !== this.name) delivery.runBy = runBy;
    if (timeoutMs !== undefined) delivery.timeoutMs = timeoutMs;
    this.#options.deadlines.restart(delivery.step);
    return true;
  }

  /** Returns whether only another subscriber has the handler. */
  #isForAnother({ step }: Delivery, registry: HandlerRegistry): boolean {
    const { handler } = step.template;
    return registry.lacks(handler) && this.registries.some((other) => !other.lacks(handler));
  }

  // ---- outcomes

  /**
   * Records the result. Resolves to true once it is committed. Resolves to false if the step was already completed or
   * was taken away, or if its result was rejected.
   */
  complete(delivery: Delivery, result: StepHandlerResult, how: Settling): Promise<boolean> {
    const { step } = delivery;
    if (!this.#forget(delivery)) return Promise.resolve(false);
    if (step.over) {
      this.#host.settled(step, result, how.version, how.stopping);
      return Promise.resolve(false);
    }
    return new Promise((resolve) => {
      this.#acknowledgements.set(step, resolve);
      this.#host.settled(step, result, how.version, how.stopping);
    });
  }

  /** Saves the progress. Resolves to true once it is saved. The step is then handed out again, as another event. */
  async yield(delivery: Delivery, result: StepHandlerResult): Promise<boolean> {
    if (!this.#forget(delivery)) return false;
    if (!(await this.#host.saveYield(delivery.step, result))) return false;
    if (this.slots === 0) this.#release(delivery.step);
    else this.#deliver(delivery.step);
    return true;
  }

  /** Releases a step that was not started, without spending an attempt. */
  release(delivery: Delivery): void {
    if (this.#forget(delivery)) this.#release(delivery.step);
  }

  /** Called when no subscriber in this process has the handler. */
  missing(delivery: Delivery): void {
    if (this.#forget(delivery)) this.#host.unresolved(delivery.step);
  }

  /**
   * Called when a step timed out or is no longer held by this worker. If a subscriber runs its handler, the slot stays
   * occupied until the handler settles.
   */
  over(step: DispatchedStep): void {
    const delivery = this.#out.get(step);
    if (delivery?.state === 'taken') delivery.whenOver?.();
    else if (delivery) {
      this.#forget(delivery);
      this.#host.free(step);
    }
  }

  /** Called when the ends of a batch were acknowledged or rejected. */
  recorded(batch: readonly AttemptEnd[], accepted: readonly AttemptEnd[]): void {
    if (this.#acknowledgements.size === 0) return;
    const taken = accepted.length === batch.length ? undefined : new Set(accepted);
    for (const end of batch) {
      const acknowledge = this.#acknowledgements.get(end.step);
      if (!acknowledge) continue;
      this.#acknowledgements.delete(end.step);
      acknowledge(end.kind !== KIND.released && (taken?.has(end) ?? true));
    }
  }

  // ---- events that wait too long

  metrics(): FfiDispatchMetrics {
    const now = performance.now();
    const waiting = this.#waiting();
    let oldest: Delivery | undefined;
    let newest: Delivery | undefined;
    let starving = 0;
    for (const delivery of waiting) {
      if (!oldest || delivery.since < oldest.since) oldest = delivery;
      if (!newest || delivery.since > newest.since) newest = delivery;
      if (now - delivery.since > STARVING_MS) starving++;
    }
    return {
      pendingCount: waiting.length,
      ...(oldest && { oldestPendingAgeMs: Math.round(now - oldest.since), oldestEventId: oldest.eventId }),
      ...(newest && { newestPendingAgeMs: Math.round(now - newest.since) }),
      starvationDetected: starving > 0,
      starvingEventCount: starving,
    };
  }

  /** Logs a warning about each starving event, once. */
  warnOfStarving(): void {
    const now = performance.now();
    for (const delivery of this.#waiting()) {
      const ms = now - delivery.since;
      if (delivery.warned || ms <= STARVING_MS) continue;
      delivery.warned = true;
      this.#options.logger.warn(
        { ...stepFields(delivery.step), event_id: delivery.eventId, waiting_ms: Math.round(ms) },
        delivery.state === 'unread'
          ? 'step waiting to be read from the channel; check that its poller is running'
          : 'step read from the channel but not started; check that a subscriber is running',
      );
    }
  }

  /** Ends events that were read but not completed in time. Their attempts are recorded as timed out. */
  cleanUp(): void {
    const now = performance.now();
    for (const delivery of this.#waiting()) {
      const { timeoutSeconds } = delivery.step.template;
      const mostMs = timeoutSeconds === null ? this.#options.leaseMs : timeoutSeconds * 1000;
      if (delivery.state !== 'read' || delivery.awaited > 0 || now - delivery.since <= mostMs) continue;
      this.#forget(delivery);
      this.#host.finish(delivery.step, forgotten(delivery.step, mostMs));
    }
  }

  /** Stops handing out steps, and releases the unread events. */
  halt(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#releaseUnread();
    this.#host.readersChanged();
  }

  /** Drops all events. Pending completions resolve to false. */
  stop(): void {
    for (const delivery of this.#out.values()) delivery.close();
    this.#out.clear();
    for (const acknowledge of this.#acknowledgements.values()) acknowledge(false);
    this.#acknowledgements.clear();
  }

  #waiting(): Delivery[] {
    return [...this.#out.values()].filter(({ state }) => state !== 'taken');
  }

  #releaseUnread(): void {
    const unread = this.#unread;
    this.#unread = [];
    for (const delivery of unread) if (this.#forget(delivery)) this.#release(delivery.step);
  }

  #forget(delivery: Delivery): boolean {
    delivery.close();
    if (this.#out.get(delivery.step) !== delivery) return false;
    this.#out.delete(delivery.step);
    return true;
  }
}
