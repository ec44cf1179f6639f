/**
 * Compares two versions of a template in the order of Semantic Versioning: by number, then a version with a suffix such
 * as `-rc.1` before the version itself, then by the parts of the suffix. Build metadata (`+…`) does not count. Versions
 * of another form are compared in the same way, part by part, so `2024.2` comes before `2024.10`.
 *
 * @example
 * ['2.0.0', '1.10.0', '2.0.0-rc.1', '1.9.0'].sort(compareVersions); // 1.9.0, 1.10.0, 2.0.0-rc.1, 2.0.0
 */
export function compareVersions(a: string, b: string): number {
  const [one, other] = [partsOf(a), partsOf(b)];
  const order = compareParts(one.numbers, other.numbers);
  if (order !== 0) return order;
  if (one.suffix && other.suffix) return compareParts(one.suffix, other.suffix);
  return one.suffix ? -1 : other.suffix ? 1 : 0;
}

/**
 * Returns the highest of these versions. Of versions that are equal in {@link compareVersions}, it returns the last by
 * text, so that every process returns the same one. Undefined if there are none.
 */
export function highestVersion(versions: Iterable<string>): string | undefined {
  return descendingVersions(versions)[0];
}

/** Returns the versions in descending order. */
export function descendingVersions(versions: Iterable<string>): string[] {
  return [...versions].sort((a, b) => compareVersions(b, a) || (a < b ? 1 : -1));
}

function partsOf(version: string): { numbers: string[]; suffix: string[] | undefined } {
  const [plain = ''] = version.split('+');
  const dash = plain.indexOf('-');
  if (dash === -1) return { numbers: plain.split('.'), suffix: undefined };
  return { numbers: plain.slice(0, dash).split('.'), suffix: plain.slice(dash + 1).split('.') };
}

/** Compares lists part by part. A list comes after its own beginning. */
function compareParts(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = comparePart(a[i]!, b[i]!);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

const IS_NUMBER = /^\d+$/;

/** Compares numbers by value, and texts by code unit. A number comes before a text. */
function comparePart(a: string, b: string): number {
  const [isNumber, otherIsNumber] = [IS_NUMBER.test(a), IS_NUMBER.test(b)];
  if (isNumber !== otherIsNumber) return isNumber ? -1 : 1;
  if (!isNumber) return a === b ? 0 : a < b ? -1 : 1;
  const [one, other] = [BigInt(a), BigInt(b)];
  return one === other ? 0 : one < other ? -1 : 1;
}
