import type { Database } from '../../db/database.ts';
import type { Db } from '../../db/statement.ts';
import { TaskerError } from '../../errors.ts';
import { nearNames } from '../../model/near-names.ts';
import { noteAct } from '../../store/audit.ts';
import { type DeadPlace, type DeadRow, discardDead, forgetRevived, listDead } from '../../store/events/dead.ts';
import { EVENT_PARTS, type EventGroup, findGroup, listGroups, removeGroup } from '../../store/events/groups.ts';
import { countReplay, lockActs, promoteRetries, redeliverEvents, replayPart } from '../../store/events/replay.ts';
import { type OperatorOptions, operatorOf } from '../operator-actions.ts';
import { type LoggedEvent, loggedEvent } from './logged-event.ts';
import { type EventFilter, findEvent, limitOf, readFilter } from './search.ts';
import { LONG_RUNNING } from './settings.ts';

/** A dead delivery: a delivery that failed and is no longer retried. */
export interface DeadDelivery {
  group: string;
  /** Number of failed deliveries. */
  attempts: number;
  /** The error of the last delivery. */
  error: string;
  diedAt: string;
  event: LoggedEvent;
}

/** The dead deliveries of a group, or only that of one event. */
export interface DeadReference {
  group: string;
  eventId?: string;
}

/** The events to deliver again, and the group. */
export interface EventReplay extends Pick<EventFilter, 'name' | 'taskUuid' | 'after' | 'before'> {
  group: string;
}

/** The progress of a replay. */
export interface EventReplayProgress {
  /** Number of events replayed so far. */
  replayed: number;
  /** Completed share of the log, from 0 to 1. */
  share: number;
}

/** The dead deliveries to return. */
export interface DeadFilter {
  group?: string | undefined;
  eventId?: string | undefined;
  /** 1 to 1000, default 100. */
  limit?: number | undefined;
  /** Only deliveries after this one in the order of the list, which is the last delivery of the previous page. */
  before?: DeadPlace | undefined;
}

/** Operations on the log for operators: groups, dead deliveries and replays. */
export class EventGroups {
  protected readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /** Returns every group with its status, or only the group with this name. */
  groups(name?: string): Promise<EventGroup[]> {
    return this.database.pipeline(LONG_RUNNING, (tx) => listGroups(tx, name ?? null));
  }

  /** Returns dead deliveries, the newest first. @throws TaskerError `bad_request`, `invalid_uuid` */
  async dead(filter: DeadFilter = {}): Promise<DeadDelivery[]> {
    const { group = null, eventId, before } = filter;
    const limit = limitOf(filter);
    const id = await this.#idOf(eventId);
    if (id === undefined) return [];
    const rows = await this.database.pipeline(LONG_RUNNING, (tx) => listDead(tx, { group, id, limit, before }));
    return rows.map(deadView);
  }

  /** Returns the position of an event in the log. Null if no event was given, undefined if no event has this id. */
  async #idOf(eventId: string | undefined): Promise<number | null | undefined> {
    return eventId === undefined ? null : (await findEvent(this.database, eventId))?.id;
  }

  /** Delivers dead deliveries again, one or all. Returns their number. @throws TaskerError `event_group_not_found` */
  async redeliver({ group, eventId }: DeadReference, options: OperatorOptions = {}): Promise<number> {
    const operator = operatorOf(options);
    const id = await this.#idOf(eventId);
    if (id === undefined) return 0;
    return this.#aloneInGroup(group, async (tx, groupId) => {
      const count = await redeliverEvents(tx, groupId, id);
      if (count === 0) return 0;
      await promoteRetries(tx, groupId);
      await noteAct(tx, { action: 'redeliver_events', ...actOn(group, { eventId, count }) }, operator);
      return count;
    });
  }

  /** Deletes dead deliveries, one or all. Returns their number. @throws TaskerError `event_group_not_found` */
  async discard({ group, eventId }: DeadReference, options: OperatorOptions = {}): Promise<number> {
    const operator = operatorOf(options);
    const id = await this.#idOf(eventId);
    if (id === undefined) return 0;
    return this.#aloneInGroup(group, async (tx, groupId) => {
      const count = await discardDead(tx, groupId, id);
      if (count > 0) await noteAct(tx, { action: 'discard_events', ...actOn(group, { eventId, count }) }, operator);
      return count;
    });
  }

  /**
   * Redelivers events that a group has already passed, and returns their number. Events after the group's position are
   * delivered anyway. Each part of the log has its own transaction, because there may be a million events.
   *
   * @throws TaskerError `event_group_not_found`, `bad_request`, `invalid_uuid`
   */
  async replay(
    { group, ...filter }: EventReplay,
    tell: (progress: EventReplayProgress) => void = () => {},
    options: OperatorOptions = {},
  ): Promise<number> {
    const wanted = readFilter(filter);
    const operator = operatorOf(options);
    let count = 0;
    for (let part = 0; part < EVENT_PARTS; part++) {
      count += await this.#aloneInGroup(group, async (tx, groupId) => {
        // Written with the first part, so that even a killed replay has an audit entry.
        if (part === 0) await noteAct(tx, { action: 'replay_events', ...actOn(group, filter) }, operator);
        const again = await replayPart(tx, { groupId, part }, wanted);
        if (again > 0) await promoteRetries(tx, groupId);
        return again;
      });
      tell({ replayed: count, share: (part + 1) / EVENT_PARTS });
    }
    // A delivery that became dead concurrently was not yet visible as a dead delivery.
    if (count > 0) await this.#aloneInGroup(group, forgetRevived);
    return count;
  }

  /** Returns the number of events that {@link replay} would deliver. */
  async countReplay({ group, ...filter }: EventReplay): Promise<number> {
    const wanted = readFilter(filter);
    return this.#inGroup(group, async (tx, groupId) => {
      let count = 0;
      for (let part = 0; part < EVENT_PARTS; part++) count += await countReplay(tx, { groupId, part }, wanted);
      return count;
    });
  }

  /**
   * Removes a group and all its waiting deliveries. Its members no longer receive events. Returns false if the group
   * does not exist.
   */
  removeGroup(name: string, options: OperatorOptions = {}): Promise<boolean> {
    const operator = operatorOf(options);
    return this.database.transaction(LONG_RUNNING, async (tx) => {
      const removed = await removeGroup(tx, name);
      if (removed) await noteAct(tx, { action: 'remove_event_group', ...actOn(name) }, operator);
      return removed;
    });
  }

  /** Runs `work` while no other operator redelivers, discards or replays events of the group. @throws TaskerError `event_group_not_found` */
  #aloneInGroup<T>(name: string, work: (tx: Db, groupId: number) => Promise<T>): Promise<T> {
    return this.#inGroup(name, async (tx, groupId) => {
      await lockActs(tx, groupId);
      return work(tx, groupId);
    });
  }

  /** Runs `work` with the id of a group. @throws TaskerError `event_group_not_found` */
  async #inGroup<T>(name: string, work: (tx: Db, groupId: number) => Promise<T>): Promise<T> {
    const found = await this.database.transaction(LONG_RUNNING, async (tx) => {
      const groupId = await findGroup(tx, name);
      return groupId === undefined ? undefined : { answer: await work(tx, groupId) };
    });
    if (found) return found.answer;
    throw groupNotFound(name, await this.groups());
  }
}

/** Returns the object of an action for the audit. */
function actOn(group: string, details?: object): { target: string; details?: string } {
  const text = details && JSON.stringify(details);
  return { target: `event group ${group}`, ...(text !== undefined && text !== '{}' && { details: text }) };
}

function deadView(row: DeadRow): DeadDelivery {
  const { group, attemptsMade: attempts, error, diedAt } = row;
  return { group, attempts, error, diedAt, event: loggedEvent(row) };
}

function groupsThere(names: readonly string[]): string {
  if (names.length === 0) return 'no group exists yet; starting a subscriber or a sink creates one';
  return `${names.length === 1 ? 'there is' : 'there are'} ${names.slice(0, 20).join(', ')}`;
}

/** Returns an error that names the groups that exist. */
export function groupNotFound(name: string, groups: readonly EventGroup[]): TaskerError {
  const names = groups.map((group) => group.name);
  const near = nearNames(name, names);
  const hint = near.length > 0 ? `did you mean ${near.join(' or ')}?` : groupsThere(names);
  return new TaskerError('event_group_not_found', `event group ${name} not found; ${hint}`, {
    details: { near },
  });
}

export type { EventGroup } from '../../store/events/groups.ts';
