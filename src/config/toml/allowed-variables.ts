/** What a value may look like. Nothing here may hold a line break or a control character. */
const TEXT = /^[^\p{Cc}]*$/u;
const NAME = /^[\w.-]*$/;
const ADDRESS = /^[\w.:[\]-]*$/;
const PATHS = /^[^\p{Cc}"'`$;|<>]*$/u;
const LEVELS = /^[\w:=,.\s-]*$/;

/**
 * The variables that a configuration file may name as `${NAME}`, and what their values may look like. A list, so that a
 * file, which many may edit, can't carry any secret of the machine into a log or an answer.
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
  HOSTNAME: NAME,
  POD_NAME: NAME,
  POD_NAMESPACE: NAME,
};

/** What a variable of a name that begins so may hold: secrets of webhooks, which are many and have names of their own. */
const ALLOWED_BEGINNINGS: Readonly<Record<string, RegExp>> = { TASKER_WEBHOOK_: TEXT };

/** Names of variables that may be used, for people. */
export const ALLOWED_NAMES: readonly string[] = [
  ...Object.keys(ALLOWED_VARIABLES),
  ...Object.keys(ALLOWED_BEGINNINGS).map((beginning) => `${beginning}…`),
];

/** What the value of a variable may look like; undefined: it may not be used. */
export function allowedForm(name: string): RegExp | undefined {
  if (Object.hasOwn(ALLOWED_VARIABLES, name)) return ALLOWED_VARIABLES[name];
  return Object.entries(ALLOWED_BEGINNINGS).find(([beginning]) => name.startsWith(beginning))?.[1];
}
