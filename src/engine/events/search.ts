import { isStatementTimeout } from '../../db/connection-error.ts';
import type { Database } from '../../db/database.ts';
import { TaskerError } from '../../errors.ts';
import { regexOfPatterns } from '../../model/event-pattern.ts';
import { checkUuid } from '../../model/ids.ts';
import { eventsAfter, getEvent, headOfEvents, type LogPlace, listEvents } from '../../store/events/list.ts';
import { endBefore, firstAfter } from '../../store/events/time.ts';
import { type LoggedEvent, loggedEvent } from './logged-event.ts';
import { EVENT_LIMITS, SEARCH_S, SEARCHING, SETTINGS } from './settings.ts';

/** Selects events. Times are ISO 8601, exclusive, and compared with the time of the recording. */
export interface EventFilter {
  /** A pattern of names, such as `payment.*`. */
  name?: string;
  taskUuid?: string;
  after?: string | Date;
  before?: string | Date;
  /** For the next page: the `id` of the last event of the previous page. */
  beforeId?: number;
  /** Maximum number of events. Default 100, at most 1,000. */
  limit?: number;
}

/** Selects events to follow. */
export interface FollowFilter {
  /** A pattern of names, such as `payment.*`. */
  name?: string;
  /** Maximum number of events to return. Default 100, at most 1,000. */
  limit?: number;
}

/** Returns the newest matching events. @throws TaskerError `timeout` if few of very many events match */
export async function findEvents(database: Database, filter: EventFilter): Promise<LoggedEvent[]> {
  const wanted = { ...readFilter(filter), limit: limitOf(filter) };
  const { beforeId = Number.MAX_SAFE_INTEGER } = filter;
  try {
    const { fromId, endId } = await idsAmong(database, wanted);
    const ids = { fromId, beforeId: Math.min(beforeId, endId) };
    return (await database.pipeline(SEARCHING, (tx) => listEvents(tx, { ...wanted, ...ids }))).map(loggedEvent);
  } catch (error) {
    throw isStatementTimeout(error) ? tooLong(error) : error;
  }
}

/**
 * Returns the range of ids for a time range, so that no other events are read. The range is not looked up for a task,
 * which has few events.
 */
async function idsAmong(
  database: Database,
  { taskUuid, after, before }: ReturnType<typeof readFilter>,
): Promise<{ fromId: number; endId: number }> {
  // The events of a restored task have negative ids.
  const all = { fromId: taskUuid === null ? 0 : Number.MIN_SAFE_INTEGER, endId: Number.MAX_SAFE_INTEGER };
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
    `the search for events timed out after ${SEARCH_S} s; search the events of one task (taskUuid, --task) or of a shorter period (after and before, --after and --before)`,
    { cause },
  );
}

/** Returns one event by its id. */
export async function findEvent(database: Database, eventId: string): Promise<LoggedEvent | undefined> {
  const id = checkUuid(eventId, 'the event id');
  const row = await database.pipeline(SEARCHING, (tx) => getEvent(tx, id));
  return row && loggedEvent(row);
}

/** Returns the events after a position. Without a position, returns the end of the log. */
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

/** Returns a filter for the statements. @throws TaskerError `bad_request`, `invalid_uuid` */
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

/** Returns the maximum number of events. @throws TaskerError `bad_request` */
export function limitOf({ limit = 100 }: { limit?: number }): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > 1_000)
    throw new TaskerError('bad_request', `limit must be a whole number from 1 to 1000, got ${limit}`);
  return limit;
}

function timeOf(time: string | Date | undefined, what: string): string | null {
  if (time === undefined) return null;
  const date = new Date(time);
  if (Number.isNaN(date.getTime()))
    throw new TaskerError(
      'bad_request',
      `${what} is not a valid time: ${String(time)}; use ISO 8601, such as 2026-01-31T12:00:00Z`,
    );
  // A string may be more precise than a Date.
  return typeof time === 'string' && /[Zz]|[+-]\d\d:?\d\d$/.test(time) ? time : date.toISOString();
}
