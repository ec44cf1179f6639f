import { stripVTControlCharacters } from 'node:util';
import pc from 'picocolors';

/** Rows in columns as wide as their widest cell; colours do not count. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header.map((cell) => pc.dim(cell.toUpperCase())), ...rows];
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

/** Names and values, the values under each other. */
export function fields(pairs: readonly (readonly [name: string, value: string | null | undefined])[]): string {
  const given = pairs.filter((pair): pair is readonly [string, string] => pair[1] !== null && pair[1] !== undefined);
  const width = Math.max(...given.map(([name]) => widthOf(name)));
  return given.map(([name, value]) => `${pc.dim(padded(name, width))}  ${value}`).join('\n');
}

/** Columns that a text takes on a terminal, wide characters aside. */
export function widthOf(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}
