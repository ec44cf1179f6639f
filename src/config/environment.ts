/** What the environment says. Read once, by whoever starts the program; nothing else reads it. */
export interface Environment {
  databaseUrl: string | undefined;
  databaseDirectUrl: string | undefined;
  /** `development` unless `TASKER_ENV` says otherwise; also picks the template overrides. */
  environment: string;
  /** `TASKER_EMBEDDED=1`: the embedded server is wanted even in production. */
  embedded: boolean;
  templatePaths: string[];
  handlerPaths: string[];
  pipeline: boolean;
  /** Where a worker answers health and metrics. */
  webBindAddress: string | undefined;
}

/** Levels of log lines, the most detailed first. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
/** One of `trace`, `debug`, `info`, `warn`, `error`: how important a line is. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The variables that hold a filter of log lines; the first one that is set counts. */
export const LOG_VARIABLES = ['TASKER_LOG', 'LOG_LEVEL', 'RUST_LOG'] as const;

const pathsOf = (text: string | undefined): string[] =>
  (text ?? '')
    .split(process.platform === 'win32' ? /[;,]/ : /[:,]/)
    .map((part) => part.trim())
    .filter((part) => part !== '');

/**
 * Reads the variables: `DATABASE_URL`, `DATABASE_DIRECT_URL`, `TASKER_ENV`, `TASKER_EMBEDDED`, `TASKER_TEMPLATE_PATH`,
 * `TASKER_HANDLER_PATH` or `TYPESCRIPT_HANDLER_PATH`, `TASKER_PIPELINE`, `TASKER_WEB_BIND_ADDRESS`.
 */
export function readEnvironment(env: NodeJS.ProcessEnv = process.env): Environment {
  // A variable that is empty is as good as not set.
  return {
    databaseUrl: env['DATABASE_URL'] || undefined,
    databaseDirectUrl: env['DATABASE_DIRECT_URL'] || undefined,
    environment: env['TASKER_ENV'] || 'development',
    embedded: env['TASKER_EMBEDDED'] === '1',
    templatePaths: pathsOf(env['TASKER_TEMPLATE_PATH']),
    handlerPaths: pathsOf(env['TASKER_HANDLER_PATH'] || env['TYPESCRIPT_HANDLER_PATH']),
    pipeline: env['TASKER_PIPELINE'] !== '0',
    webBindAddress: env['TASKER_WEB_BIND_ADDRESS'] || undefined,
  };
}
