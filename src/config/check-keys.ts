import type { z } from 'zod';
import { nearNames } from '../model/near-names.ts';
import { CONFIG_KEYS, CONFIG_NAMES, type ConfigKey, type ConfigName, type TaskerConfig } from './config-keys.ts';
import type { ConfigProblem } from './config-problem.ts';
import { INEFFECTIVE_KEYS, ineffectiveRow } from './ineffective-keys.ts';
import { type MergedConfig, valueAt } from './toml/merge-files.ts';
import { isTable, type TomlTable } from './toml/read-toml.ts';

/** A configured value, and its key. */
export interface Given<Name extends ConfigName = ConfigName> {
  name: Name;
  value: TaskerConfig[Name];
  /** The key as it is written in the file. */
  path: string;
}

/** The values in a file, and the problems with them. */
export interface CheckedKeys {
  given: Given[];
  errors: ConfigProblem[];
  warnings: ConfigProblem[];
}

const PLACES = new Map<string, ConfigName>(
  CONFIG_NAMES.flatMap((name) => [CONFIG_KEYS[name].path, ...(CONFIG_KEYS[name].also ?? [])].map((one) => [one, name])),
);
const ROWS = Object.keys(INEFFECTIVE_KEYS).map((row) => row.replace(/\.\*$/, ''));
const TABLES = new Set(
  [...PLACES.keys(), ...ROWS].flatMap((one) => {
    const parts = one.split('.');
    return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('.'));
  }),
);
const KNOWN = [...PLACES.keys(), ...ROWS, ...TABLES];

/** Reads the keys that have an effect. Reports unknown keys and keys without effect. */
export function checkKeys(merged: MergedConfig): CheckedKeys {
  const checked: CheckedKeys = { given: [], errors: [], warnings: [] };
  const ignored = new Map<string, number>();
  const problem = (key: string, message: string): ConfigProblem => {
    const { file, line } = merged.placeOf(key);
    return { where: file, line, key, message };
  };
  const walk = (table: TomlTable, prefix: string): void => {
    for (const [key, value] of Object.entries(table)) {
      const path = prefix === '' ? key : `${prefix}.${key}`;
      const row = ineffectiveRow(path);
      if (PLACES.has(path)) continue;
      if (row !== undefined) ignored.set(row, (ignored.get(row) ?? 0) + 1);
      else if (!TABLES.has(path)) checked.warnings.push(problem(path, unknownKey(path)));
      else if (isTable(value)) walk(value, path);
      else checked.errors.push(problem(path, `${path} must be a table, got ${shown(value)}`));
    }
  };
  walk(merged.table, '');
  for (const name of CONFIG_NAMES) readKey(name, { merged, checked, problem });
  const ineffective = ignoredKeys(ignored, merged);
  if (ineffective) checked.warnings.push(ineffective);
  return checked;
}

interface Reading {
  merged: MergedConfig;
  checked: CheckedKeys;
  problem: (key: string, message: string) => ConfigProblem;
}

function readKey<Name extends ConfigName>(name: Name, { merged, checked, problem }: Reading): void {
  const key: ConfigKey<TaskerConfig[Name]> = CONFIG_KEYS[name];
  const paths = [key.path, ...(key.also ?? [])].filter((one) => valueAt(merged.table, one) !== undefined);
  for (const [index, path] of paths.entries()) {
    const value = valueAt(merged.table, path);
    const read = key.form.schema.safeParse(value);
    if (!read.success) {
      const parts = key.form.explain ? read.error.issues.filter(isOfPart) : [];
      for (const issue of parts) {
        const at = [path, ...issue.path].join('.');
        const own =
          path + issue.path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
        const [unknown] = issue.code === 'unrecognized_keys' ? issue.keys : [];
        checked.errors.push(
          problem(unknown === undefined ? at : `${at}.${unknown}`, `${own} ${key.form.explain!(issue)}`),
        );
      }
      if (parts.length === 0) checked.errors.push(problem(path, wrongValue(path, key, value)));
    } else if (index === 0) checked.given.push({ name, value: read.data, path });
  }
}

/** Returns whether an issue concerns one table of a list, or the combination of several. */
const isOfPart = (issue: z.core.$ZodIssue): boolean => issue.path.length > 0 || issue.code === 'custom';

/** The message about an invalid value. Omits a value that may contain a password. */
export function wrongValue(where: string, key: ConfigKey<unknown>, value: unknown): string {
  return `${where} must be ${key.form.words}${key.secret ? '' : `, got ${shown(value)}`}`;
}

const LONGEST_SHOWN = 60;

function shown(value: unknown): string {
  if (isTable(value)) return 'a table';
  if (typeof value === 'number' || value instanceof Date) return String(value);
  const text = JSON.stringify(value);
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
}

function unknownKey(path: string): string {
  const near = nearestKey(path);
  return `unknown key ${path} is ignored${near === undefined ? '' : `; did you mean ${near}?`}`;
}

/**
 * Returns the key that was probably meant: a similar key in the same table, else the key or option with this name
 * elsewhere.
 */
export function nearestKey(path: string): string | undefined {
  const parent = path.slice(0, Math.max(0, path.lastIndexOf('.')));
  const own = path.slice(path.lastIndexOf('.') + 1);
  const last = (one: string) => one.slice(one.lastIndexOf('.') + 1);
  const beside = KNOWN.filter((one) => one.slice(0, Math.max(0, one.lastIndexOf('.'))) === parent);
  const near = nearNames(own, beside.map(last), 1)[0];
  if (near !== undefined) return beside.find((one) => last(one) === near);
  return [...PLACES].find(([one, name]) => last(one) === own || name === camelOf(own))?.[0];
}

/** The name of the option for a key: `poll_interval` becomes `pollInterval`. */
const camelOf = (key: string): string => key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

function ignoredKeys(ignored: ReadonlyMap<string, number>, merged: MergedConfig): ConfigProblem | undefined {
  const [first] = ignored.keys();
  if (first === undefined) return undefined;
  const many = ignored.size > 1 || first.endsWith('.*');
  const names = [...ignored.keys()].sort().join(', ');
  return {
    where: merged.placeOf(first.replace(/\.\*$/, '')).file,
    message: `${many ? 'keys' : 'key'} without effect here: ${names}; \`tasker config explain KEY\` shows why`,
  };
}
