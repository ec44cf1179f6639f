import { z } from 'zod';

/** A condition that is on or off: `open`, `open=true` or `open=false`. */
export const flag = z
  .enum(['true', 'false', ''])
  .transform((text) => text !== 'false')
  .meta({ type: 'boolean' });

/** A parameter that may be repeated. */
export const several = z
  .union([z.string(), z.array(z.string())])
  .transform((given) => [given].flat())
  .meta({ type: 'array', items: { type: 'string' } });

/** A parameter that may be repeated, or have several values separated by commas. */
export const listed = z
  .union([z.string(), z.array(z.string())])
  .transform((given) => [given].flat().flatMap((text) => text.split(',').map((one) => one.trim())))
  .meta({ type: 'array', items: { type: 'string' } });

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
  .meta({ type: 'string', example: '{"customer":"c1"}' });

/** A time: ISO 8601, or an age. */
export const time = z.string().min(1).meta({
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
    .meta({ description: 'Maximum number of items.', example: byDefault });

/** The position of a page. */
export const cursor = z
  .string()
  .min(1)
  .max(10_000)
  .optional()
  .meta({ description: '`next_cursor` or `previous_cursor` of another page of the same list.' });

/** The parameters of a page. */
export const pageQuery = (byDefault = 50) => ({ limit: limitOf(byDefault), cursor });

/** The fields of a page, besides its items. */
export const pageFields = {
  next_cursor: z
    .string()
    .nullable()
    .meta({ description: 'Pass it as `cursor` for the next page. Null on the last page.' }),
  previous_cursor: z.string().nullable().meta({
    description: 'Pass it as `cursor` for the previous page. Null on the first page, or if the list only goes forward.',
  }),
};

/** A whole number in a query, with its default. */
export const queryNumber = (byDefault: number, { min = 1, max }: { min?: number; max: number }) =>
  z.coerce.number().int().min(min).max(max).default(byDefault);
