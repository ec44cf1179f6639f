import { KIND } from '../engine/engine.ts';
import type { FfiStepEvent } from '../handlers/ffi-step-event.ts';
import type { ExecutableHandler } from '../handlers/step-handler.ts';
import type { StepHandlerResult } from '../handlers/step-handler-result.ts';
import type { Logger } from '../logging/logger.ts';
import type { HandlerRegistry } from '../registry/handler-registry.ts';
import type { AttemptEnd } from './attempt-end.ts';
import type { FfiDispatchMetrics } from './bridge/dispatch-metrics.ts';
import { Handout } from './handout.ts';
import type { HeldStep } from './held-step.ts';
import { logStarving } from './step-log.ts';

/** What a channel asks of its worker for steps that are handed out. */
export interface ChannelPort {
  /** Runs a step at once: the worker calls its handlers itself. */
  run(step: HeldStep): void;
  /** From now on it takes a slot, until it is settled, given back, missing or free. */
  occupy(step: HeldStep): void;
  /** Somebody has read its event: its time runs. */
  begin(step: HeldStep): void;
  /** Its time begins again. */
  restart(step: HeldStep): void;
  /** It waits for a slot: its time does not run. */
  pause(step: HeldStep): void;
  settle(step: HeldStep, result: StepHandlerResult, how: Settling): void;
  /** Saves what it came to so far. True: it is to be handed out again; false: it was settled. */
  saveYield(step: HeldStep, result: StepHandlerResult): Promise<boolean>;
  giveBack(step: HeldStep): void;
  missing(step: HeldStep): void;
  /** It is over, and nobody will settle it. */
  free(step: HeldStep): void;
  /** Nobody completed it within this time. */
  forgotten(step: HeldStep, afterMs: number): void;
  /** What is called for a step: its handler, or what runs that in a thread. */
  isolated(step: HeldStep, handler: ExecutableHandler): ExecutableHandler;
  /** Its handler is called now, by a subscriber. */
  calls(step: HeldStep): void;
  /** Calls its handler where its span is the active one. */
  within(step: HeldStep, call: () => unknown): unknown;
  /** The synchronous part of its handler is over, which began at `from` on the clock of `performance.now()`. */
  called(step: HeldStep, from: number): void;
  /** How many slots may be used, or whose handlers are called. */
  changed(): void;
  /** Handlers were registered. */
  refresh(): void;
}

/** How a handler settled. */
export interface Settling {
  version: string;
  /** Its signal fired because a subscriber stops: a failure then spends no attempt. */
  stopping?: boolean;
}

/** How a subscriber takes a step. */
export interface Taking {
  /** Where it looks for the handler. */
  registry: HandlerRegistry;
  /** Undefined: the worker itself. */
  runBy: string | undefined;
  /** For steps without `timeout_seconds`; undefined: what the worker has for them. */
  timeoutMs: number | undefined;
}

/** A subscriber of this process that takes steps from the channel. */
export interface ChannelUser {
  /** Steps that it runs at once. */
  readonly slots: number;
  readonly registry: HandlerRegistry;
}

/** Who reads from the channel. */
export interface ChannelReader {
  /** Something can be read. */
  wake(): void;
  /** Steps can't be claimed now; the worker tries again. */
  failed?(error: unknown): void;
}

export interface DispatchChannelOptions {
  /** Steps are handed out; otherwise the worker runs them itself. */
  outside: boolean;
  /** The worker's name in history and messages. */
  name: string;
  /** An event that was read and forgotten is given up after this, if its step has no `timeout_seconds`. */
  leaseMs: number;
  logger: Logger;
}

/** An event that waits for so long is starving. */
const STARVING_MS = 10_000;

/**
 * Between a worker's claim loop and the handlers. Steps that may start come in, what they come to goes out. The worker
 * of `createTasker` calls handlers itself, at once; otherwise steps wait here to be read as events, by an `EventPoller`
 * or by hand. It holds no more than the worker has slots for, and claims nothing while nobody reads. What was taken is
 * never dropped: it is completed, or given back, or its time runs out.
 */
export class DispatchChannel {
  readonly outside: boolean;
  /** The worker's name. */
  readonly name: string;
  readonly #port: ChannelPort;
  readonly #options: DispatchChannelOptions;
  #unread: Handout[] = [];
  readonly #out = new Map<HeldStep, Handout>();
  readonly #readers = new Set<ChannelReader>();
  readonly #users = new Set<ChannelUser>();
  /** Once there were subscribers, nothing is handed out without one. */
  #hadUsers = false;
  readonly #acknowledgements = new Map<HeldStep, (accepted: boolean) => void>();
  #stopped = false;

  constructor(port: ChannelPort, options: DispatchChannelOptions) {
    this.#port = port;
    this.#options = options;
    this.outside = options.outside;
    this.name = options.name;
  }

  /** Steps that may be held at once; none while nobody reads. */
  get slots(): number {
    if (this.#stopped) return 0;
    if (!this.outside) return Number.POSITIVE_INFINITY;
    if (this.#readers.size === 0) return 0;
    if (!this.#hadUsers) return Number.POSITIVE_INFINITY;
    let slots = 0;
    for (const user of this.#users) slots += user.slots;
    return slots;
  }

  /** The registries of the subscribers, each once. */
  get registries(): readonly HandlerRegistry[] {
    return [...new Set([...this.#users].map(({ registry }) => registry))];
  }

  /** A step may start. */
  offer(step: HeldStep): void {
    if (!this.outside) this.#port.run(step);
    else if (this.#out.size >= this.slots) this.#refuse(step);
    else {
      this.#port.occupy(step);
      this.#handOut(step);
    }
  }

  /** Nobody reads any more, or those who do have no slot for it. */
  #refuse(step: HeldStep): void {
    this.#port.occupy(step);
    this.#port.giveBack(step);
  }

  #handOut(step: HeldStep): void {
    const handout = new Handout(this, step);
    step.handout = handout;
    this.#out.set(step, handout);
    this.#unread.push(handout);
    for (const reader of this.#readers) reader.wake();
  }

  // ---- who reads, and who runs

  /** Reads from now on. The answer ends it; what is unread when nobody reads any more goes back. */
  open(reader: ChannelReader): () => void {
    this.#readers.add(reader);
    this.#port.changed();
    if (this.#unread.length > 0) reader.wake();
    return () => {
      if (!this.#readers.delete(reader)) return;
      if (this.slots === 0) this.#giveBackUnread();
      this.#port.changed();
    };
  }

  /** A subscriber takes steps from now on; the answer ends it. */
  use(user: ChannelUser): () => void {
    this.#hadUsers = true;
    this.#users.add(user);
    this.#port.changed();
    return () => {
      if (!this.#users.delete(user)) return;
      if (this.slots === 0) this.#giveBackUnread();
      this.#port.changed();
    };
  }

  /** Steps can't be claimed now. */
  failed(error: unknown): void {
    for (const reader of this.#readers) reader.failed?.(error);
  }

  /** Handlers of a subscriber's registry changed. */
  refresh(): void {
    this.#port.refresh();
  }

  /** Takes the next event out; null when there is none. Each is given once. */
  poll(): FfiStepEvent | null {
    for (let next = this.#unread.shift(); next; next = this.#unread.shift()) {
      if (this.#out.get(next.step) !== next) continue;
      next.is('read');
      this.#port.begin(next.step);
      return next.event;
    }
    return null;
  }

  /** Whether something can be read. */
  get ready(): boolean {
    return this.#unread.length > 0;
  }

  /** A subscriber was told of it, and takes it when it has a slot: until then its time does not run. */
  await(handout: Handout): void {
    handout.awaited++;
    if (handout.state === 'read') this.#port.pause(handout.step);
  }

  /** A subscriber that awaited it calls its handler now. False: another one does or is to, or it is over. */
  take(handout: Handout, { registry, runBy, timeoutMs }: Taking): boolean {
    handout.awaited--;
    if (handout.state !== 'read' || handout.step.over || this.#out.get(handout.step) !== handout) return false;
    if (this.#isForAnother(handout, registry)) return false;
    handout.is('taken');
    // What is the same as the worker's is not stored once more.
    if (runBy !== this.name) handout.runBy = runBy;
    if (timeoutMs !== undefined) handout.timeoutMs = timeoutMs;
    this.#port.restart(handout.step);
    return true;
  }

  /** Only another subscriber has its handler. */
  #isForAnother({ step }: Handout, registry: HandlerRegistry): boolean {
    const { handler } = step.template;
    return registry.lacks(handler) && this.registries.some((other) => !other.lacks(handler));
  }

  /** What is called for a step: its handler, or what runs that in a thread. @throws TaskerError `handler_invalid` */
  isolated(step: HeldStep, handler: ExecutableHandler): ExecutableHandler {
    return this.#port.isolated(step, handler);
  }

  /** Its handler is called now. */
  calls(step: HeldStep): void {
    this.#port.calls(step);
  }

  /** Calls its handler where its span is the active one. */
  within(step: HeldStep, call: () => unknown): unknown {
    return this.#port.within(step, call);
  }

  /** The synchronous part of its handler is over. */
  called(step: HeldStep, from: number): void {
    this.#port.called(step, from);
  }

  // ---- what becomes of it

  /** True once it is committed; false when it was completed before, taken away, or refused. */
  complete(handout: Handout, result: StepHandlerResult, how: Settling): Promise<boolean> {
    const { step } = handout;
    if (!this.#forget(handout)) return Promise.resolve(false);
    if (step.over) {
      this.#port.settle(step, result, how);
      return Promise.resolve(false);
    }
    return new Promise((resolve) => {
      this.#acknowledgements.set(step, resolve);
      this.#port.settle(step, result, how);
    });
  }

  /** True once what it came to is saved: then it is handed out again, as another event. */
  async yield(handout: Handout, result: StepHandlerResult): Promise<boolean> {
    if (!this.#forget(handout)) return false;
    if (!(await this.#port.saveYield(handout.step, result))) return false;
    if (this.slots === 0) this.#port.giveBack(handout.step);
    else this.#handOut(handout.step);
    return true;
  }

  /** Nothing was done with it, and it spends no attempt. */
  giveBack(handout: Handout): void {
    if (this.#forget(handout)) this.#port.giveBack(handout.step);
  }

  /** Nobody here has its handler. */
  missing(handout: Handout): void {
    if (this.#forget(handout)) this.#port.missing(handout.step);
  }

  /** A step is not this worker's any more, or its time is up. Who calls its handler keeps the slot until that settles. */
  over(step: HeldStep): void {
    const handout = this.#out.get(step);
    if (handout?.state === 'taken') handout.whenOver?.();
    else if (handout) {
      this.#forget(handout);
      this.#port.free(step);
    }
  }

  /** Ends were acknowledged, or refused. */
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

  // ---- what nobody looks after

  metrics(): FfiDispatchMetrics {
    const now = performance.now();
    const waiting = this.#waiting();
    let oldest: Handout | undefined;
    let newest: Handout | undefined;
    let starving = 0;
    for (const handout of waiting) {
      if (!oldest || handout.since < oldest.since) oldest = handout;
      if (!newest || handout.since > newest.since) newest = handout;
      if (now - handout.since > STARVING_MS) starving++;
    }
    return {
      pendingCount: waiting.length,
      ...(oldest && { oldestPendingAgeMs: Math.round(now - oldest.since), oldestEventId: oldest.eventId }),
      ...(newest && { newestPendingAgeMs: Math.round(now - newest.since) }),
      starvationDetected: starving > 0,
      starvingEventCount: starving,
    };
  }

  /** Names events in the log that wait for too long, each once. */
  warnOfStarving(): void {
    const now = performance.now();
    for (const handout of this.#waiting()) {
      const ms = now - handout.since;
      if (handout.warned || ms <= STARVING_MS) continue;
      handout.warned = true;
      logStarving(this.#options.logger, handout, ms);
    }
  }

  /** Gives up events that were read and that nobody completed: they count as an attempt that ran out of time. */
  cleanUp(): void {
    const now = performance.now();
    for (const handout of this.#waiting()) {
      const { timeoutSeconds } = handout.step.template;
      const mostMs = timeoutSeconds === null ? this.#options.leaseMs : timeoutSeconds * 1000;
      if (handout.state !== 'read' || handout.awaited > 0 || now - handout.since <= mostMs) continue;
      this.#forget(handout);
      this.#port.forgotten(handout.step, mostMs);
    }
  }

  /** Nothing is handed out any more; what is unread goes back. */
  halt(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#giveBackUnread();
    this.#port.changed();
  }

  /** What could not be acknowledged is told so. */
  stop(): void {
    for (const handout of this.#out.values()) handout.close();
    this.#out.clear();
    for (const acknowledge of this.#acknowledgements.values()) acknowledge(false);
    this.#acknowledgements.clear();
  }

  #waiting(): Handout[] {
    return [...this.#out.values()].filter(({ state }) => state !== 'taken');
  }

  #giveBackUnread(): void {
    const unread = this.#unread;
    this.#unread = [];
    for (const handout of unread) if (this.#forget(handout)) this.#port.giveBack(handout.step);
  }

  #forget(handout: Handout): boolean {
    handout.close();
    if (this.#out.get(handout.step) !== handout) return false;
    this.#out.delete(handout.step);
    return true;
  }
}
