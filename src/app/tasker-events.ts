import { setTimeout as delay } from 'node:timers/promises';
import { isConnectionError } from '../engine/engine.ts';
import {
  type DeadDelivery,
  type DeadReference,
  type EventGroup,
  type EventReplay,
  type EventReplayProgress,
  groupNotFound,
} from '../engine/events/acts.ts';
import type { EventEnvelope } from '../engine/events/envelope.ts';
import type { EventLog } from '../engine/events/log.ts';
import type { LoggedEvent } from '../engine/events/logged-event.ts';
import { type EventFilter, readFilter } from '../engine/events/search.ts';
import { messageOf, TaskerError } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { backOff } from '../time/back-off.ts';

/** Which events {@link TaskerEvents.watch} yields. */
export interface WatchEventsOptions {
  /** A pattern of names, as `payment.*`. */
  name?: string | undefined;
  taskUuid?: string | undefined;
  /** Begin with those that were recorded after this; of them, with the newest 1,000. Default: with what comes from now on. */
  after?: string | Date | undefined;
  signal?: AbortSignal | undefined;
}

/** What nobody tells of is found by looking. */
const LOOK_MS = 1_000;
const MOST_BEFORE = 1_000;

/**
 * The durable domain events of the database, and the groups that get them: for people, and for programs that look after
 * them. Found at `tasker.events`; it needs no worker and no subscriber in this process.
 *
 * @example
 * for (const { name, waiting, secondsBehind } of await tasker.events.groups()) {
 *   if (secondsBehind > 60) console.warn(`${name} is ${waiting} events behind`);
 * }
 */
export class TaskerEvents {
  readonly #log: EventLog;
  readonly #logger: Logger;
  readonly #stopped = new AbortController();
  readonly #waiting = new Set<() => void>();
  #heard = 0;

  /** @internal */
  constructor(log: EventLog, logger: Logger) {
    this.#log = log;
    this.#logger = logger;
  }

  /**
   * Events, the newest first. A name that few of a great many have is looked for during 30 seconds; `after` and `before` keep
   * it short.
   *
   * @example
   * const events = await tasker.events.list({ name: 'payment.*', after: new Date(Date.now() - 3_600_000), limit: 20 });
   * @throws TaskerError `bad_request`, `invalid_uuid`, `timeout`
   */
  list(filter: EventFilter = {}): Promise<LoggedEvent[]> {
    return this.#log.list(filter);
  }

  /** One event by its id. @throws TaskerError `event_not_found`, `invalid_uuid` */
  async get(eventId: string): Promise<LoggedEvent> {
    const event = await this.#log.get(eventId);
    if (event) return event;
    throw new TaskerError(
      'event_not_found',
      `there is no durable event ${eventId}; fast ones are not kept, and others only as long as events.retention_days says`,
    );
  }

  /**
   * One event as it goes over the wire: with its task, its step, its execution result and the results before it.
   * @throws TaskerError `event_not_found`, `invalid_uuid`
   */
  async envelope(eventId: string): Promise<EventEnvelope> {
    const [envelope] = await this.#log.envelope([await this.get(eventId)]);
    return envelope!;
  }

  /**
   * Yields events as they get their places in the log, which is the order in which groups get them. Ends when the signal
   * fires, or the tasker stops; while the database is away it waits.
   *
   * @example
   * for await (const event of tasker.events.watch({ name: 'order.*', signal })) console.log(event.name, event.payload);
   *
   * declare const signal: AbortSignal;
   * @throws TaskerError `bad_request`, `invalid_uuid`
   */
  async *watch({ name, taskUuid, after, signal }: WatchEventsOptions = {}): AsyncGenerator<LoggedEvent> {
    const wanted = { name, taskUuid, after };
    // What fits nothing is said now: it would be followed for ever in silence.
    const { taskUuid: task } = readFilter(wanted);
    const ended = signal ? AbortSignal.any([signal, this.#stopped.signal]) : this.#stopped.signal;
    const retryUntilAnswered = <T>(ask: () => Promise<T>) => this.#retryUntilAnswered(ask, ended);
    let place = (await retryUntilAnswered(() => this.#log.follow()))?.place;
    const seen = new Set<string>();
    if (after !== undefined) {
      const before = (await retryUntilAnswered(() => this.list({ ...wanted, limit: MOST_BEFORE }))) ?? [];
      for (const event of before.reverse()) {
        seen.add(event.eventId);
        yield event;
      }
    }
    while (place && !ended.aborted) {
      const from = place;
      const heard = this.#heard;
      const next = await retryUntilAnswered(() => this.#log.follow(from, { name }));
      for (const event of next?.events ?? []) {
        if (ended.aborted) return;
        if (!seen.delete(event.eventId) && (task === null || event.taskUuid === task)) yield event;
      }
      if (next && next.events.length === 0 && heard === this.#heard) await this.#news(ended);
      place = next?.place;
    }
  }

  /** Undefined: it ended before there was an answer. */
  async #retryUntilAnswered<T>(ask: () => Promise<T>, ended: AbortSignal): Promise<T | undefined> {
    for (let tries = 0; !ended.aborted; tries++) {
      try {
        return await ask();
      } catch (error) {
        if (ended.aborted) return undefined;
        if (!isConnectionError(error)) throw error;
        if (tries === 0)
          this.#logger.warn({ error: messageOf(error) }, 'the database is away; events are followed when it is back');
        await backOff(tries, ended);
      }
    }
    return undefined;
  }

  /** Until somebody tells of new events, or a second is over. */
  async #news(ended: AbortSignal): Promise<void> {
    const look = new AbortController();
    const wake = () => look.abort();
    this.#waiting.add(wake);
    ended.addEventListener('abort', wake, { once: true });
    await delay(LOOK_MS, undefined, { signal: look.signal }).catch(() => undefined);
    ended.removeEventListener('abort', wake);
    this.#waiting.delete(wake);
  }

  /** Every group by its name, and how it stands. */
  groups(): Promise<EventGroup[]> {
    return this.#log.groups();
  }

  /** One group. @throws TaskerError `event_group_not_found` with near names */
  async group(name: string): Promise<EventGroup> {
    const [group] = await this.#log.groups(name);
    if (group) return group;
    throw groupNotFound(name, await this.groups());
  }

  /**
   * Deliveries that were given up, the newest first; of one group, one event, or all. `limit`: default 100, at most 1,000.
   * @throws TaskerError `event_group_not_found`, `bad_request`, `invalid_uuid`
   */
  async dead(filter: { group?: string; eventId?: string; limit?: number } = {}): Promise<DeadDelivery[]> {
    const dead = await this.#log.dead(filter);
    if (dead.length === 0 && filter.group !== undefined) await this.group(filter.group);
    return dead;
  }

  /**
   * Delivers again what was given up, with all its attempts; answers how many. The reason should be gone.
   *
   * @example
   * const count = await tasker.events.redeliver({ group: 'receipts' });
   * @throws TaskerError `event_group_not_found`, `event_not_found`, `invalid_uuid`
   */
  async redeliver(of: DeadReference): Promise<number> {
    if (of.eventId !== undefined) await this.get(of.eventId);
    return this.#log.redeliver(of);
  }

  /** Forgets deliveries that were given up; answers how many. Throws as {@link redeliver}. */
  async discard(of: DeadReference): Promise<number> {
    if (of.eventId !== undefined) await this.get(of.eventId);
    return this.#log.discard(of);
  }

  /**
   * Delivers to a group again what it is past, by name, task and time; answers how many events. Those of a task keep their
   * order. A long one goes on in portions, each of which is committed; `onProgress` hears of them.
   *
   * @example
   * await tasker.events.replay({ group: 'audit_logger', name: 'payment.*', after: '2026-01-31T12:00:00Z' });
   * @throws TaskerError `event_group_not_found`, `bad_request`, `invalid_uuid`
   */
  replay(
    of: EventReplay,
    { onProgress }: { onProgress?: (progress: EventReplayProgress) => void } = {},
  ): Promise<number> {
    return this.#log.replay(of, onProgress);
  }

  /** How many events {@link replay} would deliver again. Throws as that. */
  countReplay(of: EventReplay): Promise<number> {
    return this.#log.countReplay(of);
  }

  /**
   * Removes a group, with all that waits for it; a process that still works for it makes it anew, and begins with what comes
   * then. @throws TaskerError `event_group_not_found`
   */
  async removeGroup(name: string): Promise<void> {
    if (!(await this.#log.removeGroup(name))) throw groupNotFound(name, await this.groups());
  }

  /** New events were committed, here or elsewhere. @internal */
  heard(): void {
    this.#heard++;
    for (const wake of this.#waiting) wake();
  }

  /** Ends those who watch. @internal */
  stop(): void {
    this.#stopped.abort();
  }
}
