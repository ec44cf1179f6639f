import type { FfiStepEvent } from '../handlers/ffi-step-event.ts';
import type { StepHandlerResult } from '../handlers/step-handler.ts';
import { uuidV7 } from '../model/uuid.ts';
import type { HandlerRegistry } from '../registry/handler-registry.ts';
import type { DispatchedStep } from './dispatched-step.ts';
import { stepEvent } from './step-event.ts';

/** How far a delivery came: in the channel, read from it, and taken by a subscriber that calls the handler. */
export type DeliveryState = 'unread' | 'read' | 'taken';

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
  /** For steps without `timeout_seconds`. Default: the worker's timeout. */
  timeoutMs: number | undefined;
}

/** The channel of a delivery, which does what becomes of it. */
export interface DeliveringChannel {
  await(delivery: Delivery): void;
  take(delivery: Delivery, taking: Taking): boolean;
  complete(delivery: Delivery, result: StepHandlerResult, how: Settling): Promise<boolean>;
  yield(delivery: Delivery, result: StepHandlerResult): Promise<boolean>;
  giveBack(delivery: Delivery): void;
  missing(delivery: Delivery): void;
}

// By event id, of all channels of this process: a subscriber gets an event only, and looks for the step behind it.
const open = new Map<string, Delivery>();

/** The delivery behind an event. Undefined when the event is of another process, or was completed. */
export function deliveryOf(eventId: string): Delivery | undefined {
  return open.get(eventId);
}

/** One event through which a step is handed to a reader of the channel. A step that yields is delivered again. */
export class Delivery {
  readonly eventId = uuidV7();
  readonly channel: DeliveringChannel;
  readonly step: DispatchedStep;
  state: DeliveryState = 'unread';
  /** When it came into this state, on the clock of `performance.now()`. */
  since = performance.now();
  /** Who runs it; undefined: the worker that claimed it. */
  runBy: string | undefined;
  /** For steps without `timeout_seconds`; undefined: the worker's timeout. */
  timeoutMs: number | undefined;
  /** Subscribers that received it and may still take it. */
  awaited = 0;
  /** Called when the step is over while a subscriber runs it. */
  whenOver: (() => void) | undefined;
  /** Whether the log named it as starving. */
  warned = false;
  #event: FfiStepEvent | undefined;

  constructor(channel: DeliveringChannel, step: DispatchedStep) {
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

  /** Ends its event, which is not kept while the result waits to be committed. */
  close(): void {
    this.#event = undefined;
    open.delete(this.eventId);
  }
}
