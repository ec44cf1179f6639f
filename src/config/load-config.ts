import path from 'node:path';
import { TaskerError } from '../errors.ts';
import { type CheckedKeys, checkKeys, wrongValue } from './check-keys.ts';
import { CONFIG_KEYS, CONFIG_NAMES, type ConfigName, type TaskerConfig } from './config-keys.ts';
import { type ConfigProblem, formatConfigProblem } from './config-problem.ts';
import {
  type ConfigHome,
  detectConfig,
  detectEmbedded,
  detectTemplates,
  namedConfig,
  projectRoot,
} from './find-config.ts';
import { type ReadHome, readHome } from './read-home.ts';
import { type ReadVariables, readVariables } from './read-variables.ts';

/** Values that a program sets itself. */
export type ConfigOverrides = { readonly [Name in ConfigName]?: TaskerConfig[Name] | undefined };

/** Options of {@link loadConfig}. */
export interface LoadConfigOptions {
  /** A TOML file, or a folder with `base/` and `environments/`. Default: `TASKER_CONFIG_PATH`, else the project's own. */
  configPath?: string | undefined;
  /** Values that take precedence over environment and file. Undefined values are ignored. */
  overrides?: ConfigOverrides;
  /** The environment. Default: that of the process. */
  env?: NodeJS.ProcessEnv;
  /** The folder to search the project from, and to resolve paths against. Default: the current folder. */
  cwd?: string;
}

/** The source of a value. */
export interface ConfigSource {
  from: 'option' | 'environment' | 'file' | 'default';
  /** The environment variable, or the key as it is written in the file. */
  name?: string;
  file?: string;
  line?: number | undefined;
}

/** A configuration, the sources of its values, and the warnings about it. */
export interface LoadedConfig {
  config: Readonly<TaskerConfig>;
  sources: Readonly<Record<ConfigName, ConfigSource>>;
  /** The file or folder that was read; undefined if there is none. */
  path: string | undefined;
  /** All files that were read. Later files override earlier files. */
  files: readonly string[];
  /** The warnings, each with its file and line. */
  warnings: readonly string[];
  /** The warnings as objects. */
  problems: readonly ConfigProblem[];
  /**
   * `NODE_ENV` of the environment that was read. If `TASKER_ENV` is not set, `production` disables the embedded server.
   */
  nodeEnv: string | undefined;
}

/**
 * Loads the configuration of this process. Options take precedence over environment variables, environment variables
 * over the configuration file, and the file over the defaults. A file is optional. All errors are reported together.
 *
 * @example
 * const { config, sources, warnings } = loadConfig({ configPath: 'config/tasker.toml' });
 * for (const line of warnings) console.warn(line);
 * console.log(config.concurrency, sources.concurrency.from); // 100 'default'
 * @throws TaskerError `config_invalid` if a named file does not exist, or with one line for each error
 */
export function loadConfig(options: LoadConfigOptions = {}): LoadedConfig {
  const { cwd, home, read, inFile, variables, errors, warnings } = readAll(options);
  if (errors.length > 0) throw invalid(errors);
  const root = projectRoot(cwd);
  const fromFile = inFile.given.map(({ name, value, path: key }): Sourced => {
    const source = { from: 'file', name: key, ...read?.merged.placeOf(key) } as const;
    return { name, value: CONFIG_KEYS[name].isPath ? resolved(value, root) : value, source };
  });
  const fromEnvironment = variables.given.map(({ name, value, variable }): Sourced => {
    return { name, value, source: { from: 'environment', name: variable } };
  });
  const loaded = {
    ...layOver(defaults(cwd), [...fromFile, ...fromEnvironment]),
    path: home?.path,
    files: read?.files ?? [],
    problems: warnings,
    warnings: warnings.map(formatConfigProblem),
    nodeEnv: nodeEnvOf(options.env),
  };
  return withOverrides(loaded, options.overrides ?? {});
}

/** Returns the defaults. Reads no configuration file, and no environment variable except `NODE_ENV`. */
export function defaultConfig({ env, cwd = process.cwd() }: Pick<LoadConfigOptions, 'env' | 'cwd'> = {}): LoadedConfig {
  return { ...defaults(cwd), path: undefined, files: [], warnings: [], problems: [], nodeEnv: nodeEnvOf(env) };
}

function nodeEnvOf(env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env['NODE_ENV'] || undefined;
}

/** Returns all errors and warnings of a configuration, instead of throwing. */
export function checkConfig(options: LoadConfigOptions): Pick<ReadAll, 'errors' | 'warnings'> & { files: string[] } {
  try {
    const { errors, warnings, read } = readAll(options);
    return { errors, warnings, files: read?.files ?? [] };
  } catch (error) {
    if (!(error instanceof TaskerError)) throw error;
    const { where = 'configuration', message = error.message } = error.details as Partial<ConfigProblem>;
    return { errors: [{ where, message }], warnings: [], files: [] };
  }
}

interface ReadAll {
  cwd: string;
  home: ConfigHome | undefined;
  read: ReadHome | undefined;
  inFile: CheckedKeys;
  variables: ReadVariables;
  errors: ConfigProblem[];
  warnings: ConfigProblem[];
}

/** Reads file and environment. @throws TaskerError `config_invalid` if a named file does not exist */
function readAll({ env = process.env, cwd = process.cwd(), configPath, overrides = {} }: LoadConfigOptions): ReadAll {
  const named = configPath || env['TASKER_CONFIG_PATH'];
  const by = configPath ? 'configPath' : 'TASKER_CONFIG_PATH';
  const home = named ? namedConfig(named, { cwd, by }) : detectConfig(cwd);
  const environment = overrides.environment ?? (env['TASKER_ENV'] || undefined);
  const read = home && readHome(home, { env, cwd, environment });
  const inFile: CheckedKeys = read ? checkKeys(read.merged) : { given: [], errors: [], warnings: [] };
  const variables = readVariables(env);
  const wrong = inFile.errors.filter(notReported(read?.errors));
  return {
    cwd,
    home,
    read,
    inFile,
    variables,
    errors: [...(read?.errors ?? []), ...wrong, ...variables.errors],
    warnings: [...(read?.warnings ?? []), ...inFile.warnings, ...variables.warnings],
  };
}

/** Returns a configuration with values of a program applied. Undefined values are ignored. */
export function withOverrides(loaded: LoadedConfig, overrides: ConfigOverrides): LoadedConfig {
  const given = { ...overrides, namespaces: checkedNamespaces(overrides.namespaces) };
  const values = CONFIG_NAMES.map((name): Sourced => ({ name, value: given[name], source: { from: 'option' } }));
  return { ...loaded, ...layOver(loaded, values) };
}

/** Checks the namespaces that a program sets. Returns undefined if there are none, or only empty names. */
function checkedNamespaces(given: unknown): string[] | undefined {
  if (given === undefined) return undefined;
  const read = CONFIG_KEYS.namespaces.form.schema.safeParse(given);
  if (read.success) return read.data;
  throw invalid([{ where: 'namespaces', message: wrongValue('the option', CONFIG_KEYS.namespaces, given) }]);
}

/** A value whose variable is missing is also invalid. Omits the second problem on its line. */
function notReported(reported: readonly ConfigProblem[] = []): (problem: ConfigProblem) => boolean {
  return ({ where, line }) => !reported.some((one) => one.where === where && one.line === line);
}

/** Combines problems in one error. */
export function invalid(problems: readonly ConfigProblem[]): TaskerError {
  return new TaskerError('config_invalid', problems.map(formatConfigProblem).join('\n'), { details: { problems } });
}

type Mixed = Pick<LoadedConfig, 'config' | 'sources'>;

function defaults(cwd: string): Mixed {
  const values = CONFIG_NAMES.map((name) => [name, CONFIG_KEYS[name].byDefault]);
  const sources = CONFIG_NAMES.map((name) => [name, { from: 'default' }]);
  return {
    config: {
      ...(Object.fromEntries(values) as TaskerConfig),
      templatePaths: detectTemplates(cwd),
      embeddedFolder: detectEmbedded(cwd),
    },
    sources: Object.fromEntries(sources) as Record<ConfigName, ConfigSource>,
  };
}

interface Sourced {
  name: ConfigName;
  value: TaskerConfig[ConfigName];
  source: ConfigSource;
}

/** Applies values to a configuration. Later values override earlier values. Undefined values are ignored. */
function layOver(below: Mixed, values: readonly Sourced[]): Mixed {
  const config = { ...below.config };
  const sources = { ...below.sources };
  for (const { name, value, source } of values) {
    if (value === undefined || (name === 'databaseDirectUrl' && value === '')) continue;
    // These URLs belong to the database URL they were given with, not to a URL that overrides that one.
    const replaces = config.databaseUrl !== undefined || source.from === 'option';
    if (name === 'databaseUrl' && value !== config.databaseUrl && replaces) {
      Object.assign(config, { databaseDirectUrl: undefined, databaseReplicaUrl: undefined });
      for (const other of ['databaseDirectUrl', 'databaseReplicaUrl'] as const) sources[other] = { from: 'default' };
    }
    Object.assign(config, { [name]: value });
    sources[name] = source;
  }
  return { config: Object.freeze(config), sources: Object.freeze(sources) };
}

function resolved(value: unknown, root: string): TaskerConfig[ConfigName] {
  if (typeof value === 'string') return path.resolve(root, value);
  return (value as string[]).map((one) => path.resolve(root, one));
}
