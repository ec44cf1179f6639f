import { pc } from '../../logging/terminal/colors.ts';
import { oneLine, withoutColors } from '../../logging/terminal/shown-text.ts';

export { counted, spanOf, timeLeft } from '../../app/wait-words.ts';

interface Look {
  sign: string;
  paint: (text: string) => string;
}

const LOOKS: Record<string, Look> = {
  complete: { sign: '✔', paint: pc.green },
  resolved_manually: { sign: '✔', paint: pc.green },
  in_progress: { sign: '▶', paint: pc.cyan },
  steps_in_process: { sign: '▶', paint: pc.cyan },
  undoing: { sign: '↶', paint: pc.cyan },
  enqueued: { sign: '•', paint: pc.blue },
  waiting_for_retry: { sign: '↻', paint: pc.yellow },
  waiting: { sign: '◷', paint: pc.magenta },
  error: { sign: '✖', paint: pc.red },
  blocked_by_failures: { sign: '✖', paint: pc.red },
  cancelled: { sign: '−', paint: pc.dim },
  undone: { sign: '↶', paint: pc.dim },
};
const PLAIN: Look = { sign: '·', paint: pc.dim };

/** Returns the symbol of a state. */
export function signOf(state: string): string {
  const { sign, paint } = LOOKS[state] ?? PLAIN;
  return paint(sign);
}

/** Returns a string in the color of a state, by default the name of the state. */
export function painted(state: string, text: string = state): string {
  return (LOOKS[state] ?? PLAIN).paint(text);
}

/** Formats a number of bytes: `512 B`, `3.4 MB`, `1.2 GB`. */
export function sizeOf(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, bytes < 1000 ? 0 : Math.floor(Math.log10(bytes) / 3));
  return `${power === 0 ? bytes : (bytes / 1000 ** power).toFixed(1)} ${units[power]}`;
}

/** Formats a number of abandoned deliveries. `atLeast`: there may be more. */
export function deadDeliveries(count: number, atLeast = false): string {
  return `${bound(count, atLeast)} dead ${count === 1 ? 'delivery' : 'deliveries'}`;
}

/** Formats a number: `1,234`, or `1,234+` if it is a lower bound. */
export function bound(number: number, atLeast: boolean): string {
  return `${number.toLocaleString('en')}${atLeast ? '+' : ''}`;
}

/** Formats a number of things: `1 file`, or `10,000+ files` if the number is a lower bound. */
export function countedBound(number: number, what: string, atLeast: boolean): string {
  return `${bound(number, atLeast)} ${what}${number === 1 && !atLeast ? '' : 's'}`;
}

/** Formats a number that was counted up to a limit: `42`, or `100,000+` for at least as many as the limit. */
export function upTo(number: number, most: number): string {
  return number >= most ? `${most.toLocaleString('en')}+` : number.toLocaleString('en');
}

/** Formats rows in columns as wide as their widest cell. Ignores color codes. A cell is one line. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header.map((cell) => pc.dim(cell.toUpperCase())), ...rows.map((row) => row.map(oneLine))];
  const widths = header.map((_, column) => Math.max(...lines.map((row) => widthOf(row[column] ?? ''))));
  return lines
    .map((row) =>
      row
        .map((cell, column) => padded(cell, widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Formats names and values in two columns, which may have several lines. Omits values that are null or undefined. */
export function fields(pairs: readonly (readonly [name: string, value: string | null | undefined])[]): string {
  const given = pairs.filter((pair): pair is readonly [string, string] => pair[1] !== null && pair[1] !== undefined);
  const width = Math.max(...given.map(([name]) => widthOf(name)));
  const indent = ' '.repeat(width + 2);
  return given
    .map(([name, value]) => `${pc.dim(padded(name, width))}  ${value.trimEnd().replaceAll('\n', `\n${indent}`)}`)
    .join('\n');
}

/**
 * Returns the width of a string on a terminal, where control characters are escaped. Counts wide characters as one column.
 */
export function widthOf(text: string): number {
  return [...withoutColors(text)].length;
}

/** Breaks a string into lines of at most `width` columns, between words. A longer word is on its own line. */
export function wrapWords(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && widthOf(last) + 1 + widthOf(word) <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Cuts a text to one line of a width, not counting color codes. Colors end where the line is cut. */
export function shortened(text: string, width: number): string {
  const line = oneLine(text);
  if (widthOf(line) <= width) return line;
  let left = width - 1;
  let color = false;
  let kept = '';
  for (const sign of line) {
    // Escape sequences are kept whole, and take up no columns.
    color ||= sign === '\u001b';
    if (color || left-- > 0) kept += sign;
    if (sign === 'm') color = false;
  }
  return `${kept}…`;
}

function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}
