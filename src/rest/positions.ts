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

/** Returns the position of a cursor. @throws TaskerError `bad_request` */
export function positionOf(cursor: string): number {
  const [, position] = /^at:(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (position !== undefined) return Number(position);
  throw new TaskerError('bad_request', 'cursor is not from a page of this list; pass next_cursor unchanged');
}
