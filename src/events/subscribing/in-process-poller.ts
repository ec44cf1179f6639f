import { DEFAULTS } from '../../config/defaults.ts';
import { LONGEST_TIMER_MS } from '../../config/value-forms.ts';
import { TaskerError } from '../../errors.ts';
import { logWarn } from '../../logging/log.ts';
import { type EventMatcher, eventMatcher } from '../../model/event-pattern.ts';
import { waitAtMost } from '../../time/wait-at-most.ts';
import { notKnown, notWhole } from '../consuming-options.ts';
import type { StopOptions } from '../delivery/event-consumer.ts';
import type { DomainEvent } from './domain-event.ts';
import type { DomainEventCallback, InProcessEventSource } from './subscriber.ts';

/** Called with an error of the poll function or of a callback. */
export type DomainEventErrorCallback = (error: Error) => void;

/** Options of an {@link InProcessDomainEventPoller}. */
export interface DomainEventPollerConfig {
  /** The delay in milliseconds after a poll that finds nothing. Minimum 0, default 10. */
  pollIntervalMs?: number;
  /** Alias of `pollIntervalMs`. */
  pollingIntervalMs?: number;
  /**
   * Maximum number of events per poll. If there are more, the next poll follows immediately. 1 to 1,000,000, default
   * 100.
   */
  maxEventsPerPoll?: number;
}

/** The counters of an {@link InProcessDomainEventPoller}. */
export interface PollerStats {
  readonly pollCount: number;
  readonly eventsProcessed: number;
  /** Number of callback calls skipped because too many were in progress, plus events dropped by slow subscribers. */
  readonly eventsLagged: number;
  readonly running: boolean;
}

/** Maximum number of callbacks in progress, so that callbacks that never end cannot fill the memory. */
const MAX_IN_PROGRESS = 10_000;

interface Subscription {
  readonly pattern: string;
  readonly matches: EventMatcher;
  readonly callback: DomainEventCallback;
}

/**
 * Polls a function for the events of this process and passes them to subscribers. A tasker does not need a poller,
 * because it delivers an event to its subscribers as soon as the step is recorded.
 *
 * @example
 * const poller = new InProcessDomainEventPoller({ pollIntervalMs: 10 });
 * poller.setPollFunction(createFfiPollAdapter((await getFfiLayer()).getModule()));
 * poller.subscribe('payment.*', (event) => console.log(event.eventName, event.payload));
 * poller.start();
 */
export class InProcessDomainEventPoller implements InProcessEventSource {
  readonly #pollIntervalMs: number;
  readonly #maxEventsPerPoll: number;
  readonly #subscriptions: Subscription[] = [];
  readonly #onError: DomainEventErrorCallback[] = [];
  readonly #inProgress = new Set<Promise<void>>();
  #poll: () => DomainEvent | null = () => null;
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  readonly #counts = { pollCount: 0, eventsProcessed: 0, eventsLagged: 0 };
  #running = false;

  /** @throws TaskerError `config_invalid` */
  constructor(config: DomainEventPollerConfig = {}) {
    checkConfig(config);
    const { pollIntervalMs, pollingIntervalMs, maxEventsPerPoll = 100 } = config;
    this.#pollIntervalMs = pollIntervalMs ?? pollingIntervalMs ?? 10;
    this.#maxEventsPerPoll = maxEventsPerPoll;
  }

  /** Sets the function that returns the next event, or null if there is none. A promise is reported as an error. */
  setPollFunction(pollFn: () => DomainEvent | null): void {
    this.#poll = pollFn;
  }

  /** Calls the callback for each event whose name matches, only once even if several of its patterns match. */
  subscribe(pattern: string, callback: DomainEventCallback): void {
    this.#subscriptions.push({ pattern, matches: eventMatcher([pattern]), callback });
  }

  /** Ends all subscriptions to a pattern, or only the subscriptions of one callback. */
  unsubscribe(pattern: string, callback?: DomainEventCallback): void {
    for (let at = this.#subscriptions.length - 1; at >= 0; at--) {
      const one = this.#subscriptions[at]!;
      if (one.pattern === pattern && (!callback || one.callback === callback)) this.#subscriptions.splice(at, 1);
    }
  }

  /** Counts an event that a subscriber dropped because its queue was full. */
  letGo(): void {
    this.#counts.eventsLagged++;
  }

  /** Adds a callback for errors of the poll function and of callbacks. Without a callback, errors are logged. */
  onError(callback: DomainEventErrorCallback): void {
    this.#onError.push(callback);
  }

  /** Starts polling. Keeps the process alive, as a listening server does. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    // Deferred, so that subscriptions made right after `start()` miss no event.
    this.#timer = setImmediate(() => this.#turn());
  }

  /** Stops polling. Resolves when running callbacks have ended, or after `drainTimeoutMs` (30,000). */
  async stop({ drainTimeoutMs = DEFAULTS.drainTimeoutMs, hurry }: StopOptions = {}): Promise<void> {
    this.#running = false;
    clearTimeout(this.#timer as NodeJS.Timeout | undefined);
    clearImmediate(this.#timer as NodeJS.Immediate | undefined);
    if (await waitAtMost(drainTimeoutMs, Promise.all(this.#inProgress), hurry)) return;
    const left = this.#inProgress.size;
    this.#inProgress.clear();
    const which = left === 1 ? '1 event callback' : `${left} event callbacks`;
    logWarn(`${which} of this process did not end in time`, { left });
  }

  /** Whether the poller is polling: true from `start()` until `stop()`. */
  get isRunning(): boolean {
    return this.#running;
  }

  /** Counters since the creation of the poller. `start()` and `stop()` do not reset the counters. */
  get stats(): PollerStats {
    return { ...this.#counts, running: this.#running };
  }

  #turn(): void {
    if (!this.#running) return;
    this.#counts.pollCount++;
    const more = this.#takeSome();
    this.#timer = more ? setImmediate(() => this.#turn()) : setTimeout(() => this.#turn(), this.#pollIntervalMs);
  }

  /** Reads up to the maximum number of events. Returns whether there may be more. */
  #takeSome(): boolean {
    for (let taken = 0; taken < this.#maxEventsPerPoll && this.#running; taken++) {
      let event: DomainEvent | null;
      try {
        event = this.#poll();
        if (event instanceof Promise) throw notAtOnce(event);
      } catch (thrown) {
        this.#tell(thrown);
        return false;
      }
      if (!event) return false;
      this.#counts.eventsProcessed++;
      this.#deliver(event);
    }
    return true;
  }

  #deliver(event: DomainEvent): void {
    const interested = this.#subscriptions.filter(({ matches }) => matches(event.eventName));
    for (const callback of new Set(interested.map((one) => one.callback))) {
      if (this.#inProgress.size >= MAX_IN_PROGRESS) this.#counts.eventsLagged++;
      else this.#call(callback, event);
    }
  }

  #call(callback: DomainEventCallback, event: DomainEvent): void {
    try {
      const answer = callback(event);
      if (!(answer instanceof Promise)) return;
      const over = answer
        .catch((thrown: unknown) => this.#tell(thrown))
        .then(() => {
          this.#inProgress.delete(over);
        });
      this.#inProgress.add(over);
    } catch (thrown) {
      this.#tell(thrown);
    }
  }

  #tell(thrown: unknown): void {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    if (this.#onError.length === 0) logWarn('event polling or event callback failed', { error });
    for (const callback of this.#onError) {
      try {
        callback(error);
      } catch (failure) {
        logWarn('error callback of event polling failed', { error: failure, toldOf: error });
      }
    }
  }
}

function notAtOnce(promise: Promise<unknown>): TaskerError {
  promise.catch(() => undefined); // its result is not used
  return new TaskerError('config_invalid', 'the poll function returned a promise; return an event or null directly');
}

const KNOWN = ['pollIntervalMs', 'pollingIntervalMs', 'maxEventsPerPoll'];

function checkConfig(config: DomainEventPollerConfig): void {
  const { pollIntervalMs, pollingIntervalMs, maxEventsPerPoll } = config;
  const unknown = notKnown(config, KNOWN);
  const wrong =
    (unknown && `option ${unknown}`) ??
    notWhole('pollIntervalMs', pollIntervalMs, { least: 0, most: LONGEST_TIMER_MS }) ??
    notWhole('pollingIntervalMs', pollingIntervalMs, { least: 0, most: LONGEST_TIMER_MS }) ??
    notWhole('maxEventsPerPoll', maxEventsPerPoll, { most: 1_000_000 });
  if (wrong !== undefined) throw new TaskerError('config_invalid', `InProcessDomainEventPoller: ${wrong}`);
}
