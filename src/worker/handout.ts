import type { FfiStepEvent } from '../handlers/ffi-step-event.ts';
import { uuidV7 } from '../model/uuid.ts';
import type { DispatchChannel } from './dispatch-channel.ts';
import type { HeldStep } from './held-step.ts';
import { stepEvent } from './step-event.ts';

/** How far a handout came: in the channel, read from it, and taken by a subscriber that calls its handler. */
export type HandoutState = 'unread' | 'read' | 'taken';

// By event id, of all channels of this process: a subscriber gets an event only, and looks for the step behind it.
const open = new Map<string, Handout>();

/** The handout behind an event; undefined when the event is not of this process, or somebody has completed it. */
export function handoutOf(eventId: string): Handout | undefined {
  return open.get(eventId);
}

/** A step on its way from a worker to whoever calls its handler, from the moment it may start until it is completed. */
export class Handout {
  readonly eventId = uuidV7();
  readonly channel: DispatchChannel;
  readonly step: HeldStep;
  state: HandoutState = 'unread';
  /** When it came into this state, on the clock of `performance.now()`. */
  since = performance.now();
  /** Who runs it; undefined: the worker that claimed it. */
  runBy: string | undefined;
  /** For steps without `timeout_seconds`; undefined: what the worker has for them. */
  timeoutMs: number | undefined;
  /** Subscribers that were told of it and may still take it. */
  awaited = 0;
  /** Is called when nobody waits any more for what the subscriber that took it comes to. */
  whenOver: (() => void) | undefined;
  /** It was named in the log as starving. */
  warned = false;
  #event: FfiStepEvent | undefined;

  constructor(channel: DispatchChannel, step: HeldStep) {
    this.channel = channel;
    this.step = step;
    open.set(this.eventId, this);
  }

  get event(): FfiStepEvent {
    this.#event ??= stepEvent(this.step, this.eventId);
    return this.#event;
  }

  is(state: HandoutState): void {
    this.state = state;
    this.since = performance.now();
  }

  /** Its event is not valid any more, and not kept while its result waits to be committed. */
  close(): void {
    this.#event = undefined;
    open.delete(this.eventId);
  }
}
