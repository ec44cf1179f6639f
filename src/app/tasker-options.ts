import { CONFIG_KEYS, type ConfigOptions, OPTION_NAMES } from '../config/config-keys.ts';
import type { LoadedConfig } from '../config/load-config.ts';
import { LONGEST_TIMER_MS } from '../config/value-forms.ts';
import type { DynamicLimits } from '../engine/expansion.ts';
import { TaskerError } from '../errors.ts';
import type { EventConsumer } from '../events/delivery/event-consumer.ts';
import type { AnyLogger } from '../logging/any-logger.ts';
import type { MetricsRegistry } from '../metrics/metrics.ts';
import { kindOf } from '../model/json.ts';
import { describeUnknown } from '../model/near-names.ts';
import type { AnyWorkflow } from '../workflow/workflow.ts';
import type { PublisherSource, SubscriberSource } from './event-registries.ts';
import type { HandlerSource } from './project/handler-folders.ts';
import type { TemplateSource } from './project/load-templates.ts';
import type { ScheduleSource } from './schedules/load-schedules.ts';

/**
 * Options of {@link createTasker}. Times in milliseconds. An omitted option is taken from the environment, otherwise
 * from the configuration file, otherwise from the defaults.
 */
export interface CreateTaskerOptions extends ConfigOptions {
  /**
   * A TOML file, or a folder with `base/` and `environments/`. Default: `TASKER_CONFIG_PATH`, otherwise the project's
   * own.
   */
  configPath?: string;
  /** A result of {@link loadConfig}. If given, the environment and the file are not read again. */
  config?: LoadedConfig;
  /**
   * A folder, files, parsed templates, or plain objects with the keys of a template file. They are registered at
   * startup. Default: the templates in the database.
   */
  templates?: TemplateSource;
  /** Workflows in TypeScript. Their templates are added to `templates`, and their handlers to `handlers`. */
  workflows?: readonly AnyWorkflow[];
  /**
   * A folder or files of schedules. They are created and updated at startup, and belong to `schedules.source`. Default:
   * none.
   */
  schedules?: ScheduleSource;
  /** A folder, classes, instances, `define…()` values or a registry. Without handlers, the tasker runs no steps. */
  handlers?: HandlerSource;
  /**
   * Publishers of domain events: classes, instances, or a `PublisherRegistry`. Publishers that the handler folder exports
   * are added. The payload of an event without a publisher is the step's result.
   */
  publishers?: PublisherSource;
  /**
   * Subscribers to domain events: classes, instances, `defineSubscriber` values, or a `SubscriberRegistry`. Subscribers
   * that the handler folder exports are added. They run while the tasker is running, with or without a worker.
   */
  subscribers?: SubscriberSource;
  /** If false, only creates and watches tasks. Default: true if `handlers` is set. */
  worker?: boolean;
  /**
   * pino, winston, `console`, or an object with the same methods. Default: standard error, at the level of
   * `TASKER_LOG`, `LOG_LEVEL`, `RUST_LOG` or the configuration file, otherwise only warnings and errors.
   */
  logger?: AnyLogger;
  /**
   * A `Registry` of `prom-client` to add the metrics to until the tasker stops, or `false` to record none.
   * `tasker.metrics` has the metrics in any case. By default, no other registry has them.
   */
  metrics?: MetricsRegistry | false;
  /**
   * Limits on dynamic steps: steps that one decision names (`stepsPerDecision`, default 100), decisions on one path through
   * a template (`decisionDepth`, default 20), workers of one batch (`workersPerBatch`, default 10,000). The maximum of each
   * is 131,072. An outcome that exceeds a limit fails its step permanently.
   */
  limits?: Partial<DynamicLimits>;
  /**
   * Destinations of durable domain events: `webhookSink(…)`, `rabbitmqSink(…)`, or your own consumer. They are closed when
   * the tasker stops. A tasker with a worker also uses the sinks of the configuration file.
   */
  sinks?: readonly EventConsumer[];
  /** Selects the overrides in the templates' `environments`. Default: `TASKER_ENV`, otherwise `development`. */
  environment?: string;
  /** If false, only connects and registers templates; call `start()` later. Default true. */
  autoStart?: boolean;
  /** Stops the tasker when it fires. */
  signal?: AbortSignal;
}

/** The names of all members of an options type. The compiler rejects a missing or unknown name. */
export type OptionNames<Options> = Readonly<Record<keyof Options, true>>;

const OWN_OPTIONS: OptionNames<Omit<CreateTaskerOptions, keyof ConfigOptions>> = {
  configPath: true,
  config: true,
  templates: true,
  workflows: true,
  schedules: true,
  handlers: true,
  publishers: true,
  subscribers: true,
  worker: true,
  logger: true,
  metrics: true,
  limits: true,
  sinks: true,
  environment: true,
  autoStart: true,
  signal: true,
};
const CONFIG_OPTIONS = Object.fromEntries(OPTION_NAMES.map((name) => [name, true])) as OptionNames<ConfigOptions>;

/** Every option of {@link createTasker}. */
export const TASKER_OPTIONS: OptionNames<CreateTaskerOptions> = { ...OWN_OPTIONS, ...CONFIG_OPTIONS };

/** Every member of the option `limits`. */
export const LIMIT_OPTIONS: OptionNames<DynamicLimits> = {
  stepsPerDecision: true,
  decisionDepth: true,
  workersPerBatch: true,
};

const MAX_DYNAMIC = 131_072;

/** @throws TaskerError `config_invalid` if a number is out of range */
export function checkNumbers(options: CreateTaskerOptions): void {
  for (const [name, value] of Object.entries(options.limits ?? {})) {
    checkNumber(`limits.${name}`, value, { least: 1, most: MAX_DYNAMIC });
  }
  for (const name of OPTION_NAMES) {
    const { least } = CONFIG_KEYS[name].form;
    if (least !== undefined) checkNumber(name, options[name], { least, most: LONGEST_TIMER_MS });
  }
}

function checkNumber(name: string, value: unknown, { least, most }: { least: number; most: number }): void {
  if (value === undefined || (Number.isInteger(value) && (value as number) >= least && (value as number) <= most))
    return;
  throw new TaskerError(
    'config_invalid',
    `createTasker: ${name} must be a whole number from ${least} to ${most}, got ${String(value)}`,
  );
}

/**
 * Rejects unknown options, so that a misspelt option is not ignored.
 * @throws TaskerError `config_invalid`, with every unknown option and similar names
 */
export function refuseUnknown(where: string, given: unknown, known: Readonly<Record<string, true>>): void {
  if (given === undefined) return;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new TaskerError('config_invalid', `${where}: the options must be an object, got ${kindOf(given)}`);
  }
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(known, name));
  if (unknown.length === 0) return;
  throw new TaskerError('config_invalid', `${where}: ${describeUnknown('option', unknown, Object.keys(known))}`);
}
