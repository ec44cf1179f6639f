import { readFileSync } from 'node:fs';
import type { Statement } from '../db/statement.ts';
import { WAIT_CALLABLES } from '../model/waits.ts';

/** Returns a template tag that creates a statement with this name. */
export const sql =
  (name: string) =>
  (texts: TemplateStringsArray, ...parts: readonly (string | number)[]): Statement => ({
    name,
    text: String.raw({ raw: texts }, ...parts),
  });

/** Returns a statement whose text was built for one call. */
export function made({ name }: Statement, text: string): Statement {
  return { name, text, once: true };
}

/**
 * Returns a statement that has variants. Its text is the file statements/name.sql, which is read at startup, because
 * the package may be replaced while the program runs.
 */
export function sqlFile(name: string): Statement {
  const text = readFileSync(new URL(`../../statements/${name}.sql`, import.meta.url), 'utf8');
  // The first comment is removed, because the server shows only the beginning of a running statement.
  return { name, text: text.replace(/^(?:--.*\r?\n)+/, '') };
}

/** The names of the handlers of steps that need no user handler, as a list in SQL. */
export const BUILT_IN_HANDLERS = Object.values(WAIT_CALLABLES)
  .map((callable) => `'${callable}'`)
  .join(', ');

/** Returns columns of rows as lists, for strings. The driver quotes them. */
export function lists<Row, Key extends keyof Row>(rows: readonly Row[], ...keys: readonly Key[]): Row[Key][][] {
  return keys.map((key) => rows.map((row) => row[key]));
}

/**
 * Returns columns of rows as array literals, for values that need no quotes: ids, numbers, booleans and names of states.
 * The driver's own conversion quotes each element.
 */
export function columns<Row>(rows: readonly Row[], ...keys: readonly (keyof Row)[]): string[] {
  return keys.map((key) => `{${rows.map((row) => row[key] ?? 'null').join(',')}}`);
}
