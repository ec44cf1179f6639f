/** The allowed forms of values. Line breaks and tabs are allowed only where a form has `\s`. */
const TEXT = /^[^\p{Cc}]*$/u;
const NAME = /^[\w.-]*$/;
const ADDRESS = /^[\w.:[\]-]*$/;
const PATHS = /^[^\p{Cc}"'`$;|<>]*$/u;
const LEVELS = /^[\w:=,.\s-]*$/;

/**
 * The variables that a configuration file may use as `${NAME}`, and the allowed forms of their values. Only these are
 * allowed, so that someone who edits the file cannot copy other secrets of the machine into logs or responses.
 */
export const ALLOWED_VARIABLES: Readonly<Record<string, RegExp>> = {
  DATABASE_URL: TEXT,
  DATABASE_DIRECT_URL: TEXT,
  PGMQ_DATABASE_URL: TEXT,
  RABBITMQ_URL: TEXT,
  REDIS_URL: TEXT,
  MEMCACHED_URL: TEXT,
  TASKER_ENV: NAME,
  TASKER_NAMESPACE: /^[\w.,\s-]*$/,
  TASKER_CONFIG_PATH: PATHS,
  TASKER_TEMPLATE_PATH: PATHS,
  TASKER_HANDLER_PATH: PATHS,
  TYPESCRIPT_HANDLER_PATH: PATHS,
  TASKER_WEB_BIND_ADDRESS: ADDRESS,
  TASKER_ORCHESTRATION_GRPC_BIND_ADDRESS: ADDRESS,
  TASKER_WORKER_GRPC_BIND_ADDRESS: ADDRESS,
  TASKER_MESSAGING_BACKEND: NAME,
  TASKER_INSTANCE_ID: NAME,
  TASKER_INSTANCE_PORT: /^\d*$/,
  TASKER_WORKER_ID: NAME,
  TASKER_LOG: LEVELS,
  LOG_LEVEL: LEVELS,
  RUST_LOG: LEVELS,
  TASKER_JWT_PUBLIC_KEY: /^[\w\s+/=-]*$/,
  TASKER_JWT_PUBLIC_KEY_PATH: PATHS,
  TASKER_OIDC_CLIENT_SECRET: TEXT,
  HOSTNAME: NAME,
  POD_NAME: NAME,
  POD_NAMESPACE: NAME,
};

/**
 * Allowed name prefixes, and the format of their values. Users choose the names of webhook secrets and API keys.
 */
const ALLOWED_PREFIXES: Readonly<Record<string, RegExp>> = { TASKER_WEBHOOK_: TEXT, TASKER_API_KEY_: TEXT };

/** The names and prefixes of allowed variables, for docs and messages. */
export const ALLOWED_NAMES: readonly string[] = [
  ...Object.keys(ALLOWED_VARIABLES),
  ...Object.keys(ALLOWED_PREFIXES).map((prefix) => `${prefix}…`),
];

/** Returns the allowed form of a variable's value, or undefined if the variable is not allowed. */
export function allowedForm(name: string): RegExp | undefined {
  if (Object.hasOwn(ALLOWED_VARIABLES, name)) return ALLOWED_VARIABLES[name];
  return Object.entries(ALLOWED_PREFIXES).find(([prefix]) => name.startsWith(prefix))?.[1];
}
