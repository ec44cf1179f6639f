import { readFileSync } from 'node:fs';
import type { Statement } from '../db/statement.ts';

/** The tag of a statement: its name, and then its text. */
export const sql =
  (name: string) =>
  (texts: TemplateStringsArray, ...parts: readonly (string | number)[]): Statement => ({
    name,
    text: String.raw({ raw: texts }, ...parts),
  });

/**
 * A statement that has variants: its text is the file statements/name.sql. It is read at once, because the package may be
 * replaced while the program runs.
 */
export function sqlFile(name: string): Statement {
  const text = readFileSync(new URL(`../../statements/${name}.sql`, import.meta.url), 'utf8');
  // Without the comment at its head: the server shows only the beginning of a running statement.
  return { name, text: text.replace(/^(?:--.*\r?\n)+/, '') };
}

/** Columns of rows as lists, for texts: the driver quotes them. */
export function lists<Row, Key extends keyof Row>(rows: readonly Row[], ...keys: readonly Key[]): Row[Key][][] {
  return keys.map((key) => rows.map((row) => row[key]));
}

/**
 * Columns of rows as array literals, for values that need no quotes: ids, numbers, booleans and names of states. The
 * driver's own conversion quotes element by element.
 */
export function columns<Row>(rows: readonly Row[], ...keys: readonly (keyof Row)[]): string[] {
  return keys.map((key) => `{${rows.map((row) => row[key] ?? 'null').join(',')}}`);
}
