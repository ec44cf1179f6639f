import { lineOf } from './locate-keys.ts';
import { isTable, type TomlFile, type TomlTable } from './read-toml.ts';

/** Where a key stands. */
export interface Place {
  file: string;
  line: number | undefined;
}

/** Several files as one. */
export interface MergedConfig {
  table: TomlTable;
  /** Where the value of a path was said last. */
  placeOf(path: string): Place;
}

/** Lays files over each other, the later ones on top: tables are merged, all else — lists too — is replaced. */
export function mergeFiles(files: readonly TomlFile[]): MergedConfig {
  const table = files.reduce<TomlTable>((below, { table: above }) => mergeTables(below, above), {});
  return {
    table,
    placeOf(path) {
      const last = files.findLast((one) => holds(one.table, path)) ?? files.at(-1);
      return { file: last?.file ?? '', line: last && lineOf(last.lines, path) };
    },
  };
}

/** One table over another. */
export function mergeTables(below: TomlTable, above: TomlTable): TomlTable {
  const merged: TomlTable = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const there = Object.hasOwn(merged, key) ? merged[key] : undefined;
    const next = isTable(there) && isTable(value) ? mergeTables(there, value) : value;
    // A key may be called __proto__.
    Object.defineProperty(merged, key, { value: next, enumerable: true, writable: true, configurable: true });
  }
  return merged;
}

/** What stands at a path, in which lists have numbers; undefined: nothing. */
export function valueAt(table: TomlTable, path: string): unknown {
  let value: unknown = table;
  for (const part of path.split('.')) {
    if ((!isTable(value) && !Array.isArray(value)) || !Object.hasOwn(value, part)) return undefined;
    value = (value as TomlTable)[part];
  }
  return value;
}

const holds = (table: TomlTable, path: string): boolean => valueAt(table, path) !== undefined;
