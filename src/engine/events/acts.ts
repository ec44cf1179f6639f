import type { Database } from '../../db/database.ts';
import type { Db } from '../../db/statement.ts';
import { TaskerError } from '../../errors.ts';
import { nearNames } from '../../model/near-names.ts';
import { type DeadRow, discardDead, forgetRevived, listDead } from '../../store/events/dead.ts';
import { EVENT_PARTS, findGroup, type GroupRow, listGroups } from '../../store/events/groups.ts';
import { countReplay, lockActs, promoteRetries, redeliverEvents, replayPart } from '../../store/events/replay.ts';
import { type LoggedEvent, loggedEvent } from './logged-event.ts';
import { type EventFilter, findEvent, limitOf, readFilter } from './search.ts';
import { LONG_RUNNING } from './settings.ts';

/** Who gets events, and how it stands. */
export interface EventGroup {
  name: string;
  /** Of the events that it gets: all that its members ask for. */
  patterns: string[];
  /** Processes that work for it: those that said so in the last three minutes. */
  members: number;
  /** Its members ask for different events, as while a new version is rolled out. */
  membersDiffer: boolean;
  createdAt: string;
  /** When a process last said that it works for it. */
  seenAt: string;
  /** Events that it has not got past, whatever their names; of those that have no place yet, 10,000 at most. */
  waiting: number;
  /** Seconds since the first of these was there to be taken; 0: none waits. */
  secondsBehind: number;
  /** Deliveries that failed and are tried again, those of the same tasks that wait behind them, and repeated ones. */
  retrying: number;
  /** Deliveries that were given up. */
  dead: number;
}

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

/** How every group stands, or one. */
export async function eventGroups(database: Database, name: string | undefined): Promise<EventGroup[]> {
  return (await database.pipeline(LONG_RUNNING, (tx) => listGroups(tx, name ?? null))).map(groupView);
}

function groupView(row: GroupRow): EventGroup {
  const { name, patterns, members, waiting, retrying, dead } = row;
  return {
    name,
    patterns,
    members,
    membersDiffer: row.differ,
    createdAt: row.created_at,
    seenAt: row.seen_at,
    waiting,
    secondsBehind: row.seconds,
    retrying,
    dead,
  };
}

/** Deliveries that were given up, the newest first. */
export async function deadDeliveries(
  database: Database,
  { group, eventId, ...page }: { group?: string; eventId?: string; limit?: number },
): Promise<DeadDelivery[]> {
  const limit = limitOf(page);
  const id = await idOf(database, eventId);
  if (id === undefined) return [];
  const rows = await database.pipeline(LONG_RUNNING, (tx) => listDead(tx, { group: group ?? null, id, limit }));
  return rows.map(deadView);
}

function deadView(row: DeadRow): DeadDelivery {
  return {
    group: row.group_name,
    attempts: row.attempts_made,
    error: row.error,
    diedAt: row.died_at,
    event: loggedEvent(row),
  };
}

/** Null: no event was named. Undefined: there is none of this id. */
async function idOf(database: Database, eventId: string | undefined): Promise<number | null | undefined> {
  return eventId === undefined ? null : (await findEvent(database, eventId))?.id;
}

/** What was given up is delivered again. */
export async function redeliverDead(database: Database, { group, eventId }: DeadReference): Promise<number> {
  const id = await idOf(database, eventId);
  if (id === undefined) return 0;
  return aloneInGroup(database, group, async (tx, groupId) => {
    const count = await redeliverEvents(tx, groupId, id);
    if (count > 0) await promoteRetries(tx, groupId);
    return count;
  });
}

/** What was given up is forgotten. */
export async function discardDeliveries(database: Database, { group, eventId }: DeadReference): Promise<number> {
  const id = await idOf(database, eventId);
  if (id === undefined) return 0;
  return aloneInGroup(database, group, (tx, groupId) => discardDead(tx, groupId, id));
}

/** Part by part, each in a transaction of its own: it may be a million. */
export async function replayEvents(
  database: Database,
  { group, ...filter }: EventReplay,
  tell: (progress: EventReplayProgress) => void = () => {},
): Promise<number> {
  const wanted = readFilter(filter);
  let count = 0;
  for (let part = 0; part < EVENT_PARTS; part++) {
    count += await aloneInGroup(database, group, async (tx, groupId) => {
      const again = await replayPart(tx, { groupId, part }, wanted);
      if (again > 0) await promoteRetries(tx, groupId);
      return again;
    });
    tell({ replayed: count, share: (part + 1) / EVENT_PARTS });
  }
  // One that was just being given up was not yet to be seen as such.
  if (count > 0) await aloneInGroup(database, group, forgetRevived);
  return count;
}

/** How many events a replay would deliver. */
export async function countReplayed(database: Database, { group, ...filter }: EventReplay): Promise<number> {
  const wanted = readFilter(filter);
  return inGroup(database, group, async (tx, groupId) => {
    let count = 0;
    for (let part = 0; part < EVENT_PARTS; part++) count += await countReplay(tx, { groupId, part }, wanted);
    return count;
  });
}

/** One at a time of those who change what the group is done with. @throws TaskerError `event_group_not_found` */
function aloneInGroup<T>(database: Database, name: string, work: (tx: Db, groupId: number) => Promise<T>): Promise<T> {
  return inGroup(database, name, async (tx, groupId) => {
    await lockActs(tx, groupId);
    return work(tx, groupId);
  });
}

/** @throws TaskerError `event_group_not_found` */
async function inGroup<T>(database: Database, name: string, work: (tx: Db, groupId: number) => Promise<T>): Promise<T> {
  const found = await database.transaction(LONG_RUNNING, async (tx) => {
    const groupId = await findGroup(tx, name);
    return groupId === undefined ? undefined : { answer: await work(tx, groupId) };
  });
  if (found) return found.answer;
  throw groupNotFound(name, await eventGroups(database, undefined));
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
