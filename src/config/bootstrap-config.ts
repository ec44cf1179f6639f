import { z } from 'zod';
import { TaskerError } from '../errors.ts';
import { isNamespace, NAMESPACE_RULE } from '../model/namespace.ts';
import { nearNames } from '../model/near-names.ts';
import { type LoadConfigOptions, type LoadedConfig, loadConfig, withOverrides } from './load-config.ts';
import { LOG_LEVELS, type LogLevel } from './log-filter.ts';

/**
 * Options of `bootstrapWorker`. Each takes precedence over the environment and the configuration file.
 *
 * @example
 * const config: BootstrapConfig = { namespace: 'my_app', logLevel: 'info' };
 */
export interface BootstrapConfig {
  /** The worker's name in history and messages. Default: `TASKER_WORKER_ID`, the file, else host and process id. */
  workerId?: string | undefined;
  /**
   * The only namespace to serve. If empty or absent: `TASKER_NAMESPACE`, the file, else the namespaces of the
   * templates.
   */
  namespace?: string | undefined;
  /** A TOML file, or a folder with `base/` and `environments/`. Default: `TASKER_CONFIG_PATH`, else the project's own. */
  configPath?: string | undefined;
  /** The log level. Default: `TASKER_LOG`, `LOG_LEVEL`, `RUST_LOG`, the file, else info. */
  logLevel?: LogLevel | undefined;
  /** The PostgreSQL server. Default: `DATABASE_URL`, the file, else the embedded server. */
  databaseUrl?: string | undefined;
  /** Serves health, metrics and templates at `worker.web.bind_address`. Default: the file, else false. */
  web?: boolean | undefined;
}

const name = z.string().trim().min(1).optional();
const FORM = z.strictObject({
  workerId: name,
  namespace: z
    .string()
    .trim()
    .refine((text) => text === '' || isNamespace(text))
    .transform((text) => text || undefined)
    .optional(),
  configPath: name,
  logLevel: z.enum(LOG_LEVELS).optional(),
  databaseUrl: name,
  web: z.boolean().optional(),
});

/**
 * Checks the options of `bootstrapWorker`, and rejects misspelt keys and invalid values.
 *
 * @example
 * const config = BootstrapConfig({ namespace: 'my_app' });
 * @throws TaskerError `config_invalid`, with all problems
 */
export function BootstrapConfig(config: BootstrapConfig = {}): BootstrapConfig {
  const read = FORM.safeParse(config);
  if (read.success) return read.data;
  const faults = read.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' ? issue.keys.map(unknownKey) : [wrongValue(issue.path.join('.'), config)],
  );
  throw new TaskerError('config_invalid', `BootstrapConfig: ${faults.join('; ')}`);
}

function unknownKey(key: string): string {
  const known = Object.keys(FORM.shape);
  const near = nearNames(key, known, 1)[0];
  return `unknown option ${key}; ${near === undefined ? `the options are ${known.join(', ')}` : `did you mean ${near}?`}`;
}

function wrongValue(key: string, config: unknown): string {
  if (key === '') return `the options must be an object, got ${JSON.stringify(config)}`;
  const got = (config as Record<string, unknown>)[key];
  if (key === 'logLevel') return `logLevel must be one of ${LOG_LEVELS.join(', ')}, got ${JSON.stringify(got)}`;
  if (key === 'web') return `web must be true or false, got ${JSON.stringify(got)}`;
  if (key === 'namespace') return `namespace ${JSON.stringify(got)} is not a namespace; ${NAMESPACE_RULE}`;
  return `${key} must be a non-empty string`;
}

/** Loads the configuration with these options applied. @throws TaskerError `config_invalid` */
export function loadBootstrapConfig(
  config: BootstrapConfig = {},
  { env, cwd }: Pick<LoadConfigOptions, 'env' | 'cwd'> = {},
): LoadedConfig {
  const { workerId: name, namespace, configPath, logLevel, databaseUrl, web: webEnabled } = BootstrapConfig(config);
  const namespaces = namespace === undefined ? undefined : [namespace];
  const log = logLevel && { level: logLevel, modules: {} };
  const loaded = loadConfig({ env, cwd, configPath, overrides: { name, namespaces, databaseUrl, log, webEnabled } });
  // A program that also does other things opens a port only if it is configured, unlike `tasker worker`.
  return loaded.sources.webEnabled.from === 'default' ? withOverrides(loaded, { webEnabled: false }) : loaded;
}
