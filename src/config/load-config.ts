import path from 'node:path';
import { TaskerError } from '../errors.ts';
import { type CheckedKeys, checkKeys, wrongValue } from './check-keys.ts';
import { CONFIG_KEYS, CONFIG_NAMES, type ConfigName, type TaskerConfig } from './config-keys.ts';
import { type ConfigProblem, formatConfigProblem } from './config-problem.ts';
import { type ConfigHome, detectConfig, detectTemplates, namedConfig, projectRoot } from './find-config.ts';
import { type ReadHome, readHome } from './read-home.ts';
import { type ReadVariables, readVariables } from './read-variables.ts';
import type { MergedConfig } from './toml/merge-files.ts';

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
  const mixing = new Mixing(defaults(cwd));
  if (read) mixing.addFile(inFile, { merged: read.merged, root: projectRoot(cwd) });
  for (const { name, value, variable } of variables.given) {
    mixing.set(name, value, { from: 'environment', name: variable });
  }
  const loaded = {
    ...mixing.finish(),
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
  const mixing = new Mixing(loaded);
  const given = { ...overrides, namespaces: checkedNamespaces(overrides.namespaces) };
  for (const name of CONFIG_NAMES) {
    if (given[name] !== undefined) mixing.set(name, given[name], { from: 'option' });
  }
  return { ...loaded, ...mixing.finish() };
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
  const each = <Value>(value: (name: ConfigName) => Value) => CONFIG_NAMES.map((name) => [name, value(name)] as const);
  // The compiler can't see that all names are there.
  const config = Object.fromEntries(each((name) => CONFIG_KEYS[name].byDefault)) as unknown as TaskerConfig;
  const sources = Object.fromEntries(each(() => ({ from: 'default' }))) as Record<ConfigName, ConfigSource>;
  return { config: { ...config, templatePaths: detectTemplates(cwd) }, sources };
}

/** Values laid over each other, the later ones on top. */
class Mixing {
  readonly #config: TaskerConfig;
  readonly #sources: Record<ConfigName, ConfigSource>;

  constructor({ config, sources }: Mixed) {
    this.#config = { ...config };
    this.#sources = { ...sources };
  }

  addFile({ given }: CheckedKeys, { merged, root }: { merged: MergedConfig; root: string }): void {
    for (const { name, value, path: key } of given) {
      const source: ConfigSource = { from: 'file', name: key, ...merged.placeOf(key) };
      this.set(name, CONFIG_KEYS[name].isPath ? resolved(value, root) : value, source);
    }
  }

  set(name: ConfigName, value: TaskerConfig[ConfigName], source: ConfigSource): void {
    if (value === undefined) return;
    if (name === 'databaseUrl') this.#forgetDirectUrl(value as string, source);
    if (name === 'databaseDirectUrl' && value === '') return;
    Object.assign(this.#config, { [name]: value });
    this.#sources[name] = source;
  }

  /** A direct URL belongs to the server it was given with: not to another one that is named with more weight. */
  #forgetDirectUrl(url: string, { from }: ConfigSource): void {
    const { databaseUrl } = this.#config;
    if (databaseUrl === url || (databaseUrl === undefined && from !== 'option')) return;
    this.#config.databaseDirectUrl = undefined;
    this.#sources.databaseDirectUrl = { from: 'default' };
  }

  finish(): Mixed {
    return { config: Object.freeze(this.#config), sources: Object.freeze(this.#sources) };
  }
}

function resolved(value: unknown, root: string): TaskerConfig[ConfigName] {
  if (typeof value === 'string') return path.resolve(root, value);
  return (value as string[]).map((one) => path.resolve(root, one));
}
