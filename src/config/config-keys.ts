import { DATABASE_KEYS } from './database-keys.ts';
import { DEFAULTS, MOST_DELIVERIES } from './defaults.ts';
import { LOG_VARIABLES } from './log-filter.ts';
import { retentionRules } from './retention-config.ts';
import { SCHEDULE_KEYS } from './schedule-keys.ts';
import { SERVER_KEYS } from './server/server-keys.ts';
import * as forms from './value-forms.ts';
import { webhooks } from './webhook-config.ts';

/** One setting: its place in the file, its form and its default. */
export interface ConfigKey<T> {
  /** The key in the file. */
  path: string;
  /** Other keys for the same setting, used if the first is missing. */
  also?: readonly string[];
  /** Environment variables; the first that is set is used. */
  variables?: readonly string[];
  form: forms.ValueForm<T>;
  byDefault: T;
  /** The default in words, if the value alone does not show it. */
  defaultWords?: string;
  /** The effect of the setting, in one or two sentences. */
  about: string;
  /** Paths in the file are relative to the project. Paths in variables are relative to the current folder. */
  isPath?: true;
  /** Whether the value may contain a password, so that it is never shown. */
  secret?: true;
  /** Whether a wrong value in a variable is accepted here, because the connection reports it with a better message. */
  variableUnchecked?: true;
}

/** A key that is also an option of `createTasker`, with the same name. */
interface OptionKey<T> extends ConfigKey<T> {
  isOption: true;
}

const key = <T>(one: ConfigKey<T>): ConfigKey<T> => one;
const option = <T>(one: ConfigKey<T>): OptionKey<T> => ({ ...one, isOption: true });
const MAX_DYNAMIC = 131_072;

/** The comments are also the docstrings of the options and of {@link TaskerConfig}. */
const KEYS = {
  /** Selects the overrides of templates, and the layer of a configuration folder. */
  environment: key({
    path: 'common.execution.environment',
    variables: ['TASKER_ENV'],
    form: forms.word,
    byDefault: DEFAULTS.environment,
    about:
      "Selects the overrides in the templates' `environments`, and the folder in `environments/` that is merged over `base/`. `production` also disables the embedded server, as does `NODE_ENV=production` if `TASKER_ENV` is not set.",
  }),
  /** The PostgreSQL server, 15 or later. Default: `DATABASE_URL`, else an embedded PostgreSQL in `.tasker/`. */
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
  ...DATABASE_KEYS,
  /** Allows the embedded server in production. */
  embedded: key({
    path: 'common.database.embedded',
    variables: ['TASKER_EMBEDDED'],
    form: forms.flag,
    byDefault: false,
    about: 'Allows the embedded server in production.',
  }),
  /** The folder of the embedded server. Default: `.tasker` in the current folder. */
  embeddedFolder: option({
    path: 'common.database.embedded_folder',
    form: forms.filePath,
    byDefault: DEFAULTS.embeddedFolder,
    isPath: true,
    about: 'The folder in which the embedded server keeps its data.',
  }),
  /** Sends several statements in one round trip. */
  pipeline: key({
    path: 'common.database.pipeline',
    variables: ['TASKER_PIPELINE'],
    form: forms.flag,
    byDefault: true,
    about: 'Sends several statements in one round trip. Set to false for poolers that do not support this.',
  }),
  /** Maximum number of connections. Default 10. */
  poolSize: option({
    path: 'common.database.pool.max_connections',
    form: forms.whole(2, 10_000),
    byDefault: DEFAULTS.poolSize,
    about: 'Maximum number of connections of one program, in addition to three for LISTEN, migrations and the lease.',
  }),
  acquireTimeoutMs: key({
    path: 'common.database.pool.acquire_timeout_seconds',
    form: forms.seconds(1),
    byDefault: DEFAULTS.acquireTimeoutMs,
    about: 'Timeout for getting a connection.',
  }),
  idleTimeoutMs: key({
    path: 'common.database.pool.idle_timeout_seconds',
    form: forms.seconds(0),
    byDefault: DEFAULTS.idleTimeoutMs,
    about: 'Time after which an idle connection is closed; 0 means never.',
  }),
  /** Folders and files of templates; empty if there are none. */
  templatePaths: key({
    path: 'common.task_templates.search_paths',
    variables: ['TASKER_TEMPLATE_PATH'],
    form: forms.paths,
    byDefault: [],
    defaultWords: '`config/tasks`, else `templates`, of the project',
    isPath: true,
    about:
      'Folders or files of templates, for the commands and `bootstrapWorker`. Folders are read recursively. A pattern is treated as the folder that contains it. `createTasker` has the option `templates` instead.',
  }),
  /** In production, replaces the content of registered template versions that differ. Default false: refuses to start. */
  replaceTemplates: option({
    path: 'common.task_templates.replace',
    variables: ['TASKER_REPLACE_TEMPLATES'],
    form: forms.flag,
    byDefault: false,
    about:
      'Whether a program in production replaces the registered content of a template version if its own content is different. If false, the program refuses to start. Set it for one deployment, or use `--replace`.',
  }),
  ...SCHEDULE_KEYS,
  log: key({
    path: 'common.logging.level',
    variables: LOG_VARIABLES,
    form: forms.logFilter,
    byDefault: { level: DEFAULTS.logLevel, modules: {} },
    defaultWords: '`info`',
    about: 'The log level of `tasker worker`, `tasker dev` and `bootstrapWorker`.',
  }),
  stepsPerDecision: key({
    path: 'orchestration.decision_points.max_steps_per_decision',
    form: forms.whole(1, MAX_DYNAMIC),
    byDefault: DEFAULTS.stepsPerDecision,
    about: 'Maximum number of steps that one decision may name. A decision that names more fails permanently.',
  }),
  decisionDepth: key({
    path: 'orchestration.decision_points.max_decision_depth',
    form: forms.whole(1, MAX_DYNAMIC),
    byDefault: DEFAULTS.decisionDepth,
    about: 'Maximum number of decisions on one path through a template.',
  }),
  workersPerBatch: key({
    path: 'orchestration.batch_processing.max_workers_per_batch',
    form: forms.whole(1, MAX_DYNAMIC),
    byDefault: DEFAULTS.workersPerBatch,
    about: 'Maximum number of workers of one batch. An analyzer that requests more fails permanently.',
  }),
  /** If false, writes no search tables. Then tasks are listed by a few conditions only. Default true. */
  searchEnabled: option({
    path: 'search.enabled',
    form: forms.flag,
    byDefault: true,
    about:
      'Writes the tables by which tasks and steps are searched. With `false`, recording costs a little less, and tasks are listed by namespace, name, state and lifecycle only. Use the same value in all programs of a database.',
  }),
  /** If false, counts nothing for the statistics. Default true. */
  analyticsEnabled: option({
    path: 'analytics.enabled',
    form: forms.flag,
    byDefault: true,
    about:
      'Counts attempts and ended tasks for `tasker stats`, in the background. Processes take turns, so it is off only if all of them have `false`.',
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
  /** Namespaces to serve. Default: the namespaces of the templates. */
  namespaces: option({
    path: 'worker.namespaces',
    variables: ['TASKER_NAMESPACE'],
    form: forms.namespaces,
    byDefault: undefined,
    defaultWords: 'those of the templates',
    about: 'Namespaces that the worker serves. It claims no steps of other namespaces.',
  }),
  handlerPaths: key({
    path: 'worker.handlers.search_paths',
    variables: ['TASKER_HANDLER_PATH', 'TYPESCRIPT_HANDLER_PATH'],
    form: forms.paths,
    byDefault: [],
    defaultWords: 'none; the commands use `handlers`',
    isPath: true,
    about:
      'Folders or files of handlers, for the commands and `bootstrapWorker`. `createTasker` has the option `handlers` instead.',
  }),
  /**
   * Whether templates that only arrived over HTTP may name handlers by file or package. Default: false in production,
   * else true.
   */
  filesForHttpTemplates: option<boolean | undefined>({
    path: 'worker.handlers.files_for_http_templates',
    form: forms.flag,
    byDefault: undefined,
    defaultWords: '`false` in production, else `true`',
    about:
      'Whether a worker loads handlers by file (`./billing/charge`) or package (`@shop/charge`) for templates that only arrived over HTTP. Templates that a program registered, such as a worker with its own folder, may always name them.',
  }),
  /** Maximum number of handlers that run at the same time. Default 100. */
  concurrency: option({
    path: 'worker.mpsc_channels.handler_dispatch.max_concurrent_handlers',
    form: forms.whole(1, 100_000),
    byDefault: DEFAULTS.concurrency,
    about: 'Maximum number of handlers that run at the same time.',
  }),
  /** Timeout of a handler, for steps without `timeout_seconds`; 0 means none. Default 300,000. */
  handlerTimeoutMs: option({
    path: 'worker.mpsc_channels.handler_dispatch.handler_timeout_ms',
    form: forms.milliseconds(0),
    byDefault: DEFAULTS.handlerTimeoutMs,
    about: 'Timeout of a handler whose step has no `timeout_seconds`; 0 means none.',
  }),
  /**
   * How long a worker keeps a step whose handler no worker has, before it releases the step until one has it. 0: such
   * steps fail immediately. Default 10,000.
   */
  handlerMissingGraceMs: option({
    path: 'worker.handler_missing_grace_seconds',
    form: forms.seconds(0),
    byDefault: DEFAULTS.handlerMissingGraceMs,
    about:
      'How long a worker keeps a step whose handler no worker has, before it releases the step until one has it. 0: such steps fail immediately.',
  }),
  /** A worker without a heartbeat for this long is considered lost. Default 30,000. */
  leaseMs: option({
    path: 'worker.lease_seconds',
    form: forms.seconds(100),
    byDefault: DEFAULTS.leaseMs,
    about: 'A worker without a heartbeat for this long is considered lost, and other workers take over its steps.',
  }),
  /**
   * How long a worker keeps its steps while a handler blocks the event loop. A separate thread sends the heartbeats
   * during that time. If the loop is blocked for longer, the lease expires and other workers take over the steps. 0:
   * there is no separate thread. Default 300,000.
   */
  blockedLoopBoundMs: option({
    path: 'worker.blocked_loop_bound_seconds',
    form: forms.seconds(0),
    byDefault: DEFAULTS.blockedLoopBoundMs,
    about: 'How long a worker keeps its steps while a handler blocks the event loop; 0: no longer than the lease.',
  }),
  /** Which attempts keep the last 200 lines that their handler logged: `none`, `failed` or `all`. Default `failed`. */
  stepLogs: option({
    path: 'logs.keep',
    form: forms.keptLogs,
    byDefault: DEFAULTS.stepLogs,
    about:
      'Which attempts keep the last 200 lines (64 KB) that their handler logged, for `tasker step logs`: `none`, `failed` or `all`.',
  }),
  /** Maximum number of threads for steps with `isolation: thread`. Each runs one step at a time. Default: one per core. */
  threads: option<number | undefined>({
    path: 'worker.handler_threads.count',
    form: forms.whole(1, 1_024),
    byDefault: undefined,
    defaultWords: 'one per core',
    about: 'Maximum number of threads for steps with `isolation: thread`.',
  }),
  /** Heap limit of a thread in megabytes. A step that exceeds it fails. Default: the limit of Node. */
  threadMemoryMb: option<number | undefined>({
    path: 'worker.handler_threads.memory_mb',
    form: forms.whole(16, 1_048_576),
    byDefault: undefined,
    defaultWords: 'the limit of Node',
    about: 'Heap limit of a thread for steps with `isolation: thread`, in megabytes. A step that exceeds it fails.',
  }),
  /** Poll interval of the queue without notifications. Default 2,000, or 1,000 while none can arrive. */
  pollMs: option<number | undefined>({
    path: 'worker.poll_interval_ms',
    form: forms.milliseconds(10),
    byDefault: undefined,
    defaultWords: `${DEFAULTS.pollMs}; ${DEFAULTS.pollWithoutNotifyMs} while no notification can arrive`,
    about: 'Poll interval of the queue, for work without a notification.',
  }),
  /** How long `stop()` waits for running handlers. Default 30,000. */
  drainTimeoutMs: option({
    path: 'worker.shutdown_timeout_ms',
    also: ['orchestration.shutdown_timeout_ms'],
    form: forms.milliseconds(0),
    byDefault: DEFAULTS.drainTimeoutMs,
    about: 'How long a stopping worker waits for running handlers.',
  }),
  /** If false, the worker opens no port. */
  webEnabled: key({
    path: 'worker.web.enabled',
    form: forms.flag,
    byDefault: true,
    defaultWords: '`true`; for `bootstrapWorker`, `false`',
    about: 'If false, `tasker worker` opens no port (headless). If true, `bootstrapWorker` also opens a port.',
  }),
  webAddress: key({
    path: 'worker.web.bind_address',
    variables: ['TASKER_WEB_BIND_ADDRESS'],
    form: forms.address,
    byDefault: DEFAULTS.webAddress,
    defaultWords: `\`${DEFAULTS.webAddress.host}:${DEFAULTS.webAddress.port}\``,
    about: 'The address on which the worker serves health, metrics and templates.',
  }),
  webConfigEndpoint: key({
    path: 'worker.web.config_endpoint_enabled',
    form: forms.flag,
    byDefault: false,
    about: 'Whether the worker serves `GET /config`, with secrets hidden.',
  }),
  ...SERVER_KEYS,
  /** Age at which domain events are deleted, once every group has passed them. */
  eventRetentionMs: key({
    path: 'events.retention_days',
    form: forms.days,
    byDefault: DEFAULTS.eventRetentionMs,
    about: 'Age at which domain events are deleted, once every group has passed them; 0 means never.',
  }),
  auditRetentionMs: key({
    path: 'audit.retention_days',
    form: forms.days,
    byDefault: undefined,
    defaultWords: 'none: kept',
    about: 'Age at which actions of operators, and finished bulk actions, are deleted; 0 or none: never.',
  }),
  deadLetters: key({
    path: 'orchestration.dlq.enabled',
    form: forms.flag,
    byDefault: true,
    about: 'Whether the thresholds below note stale tasks. The limits of templates apply in any case.',
  }),
  stalenessDetection: key({
    path: 'orchestration.dlq.staleness_detection.enabled',
    form: forms.flag,
    byDefault: true,
    about: 'Whether the thresholds below note stale tasks. The limits of templates apply in any case.',
  }),
  stalenessDryRun: key({
    path: 'orchestration.dlq.staleness_detection.dry_run',
    form: forms.flag,
    byDefault: false,
    about: 'With `true`, the thresholds below note no tasks.',
  }),
  stalenessIntervalMs: key({
    path: 'orchestration.dlq.staleness_detection.detection_interval_seconds',
    form: forms.seconds(1_000),
    byDefault: DEFAULTS.stalenessIntervalMs,
    about: 'Interval of the search for open tasks that reach one of the thresholds below.',
  }),
  waitingForDependenciesMinutes: key({
    path: 'orchestration.dlq.thresholds.waiting_for_dependencies_minutes',
    also: ['orchestration.dlq.staleness_detection.thresholds.waiting_for_dependencies_minutes'],
    form: forms.whole(1, 525_600),
    byDefault: undefined,
    defaultWords: 'none',
    about:
      'Minutes after which a task without its own limit that waits for an operator, or for its first worker, is noted as stale.',
  }),
  waitingForRetryMinutes: key({
    path: 'orchestration.dlq.thresholds.waiting_for_retry_minutes',
    also: ['orchestration.dlq.staleness_detection.thresholds.waiting_for_retry_minutes'],
    form: forms.whole(1, 525_600),
    byDefault: undefined,
    defaultWords: 'none',
    about: 'Minutes after which a task without its own limit that waits for a retry is noted as stale.',
  }),
  stepsInProcessMinutes: key({
    path: 'orchestration.dlq.thresholds.steps_in_process_minutes',
    also: ['orchestration.dlq.staleness_detection.thresholds.steps_in_process_minutes'],
    form: forms.whole(1, 525_600),
    byDefault: undefined,
    defaultWords: 'none',
    about: 'Minutes after which a task without its own limit that has begun and has steps to run is noted as stale.',
  }),
  taskLifetimeHours: key({
    path: 'orchestration.dlq.thresholds.task_max_lifetime_hours',
    also: ['orchestration.dlq.staleness_detection.thresholds.task_max_lifetime_hours'],
    form: forms.whole(1, 8_760),
    byDefault: undefined,
    defaultWords: 'none',
    about: 'Hours after which a task without its own limit that has not ended is noted as stale.',
  }),
  /** Age after its end at which a task is deleted, with its steps and history, unless a rule applies. */
  retentionMs: key({
    path: 'retention.days',
    form: forms.days,
    byDefault: undefined,
    defaultWords: 'none: kept',
    about:
      'Age after its end at which a task is deleted, with its steps and history, unless one of `retention.rules` applies; 0 or none: never.',
  }),
  retentionRules: key({
    path: 'retention.rules',
    form: retentionRules,
    byDefault: [],
    defaultWords: 'none',
    about:
      'Other ages for some tasks: tables with `days` (0 means never) and any of `namespace`, `name`, `version` and `status`. The first rule that matches a task applies.',
  }),
  retentionArchive: key<string | undefined>({
    path: 'retention.archive_folder',
    form: forms.filePath,
    byDefault: undefined,
    defaultWords: 'none: tasks are not archived',
    isPath: true,
    about:
      'An existing folder. Tasks are written to files there before they are deleted. Set `retention` only for workers that can reach this folder.',
  }),
  retentionReleaseKeys: key({
    path: 'retention.release_keys',
    form: forms.flag,
    byDefault: false,
    about:
      'Whether a repeated request creates a new task after the first task was deleted. If not, it is a `conflict`.',
  }),
  retentionShare: key({
    path: 'retention.share',
    form: forms.share,
    byDefault: DEFAULTS.retentionShare,
    about: 'The fraction of the time in which the deletion works; it sleeps for the rest.',
  }),
  /** Maximum number of deliveries of one event to a subscriber. */
  eventMaxDeliveries: key({
    path: 'events.max_deliveries',
    form: forms.whole(1, MOST_DELIVERIES),
    byDefault: DEFAULTS.eventMaxDeliveries,
    about:
      'Maximum number of deliveries of one event to a failing subscriber; after that, it is kept as a dead delivery. Sinks have their own limits.',
  }),
  /** Timeout of one delivery. */
  eventTimeoutMs: key({
    path: 'events.timeout_seconds',
    form: forms.seconds(100),
    byDefault: DEFAULTS.eventTimeoutMs,
    about: 'Timeout of one delivery of an event.',
  }),
  /** Maximum number of events of different tasks that a group handles at the same time, per process. */
  eventConcurrency: key({
    path: 'events.concurrency',
    form: forms.whole(1, 1_000),
    byDefault: DEFAULTS.eventConcurrency,
    about: 'Maximum number of events of different tasks that one group handles at the same time, per process.',
  }),
  webhooks: key({
    path: 'events.webhooks',
    form: webhooks,
    byDefault: [],
    defaultWords: 'none',
    secret: true,
    about: 'Webhooks to which domain events are posted.',
  }),
  /** The RabbitMQ server; undefined if events are not sent to one. */
  rabbitmqUrl: key({
    path: 'events.rabbitmq.url',
    form: forms.rabbitmqUrl,
    byDefault: undefined,
    defaultWords: 'none: events are not sent to RabbitMQ',
    secret: true,
    about: 'The RabbitMQ server to whose queues `{namespace}_domain_events` domain events are sent.',
  }),
  rabbitmqGroup: key({
    path: 'events.rabbitmq.group',
    form: forms.word,
    byDefault: 'rabbitmq',
    about: 'The group that stores the position of RabbitMQ in the log.',
  }),
  rabbitmqPatterns: key({
    path: 'events.rabbitmq.patterns',
    form: forms.patterns,
    byDefault: ['*'],
    about: 'Names or patterns of the events to send.',
  }),
  rabbitmqFrom: key<'now' | 'beginning'>({
    path: 'events.rabbitmq.from',
    form: forms.beginning,
    byDefault: 'now',
    about: 'Where a new group starts in the log.',
  }),
  rabbitmqMaxDeliveries: key({
    path: 'events.rabbitmq.max_deliveries',
    form: forms.whole(1, MOST_DELIVERIES),
    byDefault: DEFAULTS.sinkMaxDeliveries,
    about:
      'Maximum number of deliveries of one event; after that, it is kept as a dead delivery. The default takes about a day.',
  }),
};

/**
 * The effective configuration of a program, from its options, its environment, its file and the defaults. Returned by
 * {@link loadConfig}. Times in milliseconds. Options of `createTasker` have the same names here.
 *
 * @example
 * const config: TaskerConfig = loadConfig().config;
 * console.log(config.environment, config.concurrency);
 */
export type TaskerConfig = { [Name in keyof typeof KEYS]: (typeof KEYS)[Name]['byDefault'] };

/** Names of {@link CONFIG_KEYS}. */
export type ConfigName = keyof TaskerConfig;

/** All keys that have an effect, in the order of the docs. */
export const CONFIG_KEYS: { readonly [Name in ConfigName]: ConfigKey<TaskerConfig[Name]> } = KEYS;

export const CONFIG_NAMES = Object.keys(KEYS) as ConfigName[];

type OptionName = { [Name in ConfigName]: (typeof KEYS)[Name] extends { isOption: true } ? Name : never }[ConfigName];

/** The part of the configuration that is also options of `createTasker`. */
export type ConfigOptions = Partial<Pick<TaskerConfig, OptionName>>;

/** Names of {@link ConfigOptions}. */
export const OPTION_NAMES = CONFIG_NAMES.filter((name): name is OptionName => 'isOption' in KEYS[name]);
