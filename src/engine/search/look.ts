import { isStatementTimeout } from '../../db/connection-error.ts';
import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import type { Db } from '../../db/statement.ts';

/** Maximum number of rows to count. */
const BOUND = 10_000;
/** Timeout of a search for which there is no index. */
const SEARCH_MS = 2_000;
/** Parts of this timeout: for the first scan, for finding all matches at once, and the minimum for continuing. */
const FIRST_MS = 1_000;
const ALL_MS = 1_000;
const STRETCH_MS = 500;
const COUNT_MS = 25;
/** Number of index entries that the first scan reads, which takes a few milliseconds. */
const FIRST_LOOK = 2_800;
/** The second scan reads as many entries as should suffice, up to this number. */
const SECOND_LOOK = 12_000;
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
  first(db: Db, look: { slice: S; among: number }): Promise<{ places: Place[]; complete: boolean }>;
  all(db: Db, slice: S): Promise<{ places: Place[]; total: number }>;
  /** Undefined if no index has the order. */
  stretch(
    db: Db,
    look: { slice: S; among: number },
  ): Promise<{ places: Place[]; reached: Place | undefined } | undefined>;
  count(db: Db, look: { bound: number; among: number }): Promise<{ total: number; exact: boolean }>;
}

/** The result of a search. */
export interface Found<Place> {
  places: Place[];
  /** Whether there are more in the direction of the search. */
  more: boolean;
  total: number;
  totalIsExact: boolean;
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
  const first = await orUndefined(() =>
    database.pipeline(LOOKING, (tx) => looks.first(tx, { slice: wanted, among: FIRST_LOOK })),
  );
  // Reading a few thousand entries already took too long.
  if (!first) return stretches(database, looks, { slice, until, among: SHORT_STRETCH });
  if (first.places.length > slice.limit || first.complete) {
    const found = cut(first.places, slice.limit);
    // No condition is left to check, so the search has found all matches.
    if (!found.more && slice.after === null) return { ...found, ...exactly(found.places.length), timedOut: false };
    return { ...found, ...(await countOf(database, looks, found.places.length)), timedOut: false };
  }
  const lookMs = Date.now() - began;
  // About one row in a hundred matches, so finding all matches takes longer than reading a little further.
  const enough = Math.ceil((FIRST_LOOK * wanted.limit * RESERVE) / Math.max(1, first.places.length));
  if (looks.isPlain && enough <= SECOND_LOOK) {
    const second = await orUndefined(() =>
      database.pipeline(LOOKING, (tx) => looks.first(tx, { slice: wanted, among: enough })),
    );
    if (second && second.places.length > slice.limit) {
      const found = cut(second.places, slice.limit);
      return { ...found, ...(await countOf(database, looks, found.places.length)), timedOut: false };
    }
  }
  const allMs = roundedUp(Math.min(ALL_MS, SEARCH_MS - STRETCH_MS - lookMs));
  const all = await orUndefined(() => database.pipeline(settings(allMs), (tx) => looks.all(tx, wanted)));
  if (all) return { ...cut(all.places, slice.limit), ...exactly(all.total), timedOut: false };
  const among = Math.round((FIRST_LOOK * STRETCH_MS) / (2 * Math.max(1, lookMs)));
  return stretches(database, looks, { slice, until, among: Math.min(STRETCH, among) });
}

/** Rounds a timeout up to one of a few values, because the statement that sets it is prepared once for each value. */
function roundedUp(ms: number): number {
  return Math.max(1, Math.ceil(ms / 100)) * 100;
}

function cut<Place>(places: Place[], limit: number): { places: Place[]; more: boolean } {
  return { places: places.slice(0, limit), more: places.length > limit };
}

function exactly(total: number): { total: number; totalIsExact: boolean } {
  return { total: Math.min(total, BOUND), totalIsExact: total <= BOUND };
}

async function countOf<Place, S extends Slice<Place>>(
  database: Database,
  looks: Looks<Place, S>,
  found: number,
): Promise<{ total: number; totalIsExact: boolean }> {
  const counted = await orUndefined(() =>
    database.pipeline(COUNTING, (tx) => looks.count(tx, { bound: BOUND, among: COUNTED })),
  );
  if (!counted) return { total: found, totalIsExact: false };
  return { total: Math.max(found, counted.total), totalIsExact: counted.exact };
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
    const known = { total: Math.min(places.length, slice.limit), totalIsExact: false };
    if (places.length > slice.limit) return { ...cut(places, slice.limit), ...known, timedOut: false };
    if (!found.reached) {
      return { places, more: false, timedOut: false, total: places.length, totalIsExact: slice.after === null };
    }
    after = found.reached;
  }
  return {
    places,
    more: true,
    timedOut: true,
    reached: after ?? undefined,
    total: places.length,
    totalIsExact: false,
  };
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
