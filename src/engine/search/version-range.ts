import { TaskerError } from '../../errors.ts';

const COMPARATOR = /^(>=|<=|>|<|=)?(\d+)(?:\.(\d+|x|\*))?(?:\.(\d+|x|\*))?(-[\w.-]+)?$/i;

/**
 * Returns a function that checks whether a version is in a range. A range is a version, `1.x`, or comparators separated
 * by spaces, all of which must hold (`>=1.2.0 <2.0.0`). A version that is not three numbers matches only a range with
 * the same text.
 * @throws TaskerError `bad_request`
 */
export function versionMatcher(range: string): (version: string) => boolean {
  const comparators = range.trim().split(/\s+/).map(comparatorOf);
  return (version) => version === range || comparators.every((fits) => fits(version));
}

function comparatorOf(text: string): (version: string) => boolean {
  const [, operator = '=', ...parts] = COMPARATOR.exec(text) ?? [];
  if (parts.length === 0) {
    throw new TaskerError('bad_request', `${text} is not a version or a range; use 1.2.0, 1.x or ">=1.2.0 <2.0.0"`);
  }
  const wanted = parts
    .slice(0, 3)
    .map((part) => (part === undefined || /^[x*]$/i.test(part) ? undefined : Number(part)));
  const suffix = parts[3];
  return (version) => {
    const [, , ...own] = COMPARATOR.exec(version) ?? [];
    if (own.length === 0 || own[1] === undefined) return false;
    if (suffix !== own[3] && operator === '=') return false;
    const order = compare(own.slice(0, 3).map(Number), wanted);
    if (operator === '=') return order === 0;
    if (operator === '>') return order > 0;
    if (operator === '<') return order < 0;
    return operator === '>=' ? order >= 0 : order <= 0;
  };
}

/** Compares only the given parts: a missing part of `wanted` is equal to any. */
function compare(version: readonly number[], wanted: readonly (number | undefined)[]): number {
  for (const [i, part] of wanted.entries()) {
    if (part === undefined) return 0;
    if (version[i] !== part) return version[i]! - part;
  }
  return 0;
}
