import { TaskerError } from '../../errors.ts';
import { isUuid } from '../../model/ids.ts';
import type { Found } from './slices.ts';

/** A position in a sorted list. */
interface Place {
  at: string;
  taskUuid: string;
  /** The index of the step, in a list of steps. */
  idx?: number | undefined;
}

/** The order of a list, and the part of it to return. */
export interface ListPlace<P extends Place> {
  sort: string;
  order: 'asc' | 'desc';
  /** True for the previous page: the search runs towards the beginning. */
  backwards: boolean;
  after: P | null;
}

/** Returns the position that a cursor encodes. @throws TaskerError `bad_request` */
export function readCursor<P extends Place>(
  cursor: string | undefined,
  { sort, order }: { sort: string; order: 'asc' | 'desc' },
): ListPlace<P> {
  if (cursor === undefined) return { sort, order, backwards: false, after: null };
  const [ofSort, ofOrder, backwards, at, taskUuid, idx] = partsOf(cursor);
  if (ofSort !== sort || ofOrder !== order) {
    throw new TaskerError(
      'bad_request',
      `the cursor belongs to a search sorted by ${ofSort}, ${ofOrder}; use the same sort and order`,
    );
  }
  return { sort, order, backwards: backwards === 1, after: { at, taskUuid, idx } as P };
}

type Parts = [sort: string, order: string, backwards: number, at: string, taskUuid: string, idx?: number];

function partsOf(cursor: string): Parts {
  try {
    const parts = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as Parts;
    const [, , , at, taskUuid, idx] = parts;
    const isPlace = isCursorTime(at) && isUuid(taskUuid);
    if (isPlace && (idx === undefined || idx === null || (Number.isInteger(idx) && Math.abs(idx) < 2 ** 31)))
      return parts;
  } catch {
    // Rejected below.
  }
  throw new TaskerError(
    'bad_request',
    'the cursor is not from a page of this search; pass next_cursor or previous_cursor unchanged',
  );
}

/**
 * Returns whether a value is a time in the form that cursors use. `Date.parse` also accepts strings that PostgreSQL
 * rejects.
 */
export function isCursorTime(at: unknown): at is string {
  const isForm = typeof at === 'string' && /^[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/.test(at);
  return isForm && !Number.isNaN(Date.parse(at));
}

/** Returns the cursors of a page whose positions are in the order of the list. */
export function cursorsOf<P extends Place>(
  { sort, order, backwards, after }: ListPlace<P>,
  found: Omit<Found<P>, 'count'>,
): { nextCursor: string | null; previousCursor: string | null } {
  const cursor = (place: P | undefined, back: 0 | 1) => {
    if (!place) return null;
    const { at, taskUuid, idx } = place;
    return Buffer.from(JSON.stringify([sort, order, back, at, taskUuid, idx])).toString('base64url');
  };
  const first = found.places[0];
  const last = found.places.at(-1);
  // A search that timed out continues from the position that it reached, in the direction of the search.
  const reached = found.timedOut ? found.reached : undefined;
  const next = backwards ? (last ?? after ?? undefined) : (reached ?? last);
  const previous = backwards ? (reached ?? first) : (first ?? after ?? undefined);
  const hasNext = backwards || found.more;
  const hasPrevious = backwards ? found.more : after !== null;
  return { nextCursor: hasNext ? cursor(next, 0) : null, previousCursor: hasPrevious ? cursor(previous, 1) : null };
}
