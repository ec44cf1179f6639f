import { CONFIG_KEYS, CONFIG_NAMES, type ConfigKey, type ConfigName, type TaskerConfig } from '../config-keys.ts';
import { hiddenUrl } from '../database-hosts.ts';
import type { ConfigSource, LoadedConfig } from '../load-config.ts';

/** One value, with secrets hidden. */
export interface ShownValue {
  name: ConfigName;
  /** The key in the file. */
  path: string;
  /** The value as it would be written in the file, with secrets hidden. Undefined if it is not set and has no default. */
  value: unknown;
  source: ConfigSource;
}

/** Returns all values of a configuration, with secrets hidden. */
export function shownValues({ config, sources }: Pick<LoadedConfig, 'config' | 'sources'>): ShownValue[] {
  return CONFIG_NAMES.map((name) => ({
    name,
    path: CONFIG_KEYS[name].path,
    value: shownValue(name, config[name]),
    source: sources[name],
  }));
}

/**
 * Returns the values that are set, by their keys in the file. `environment` is the environment that selects the
 * templates' overrides.
 */
export function shownConfig(loaded: LoadedConfig, environment: string): Record<string, unknown> {
  const set = shownValues(loaded).filter(({ value }) => value !== undefined);
  const entries = set.map(({ path, value }) => [path, value] as const);
  return { ...Object.fromEntries(entries), [CONFIG_KEYS.environment.path]: environment };
}

/** Returns a value in the form of the file, with secrets hidden. */
export function shownValue<Name extends ConfigName>(name: Name, value: TaskerConfig[Name]): unknown {
  const key: ConfigKey<TaskerConfig[Name]> = CONFIG_KEYS[name];
  if (value === undefined) return undefined;
  if (key.form.shown) return key.form.shown(value);
  return key.secret ? hiddenUrl(String(value)) : (key.form.inFile?.(value) ?? value);
}

/** Describes the source of a value. */
export function phraseSource({ from, name, file, line }: ConfigSource): string {
  if (from === 'file') return `${file}${line === undefined ? '' : `:${line}`}`;
  return from === 'environment' ? `variable ${name}` : from;
}

/** Describes the default of a key, with code in backquotes. */
export function defaultOf(name: ConfigName): string {
  const { byDefault, defaultWords } = CONFIG_KEYS[name];
  return defaultWords ?? `\`${JSON.stringify(shownValue(name, byDefault))}\``;
}
