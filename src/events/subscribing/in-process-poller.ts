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

/** Is told what went wrong in a poll or in a callback. */
export type DomainEventErrorCallback = (error: Error) => void;

/** Options of an {@link InProcessDomainEventPoller}. */
export interface DomainEventPollerConfig {
  /** Milliseconds between polls that find nothing. From 0; default 10. */
  pollIntervalMs?: number;
  /** Another name of `pollIntervalMs`. */
  pollingIntervalMs?: number;
  /** Events that one poll takes at most; when there are more, the next poll follows at once. From 1 to 1,000,000; default 100. */
  maxEventsPerPoll?: number;
}

/** What an {@link InProcessDomainEventPoller} counts. */
export interface PollerStats {
  readonly pollCount: number;
  readonly eventsProcessed: number;
  /** Calls that were left out because too many of before were not over, and events that a slow subscriber could not keep. */
  readonly eventsLagged: number;
  readonly running: boolean;
}

/** Calls of callbacks that may be under way; a callback that never ends must not fill the memory. */
const MOST_UNDER_WAY = 10_000;

interface Subscription {
  readonly pattern: string;
  readonly matches: EventMatcher;
  readonly callback: DomainEventCallback;
}

/**
 * Asks a function for the events of this process, again and again, and gives them to those who subscribed. A tasker does
 * without it: it tells its subscribers of an event as soon as its step is recorded.
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
  readonly #underWay = new Set<Promise<void>>();
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

  /** What is asked for the next event; null: there is none. It answers at once: a promise is told as an error. */
  setPollFunction(pollFn: () => DomainEvent | null): void {
    this.#poll = pollFn;
  }

  /** Calls back for each event whose name matches; once an event, however many of its patterns do. */
  subscribe(pattern: string, callback: DomainEventCallback): void {
    this.#subscriptions.push({ pattern, matches: eventMatcher([pattern]), callback });
  }

  /** Ends the subscriptions of a pattern, all or those of one callback. */
  unsubscribe(pattern: string, callback?: DomainEventCallback): void {
    for (let at = this.#subscriptions.length - 1; at >= 0; at--) {
      const one = this.#subscriptions[at]!;
      if (one.pattern === pattern && (!callback || one.callback === callback)) this.#subscriptions.splice(at, 1);
    }
  }

  /** Is told of each event that a subscriber did not get because too much waits for it. */
  letGo(): void {
    this.#counts.eventsLagged++;
  }

  /** Is told of each poll or callback that throws or rejects; without one, that is logged. */
  onError(callback: DomainEventErrorCallback): void {
    this.#onError.push(callback);
  }

  /** Begins to poll. Keeps the process alive, as a listening server does. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    // Not at once: who subscribes on the next line misses nothing.
    this.#timer = setImmediate(() => this.#turn());
  }

  /** Polls no more, and resolves when the callbacks under way are over, or `drainTimeoutMs` (30,000) is. */
  async stop({ drainTimeoutMs = DEFAULTS.drainTimeoutMs, hurry }: StopOptions = {}): Promise<void> {
    this.#running = false;
    clearTimeout(this.#timer as NodeJS.Timeout | undefined);
    clearImmediate(this.#timer as NodeJS.Immediate | undefined);
    if (await waitAtMost(drainTimeoutMs, Promise.all(this.#underWay), hurry)) return;
    const left = this.#underWay.size;
    this.#underWay.clear();
    const which = left === 1 ? 'a callback with an event' : `${left} callbacks with events`;
    logWarn(`${which} of this process did not end in time; nobody waits for them any more`, { left });
  }

  /** Whether it polls: from `start()` to `stop()`. */
  get isRunning(): boolean {
    return this.#running;
  }

  /** What was counted since it was made; `start()` and `stop()` reset nothing. */
  get stats(): PollerStats {
    return { ...this.#counts, running: this.#running };
  }

  #turn(): void {
    if (!this.#running) return;
    this.#counts.pollCount++;
    const more = this.#takeSome();
    this.#timer = more ? setImmediate(() => this.#turn()) : setTimeout(() => this.#turn(), this.#pollIntervalMs);
  }

  /** Whether there may be more at once. */
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
      if (this.#underWay.size >= MOST_UNDER_WAY) this.#counts.eventsLagged++;
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
          this.#underWay.delete(over);
        });
      this.#underWay.add(over);
    } catch (thrown) {
      this.#tell(thrown);
    }
  }

  #tell(thrown: unknown): void {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    if (this.#onError.length === 0) logWarn('polling or handling an event of this process threw', { error });
    for (const callback of this.#onError) {
      try {
        callback(error);
      } catch (failure) {
        logWarn('a callback for errors of polling threw itself', { error: failure, toldOf: error });
      }
    }
  }
}

function notAtOnce(promise: Promise<unknown>): TaskerError {
  promise.catch(() => undefined); // Nobody asked for it.
  return new TaskerError('config_invalid', 'the poll function gave a promise; it has to give an event or null at once');
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
