import { DEFAULTS, MOST_DELIVERIES } from './defaults.ts';
import { LOG_VARIABLES } from './log-filter.ts';
import * as forms from './value-forms.ts';
import { webhooks } from './webhook-config.ts';

/** One thing that can be configured: where, what it may be, what it is when nobody says anything. */
export interface ConfigKey<T> {
  /** Its place in the file. */
  path: string;
  /** Other places that mean the same, used when the first is not there. */
  also?: readonly string[];
  /** Variables of the environment; the first that is set counts. */
  variables?: readonly string[];
  form: forms.ValueForm<T>;
  byDefault: T;
  /** The default in words, where the value alone does not say it. */
  defaultWords?: string;
  /** What it does: one sentence or two. */
  about: string;
  /** Paths of the file are relative to the project, those of variables to the current folder. */
  isPath?: true;
  /** Holds a password: never shown. */
  secret?: true;
  /** A wrong value in a variable is somebody else's to refuse: who connects says it better. */
  variableUnchecked?: true;
}

/** A key that is an option of `createTasker`, too, under the same name. */
interface OptionKey<T> extends ConfigKey<T> {
  isOption: true;
}

const key = <T>(one: ConfigKey<T>): ConfigKey<T> => one;
const option = <T>(one: ConfigKey<T>): OptionKey<T> => ({ ...one, isOption: true });

const MOST_DYNAMIC = 131_072;

/** The docstrings are those of the options and of {@link TaskerConfig}. */
const KEYS = {
  /** Selects the overrides of templates, and the layer of a configuration folder. */
  environment: key({
    path: 'common.execution.environment',
    variables: ['TASKER_ENV'],
    form: forms.word,
    byDefault: DEFAULTS.environment,
    about:
      "Selects the overrides in the templates' `environments`, and the folder of `environments/` that is merged over `base/`. `production` also refuses the embedded server, as does `NODE_ENV=production` if `TASKER_ENV` is not set.",
  }),
  /** Default: `DATABASE_URL`; without it, an embedded PostgreSQL in `.tasker/`. */
  databaseUrl: option({
    path: 'common.database.url',
    variables: ['DATABASE_URL'],
    form: forms.url,
    byDefault: undefined,
    defaultWords: 'the embedded server',
    secret: true,
    variableUnchecked: true,
    about: 'The PostgreSQL server, 15 or later.',
  }),
  /** For LISTEN and migrations, when `databaseUrl` leads through a transaction pooler. Default: `DATABASE_DIRECT_URL`. */
  databaseDirectUrl: option({
    path: 'common.database.direct_url',
    variables: ['DATABASE_DIRECT_URL'],
    form: forms.url,
    byDefault: undefined,
    defaultWords: '`common.database.url`',
    secret: true,
    variableUnchecked: true,
    about:
      'The same database without a pooler between, for LISTEN and migrations. Beside a URL that comes from elsewhere and is another it is not used.',
  }),
  /** The embedded server is wanted even in production. */
  embedded: key({
    path: 'common.database.embedded',
    variables: ['TASKER_EMBEDDED'],
    form: forms.flag,
    byDefault: false,
    about: 'The embedded server is wanted in production too.',
  }),
  /** The embedded server's folder. Default `.tasker` below the current folder. */
  embeddedFolder: option({
    path: 'common.database.embedded_folder',
    form: forms.filePath,
    byDefault: DEFAULTS.embeddedFolder,
    isPath: true,
    about: 'Where the embedded server keeps its data.',
  }),
  /** Several statements in one round trip. */
  pipeline: key({
    path: 'common.database.pipeline',
    variables: ['TASKER_PIPELINE'],
    form: forms.flag,
    byDefault: true,
    about: 'Several statements in one round trip; false for poolers that can not take them.',
  }),
  /** Connections at most. Default 10. */
  poolSize: option({
    path: 'common.database.pool.max_connections',
    form: forms.whole(2, 10_000),
    byDefault: DEFAULTS.poolSize,
    about: 'Connections of one program at most; three more listen, migrate and keep the lease.',
  }),
  acquireTimeoutMs: key({
    path: 'common.database.pool.acquire_timeout_seconds',
    form: forms.seconds(1),
    byDefault: DEFAULTS.acquireTimeoutMs,
    about: 'How long getting a connection may take before it is an error.',
  }),
  idleTimeoutMs: key({
    path: 'common.database.pool.idle_timeout_seconds',
    form: forms.seconds(0),
    byDefault: DEFAULTS.idleTimeoutMs,
    about: 'A connection that lay idle for so long is closed; 0: never.',
  }),
  /** Folders and files; empty: there are none. */
  templatePaths: key({
    path: 'common.task_templates.search_paths',
    variables: ['TASKER_TEMPLATE_PATH'],
    form: forms.paths,
    byDefault: [],
    defaultWords: '`config/tasks`, else `templates`, of the project',
    isPath: true,
    about:
      'Folders or files of templates, for the commands and `bootstrapWorker`; folders are read with all that is below them, so of a pattern only the folder counts. `createTasker` has its option `templates`.',
  }),
  log: key({
    path: 'common.logging.level',
    variables: LOG_VARIABLES,
    form: forms.logFilter,
    byDefault: { level: DEFAULTS.logLevel, modules: {} },
    defaultWords: '`info`',
    about: 'The least important lines that are logged, by `tasker worker`, `tasker dev` and `bootstrapWorker`.',
  }),
  stepsPerDecision: key({
    path: 'orchestration.decision_points.max_steps_per_decision',
    form: forms.whole(1, MOST_DYNAMIC),
    byDefault: DEFAULTS.stepsPerDecision,
    about: 'Steps that one decision may name; a decision that names more fails for good.',
  }),
  decisionDepth: key({
    path: 'orchestration.decision_points.max_decision_depth',
    form: forms.whole(1, MOST_DYNAMIC),
    byDefault: DEFAULTS.decisionDepth,
    about: 'Decisions on one way through a template.',
  }),
  workersPerBatch: key({
    path: 'orchestration.batch_processing.max_workers_per_batch',
    form: forms.whole(1, MOST_DYNAMIC),
    byDefault: DEFAULTS.workersPerBatch,
    about: 'Workers that one batch may be split into; an analyzer that asks for more fails for good.',
  }),
  /** The worker's name in history and messages. Default: host and process id. */
  name: option<string | undefined>({
    path: 'worker.worker_id',
    variables: ['TASKER_WORKER_ID'],
    form: forms.word,
    byDefault: undefined,
    defaultWords: 'host and process id',
    about: "The worker's name in history and messages.",
  }),
  /** Namespaces to serve. Default: those of the templates. */
  namespaces: option({
    path: 'worker.namespaces',
    variables: ['TASKER_NAMESPACE'],
    form: forms.namespaces,
    byDefault: undefined,
    defaultWords: 'those of the templates',
    about: 'Namespaces that the worker serves; it claims nothing of others.',
  }),
  handlerPaths: key({
    path: 'worker.handlers.search_paths',
    variables: ['TASKER_HANDLER_PATH', 'TYPESCRIPT_HANDLER_PATH'],
    form: forms.paths,
    byDefault: [],
    defaultWords: 'none; the commands use `handlers`',
    isPath: true,
    about:
      'Folders or files of handlers, for the commands and `bootstrapWorker`. `createTasker` has its option `handlers`.',
  }),
  /** Handlers that run at once. Default 100. */
  concurrency: option({
    path: 'worker.mpsc_channels.handler_dispatch.max_concurrent_handlers',
    form: forms.whole(1, 100_000),
    byDefault: DEFAULTS.concurrency,
    about: 'Handlers that run at once.',
  }),
  /** For steps without `timeout_seconds`; 0: none. Default 300,000. */
  handlerTimeoutMs: option({
    path: 'worker.mpsc_channels.handler_dispatch.handler_timeout_ms',
    form: forms.milliseconds(0),
    byDefault: DEFAULTS.handlerTimeoutMs,
    about: 'How long a handler may run whose step has no `timeout_seconds`; 0: as long as it likes.',
  }),
  /** How long a step waits for a handler that no worker has. Default 10,000. */
  handlerMissingGraceMs: option({
    path: 'worker.handler_missing_grace_seconds',
    form: forms.seconds(0),
    byDefault: DEFAULTS.handlerMissingGraceMs,
    about: 'How long a step waits for a handler that no worker has, before it fails.',
  }),
  /** A worker that gives no sign of life for so long is taken for dead. Default 30,000. */
  leaseMs: option({
    path: 'worker.lease_seconds',
    form: forms.seconds(100),
    byDefault: DEFAULTS.leaseMs,
    about: 'A worker that gives no sign of life for so long is taken for dead, and its steps go to others.',
  }),
  /**
   * A handler that blocks the event loop keeps its worker's steps for so long: a thread of their own proves meanwhile
   * that the process lives. A loop that is blocked for longer is given up, and its steps go to others when the lease is
   * over. 0: no such thread. Default 300,000.
   */
  blockedLoopBoundMs: option({
    path: 'worker.blocked_loop_bound_seconds',
    form: forms.seconds(0),
    byDefault: DEFAULTS.blockedLoopBoundMs,
    about: 'How long a worker keeps its steps while a handler blocks the event loop; 0: no longer than the lease.',
  }),
  /** Threads for steps with `isolation: thread`, at most; each runs one step at a time. Default: one a core. */
  threads: option<number | undefined>({
    path: 'worker.handler_threads.count',
    form: forms.whole(1, 1_024),
    byDefault: undefined,
    defaultWords: 'one a core',
    about: 'Threads for steps with `isolation: thread`, at most.',
  }),
  /** Megabytes that what a step in a thread keeps may take; one that goes beyond them fails. Default: as Node does it. */
  threadMemoryMb: option<number | undefined>({
    path: 'worker.handler_threads.memory_mb',
    form: forms.whole(16, 1_048_576),
    byDefault: undefined,
    defaultWords: 'as Node does it',
    about: 'What a handler in such a thread may keep in memory; one that goes beyond it fails.',
  }),
  /** Between looks into the queue when no notification came. Default 2,000; 1,000 while none can arrive. */
  pollMs: option<number | undefined>({
    path: 'worker.poll_interval_ms',
    form: forms.milliseconds(10),
    byDefault: undefined,
    defaultWords: `${DEFAULTS.pollMs}; ${DEFAULTS.pollDeafMs} while no notification can arrive`,
    about: 'Between looks into the queue when no notification came.',
  }),
  /** How long `stop()` lets running handlers finish. Default 30,000. */
  drainTimeoutMs: option({
    path: 'worker.shutdown_timeout_ms',
    also: ['orchestration.shutdown_timeout_ms'],
    form: forms.milliseconds(0),
    byDefault: DEFAULTS.drainTimeoutMs,
    about: 'How long running handlers may finish when the worker stops.',
  }),
  /** False: the worker opens no port. */
  webEnabled: key({
    path: 'worker.web.enabled',
    form: forms.flag,
    byDefault: true,
    defaultWords: '`true`; for `bootstrapWorker`, `false`',
    about: 'False: `tasker worker` opens no port (headless). True: `bootstrapWorker` opens one, too.',
  }),
  webAddress: key({
    path: 'worker.web.bind_address',
    variables: ['TASKER_WEB_BIND_ADDRESS'],
    form: forms.address,
    byDefault: DEFAULTS.webAddress,
    defaultWords: `\`${DEFAULTS.webAddress.host}:${DEFAULTS.webAddress.port}\``,
    about: 'Where the worker answers for its health, metrics and templates.',
  }),
  /** Whether the worker answers `GET /config`. */
  webConfigEndpoint: key({
    path: 'worker.web.config_endpoint_enabled',
    form: forms.flag,
    byDefault: false,
    about: 'Whether the worker answers `GET /config`; secrets are left out.',
  }),
  /** How old a domain event becomes that every group has passed. */
  eventRetentionMs: key({
    path: 'events.retention_days',
    form: forms.days,
    byDefault: DEFAULTS.eventRetentionMs,
    about: 'How old domain events become that every group has passed, before they are deleted; 0: they never are.',
  }),
  /** Deliveries of an event to a subscriber before it is given up. */
  eventMaxDeliveries: key({
    path: 'events.max_deliveries',
    form: forms.whole(1, MOST_DELIVERIES),
    byDefault: DEFAULTS.eventMaxDeliveries,
    about: 'Deliveries of one event to a subscriber that fails, before it is a dead letter. Sinks have their own.',
  }),
  /** How long one of them may take. */
  eventTimeoutMs: key({
    path: 'events.timeout_seconds',
    form: forms.seconds(100),
    byDefault: DEFAULTS.eventTimeoutMs,
    about: 'How long the delivery of one event may take before it counts as failed.',
  }),
  /** Events of different tasks that a group handles at once, in one process. */
  eventConcurrency: key({
    path: 'events.concurrency',
    form: forms.whole(1, 1_000),
    byDefault: DEFAULTS.eventConcurrency,
    about: 'Events of different tasks that one group handles at once, in one process.',
  }),
  webhooks: key({
    path: 'events.webhooks',
    form: webhooks,
    byDefault: [],
    defaultWords: 'none',
    secret: true,
    about: 'Where domain events are posted to.',
  }),
  /** Undefined: events do not go to RabbitMQ. */
  rabbitmqUrl: key({
    path: 'events.rabbitmq.url',
    form: forms.rabbitmqUrl,
    byDefault: undefined,
    defaultWords: 'none: events do not go to RabbitMQ',
    secret: true,
    about: 'The RabbitMQ server whose queues `{namespace}_domain_events` get domain events.',
  }),
  rabbitmqGroup: key({
    path: 'events.rabbitmq.group',
    form: forms.word,
    byDefault: 'rabbitmq',
    about: 'The group whose position in the log this is.',
  }),
  rabbitmqPatterns: key({
    path: 'events.rabbitmq.patterns',
    form: forms.patterns,
    byDefault: ['*'],
    about: 'Names of the events that go there.',
  }),
  rabbitmqFrom: key<'now' | 'beginning'>({
    path: 'events.rabbitmq.from',
    form: forms.beginning,
    byDefault: 'now',
    about: 'Where the group begins when it does not exist yet.',
  }),
  rabbitmqMaxDeliveries: key({
    path: 'events.rabbitmq.max_deliveries',
    form: forms.whole(1, MOST_DELIVERIES),
    byDefault: DEFAULTS.sinkMaxDeliveries,
    about: 'Deliveries of one event before it is a dead letter; the default is about a day.',
  }),
};

/**
 * The configuration that a program runs with: what its file, its environment and its options say, defaults filled in.
 * Made by {@link loadConfig}. Times in milliseconds. Members that `createTasker` has as options have the same names.
 *
 * @example
 * const config: TaskerConfig = loadConfig().config;
 * console.log(config.environment, config.concurrency);
 */
export type TaskerConfig = { [Name in keyof typeof KEYS]: (typeof KEYS)[Name]['byDefault'] };

/** Names of {@link CONFIG_KEYS}. */
export type ConfigName = keyof TaskerConfig;

/** All that has an effect. The order is that of the docs. */
export const CONFIG_KEYS: { readonly [Name in ConfigName]: ConfigKey<TaskerConfig[Name]> } = KEYS;

export const CONFIG_NAMES = Object.keys(KEYS) as ConfigName[];

type OptionName = { [Name in ConfigName]: (typeof KEYS)[Name] extends { isOption: true } ? Name : never }[ConfigName];

/** The part of the configuration that programs set by options. */
export type ConfigOptions = Partial<Pick<TaskerConfig, OptionName>>;

/** Names of {@link ConfigOptions}. */
export const OPTION_NAMES = CONFIG_NAMES.filter((name): name is OptionName => 'isOption' in KEYS[name]);
