import { sqlState } from '../../db/connection-error.ts';
import type { Database } from '../../db/database.ts';
import { TaskerError } from '../../errors.ts';
import { regexOfPatterns } from '../../model/event-pattern.ts';
import { checkUuid } from '../../model/ids.ts';
import { eventsAfter, getEvent, headOfEvents, type LogPlace, listEvents } from '../../store/events/list.ts';
import { endBefore, firstAfter } from '../../store/events/time.ts';
import { type LoggedEvent, loggedEvent } from './logged-event.ts';
import { EVENT_LIMITS, SEARCH_S, SEARCHING, SETTINGS } from './settings.ts';

/** Which events. Times are ISO 8601, compared with that of the recording; neither belongs to what is chosen. */
export interface EventFilter {
  /** A pattern of names, as `payment.*`. */
  name?: string;
  taskUuid?: string;
  after?: string | Date;
  before?: string | Date;
  /** For the next page: the `id` of the last event of the one before. */
  beforeId?: number;
  /** Default 100, at most 1,000. */
  limit?: number;
}

/** Which events to follow. */
export interface FollowFilter {
  /** A pattern of names, as `payment.*`. */
  name?: string;
  /** Events at once. Default 100, at most 1,000. */
  limit?: number;
}

/** The most recent events that fit. @throws TaskerError `timeout` where few of a great many do */
export async function findEvents(database: Database, filter: EventFilter): Promise<LoggedEvent[]> {
  const wanted = { ...readFilter(filter), limit: limitOf(filter) };
  const { beforeId = Number.MAX_SAFE_INTEGER } = filter;
  try {
    const { fromId, endId } = await idsAmong(database, wanted);
    const ids = { fromId, beforeId: Math.min(beforeId, endId) };
    return (await database.pipeline(SEARCHING, (tx) => listEvents(tx, { ...wanted, ...ids }))).map(loggedEvent);
  } catch (error) {
    throw sqlState(error) === '57014' ? tooLong(error) : error;
  }
}

/** Among which ids a time is: all others need not be looked at. The events of a task are few. */
async function idsAmong(
  database: Database,
  { taskUuid, after, before }: ReturnType<typeof readFilter>,
): Promise<{ fromId: number; endId: number }> {
  const all = { fromId: 0, endId: Number.MAX_SAFE_INTEGER };
  if (taskUuid !== null || (after === null && before === null)) return all;
  return database.pipeline(SETTINGS, async (tx) => {
    const [fromId, endId] = await Promise.all([
      after === null ? all.fromId : firstAfter(tx, after),
      before === null ? all.endId : endBefore(tx, before),
    ]);
    return { fromId, endId };
  });
}

function tooLong(cause: unknown): TaskerError {
  return new TaskerError(
    'timeout',
    `the search for events was ended: it may take ${SEARCH_S} s, and too few of so many fit; ask for those of a task (taskUuid, --task) or of a shorter time (after and before, --after and --before)`,
    { cause },
  );
}

/** One event by its own id. */
export async function findEvent(database: Database, eventId: string): Promise<LoggedEvent | undefined> {
  const id = checkUuid(eventId, 'the event id');
  const row = await database.pipeline(SEARCHING, (tx) => getEvent(tx, id));
  return row && loggedEvent(row);
}

/** What came after a place; without one, the place where the log ends. */
export async function followEvents(
  database: Database,
  place: LogPlace | undefined,
  filter: FollowFilter,
): Promise<{ events: LoggedEvent[]; place: LogPlace }> {
  if (!place) return { events: [], place: { chunk: (await headOfEvents(database)) + 1, id: 0 } };
  const limits = { ...EVENT_LIMITS, matching: matchingOf(filter), events: limitOf(filter) };
  const answer = await database.pipeline(SETTINGS, (tx) => eventsAfter(tx, place, limits));
  return { events: answer.events.map(loggedEvent), place: answer.place };
}

/** A filter as statements take it. @throws TaskerError `bad_request`, `invalid_uuid` */
export function readFilter({ taskUuid, name, after, before }: EventFilter) {
  return {
    taskUuid: taskUuid === undefined ? null : checkUuid(taskUuid, 'the task id'),
    matching: matchingOf({ name }),
    after: timeOf(after, 'after'),
    before: timeOf(before, 'before'),
  };
}

function matchingOf({ name }: { name?: string | undefined }): string | null {
  return name === undefined ? null : regexOfPatterns([name]);
}

/** How many to list. @throws TaskerError `bad_request` */
export function limitOf({ limit = 100 }: { limit?: number }): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > 1_000)
    throw new TaskerError('bad_request', `limit must be a whole number from 1 to 1000, got ${limit}`);
  return limit;
}

function timeOf(time: string | Date | undefined, what: string): string | null {
  if (time === undefined) return null;
  const date = new Date(time);
  if (Number.isNaN(date.getTime()))
    throw new TaskerError('bad_request', `${what} is no time: ${String(time)}; it looks like 2026-01-31T12:00:00Z`);
  // A text may be more exact than a date can be.
  return typeof time === 'string' && /[Zz]|[+-]\d\d:?\d\d$/.test(time) ? time : date.toISOString();
}
