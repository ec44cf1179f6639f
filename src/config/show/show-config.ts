import { CONFIG_KEYS, CONFIG_NAMES, type ConfigKey, type ConfigName, type TaskerConfig } from '../config-keys.ts';
import type { ConfigSource, LoadedConfig } from '../load-config.ts';

/** One value as it may be shown. */
export interface ShownValue {
  name: ConfigName;
  /** Its place in the file. */
  path: string;
  /** As it would stand in the file, secrets hidden; undefined: nothing is set, and there is no value of its own. */
  value: unknown;
  source: ConfigSource;
}

/** Every value of a configuration, as it may be shown to anybody. */
export function shownValues({ config, sources }: Pick<LoadedConfig, 'config' | 'sources'>): ShownValue[] {
  return CONFIG_NAMES.map((name) => ({
    name,
    path: CONFIG_KEYS[name].path,
    value: shownValue(name, config[name]),
    source: sources[name],
  }));
}

/** What is set, by its place in the file; `environment` is the one whose overrides of templates apply. */
export function shownConfig(loaded: LoadedConfig, environment: string): Record<string, unknown> {
  const set = shownValues(loaded).filter(({ value }) => value !== undefined);
  const entries = set.map(({ path, value }) => [path, value] as const);
  return { ...Object.fromEntries(entries), [CONFIG_KEYS.environment.path]: environment };
}

/** A value as it would stand in the file, a secret hidden. */
export function shownValue<Name extends ConfigName>(name: Name, value: TaskerConfig[Name]): unknown {
  const key: ConfigKey<TaskerConfig[Name]> = CONFIG_KEYS[name];
  if (value === undefined) return undefined;
  if (key.form.shown) return key.form.shown(value);
  return key.secret ? hiddenUrl(String(value)) : (key.form.inFile?.(value) ?? value);
}

const SECRET = /pass|secret|token|key/i;

/** A URL without its secrets: its password, and parameters that may be one. */
export function hiddenUrl(url: string): string {
  if (!URL.canParse(url)) return '***';
  const parsed = new URL(url);
  if (parsed.password) parsed.password = '***';
  for (const name of [...parsed.searchParams.keys()]) {
    if (SECRET.test(name)) parsed.searchParams.set(name, '***');
  }
  return parsed.toString();
}

/** Where a value came from, in words. */
export function phraseSource({ from, name, file, line }: ConfigSource): string {
  if (from === 'file') return `${file}${line === undefined ? '' : `:${line}`}`;
  return from === 'environment' ? `variable ${name}` : from;
}

/** The default of a key in words, code in backquotes. */
export function defaultOf(name: ConfigName): string {
  const { byDefault, defaultWords } = CONFIG_KEYS[name];
  return defaultWords ?? `\`${JSON.stringify(shownValue(name, byDefault))}\``;
}
