import { z } from '@hono/zod-openapi';
import { TaskerError } from '../errors.ts';

/** A condition that is on or off: `open`, `open=true` or `open=false`. */
export const flag = z
  .enum(['true', 'false', ''])
  .transform((text) => text !== 'false')
  .openapi({ type: 'boolean' });

/** A parameter that may be repeated. */
export const several = z
  .union([z.string(), z.array(z.string())])
  .transform((given) => [given].flat())
  .openapi({ type: 'array', items: { type: 'string' } });

/** A parameter that may be repeated, or have several values separated by commas. */
export const listed = z
  .union([z.string(), z.array(z.string())])
  .transform((given) => [given].flat().flatMap((text) => text.split(',').map((one) => one.trim())))
  .openapi({ type: 'array', items: { type: 'string' } });

/** A JSON object, as text. */
export const jsonObject = z
  .string()
  .transform((text, problems) => {
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    } catch {
      // Reported below.
    }
    problems.addIssue({ code: 'custom', message: 'must be a JSON object, such as {"customer":"c1"}' });
    return z.NEVER;
  })
  .openapi({ type: 'string', example: '{"customer":"c1"}' });

/** A time: ISO 8601, or an age. */
export const time = z.string().min(1).openapi({
  description: 'A time (`2026-01-31T12:00Z`), an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`.',
  example: '2h',
});

/** The maximum number of items on a page. */
export const limitOf = (byDefault: number) =>
  z.coerce
    .number()
    .int()
    .min(1)
    .max(1000)
    .default(byDefault)
    .openapi({ description: 'Maximum number of items.', example: byDefault });

/** The position of a page. */
export const cursor = z
  .string()
  .min(1)
  .max(10_000)
  .optional()
  .openapi({ description: '`next_cursor` or `previous_cursor` of another page of the same list.' });

/** The parameters of a page. */
export const pageQuery = (byDefault = 50) => ({ limit: limitOf(byDefault), cursor });

/** The fields of a page, besides its items. */
export const pageFields = {
  next_cursor: z
    .string()
    .nullable()
    .openapi({ description: 'Pass it as `cursor` for the next page. Null on the last page.' }),
  previous_cursor: z.string().nullable().openapi({
    description: 'Pass it as `cursor` for the previous page. Null on the first page, or if the list only goes forward.',
  }),
};

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
