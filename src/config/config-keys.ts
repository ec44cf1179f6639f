import { DEFAULTS, MOST_DELIVERIES } from './defaults.ts';
import { LOG_VARIABLES } from './environment.ts';
import type { TaskerConfig } from './tasker-config.ts';
import {
  address,
  beginning,
  days,
  filePath,
  flag,
  logFilter,
  milliseconds,
  namespaces,
  paths,
  patterns,
  rabbitmqUrl,
  seconds,
  url,
  type ValueForm,
  whole,
  word,
} from './value-forms.ts';
import { webhooks } from './webhook-config.ts';

/** One thing that can be configured: where, what it may be, what it is when nobody says anything. */
export interface ConfigKey<T> {
  /** Its place in the file. */
  path: string;
  /** Other places that mean the same, used when the first is not there. */
  also?: readonly string[];
  /** Variables of the environment; the first that is set counts. */
  variables?: readonly string[];
  form: ValueForm<T>;
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

const MOST_DYNAMIC = 131_072;

/** All that has an effect. The order is that of the docs. */
export const CONFIG_KEYS: { readonly [Name in keyof TaskerConfig]: ConfigKey<TaskerConfig[Name]> } = {
  environment: {
    path: 'common.execution.environment',
    variables: ['TASKER_ENV'],
    form: word,
    byDefault: DEFAULTS.environment,
    about:
      "Selects the overrides in the templates' `environments`, and the folder of `environments/` that is merged over `base/`. `production` also refuses the embedded server, as does `NODE_ENV=production` if `TASKER_ENV` is not set.",
  },
  databaseUrl: {
    path: 'common.database.url',
    variables: ['DATABASE_URL'],
    form: url,
    byDefault: undefined,
    defaultWords: 'the embedded server',
    secret: true,
    variableUnchecked: true,
    about: 'The PostgreSQL server, 15 or later.',
  },
  databaseDirectUrl: {
    path: 'common.database.direct_url',
    variables: ['DATABASE_DIRECT_URL'],
    form: url,
    byDefault: undefined,
    defaultWords: '`common.database.url`',
    secret: true,
    variableUnchecked: true,
    about:
      'The same database without a pooler between, for LISTEN and migrations. Beside a URL that comes from elsewhere and is another it is not used.',
  },
  embedded: {
    path: 'common.database.embedded',
    variables: ['TASKER_EMBEDDED'],
    form: flag,
    byDefault: false,
    about: 'The embedded server is wanted in production too.',
  },
  embeddedFolder: {
    path: 'common.database.embedded_folder',
    form: filePath,
    byDefault: DEFAULTS.embeddedFolder,
    isPath: true,
    about: 'Where the embedded server keeps its data.',
  },
  pipeline: {
    path: 'common.database.pipeline',
    variables: ['TASKER_PIPELINE'],
    form: flag,
    byDefault: true,
    about: 'Several statements in one round trip; false for poolers that can not take them.',
  },
  poolSize: {
    path: 'common.database.pool.max_connections',
    form: whole(2, 10_000),
    byDefault: DEFAULTS.poolSize,
    about: 'Connections of one program at most; three more listen, migrate and keep the lease.',
  },
  acquireTimeoutMs: {
    path: 'common.database.pool.acquire_timeout_seconds',
    form: seconds(1),
    byDefault: DEFAULTS.acquireTimeoutMs,
    about: 'How long getting a connection may take before it is an error.',
  },
  idleTimeoutMs: {
    path: 'common.database.pool.idle_timeout_seconds',
    form: seconds(0),
    byDefault: DEFAULTS.idleTimeoutMs,
    about: 'A connection that lay idle for so long is closed; 0: never.',
  },
  templatePaths: {
    path: 'common.task_templates.search_paths',
    variables: ['TASKER_TEMPLATE_PATH'],
    form: paths,
    byDefault: [],
    defaultWords: '`config/tasks`, else `templates`, of the project',
    isPath: true,
    about:
      'Folders or files of templates, for the commands and `bootstrapWorker`; folders are read with all that is below them, so of a pattern only the folder counts. `createTasker` has its option `templates`.',
  },
  log: {
    path: 'common.logging.level',
    variables: LOG_VARIABLES,
    form: logFilter,
    byDefault: { level: DEFAULTS.logLevel, modules: {} },
    defaultWords: '`info`',
    about: 'The least important lines that are logged, by `tasker worker`, `tasker dev` and `bootstrapWorker`.',
  },
  stepsPerDecision: {
    path: 'orchestration.decision_points.max_steps_per_decision',
    form: whole(1, MOST_DYNAMIC),
    byDefault: DEFAULTS.stepsPerDecision,
    about: 'Steps that one decision may name; a decision that names more fails for good.',
  },
  decisionDepth: {
    path: 'orchestration.decision_points.max_decision_depth',
    form: whole(1, MOST_DYNAMIC),
    byDefault: DEFAULTS.decisionDepth,
    about: 'Decisions on one way through a template.',
  },
  workersPerBatch: {
    path: 'orchestration.batch_processing.max_workers_per_batch',
    form: whole(1, MOST_DYNAMIC),
    byDefault: DEFAULTS.workersPerBatch,
    about: 'Workers that one batch may be split into; an analyzer that asks for more fails for good.',
  },
  name: {
    path: 'worker.worker_id',
    variables: ['TASKER_WORKER_ID'],
    form: word,
    byDefault: undefined,
    defaultWords: 'host and process id',
    about: "The worker's name in history and messages.",
  },
  namespaces: {
    path: 'worker.namespaces',
    variables: ['TASKER_NAMESPACE'],
    form: namespaces,
    byDefault: undefined,
    defaultWords: 'those of the templates',
    about: 'Namespaces that the worker serves; it claims nothing of others.',
  },
  handlerPaths: {
    path: 'worker.handlers.search_paths',
    variables: ['TASKER_HANDLER_PATH', 'TYPESCRIPT_HANDLER_PATH'],
    form: paths,
    byDefault: [],
    defaultWords: 'none; the commands use `handlers`',
    isPath: true,
    about:
      'Folders or files of handlers, for the commands and `bootstrapWorker`. `createTasker` has its option `handlers`.',
  },
  concurrency: {
    path: 'worker.mpsc_channels.handler_dispatch.max_concurrent_handlers',
    form: whole(1, 100_000),
    byDefault: DEFAULTS.concurrency,
    about: 'Handlers that run at once.',
  },
  handlerTimeoutMs: {
    path: 'worker.mpsc_channels.handler_dispatch.handler_timeout_ms',
    form: milliseconds(0),
    byDefault: DEFAULTS.handlerTimeoutMs,
    about: 'How long a handler may run whose step has no `timeout_seconds`; 0: as long as it likes.',
  },
  handlerMissingGraceMs: {
    path: 'worker.handler_missing_grace_seconds',
    form: seconds(0),
    byDefault: DEFAULTS.handlerMissingGraceMs,
    about: 'How long a step waits for a handler that no worker has, before it fails.',
  },
  leaseMs: {
    path: 'worker.lease_seconds',
    form: seconds(100),
    byDefault: DEFAULTS.leaseMs,
    about: 'A worker that gives no sign of life for so long is taken for dead, and its steps go to others.',
  },
  blockedLoopBoundMs: {
    path: 'worker.blocked_loop_bound_seconds',
    form: seconds(0),
    byDefault: DEFAULTS.blockedLoopBoundMs,
    about: 'How long a worker keeps its steps while a handler blocks the event loop; 0: no longer than the lease.',
  },
  threads: {
    path: 'worker.handler_threads.count',
    form: whole(1, 1_024),
    byDefault: undefined,
    defaultWords: 'one a core',
    about: 'Threads for steps with `isolation: thread`, at most.',
  },
  threadMemoryMb: {
    path: 'worker.handler_threads.memory_mb',
    form: whole(16, 1_048_576),
    byDefault: undefined,
    defaultWords: 'as Node does it',
    about: 'What a handler in such a thread may keep in memory; one that goes beyond it fails.',
  },
  pollMs: {
    path: 'worker.poll_interval_ms',
    form: milliseconds(10),
    byDefault: undefined,
    defaultWords: `${DEFAULTS.pollMs}; ${DEFAULTS.pollDeafMs} while no notification can arrive`,
    about: 'Between looks into the queue when no notification came.',
  },
  drainTimeoutMs: {
    path: 'worker.shutdown_timeout_ms',
    also: ['orchestration.shutdown_timeout_ms'],
    form: milliseconds(0),
    byDefault: DEFAULTS.drainTimeoutMs,
    about: 'How long running handlers may finish when the worker stops.',
  },
  webEnabled: {
    path: 'worker.web.enabled',
    form: flag,
    byDefault: true,
    defaultWords: '`true`; for `bootstrapWorker`, `false`',
    about: 'False: `tasker worker` opens no port (headless). True: `bootstrapWorker` opens one, too.',
  },
  webAddress: {
    path: 'worker.web.bind_address',
    variables: ['TASKER_WEB_BIND_ADDRESS'],
    form: address,
    byDefault: DEFAULTS.webAddress,
    defaultWords: `\`${DEFAULTS.webAddress.host}:${DEFAULTS.webAddress.port}\``,
    about: 'Where the worker answers for its health, metrics and templates.',
  },
  webConfigEndpoint: {
    path: 'worker.web.config_endpoint_enabled',
    form: flag,
    byDefault: false,
    about: 'Whether the worker answers `GET /config`; secrets are left out.',
  },
  eventRetentionMs: {
    path: 'events.retention_days',
    form: days,
    byDefault: DEFAULTS.eventRetentionMs,
    about: 'How old domain events become that every group has passed, before they are deleted; 0: they never are.',
  },
  eventMaxDeliveries: {
    path: 'events.max_deliveries',
    form: whole(1, MOST_DELIVERIES),
    byDefault: DEFAULTS.eventMaxDeliveries,
    about: 'Deliveries of one event to a subscriber that fails, before it is a dead letter. Sinks have their own.',
  },
  eventTimeoutMs: {
    path: 'events.timeout_seconds',
    form: seconds(100),
    byDefault: DEFAULTS.eventTimeoutMs,
    about: 'How long the delivery of one event may take before it counts as failed.',
  },
  eventConcurrency: {
    path: 'events.concurrency',
    form: whole(1, 1_000),
    byDefault: DEFAULTS.eventConcurrency,
    about: 'Events of different tasks that one group handles at once, in one process.',
  },
  webhooks: {
    path: 'events.webhooks',
    form: webhooks,
    byDefault: [],
    defaultWords: 'none',
    secret: true,
    about: 'Where domain events are posted to.',
  },
  rabbitmqUrl: {
    path: 'events.rabbitmq.url',
    form: rabbitmqUrl,
    byDefault: undefined,
    defaultWords: 'none: events do not go to RabbitMQ',
    secret: true,
    about: 'The RabbitMQ server whose queues `{namespace}_domain_events` get domain events.',
  },
  rabbitmqGroup: {
    path: 'events.rabbitmq.group',
    form: word,
    byDefault: 'rabbitmq',
    about: 'The group whose position in the log this is.',
  },
  rabbitmqPatterns: {
    path: 'events.rabbitmq.patterns',
    form: patterns,
    byDefault: ['*'],
    about: 'Names of the events that go there.',
  },
  rabbitmqFrom: {
    path: 'events.rabbitmq.from',
    form: beginning,
    byDefault: 'now',
    about: 'Where the group begins when it does not exist yet.',
  },
  rabbitmqMaxDeliveries: {
    path: 'events.rabbitmq.max_deliveries',
    form: whole(1, MOST_DELIVERIES),
    byDefault: DEFAULTS.sinkMaxDeliveries,
    about: 'Deliveries of one event before it is a dead letter; the default is about a day.',
  },
};

/** Names of {@link CONFIG_KEYS}. */
export type ConfigName = keyof TaskerConfig;

export const CONFIG_NAMES = Object.keys(CONFIG_KEYS) as ConfigName[];
