import { lineOf } from './locate-keys.ts';
import { isTable, type TomlFile, type TomlTable } from './read-toml.ts';

/** The place of a key. */
export interface Place {
  file: string;
  line: number | undefined;
}

/** The merged content of several files. */
export interface MergedConfig {
  table: TomlTable;
  /** Returns the place of the value that takes effect. */
  placeOf(path: string): Place;
}

/** Merges files; later files take precedence. Tables are merged. Other values, including lists, are replaced. */
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

/** Merges one table over another. */
export function mergeTables(below: TomlTable, above: TomlTable): TomlTable {
  const merged: TomlTable = { ...below };
  for (const [key, value] of Object.entries(above)) {
    const there = Object.hasOwn(merged, key) ? merged[key] : undefined;
    const next = isTable(there) && isTable(value) ? mergeTables(there, value) : value;
    // Avoids an assignment, because a key may be called __proto__.
    Object.defineProperty(merged, key, { value: next, enumerable: true, writable: true, configurable: true });
  }
  return merged;
}

/** Returns the value at a path, in which numbers index lists; undefined if there is none. */
export function valueAt(table: TomlTable, path: string): unknown {
  let value: unknown = table;
  for (const part of path.split('.')) {
    if ((!isTable(value) && !Array.isArray(value)) || !Object.hasOwn(value, part)) return undefined;
    value = (value as TomlTable)[part];
  }
  return value;
}

const holds = (table: TomlTable, path: string): boolean => valueAt(table, path) !== undefined;
