import { isStatementTimeout } from '../../db/connection-error.ts';
import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import type { Db } from '../../db/statement.ts';
import type { CountLimits, FirstLook } from '../../store/search/ranges.ts';

/** Maximum number of rows to count. */
const BOUND = 10_000;
/** Timeout of a search for which there is no index. */
const SEARCH_MS = 2_000;
/** Parts of this timeout: for the first scan, for finding all matches at once, and the minimum for continuing. */
const FIRST_MS = 1_000;
const ALL_MS = 1_000;
const STRETCH_MS = 500;
/** A count reads few rows. It only takes long on a busy server, where a page without its total would be useless. */
const COUNT_MS = 2_000;
/** Number of entries that the first scan reads, of one index or of its ranges. It takes a few milliseconds. */
const FIRST_LOOK = 2_800;
const FIRST_OF_RANGES = 400;
/** The second scan reads as many entries as should suffice, up to this number. */
const SECOND_LOOK = 12_000;
const SECOND_OF_RANGES = 4_000;
/** Safety factor for the estimate of the second scan. */
const RESERVE = 1.5;
/** Number of entries to read at a time when the search continues. Fewer if the first scan was slow. */
const STRETCH = 20_000;
const SHORT_STRETCH = 50;
const SHORTENING = 5;
/** Number of entries that a count reads if the index does not cover all conditions. */
const COUNTED = 3_000;

const settings = (timeoutMs: number) =>
  opening({ plan_cache_mode: 'force_custom_plan', jit: 'off', statement_timeout: `${timeoutMs}ms` });
const LOOKING = settings(FIRST_MS);
const COUNTING = settings(COUNT_MS);

/** The part of the search results to return. */
export interface Slice<Place> {
  after: Place | null;
  limit: number;
}

/** The statements of a kind of search. */
export interface Looks<Place, S extends Slice<Place>> {
  /** Whether one index has the order, so that reading further costs little. Otherwise, many ranges are merged. */
  isPlain: boolean;
  first(db: Db, look: { slice: S; among: number }): Promise<FirstLook<Place>>;
  all(db: Db, slice: S): Promise<{ places: Place[]; total: number }>;
  /** Undefined if no index has the order. */
  stretch(
    db: Db,
    look: { slice: S; among: number },
  ): Promise<{ places: Place[]; reached: Place | undefined } | undefined>;
  count(db: Db, look: CountLimits & { byState: boolean }): Promise<{ total: number; exact: boolean }>;
}

/** How many items a search finds. */
export interface Total {
  total: number;
  totalIsExact: boolean;
}

/** The result of a search. */
export interface Found<Place> {
  places: Place[];
  /** Whether there are more in the direction of the search. */
  more: boolean;
  /** Counting continues while the caller reads the rows of the page. */
  count: Total | Promise<Total>;
  timedOut: boolean;
  /** The position from which a search that timed out can continue. */
  reached?: Place | undefined;
}

/**
 * Finds a page. The first scan reads the beginning of an index, which is enough if many rows match. If few rows match,
 * finding all of them is fast. In between, the search continues until it times out.
 */
export async function look<Place, S extends Slice<Place>>(
  database: Database,
  looks: Looks<Place, S>,
  slice: S,
): Promise<Found<Place>> {
  const began = Date.now();
  const until = began + SEARCH_MS;
  const wanted = { ...slice, limit: slice.limit + 1 };
  const [some, most] = looks.isPlain ? [FIRST_LOOK, SECOND_LOOK] : [FIRST_OF_RANGES, SECOND_OF_RANGES];
  const among = Math.max(some, 2 * wanted.limit);
  const firstOf = (among: number) =>
    orUndefined(() => database.pipeline(LOOKING, (tx) => looks.first(tx, { slice: wanted, among })));
  const pageOf = ({ places, byState = true }: FirstLook<Place>): Found<Place> => {
    const found = cut(places, slice.limit);
    return { ...found, count: countOf(database, looks, { least: leastOf(found), byState }), timedOut: false };
  };
  const first = await firstOf(among);
  // Reading a few thousand entries already took too long.
  if (!first) return stretches(database, looks, { slice, until, among: SHORT_STRETCH });
  if (first.places.length > slice.limit || first.complete) {
    const { places } = first;
    // No condition is left to check, so the search has found all matches.
    if (places.length <= slice.limit && slice.after === null) {
      return { places, more: false, count: exactly(places.length), timedOut: false };
    }
    return pageOf(first);
  }
  const lookMs = Date.now() - began;
  // About one row in a hundred matches, so finding all matches takes longer than reading a little further.
  const enough = Math.ceil((among * wanted.limit * RESERVE) / Math.max(1, first.places.length));
  if (enough <= most) {
    const second = await firstOf(enough);
    if (second && second.places.length > slice.limit) return pageOf(second);
  }
  const allMs = roundedUp(Math.min(ALL_MS, SEARCH_MS - STRETCH_MS - lookMs));
  const all = await orUndefined(() => database.pipeline(settings(allMs), (tx) => looks.all(tx, wanted)));
  if (all) return { ...cut(all.places, slice.limit), count: exactly(all.total), timedOut: false };
  const stretch = Math.round((among * STRETCH_MS) / (2 * Math.max(1, lookMs)));
  return stretches(database, looks, { slice, until, among: Math.min(STRETCH, stretch) });
}

/** Rounds a timeout up to one of a few values, because the statement that sets it is prepared once for each value. */
function roundedUp(ms: number): number {
  return Math.max(1, Math.ceil(ms / 100)) * 100;
}

function cut<Place>(places: Place[], limit: number): { places: Place[]; more: boolean } {
  return { places: places.slice(0, limit), more: places.length > limit };
}

/** Returns the lower bound of the total of a page. */
function leastOf({ places, more }: { places: readonly unknown[]; more: boolean }): number {
  return places.length + (more ? 1 : 0);
}

function exactly(total: number): Total {
  return { total: Math.min(total, BOUND), totalIsExact: total <= BOUND };
}

async function countOf<Place, S extends Slice<Place>>(
  database: Database,
  looks: Looks<Place, S>,
  { least, byState }: { least: number; byState: boolean },
): Promise<Total> {
  const counted = await orUndefined(() =>
    database.pipeline(COUNTING, (tx) => looks.count(tx, { bound: BOUND, among: COUNTED, byState })),
  );
  if (!counted) return { total: least, totalIsExact: false };
  return { total: Math.max(least, counted.total), totalIsExact: counted.exact };
}

/**
 * Reads the index, `among` entries at a time, until the page is full or the time is up. A search that read nothing has
 * no position to continue from. So while nothing has been read, fewer entries are tried in half of the remaining time,
 * and finally a single one, even if the time is up.
 */
async function stretches<Place, S extends Slice<Place>>(
  database: Database,
  looks: Looks<Place, S>,
  { slice, until, among }: { slice: S; until: number; among: number },
): Promise<Found<Place>> {
  const places: Place[] = [];
  let { after } = slice;
  let size = among;
  for (;;) {
    const left = until - Date.now();
    const unmoved = after === slice.after;
    if (left <= 0) {
      if (!unmoved || size === 1) break;
      size = 1;
    }
    const part = { ...slice, after, limit: slice.limit + 1 - places.length };
    const longest = size > 1 ? left / 2 : Math.max(left, STRETCH_MS);
    const ms = unmoved ? longest : left;
    const read = await orUndefined(() =>
      database.pipeline(settings(roundedUp(ms)), async (tx) => ({
        found: await looks.stretch(tx, { slice: part, among: size }),
      })),
    );
    if (!read && unmoved && size > 1) {
      size = Math.ceil(size / SHORTENING);
      continue;
    }
    const found = read?.found;
    if (!found) break;
    for (const place of found.places) places.push(place);
    const count = { total: Math.min(places.length, slice.limit + 1), totalIsExact: false };
    if (places.length > slice.limit) return { ...cut(places, slice.limit), count, timedOut: false };
    if (!found.reached) {
      count.totalIsExact = slice.after === null;
      return { places, more: false, count, timedOut: false };
    }
    after = found.reached;
  }
  const count = { total: leastOf({ places, more: true }), totalIsExact: false };
  return { places, more: true, count, timedOut: true, reached: after ?? undefined };
}

/** Returns undefined if the statement timed out. */
async function orUndefined<T>(run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    if (isStatementTimeout(error)) return undefined;
    throw error;
  }
}
