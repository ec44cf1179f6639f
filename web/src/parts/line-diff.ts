export interface DiffLine {
  kind: 'same' | 'added' | 'removed';
  text: string;
}

/** If the table would be larger than this, all lines from the first to the last difference count as changed. */
const LARGEST = 4_000_000;

/** Returns the lines of two strings, each marked as the same, added or removed. */
export function lineDiff(before: string, after: string): DiffLine[] {
  const [a, b] = [before.split('\n'), after.split('\n')];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const same = (text: string): DiffLine => ({ kind: 'same', text });
  const middle = [a.slice(start, a.length - end), b.slice(start, b.length - end)] as const;
  return [...a.slice(0, start).map(same), ...changed(...middle), ...a.slice(a.length - end).map(same)];
}

function changed(a: readonly string[], b: readonly string[]): DiffLine[] {
  const removed = (text: string): DiffLine => ({ kind: 'removed', text });
  const added = (text: string): DiffLine => ({ kind: 'added', text });
  if (a.length * b.length > LARGEST) return [...a.map(removed), ...b.map(added)];
  // longest[i][j]: the length of the longest common subsequence of the lines from i and from j on.
  const width = b.length + 1;
  const longest = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      longest[i * width + j] =
        a[i] === b[j]
          ? longest[(i + 1) * width + j + 1]! + 1
          : Math.max(longest[(i + 1) * width + j]!, longest[i * width + j + 1]!);
    }
  }
  const lines: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ kind: 'same', text: a[i]! });
      i++;
      j++;
    } else if (j >= b.length || (i < a.length && longest[(i + 1) * width + j]! >= longest[i * width + j + 1]!)) {
      lines.push(removed(a[i++]!));
    } else lines.push(added(b[j++]!));
  }
  return lines;
}

/** Returns the lines near a difference. A gap is undefined. */
export function nearChanges(lines: readonly DiffLine[], around = 3): (DiffLine | undefined)[] {
  const shown = lines.map((_, at) =>
    lines.slice(Math.max(0, at - around), at + around + 1).some(({ kind }) => kind !== 'same'),
  );
  return lines.flatMap((line, at) => {
    if (shown[at]) return [line];
    return at === 0 || shown[at - 1] ? [undefined] : [];
  });
}
