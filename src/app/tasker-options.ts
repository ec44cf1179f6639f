import { CONFIG_KEYS, type ConfigOptions, OPTION_NAMES } from '../config/config-keys.ts';
import type { LoadedConfig } from '../config/load-config.ts';
import { LONGEST_TIMER_MS } from '../config/value-forms.ts';
import type { DynamicLimits } from '../engine/expansion.ts';
import { TaskerError } from '../errors.ts';
import type { EventConsumer } from '../events/delivery/event-consumer.ts';
import type { AnyLogger } from '../logging/any-logger.ts';
import type { MetricsRegistry } from '../metrics/metrics.ts';
import { kindOf } from '../model/kind-of.ts';
import { nearNames } from '../model/near-names.ts';
import type { PublisherSource, SubscriberSource } from './event-registries.ts';
import type { HandlerSource } from './project/load-handlers.ts';
import type { TemplateSource } from './project/load-templates.ts';

/**
 * Options of {@link createTasker}. Times in milliseconds. What is not given is taken from the environment, then from the
 * configuration file, then from the defaults.
 */
export interface CreateTaskerOptions extends ConfigOptions {
  /** A TOML file, or a folder with `base/` and `environments/`. Default: `TASKER_CONFIG_PATH`, else the project's own. */
  configPath?: string;
  /** What {@link loadConfig} gave: environment and file are not read again. */
  config?: LoadedConfig;
  /**
   * A folder, files, parsed templates, or plain objects with the keys of a template file. They are registered at the
   * start. Default: those in the database.
   */
  templates?: TemplateSource;
  /** A folder, classes, instances, `define…()` values or a registry. Without handlers nothing is run. */
  handlers?: HandlerSource;
  /**
   * Publishers of domain events: classes, instances, or a `PublisherRegistry`; those that a folder of handlers exports join
   * them. What a step declares and no publisher is for has the step's result as its payload.
   */
  publishers?: PublisherSource;
  /**
   * Subscribers to domain events: classes, instances, `defineSubscriber` values, or a `SubscriberRegistry`; those that a
   * folder of handlers exports join them. They run from start to stop, with or without a worker.
   */
  subscribers?: SubscriberSource;
  /** False: creates and watches only. */
  worker?: boolean;
  /**
   * pino, winston, `console`, or anything of their shapes. Default: standard error, at the level of `TASKER_LOG`,
   * `LOG_LEVEL`, `RUST_LOG` or the configuration file, else warnings and errors only.
   */
  logger?: AnyLogger;
  /**
   * Where to count: a `Registry` of `prom-client`, in which the instruments stand until the tasker stops; `false`: nowhere.
   * Default: only `tasker.metrics`, which tells them in any case.
   */
  metrics?: MetricsRegistry | false;
  /**
   * What one result may make happen: steps that a decision names (`stepsPerDecision`, 100), decisions on one way through
   * a template (`decisionDepth`, 20), workers of one batch (`workersPerBatch`, 10,000; at most 131,072). An outcome that
   * goes beyond them fails its step for good.
   */
  limits?: Partial<DynamicLimits>;
  /**
   * Where durable domain events are brought to: `webhookSink(…)`, `rabbitmqSink(…)`, or a consumer of your own. They are
   * closed when the tasker stops. Those of the configuration file are added where there is a worker.
   */
  sinks?: readonly EventConsumer[];
  /** Which overrides of the templates' `environments` apply. Default `TASKER_ENV`, else `development`. */
  environment?: string;
  /** Bring the schema up to date. Default true. */
  migrate?: boolean;
  /** False: connect and register only; call `start()` later. */
  autoStart?: boolean;
  /** Stops the tasker when it fires. */
  signal?: AbortSignal;
}

/** The names of all options of a type. The compiler refuses a missing or an unknown name. */
export type OptionNames<Options> = Readonly<Record<keyof Options, true>>;

const OWN_OPTIONS: OptionNames<Omit<CreateTaskerOptions, keyof ConfigOptions>> = {
  configPath: true,
  config: true,
  templates: true,
  handlers: true,
  publishers: true,
  subscribers: true,
  worker: true,
  logger: true,
  metrics: true,
  limits: true,
  sinks: true,
  environment: true,
  migrate: true,
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

const MOST_DYNAMIC = 131_072;

/** @throws TaskerError `config_invalid` for a number that is out of range */
export function checkNumbers(options: CreateTaskerOptions): void {
  for (const [name, value] of Object.entries(options.limits ?? {})) {
    checkNumber(`limits.${name}`, value, { least: 1, most: MOST_DYNAMIC });
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
 * Refuses unknown options, so that a misspelt one is not ignored.
 * @throws TaskerError `config_invalid`, with every unknown option and similar names
 */
export function refuseUnknown(where: string, given: unknown, known: Readonly<Record<string, true>>): void {
  if (given === undefined) return;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new TaskerError('config_invalid', `${where}: the options must be an object, got ${kindOf(given)}`);
  }
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(known, name));
  if (unknown.length === 0) return;
  const names = Object.keys(known);
  const faults = unknown.map((name) => {
    const near = nearNames(name, names);
    return `there is no option ${name}${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''}`;
  });
  const isGuessed = faults.every((fault) => fault.endsWith('?'));
  const all = isGuessed ? '' : `; the options are ${names.join(', ')}`;
  throw new TaskerError('config_invalid', `${where}: ${faults.join('; ')}${all}`);
}
