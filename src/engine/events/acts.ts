import type { Database } from '../../db/database.ts';
import type { Db } from '../../db/statement.ts';
import { TaskerError } from '../../errors.ts';
import { nearNames } from '../../model/near-names.ts';
import { type DeadRow, discardDead, forgetRevived, listDead } from '../../store/events/dead.ts';
import { EVENT_PARTS, type EventGroup, findGroup, listGroups, removeGroup } from '../../store/events/groups.ts';
import { countReplay, lockActs, promoteRetries, redeliverEvents, replayPart } from '../../store/events/replay.ts';
import { type LoggedEvent, loggedEvent } from './logged-event.ts';
import { type EventFilter, findEvent, limitOf, readFilter } from './search.ts';
import { LONG_RUNNING } from './settings.ts';

/** A delivery that was given up. */
export interface DeadDelivery {
  group: string;
  /** Deliveries that failed. */
  attempts: number;
  /** Why the last one failed. */
  error: string;
  diedAt: string;
  event: LoggedEvent;
}

/** Deliveries of a group that were given up: that of one event, or all. */
export interface DeadReference {
  group: string;
  eventId?: string;
}

/** What to deliver again, and to whom. */
export interface EventReplay extends Pick<EventFilter, 'name' | 'taskUuid' | 'after' | 'before'> {
  group: string;
}

/** How far a replay has come. */
export interface EventReplayProgress {
  /** Events so far. */
  replayed: number;
  /** Of the log, from 0 to 1. */
  share: number;
}

/** The log as operators use it: groups, dead deliveries and replays. */
export class EventActs {
  protected readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /** Every group, and how it stands; or that of a name alone. */
  groups(name?: string): Promise<EventGroup[]> {
    return this.database.pipeline(LONG_RUNNING, (tx) => listGroups(tx, name ?? null));
  }

  /** Deliveries that were given up, the newest first. @throws TaskerError `bad_request`, `invalid_uuid` */
  async dead(filter: { group?: string; eventId?: string; limit?: number } = {}): Promise<DeadDelivery[]> {
    const { group = null, eventId } = filter;
    const limit = limitOf(filter);
    const id = await this.#idOf(eventId);
    if (id === undefined) return [];
    const rows = await this.database.pipeline(LONG_RUNNING, (tx) => listDead(tx, { group, id, limit }));
    return rows.map(deadView);
  }

  /** Null: no event was named. Undefined: there is none of this id. */
  async #idOf(eventId: string | undefined): Promise<number | null | undefined> {
    return eventId === undefined ? null : (await findEvent(this.database, eventId))?.id;
  }

  /** Delivers again what was given up, one event or all; answers how many. @throws TaskerError `event_group_not_found` */
  async redeliver({ group, eventId }: DeadReference): Promise<number> {
    const id = await this.#idOf(eventId);
    if (id === undefined) return 0;
    return this.#aloneInGroup(group, async (tx, groupId) => {
      const count = await redeliverEvents(tx, groupId, id);
      if (count > 0) await promoteRetries(tx, groupId);
      return count;
    });
  }

  /** Forgets what was given up, one event or all; answers how many. @throws TaskerError `event_group_not_found` */
  async discard({ group, eventId }: DeadReference): Promise<number> {
    const id = await this.#idOf(eventId);
    if (id === undefined) return 0;
    return this.#aloneInGroup(group, (tx, groupId) => discardDead(tx, groupId, id));
  }

  /**
   * Delivers to a group again what it is past, of the events that it gets; answers how many that are. What it is not past
   * comes in any case. Part by part, each in a transaction of its own: it may be a million.
   * @throws TaskerError `event_group_not_found`, `bad_request`, `invalid_uuid`
   */
  async replay(
    { group, ...filter }: EventReplay,
    tell: (progress: EventReplayProgress) => void = () => {},
  ): Promise<number> {
    const wanted = readFilter(filter);
    let count = 0;
    for (let part = 0; part < EVENT_PARTS; part++) {
      count += await this.#aloneInGroup(group, async (tx, groupId) => {
        const again = await replayPart(tx, { groupId, part }, wanted);
        if (again > 0) await promoteRetries(tx, groupId);
        return again;
      });
      tell({ replayed: count, share: (part + 1) / EVENT_PARTS });
    }
    // One that was just being given up was not yet to be seen as such.
    if (count > 0) await this.#aloneInGroup(group, forgetRevived);
    return count;
  }

  /** How many events {@link replay} would deliver. */
  async countReplay({ group, ...filter }: EventReplay): Promise<number> {
    const wanted = readFilter(filter);
    return this.#inGroup(group, async (tx, groupId) => {
      let count = 0;
      for (let part = 0; part < EVENT_PARTS; part++) count += await countReplay(tx, { groupId, part }, wanted);
      return count;
    });
  }

  /** Removes a group, with all that waits for it. A process that still works for it gets nothing more. False: there is none. */
  removeGroup(name: string): Promise<boolean> {
    return this.database.transaction(LONG_RUNNING, (tx) => removeGroup(tx, name));
  }

  /** One at a time of those who change what the group is done with. @throws TaskerError `event_group_not_found` */
  #aloneInGroup<T>(name: string, work: (tx: Db, groupId: number) => Promise<T>): Promise<T> {
    return this.#inGroup(name, async (tx, groupId) => {
      await lockActs(tx, groupId);
      return work(tx, groupId);
    });
  }

  /** @throws TaskerError `event_group_not_found` */
  async #inGroup<T>(name: string, work: (tx: Db, groupId: number) => Promise<T>): Promise<T> {
    const found = await this.database.transaction(LONG_RUNNING, async (tx) => {
      const groupId = await findGroup(tx, name);
      return groupId === undefined ? undefined : { answer: await work(tx, groupId) };
    });
    if (found) return found.answer;
    throw groupNotFound(name, await this.groups());
  }
}

function deadView(row: DeadRow): DeadDelivery {
  const { group, attemptsMade: attempts, error, diedAt } = row;
  return { group, attempts, error, diedAt, event: loggedEvent(row) };
}

function groupsThere(names: readonly string[]): string {
  if (names.length === 0) return 'there is none yet; the start of a subscriber or a sink makes one';
  return `${names.length === 1 ? 'there is' : 'there are'} ${names.slice(0, 20).join(', ')}`;
}

/** Says that there is no such group, and which there are. */
export function groupNotFound(name: string, groups: readonly EventGroup[]): TaskerError {
  const names = groups.map((group) => group.name);
  const near = nearNames(name, names);
  const hint = near.length > 0 ? `did you mean ${near.join(' or ')}?` : groupsThere(names);
  return new TaskerError('event_group_not_found', `no group ${name} gets domain events; ${hint}`, {
    details: { near },
  });
}

export type { EventGroup } from '../../store/events/groups.ts';
