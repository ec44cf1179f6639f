import { TaskerError } from '../errors.ts';

/** Returns a page of a list that is read in full. Its cursors are positions, so the list may only grow at its end. */
export function pageOf<Item>(
  items: readonly Item[],
  { limit, cursor }: { limit: number; cursor?: string | undefined },
) {
  const from = cursor === undefined ? 0 : positionOf(cursor);
  const before = Math.max(0, from - limit);
  return {
    items: items.slice(from, from + limit),
    next_cursor: from + limit < items.length ? cursorAt(from + limit) : null,
    previous_cursor: from > 0 ? cursorAt(before) : null,
  };
}

/** Returns a cursor for a position in a list. */
export function cursorAt(position: number): string {
  return Buffer.from(`at:${position}`).toString('base64url');
}

/** The largest page that the library returns. */
const MOST = 1000;

/**
 * Reads one item more than requested, which shows whether there is a next page. `cursorOf` returns the cursor from which
 * the page after an item is read.
 */
export async function onePage<Item>(
  limit: number,
  read: (limit: number) => Promise<Item[]>,
  cursorOf: (last: Item) => string,
) {
  const found = await read(Math.min(limit + 1, MOST));
  const items = found.slice(0, limit);
  const more = found.length > limit || (limit === MOST && found.length === limit);
  return { items, next_cursor: more ? cursorOf(items.at(-1)!) : null, previous_cursor: null };
}

/** Returns a page of a list whose items have a place that several texts identify, from which `read` continues. */
export function pageAfter<Item>(
  { limit, cursor }: { limit: number; cursor?: string | undefined },
  read: (limit: number, place: string[] | undefined) => Promise<Item[]>,
  placeOf: (item: Item) => string[],
) {
  const place = cursor === undefined ? undefined : placeIn(cursor);
  return onePage(
    limit,
    (most) => read(most, place),
    (last) => Buffer.from(JSON.stringify(placeOf(last))).toString('base64url'),
  );
}

function placeIn(cursor: string): string[] {
  try {
    const place: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(place) && place.every((part) => typeof part === 'string')) return place;
  } catch {
    // Reported below.
  }
  throw foreignCursor();
}

/** Returns the position of a cursor. @throws TaskerError `bad_request` */
export function positionOf(cursor: string): number {
  const [, position] = /^at:(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (position !== undefined) return Number(position);
  throw foreignCursor();
}

/** The error for a cursor of another list. */
export function foreignCursor(): TaskerError {
  return new TaskerError('bad_request', 'cursor is not from a page of this list; pass next_cursor unchanged');
}
