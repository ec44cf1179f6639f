/** Only this many characters of a name are compared. */
const LONGEST = 64;

/**
 * Returns the known names that `wanted` may be a misspelling of, the nearest first. The two names differ in a few
 * letters, in case or in separators, or one is the beginning of the other. At most `limit` names (default 3).
 *
 * @example
 * nearNames('valdate', ['validate', 'ship']); // ['validate']
 */
export function nearNames(wanted: string, known: Iterable<string>, limit = 3): string[] {
  const plainWanted = plain(wanted);
  const tolerance = Math.max(1, Math.floor(plainWanted.length / 3));
  const near: { name: string; distance: number }[] = [];
  for (const name of new Set(known)) {
    if (name === wanted) continue;
    const distance = distanceOf(plainWanted, plain(name), tolerance);
    if (distance <= tolerance) near.push({ name, distance });
  }
  near.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  return near.slice(0, limit).map(({ name }) => name);
}

/**
 * Describes unknown names, each with similar names. Lists all known names if one of them has no similar name.
 *
 * @example
 * describeUnknown('option', ['valdate'], ['validate', 'ship']); // 'unknown option valdate; did you mean validate?'
 */
export function describeUnknown(what: string, unknown: readonly string[], known: readonly string[]): string {
  const faults = unknown.map((name) => {
    const near = nearNames(name, known);
    return `unknown ${what} ${name}${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''}`;
  });
  const isGuessed = faults.every((fault) => fault.endsWith('?'));
  return `${faults.join('; ')}${isGuessed ? '' : `; the ${what}s are ${known.join(', ')}`}`;
}

/** Ignores case and separators, which are common mistakes. */
function plain(name: string): string {
  return name
    .toLowerCase()
    .replace(/[\s._:/-]+/g, '_')
    .slice(0, LONGEST);
}

function distanceOf(a: string, b: string, tolerance: number): number {
  const shorter = Math.min(a.length, b.length);
  if (shorter >= 3 && (a.startsWith(b) || b.startsWith(a))) return Math.min(tolerance, Math.abs(a.length - b.length));
  if (Math.abs(a.length - b.length) > tolerance) return Number.POSITIVE_INFINITY;
  return editDistance(a, b);
}

/** Counts insertions, deletions, replacements and swaps of neighbors (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + same);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) least = Math.min(least, before[j - 2]! + 1);
      current.push(least);
    }
    before = previous;
    previous = current;
  }
  return previous[b.length]!;
}
