/** A format of an export. */
export type Format = 'csv' | 'json';

/** Maximum number of rows in an export of all pages. */
export const MOST_ROWS = 10_000;

/** Offers rows as a file. */
export function download(name: string, format: Format, rows: readonly object[]): void {
  offer(name, format, format === 'json' ? jsonOf(rows) : csvOf(rows));
}

/** Offers a document as a file. */
export function downloadJson(name: string, document: object): void {
  offer(name, 'json', jsonOf(document));
}

const jsonOf = (value: object) => `${JSON.stringify(value, null, 2)}\n`;

function offer(name: string, format: Format, text: string): void {
  const type = format === 'json' ? 'application/json' : 'text/csv';
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type }));
  const time = new Date().toISOString().slice(0, 19).replaceAll(':', '');
  link.download = `${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}-${time}.${format}`;
  link.click();
  // The browser needs the URL only until it has opened the file.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Returns rows as CSV (RFC 4180), with a column for each field. Objects and lists are JSON. */
export function csvOf(rows: readonly object[]): string {
  const columns = [...new Set(rows.flatMap(Object.keys))];
  const lines = rows.map((row) => columns.map((column) => cell((row as Record<string, unknown>)[column])));
  return `${[columns.map(cell), ...lines].map((line) => line.join(',')).join('\r\n')}\r\n`;
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return '';
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  // A spreadsheet would evaluate a string that begins like this as a formula.
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
