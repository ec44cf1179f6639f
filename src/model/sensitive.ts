import { TaskerError } from '../errors.ts';

/** The replacement of a sensitive value. Reveals neither the type nor the size of the value. */
export const HIDDEN = '[redacted]';

/** In a path, this stands for every element of a list and every key of an object. */
const ANY = '*';
const INDEX = /^\d+$/;
/** Maximum depth to examine. Deeper values are hidden. */
const DEEPEST = 500;
/** Shorter strings occur in others by chance, so replacing them would make lines unreadable. */
const SHORTEST_TEXT = 4;
/** Numbers with fewer digits than this are not replaced, for the same reason. */
const SHORTEST_NUMBER = 6;

/** A place in a value, and how a template's paths continue from there. */
interface Place {
  /** Whether a path ends here. */
  ends: boolean;
  keys: ReadonlyMap<string, Place>;
  /** The continuation for `*`. */
  any: Place | undefined;
  /** The same place, with only the keys that a list cannot have. Undefined if there is none. */
  named: Place | undefined;
}

/** Paths to sensitive values, ready for use. */
export type SensitivePaths = Place;

/** A place whose paths are still being added. */
interface Growing {
  ends: boolean;
  keys: Map<string, Growing>;
  any: Growing | undefined;
}

const growing = (): Growing => ({ ends: false, keys: new Map(), any: undefined });

/** Prepares paths such as `card.number` and `customers.*.email`. Undefined if there are none. */
export function sensitivePaths(paths: readonly string[] | null): SensitivePaths | undefined {
  if (!paths || paths.length === 0) return undefined;
  const root = growing();
  for (const path of paths) {
    let place = root;
    for (const part of path.split('.')) {
      const next = (part === ANY ? place.any : place.keys.get(part)) ?? growing();
      if (part === ANY) place.any = next;
      else place.keys.set(part, next);
      place = next;
    }
    place.ends = true;
  }
  return grown(root);
}

/** Like {@link sensitivePaths}, for keys of an object, which may have dots. Undefined if there are none. */
export function sensitiveKeys(keys: readonly string[]): SensitivePaths | undefined {
  if (keys.length === 0) return undefined;
  const end = (): Growing => ({ ...growing(), ends: true });
  return grown({ ends: false, keys: new Map(keys.map((key) => [key, end()])), any: undefined });
}

/**
 * Returns whether the value at a path may have, or be inside, a sensitive value. Null in the path stands for any key.
 */
export function leadsTo(paths: SensitivePaths | undefined, path: readonly (string | null)[]): boolean {
  let places = paths ? [paths] : [];
  for (const key of path) {
    if (places.some(({ ends }) => ends)) return true;
    places = places
      .flatMap(({ keys, any, named }) => [
        any,
        // A list in place of an object has the keys in each element.
        key === null || INDEX.test(key) ? named : undefined,
        ...(key === null ? keys.values() : [keys.get(key)]),
      ])
      .filter(isPlace);
  }
  return places.length > 0;
}

/** Returns whether these paths hide the whole value at a path. */
export function hidesAll(paths: SensitivePaths | undefined, path: readonly string[]): boolean {
  let places = paths ? [paths] : [];
  for (const key of path) {
    places = places.flatMap(({ keys, any }) => [any, keys.get(key)]).filter(isPlace);
    if (places.some(({ ends }) => ends)) return true;
  }
  return false;
}

function grown({ ends, keys, any }: Growing): Place {
  const own = new Map([...keys].map(([key, place]) => [key, grown(place)]));
  const names = new Map([...own].filter(([key]) => !INDEX.test(key)));
  const place: Place = { ends, keys: own, any: any && grown(any), named: undefined };
  if (names.size > 0) {
    place.named = { ends: false, keys: names, any: undefined, named: undefined };
    place.named.named = place.named;
  }
  return place;
}

/**
 * Returns a value with {@link HIDDEN} in place of the values at these paths. Returns the same value if it has none.
 * Never changes the given value.
 *
 * Values whose form differs from what the paths expect are hidden too: a string or number where a path continues, and
 * the keys of each element if a list is in place of an object.
 */
export function hideAt<T>(value: T, paths: SensitivePaths | undefined): T {
  return paths === undefined ? value : (replaced(value, [paths], { depth: 0, found: undefined }) as T);
}

/** Returns the strings at these paths that are long enough to be searched for in log lines, numbers as text. */
export function textsAt(value: unknown, paths: SensitivePaths | undefined): Set<string> {
  const found = new Set<string>();
  if (paths !== undefined) replaced(value, [paths], { depth: 0, found: (hidden) => addTexts(hidden, found) });
  return found;
}

interface Walk {
  depth: number;
  /** Receives each value that is hidden. */
  found: ((hidden: unknown) => void) | undefined;
}

function replaced(value: unknown, places: readonly Place[], walk: Walk): unknown {
  const hidden = () => {
    walk.found?.(value);
    return HIDDEN;
  };
  if (places.some(({ ends }) => ends)) return value === undefined ? value : hidden();
  if (value === null || value === undefined) return value;
  if (typeof value !== 'object' || walk.depth === DEEPEST) return hidden();
  const below = { ...walk, depth: walk.depth + 1 };
  return Array.isArray(value) ? replacedList(value, places, below) : replacedFields(value, places, below);
}

function replacedList(list: readonly unknown[], places: readonly Place[], walk: Walk): readonly unknown[] {
  const everywhere = places.flatMap(({ any, named }) => [any, named]).filter(isPlace);
  let changed = false;
  const items = list.map((item, index) => {
    const here = places.map(({ keys }) => keys.get(String(index))).filter(isPlace);
    const next = [...everywhere, ...here];
    const shown = next.length === 0 ? item : replaced(item, next, walk);
    changed ||= shown !== item;
    return shown;
  });
  return changed ? items : list;
}

function replacedFields(fields: object, places: readonly Place[], walk: Walk): object {
  let changed = false;
  const entries = Object.entries(fields).map(([key, value]): [string, unknown] => {
    const next = places.flatMap(({ keys, any }) => [any, keys.get(key)]).filter(isPlace);
    const shown = next.length === 0 ? value : replaced(value, next, walk);
    changed ||= shown !== value;
    return [key, shown];
  });
  return changed ? Object.fromEntries(entries) : fields;
}

const isPlace = (place: Place | undefined): place is Place => place !== undefined;

function addTexts(value: unknown, found: Set<string>): void {
  if (typeof value === 'string' && value.length >= SHORTEST_TEXT) found.add(value);
  if (typeof value === 'number' && String(value).length >= SHORTEST_NUMBER) found.add(String(value));
  if (typeof value !== 'object' || value === null) return;
  for (const inner of Object.values(value)) addTexts(inner, found);
}

/**
 * Like {@link hideAt}, for a condition that contexts must contain. An element of a list matches at every index there,
 * so indexes in the paths are treated as `*`.
 */
export function hideInCondition<T>(condition: T, paths: readonly string[]): T {
  return hideAt(condition, sensitivePaths(paths.map((path) => path.replace(/(?<=^|\.)\d+(?=\.|$)/g, ANY))));
}

/**
 * Throws if a condition on contexts compares a value at one of these paths, because the results would reveal the value.
 * `way`: how the caller can see the values.
 * @throws TaskerError `forbidden`
 */
export function refuseCondition(condition: unknown, paths: Iterable<string>, way: string): void {
  const refused = [...paths].find((path) => hideInCondition(condition, [path]) !== condition);
  if (refused === undefined) return;
  throw new TaskerError(
    'forbidden',
    `context: a template declares ${refused} as sensitive, so it cannot be searched for; omit it, or ${way}`,
  );
}
