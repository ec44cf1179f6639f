import { DEFAULTS } from '../../config/defaults.ts';
import { TaskerError } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { counted } from '../../model/counted.ts';
import { waitAtMost } from '../../time/wait-at-most.ts';
import type { StopOptions } from '../delivery/event-consumer.ts';
import { Halt } from '../halt.ts';
import type { DomainEvent } from './domain-event.ts';
import { type Handling, handleEvent } from './handle-event.ts';
import type { Subscriber } from './subscriber.ts';
import { MOST_WAITING, sizeOf, WaitingLimit } from './waiting-limit.ts';

/**
 * Delivers the events of this process to one subscriber. Each subscriber has its own queue, so that a slow one does not
 * delay others. Events of one task are handled in order, events of different tasks concurrently. Each event is
 * delivered only once, even if it fails. Events are dropped if the subscriber is too slow.
 */
export class InProcessDelivery {
  readonly #subscriber: Subscriber;
  readonly #options: { logger: Logger; onDrop: () => void };
  readonly #stopping = new Halt();
  readonly #busy = new Set<string>();
  /** The waiting events by task, in order of arrival. */
  readonly #tasks = new Map<string, DomainEvent[]>();
  /** Tasks with waiting events and none in progress. */
  readonly #ready = new Set<string>();
  readonly #running = new Set<Promise<void>>();
  readonly #limit = new WaitingLimit();
  #lagged = 0;
  #closed = false;

  /** `onDrop` is called for each event that is dropped. */
  constructor(subscriber: Subscriber, options: { logger: Logger; onDrop: () => void }) {
    this.#subscriber = subscriber;
    this.#options = options;
  }

  push(event: DomainEvent): void {
    if (this.#closed) return;
    const size = sizeOf(event);
    if (!this.#limit.hasRoomFor(size)) {
      this.#drop();
      return;
    }
    const { taskUuid } = event.metadata;
    const before = this.#tasks.get(taskUuid);
    if (before) before.push(event);
    else this.#tasks.set(taskUuid, [event]);
    this.#limit.add(size);
    if (!this.#busy.has(taskUuid)) this.#ready.add(taskUuid);
    this.#fill();
  }

  /**
   * Stops accepting events, and waits until the queued events are handled. Aborts the remaining deliveries after the
   * drain time.
   */
  async stop({ drainTimeoutMs = DEFAULTS.drainTimeoutMs, hurry }: StopOptions = {}): Promise<void> {
    this.#closed = true;
    if (this.#running.size === 0) return;
    if (!(await waitAtMost(drainTimeoutMs, this.#idle(), hurry))) this.#giveUp();
  }

  /** Resolves when nothing is running, or when the remaining deliveries are aborted. */
  async #idle(): Promise<void> {
    const aborted = new Promise<void>((resolve) => this.#stopping.onHalt(resolve));
    while (this.#running.size > 0 && !this.#stopping.halted) await Promise.race([...this.#running, aborted]);
  }

  #giveUp(): void {
    const { subscriberName } = this.#subscriber;
    const left = this.#limit.count;
    this.#tasks.clear();
    this.#ready.clear();
    this.#limit.clear();
    this.#stopping.halt(new TaskerError('stopped', `subscriber ${subscriberName} was stopped before it finished`));
    this.#options.logger.warn(
      { subscriber: subscriberName, running: this.#running.size, waiting: left },
      `subscriber ${subscriberName} did not finish in time; ${counted(left, 'event')} of this process ${left === 1 ? 'was' : 'were'} dropped`,
    );
  }

  #drop(): void {
    this.#lagged++;
    this.#options.onDrop();
    // Logged only once for many events, so that logging does not slow down the process further.
    if (this.#lagged % MOST_WAITING !== 1) return;
    const { subscriberName } = this.#subscriber;
    this.#options.logger.warn(
      { subscriber: subscriberName, lagged: this.#lagged },
      `subscriber ${subscriberName} is too slow for the events of this process: ${this.#limit}; further events are dropped`,
    );
  }

  #fill(): void {
    const { concurrency = DEFAULTS.eventConcurrency } = this.#subscriber.delivery;
    for (const taskUuid of this.#ready) {
      if (this.#busy.size >= concurrency) return;
      this.#ready.delete(taskUuid);
      this.#begin(taskUuid);
    }
  }

  #begin(taskUuid: string): void {
    const waiting = this.#tasks.get(taskUuid)!;
    const event = waiting.shift()!;
    this.#limit.take(sizeOf(event));
    this.#busy.add(taskUuid);
    const done = this.#handle(event).settled.then(() => {
      this.#running.delete(done);
      // A timed-out handler keeps its slot until it settles, so that hanging handlers cannot accumulate.
      this.#busy.delete(taskUuid);
      if (waiting.length > 0) this.#ready.add(taskUuid);
      else this.#tasks.delete(taskUuid);
      if (!this.#stopping.halted) this.#fill();
    });
    this.#running.add(done);
  }

  #handle(event: DomainEvent): Handling {
    const { subscriberName, delivery } = this.#subscriber;
    const { timeoutMs = DEFAULTS.eventTimeoutMs } = delivery;
    const halt = new Halt();
    const timer = setTimeout(() => {
      const message = `subscriber ${subscriberName}: ${event.eventName} took longer than ${timeoutMs} ms`;
      halt.halt(new TaskerError('timeout', message));
    }, timeoutMs);
    const forget = this.#stopping.onHalt(() => halt.halt(this.#stopping.reason));
    const handling = handleEvent(this.#subscriber, event, {
      about: { attempt: 1, replayed: false },
      halt,
      logger: this.#options.logger,
    });
    const over = () => {
      clearTimeout(timer);
      forget();
    };
    handling.result.finally(over).catch((error: unknown) => {
      const names = { subscriber: subscriberName, event: event.eventName, event_id: event.eventId, error };
      this.#options.logger.warn(names, `subscriber ${subscriberName} failed on ${event.eventName}`);
    });
    return handling;
  }
}
