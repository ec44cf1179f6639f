import { setTimeout as delay } from 'node:timers/promises';
import { isConnectionError } from '../engine/engine.ts';
import type { EventEnvelope } from '../engine/events/envelope.ts';
import {
  type DeadDelivery,
  type DeadFilter,
  type DeadReference,
  type EventGroup,
  type EventReplay,
  type EventReplayProgress,
  groupNotFound,
} from '../engine/events/groups.ts';
import type { EventLog } from '../engine/events/log.ts';
import type { LoggedEvent } from '../engine/events/logged-event.ts';
import { type EventFilter, readFilter } from '../engine/events/search.ts';
import type { Door, OperatorOptions } from '../engine/operator-actions.ts';
import { messageOf, TaskerError } from '../errors.ts';
import { retryUntilAnswered } from '../events/delivery/outage.ts';
import type { Logger } from '../logging/logger.ts';

/** Selects the events that {@link TaskerEvents.watch} yields. */
export interface WatchEventsOptions {
  /** An event name or a pattern such as `payment.*`. */
  name?: string | undefined;
  taskUuid?: string | undefined;
  /** Starts with the newest 1,000 events that were recorded after this time. Default: only new events. */
  after?: string | Date | undefined;
  signal?: AbortSignal | undefined;
}

/** Poll interval, for events without a notification. */
const POLL_MS = 1_000;
const MAX_PAST_EVENTS = 1_000;

/**
 * The durable domain events in the database and the groups that receive them, for tools and monitoring. Available as
 * `tasker.events`; needs no worker and no subscriber in this process.
 *
 * @example
 * for (const { name, waiting, secondsBehind } of await tasker.events.groups()) {
 *   if (secondsBehind > 60) console.warn(`${name} is ${waiting} events behind`);
 * }
 */
export class TaskerEvents {
  readonly #log: EventLog;
  readonly #logger: Logger;
  readonly #door: () => Door;
  readonly #stopped = new AbortController();
  readonly #waiting = new Set<() => void>();
  #wakes = 0;

  /** @internal */
  constructor(log: EventLog, logger: Logger, door: () => Door) {
    this.#log = log;
    this.#door = door;
    this.#logger = logger;
  }

  /**
   * Returns events, newest first. The search for a rare name in a large log times out after 30 seconds; limit it with
   * `after` and `before`.
   *
   * @example
   * const events = await tasker.events.list({ name: 'payment.*', after: new Date(Date.now() - 3_600_000), limit: 20 });
   * @throws TaskerError `bad_request`, `invalid_uuid`, `timeout`
   */
  list(filter: EventFilter = {}): Promise<LoggedEvent[]> {
    return this.#log.list(filter);
  }

  /** Returns one event by its id. @throws TaskerError `event_not_found`, `invalid_uuid` */
  async get(eventId: string): Promise<LoggedEvent> {
    const event = await this.#log.get(eventId);
    if (event) return event;
    throw new TaskerError(
      'event_not_found',
      `durable event ${eventId} not found; fast events are not stored, and others are deleted after events.retention_days`,
    );
  }

  /**
   * Returns one event in the form that sinks can send: with its task, its step, the step's execution result and the results
   * of the steps before it.
   * @throws TaskerError `event_not_found`, `invalid_uuid`
   */
  async envelope(eventId: string): Promise<EventEnvelope> {
    const [envelope] = await this.#log.envelope([await this.get(eventId)]);
    return envelope!;
  }

  /**
   * Yields events in the order of the log, which is the order in which groups receive them. Ends when the signal fires or
   * the tasker stops. Waits while the database is down.
   *
   * @example
   * for await (const event of tasker.events.watch({ name: 'order.*', signal })) console.log(event.name, event.payload);
   *
   * declare const signal: AbortSignal;
   * @throws TaskerError `bad_request`, `invalid_uuid`
   */
  async *watch({ name, taskUuid, after, signal }: WatchEventsOptions = {}): AsyncGenerator<LoggedEvent> {
    const wanted = { name, taskUuid, after };
    // Checks the filter now, because a filter that can never match would otherwise be watched forever, without an
    // error.
    const { taskUuid: task } = readFilter(wanted);
    const ended = signal ? AbortSignal.any([signal, this.#stopped.signal]) : this.#stopped.signal;
    const answerOf = <T>(ask: () => Promise<T>) => this.#retryUntilAnswered(ask, ended);
    let place = (await answerOf(() => this.#log.follow()))?.place;
    const seen = new Set<string>();
    if (after !== undefined) {
      const before = (await answerOf(() => this.list({ ...wanted, limit: MAX_PAST_EVENTS }))) ?? [];
      for (const event of before.reverse()) {
        seen.add(event.eventId);
        yield event;
      }
    }
    while (place && !ended.aborted) {
      const from = place;
      const wakes = this.#wakes;
      const next = await answerOf(() => this.#log.follow(from, { name }));
      for (const event of next?.events ?? []) {
        if (ended.aborted) return;
        if (!seen.delete(event.eventId) && (task === null || event.taskUuid === task)) yield event;
      }
      if (next && next.events.length === 0 && wakes === this.#wakes) await this.#newEvents(ended);
      place = next?.place;
    }
  }

  /** Retries while the connection fails. Returns undefined if the watch ends first. */
  async #retryUntilAnswered<T>(ask: () => Promise<T>, ended: AbortSignal): Promise<T | undefined> {
    if (ended.aborted) return undefined;
    return retryUntilAnswered(ask, ended, (error, tries) => {
      if (ended.aborted) return false;
      if (!isConnectionError(error)) throw error;
      if (tries === 0)
        this.#logger.warn({ error: messageOf(error) }, 'database unreachable; watching events again when it is back');
      return true;
    });
  }

  /** Waits for new events for at most one second. */
  async #newEvents(ended: AbortSignal): Promise<void> {
    const sleep = new AbortController();
    const wake = () => sleep.abort();
    this.#waiting.add(wake);
    ended.addEventListener('abort', wake, { once: true });
    await delay(POLL_MS, undefined, { signal: sleep.signal }).catch(() => undefined);
    ended.removeEventListener('abort', wake);
    this.#waiting.delete(wake);
  }

  /** Returns every group with its position, ordered by name. */
  groups(): Promise<EventGroup[]> {
    return this.#log.groups();
  }

  /** Returns one group. @throws TaskerError `event_group_not_found`, with similar names */
  async group(name: string): Promise<EventGroup> {
    const [group] = await this.#log.groups(name);
    if (group) return group;
    throw groupNotFound(name, await this.groups());
  }

  /**
   * Returns dead deliveries, the newest first, optionally of one group or one event. `limit`: default 100, maximum 1,000.
   * `before`: the last delivery of the previous page.
   * @throws TaskerError `event_group_not_found`, `bad_request`, `invalid_uuid`
   */
  async dead(filter: DeadFilter = {}): Promise<DeadDelivery[]> {
    const dead = await this.#log.dead(filter);
    if (dead.length === 0 && filter.group !== undefined && !filter.before) await this.group(filter.group);
    return dead;
  }

  /**
   * Delivers dead deliveries again, with all their attempts. Returns their number. Fix the cause of the failures first.
   *
   * @example
   * const count = await tasker.events.redeliver({ group: 'receipts' });
   *
   * @throws TaskerError `event_group_not_found`, `event_not_found`, `invalid_uuid`
   */
  async redeliver(of: DeadReference, options: OperatorOptions = {}): Promise<number> {
    if (of.eventId !== undefined) await this.get(of.eventId);
    return this.#log.redeliver(of, { door: this.#door(), ...options });
  }

  /** Deletes dead deliveries. Returns their number. Throws the same errors as {@link redeliver}. */
  async discard(of: DeadReference, options: OperatorOptions = {}): Promise<number> {
    if (of.eventId !== undefined) await this.get(of.eventId);
    return this.#log.discard(of, { door: this.#door(), ...options });
  }

  /**
   * Delivers past events to a group again, selected by name, task and time. Returns their number. Events of one task
   * keep their order. A long replay is committed in parts, each of which is reported to `onProgress`.
   *
   * @example
   * await tasker.events.replay({ group: 'audit_logger', name: 'payment.*', after: '2026-01-31T12:00:00Z' });
   * @throws TaskerError `event_group_not_found`, `bad_request`, `invalid_uuid`
   */
  replay(
    of: EventReplay,
    { onProgress, ...options }: OperatorOptions & { onProgress?: (progress: EventReplayProgress) => void } = {},
  ): Promise<number> {
    return this.#log.replay(of, onProgress, { door: this.#door(), ...options });
  }

  /** Returns the number of events that {@link replay} would deliver again. Throws the same errors. */
  countReplay(of: EventReplay): Promise<number> {
    return this.#log.countReplay(of);
  }

  /**
   * Removes a group and all its waiting deliveries. If a process is still a member, it recreates the group, which then
   * receives only new events. @throws TaskerError `event_group_not_found`
   */
  async removeGroup(name: string, options: OperatorOptions = {}): Promise<void> {
    if (!(await this.#log.removeGroup(name, { door: this.#door(), ...options })))
      throw groupNotFound(name, await this.groups());
  }

  /** Reports that events were committed, in this process or another. @internal */
  wake(): void {
    this.#wakes++;
    for (const wake of this.#waiting) wake();
  }

  /** Ends every watch. @internal */
  stop(): void {
    this.#stopped.abort();
  }
}
