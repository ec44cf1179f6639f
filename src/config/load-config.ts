import path from 'node:path';
import { TaskerError } from '../errors.ts';
import { type CheckedKeys, checkKeys, wrongValue } from './check-keys.ts';
import { CONFIG_KEYS, CONFIG_NAMES, type ConfigName, type TaskerConfig } from './config-keys.ts';
import { type ConfigProblem, formatConfigProblem } from './config-problem.ts';
import { type ConfigHome, detectConfig, detectTemplates, namedConfig, projectRoot } from './find-config.ts';
import { type ReadHome, readHome } from './read-home.ts';
import { type ReadVariables, readVariables } from './read-variables.ts';

/** Values that a program gives itself. */
export type ConfigOverrides = { readonly [Name in ConfigName]?: TaskerConfig[Name] | undefined };

/** Options of {@link loadConfig}. */
export interface LoadConfigOptions {
  /** A TOML file, or a folder with `base/` and `environments/`. Default: `TASKER_CONFIG_PATH`, else the project's own. */
  configPath?: string | undefined;
  /** Values that win over environment and file; those that are undefined say nothing. */
  overrides?: ConfigOverrides;
  /** Default: that of the process. */
  env?: NodeJS.ProcessEnv;
  /** Where the project is looked for, and what paths are relative to. Default: the current folder. */
  cwd?: string;
}

/** Where a value came from. */
export interface ConfigSource {
  from: 'option' | 'environment' | 'file' | 'default';
  /** The variable of the environment, or the key as it stands in the file. */
  name?: string;
  file?: string;
  line?: number | undefined;
}

/** A configuration, where each of its values came from, and what is to be said about it. */
export interface LoadedConfig {
  config: Readonly<TaskerConfig>;
  sources: Readonly<Record<ConfigName, ConfigSource>>;
  /** The file or folder that was read; undefined: there is none. */
  path: string | undefined;
  /** Every file that was read, the later ones over the earlier. */
  files: readonly string[];
  /** One line each, with file and line. */
  warnings: readonly string[];
  problems: readonly ConfigProblem[];
  /**
   * `NODE_ENV` of the environment that was read. If `TASKER_ENV` is not set, `production` refuses the embedded server.
   */
  nodeEnv: string | undefined;
}

/**
 * The configuration of this process: options win over variables of the environment, these over the configuration file,
 * this over the defaults. No file is needed. Everything that is wrong is told at once.
 *
 * @example
 * const { config, sources, warnings } = loadConfig({ configPath: 'config/tasker.toml' });
 * for (const line of warnings) console.warn(line);
 * console.log(config.concurrency, sources.concurrency.from); // 100 'default'
 * @throws TaskerError `config_invalid`: a file that is named and not there, or one line for each thing that is wrong
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

/** The defaults alone, without file and environment. */
export function defaultConfig(): LoadedConfig {
  return { ...defaults(process.cwd()), path: undefined, files: [], warnings: [], problems: [], nodeEnv: nodeEnvOf() };
}

function nodeEnvOf(env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env['NODE_ENV'] || undefined;
}

/** All that is to be said about a configuration; nothing is thrown. */
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

/** Reads file and environment. @throws TaskerError `config_invalid` when a file that is named is not there */
function readAll({ env = process.env, cwd = process.cwd(), configPath, overrides = {} }: LoadConfigOptions): ReadAll {
  const named = configPath || env['TASKER_CONFIG_PATH'];
  const by = configPath ? 'configPath' : 'TASKER_CONFIG_PATH';
  const home = named ? namedConfig(named, { cwd, by }) : detectConfig(cwd);
  const environment = overrides.environment ?? (env['TASKER_ENV'] || undefined);
  const read = home && readHome(home, { env, cwd, environment });
  const inFile: CheckedKeys = read ? checkKeys(read.merged) : { given: [], errors: [], warnings: [] };
  const variables = readVariables(env);
  const wrong = inFile.errors.filter(notTold(read?.errors));
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

/** A configuration with values of a program over it. Those that are undefined say nothing. */
export function withOverrides(loaded: LoadedConfig, overrides: ConfigOverrides): LoadedConfig {
  const given = { ...overrides, namespaces: checkedNamespaces(overrides.namespaces) };
  const values = CONFIG_NAMES.map((name): Sourced => ({ name, value: given[name], source: { from: 'option' } }));
  return { ...loaded, ...layOver(loaded, values) };
}

/** The namespaces that a program sets. Undefined when it sets none, or only empty ones. */
function checkedNamespaces(given: unknown): string[] | undefined {
  if (given === undefined) return undefined;
  const read = CONFIG_KEYS.namespaces.form.schema.safeParse(given);
  if (read.success) return read.data;
  throw invalid([{ where: 'namespaces', message: wrongValue('the option', CONFIG_KEYS.namespaces, given) }]);
}

/** A value whose variable is missing is wrong as well: that is told once. */
function notTold(told: readonly ConfigProblem[] = []): (problem: ConfigProblem) => boolean {
  return ({ where, line }) => !told.some((one) => one.where === where && one.line === line);
}

/** All that is wrong, as one error. */
export function invalid(problems: readonly ConfigProblem[]): TaskerError {
  return new TaskerError('config_invalid', problems.map(formatConfigProblem).join('\n'), { details: { problems } });
}

type Mixed = Pick<LoadedConfig, 'config' | 'sources'>;

function defaults(cwd: string): Mixed {
  const values = CONFIG_NAMES.map((name) => [name, CONFIG_KEYS[name].byDefault]);
  const sources = CONFIG_NAMES.map((name) => [name, { from: 'default' }]);
  return {
    config: { ...(Object.fromEntries(values) as TaskerConfig), templatePaths: detectTemplates(cwd) },
    sources: Object.fromEntries(sources) as Record<ConfigName, ConfigSource>,
  };
}

interface Sourced {
  name: ConfigName;
  value: TaskerConfig[ConfigName];
  source: ConfigSource;
}

/** Values laid over others, the later ones on top. Those that are undefined say nothing. */
function layOver(below: Mixed, values: readonly Sourced[]): Mixed {
  const config = { ...below.config };
  const sources = { ...below.sources };
  for (const { name, value, source } of values) {
    if (value === undefined || (name === 'databaseDirectUrl' && value === '')) continue;
    // A direct URL belongs to the server it was given with: not to another one that is named with more weight.
    const replaces = config.databaseUrl !== undefined || source.from === 'option';
    if (name === 'databaseUrl' && value !== config.databaseUrl && replaces) {
      config.databaseDirectUrl = undefined;
      sources.databaseDirectUrl = { from: 'default' };
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
