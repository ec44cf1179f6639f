import { z } from 'zod';
import { LONGEST_NAMESPACE, NAMESPACE, NAMESPACE_CHARACTERS } from '../model/namespace.ts';
import {
  BACKOFFS,
  DEFAULT_RETRY,
  DELIVERY_MODES,
  EVENT_CONDITIONS,
  FAILURE_STRATEGIES,
  IDENTITY_STRATEGIES,
  ISOLATIONS,
  ON_INVALID,
  STALENESS_ACTIONS,
  STEP_TYPES,
} from './task-template.ts';

/**
 * The form of a template file in its first spelling (`spellings.ts` turns the others into it).
 * The parser checks files with it, and the published JSON Schema is generated from it; descriptions are what editors show.
 */

/** PostgreSQL stores no control characters, and a name with blanks at its ends is a misprint. */
const NAME = /^[^\s\p{Cc}](?:[^\p{Cc}]*[^\s\p{Cc}])?$/u;
const EVENT_NAME = /^[a-z0-9_]+(?:\.[a-z0-9_]+)+$/;
const PUBLISHER = /^[A-Za-z_][A-Za-z0-9_]*(?:(?:::|\.)[A-Za-z_][A-Za-z0-9_]*)*$/;

/** Timers hold 2^31 − 1 milliseconds; a longer timeout would fire at once. */
const LONGEST_TIMEOUT_SECONDS = 2_147_483;

const named = (max: number) =>
  z.string().min(1).max(max).regex(NAME, { error: 'must not begin or end with a blank, nor hold control characters' });
const whole = (min: number, max: number) => z.int().min(min).max(max);
const object = () => z.record(z.string(), z.unknown());

export const retryFile = z
  .strictObject({
    retryable: z.boolean().nullish().meta({
      default: DEFAULT_RETRY.retryable,
      description: 'false: the first failure is final, whatever the result says.',
    }),
    max_attempts: whole(0, 100).nullish().meta({
      default: DEFAULT_RETRY.maxAttempts,
      description: 'How often the step is started at most, the first start included. 0 counts as 1.',
    }),
    backoff: z.enum(BACKOFFS).nullish().meta({
      default: DEFAULT_RETRY.backoff,
      description: 'How the delay before a retry grows.',
    }),
    backoff_base_ms: whole(1, 3_600_000).nullish().meta({
      default: DEFAULT_RETRY.backoffBaseMs,
      description: 'The delay that backoff grows from, in milliseconds.',
    }),
    max_backoff_ms: whole(1, 3_600_000).nullish().meta({
      default: DEFAULT_RETRY.maxBackoffMs,
      description: 'No delay is longer than this, in milliseconds.',
    }),
  })
  .meta({ description: 'When a failed attempt is followed by another, and after how long.' });

const timeoutSeconds = whole(1, LONGEST_TIMEOUT_SECONDS).nullish().meta({
  description: "How long one attempt may take, in seconds. Absent: the worker's default.",
});

/** `handler:`, once a bare name has become `{callable}`. */
export const handlerFile = z
  .strictObject({
    callable: z.string().min(1).max(500).regex(NAME, { error: 'must not begin or end with a blank' }).meta({
      description: 'The name that the handler is registered under.',
    }),
    method: z.string().min(1).max(255).nullish().meta({
      description: "The method to call. Absent: the handler's own call.",
    }),
    resolver: z.string().min(1).max(255).nullish().meta({
      description: 'The resolver to ask. Absent: all of them, in their order.',
    }),
    initialization: object().nullish().meta({
      default: {},
      description: "The step's own configuration; the handler gets it as it is.",
    }),
    isolation: z.enum(ISOLATIONS).nullish().meta({
      description:
        'thread: in a thread that is ended when its time is up, for handlers that compute. Absent: as the handler itself says, else none.',
    }),
  })
  .meta({ description: "The code that does the step's work: a name, or a name with particulars." });

export const eventFile = z.strictObject({
  name: z
    .string()
    .max(255)
    .regex(EVENT_NAME, { error: 'must be lower-case words with dots between, as `order.charged`' })
    .meta({ description: 'Lower-case words with dots between, as order.charged.' }),
  description: z.string().meta({ description: 'What has happened when it is published.' }),
  condition: z.enum(EVENT_CONDITIONS).nullish().meta({
    default: 'success',
    description: 'The outcome of the step that publishes it.',
  }),
  schema: object().meta({ description: 'JSON Schema of the payload.' }),
  delivery_mode: z.enum(DELIVERY_MODES).nullish().meta({
    default: 'durable',
    description: 'durable: stored with the result; fast: in the process only; broadcast: both.',
  }),
  publisher: z
    .string()
    .max(255)
    .regex(PUBLISHER, { error: 'must be an identifier; parts may be joined by `.` or `::`' })
    .nullish()
    .meta({ description: 'A publisher registered by that name.' }),
  on_invalid: z.enum(ON_INVALID).nullish().meta({
    default: 'drop',
    description:
      'What happens when the payload does not fit its schema. drop: the event is not published; fail_step: the step fails for good.',
  }),
});

export const batchFile = z
  .strictObject({
    batch_size: whole(1, 100_000).meta({ description: 'Items a worker takes at most.' }),
    parallelism: whole(1, 1000).meta({ description: 'Workers of the batch that run at once, at most.' }),
    cursor_field: z.string().min(1).max(255).meta({ description: 'The field that orders the items.' }),
    worker_template: z
      .string()
      .min(1)
      .max(255)
      .meta({ description: 'The batch_worker step that workers are made from.' }),
    failure_strategy: z.enum(FAILURE_STRATEGIES).meta({ description: 'What a failed worker means for the others.' }),
  })
  .meta({ description: 'How the workers made from this step run. Required on a batch_worker.' });

/** One entry of `steps:`. */
export const stepFile = z.strictObject({
  name: named(128).meta({ description: 'Unique in the template.' }),
  description: z.string().max(255).nullish().meta({ description: 'For people.' }),
  handler: handlerFile,
  type: z.enum(STEP_TYPES).nullish().meta({ default: 'standard', description: 'What the step is to the engine.' }),
  system_dependency: z.string().max(255).nullish().meta({ description: 'The outside system it talks to; for people.' }),
  dependencies: z.array(z.string().min(1).max(128)).nullish().meta({
    default: [],
    description: 'Names of the steps that must be complete before this one is ready.',
  }),
  retry: retryFile.nullish(),
  timeout_seconds: timeoutSeconds,
  publishes_events: z.array(eventFile).nullish().meta({ default: [], description: 'Events of its outcomes.' }),
  batch_config: batchFile.nullish(),
  result_schema: object().nullish().meta({ description: 'JSON Schema of the result, enforced when it is recorded.' }),
  composition: z.unknown().optional().meta({ description: 'Kept as given; nothing executes it.' }),
});

const stepOverride = z.strictObject({
  name: z.string().min(1).max(128).meta({ description: 'The name of a step, or ALL for every step.' }),
  handler: z
    .strictObject({
      initialization: object().nullish().meta({ description: "Merged key by key over the step's own." }),
    })
    .nullish(),
  timeout_seconds: timeoutSeconds,
  retry: retryFile.nullish(),
});

export const lifecycleFile = z
  .strictObject({
    max_duration_minutes: whole(1, 43_200).nullish().meta({ description: 'From creation to end.' }),
    max_waiting_for_dependencies_minutes: whole(1, 10_080).nullish(),
    max_waiting_for_retry_minutes: whole(1, 10_080).nullish(),
    max_steps_in_process_minutes: whole(1, 10_080).nullish(),
    staleness_action: z.enum(STALENESS_ACTIONS).nullish().meta({ default: 'dlq' }),
    auto_fail_on_timeout: z.boolean().nullish(),
    auto_dlq_on_timeout: z.boolean().nullish(),
  })
  .meta({ description: 'How long a task may stay in a state, and what happens then.' });

const label = z.string().max(128).nullish();

export const optionsFile = z
  .strictObject({
    priority: whole(-100, 100).nullish().meta({ default: 0, description: 'Higher first.' }),
    tags: z.array(z.string().max(128)).max(1000).nullish(),
    initiator: label.meta({ description: 'The person or program that asked.' }),
    source_system: label.meta({ description: 'The system that the request came from.' }),
    reason: label.meta({ description: 'The reason for the request.' }),
  })
  .meta({ description: 'Fields that a request for a task may leave out. A field in the request wins.' });

export const metadataFile = z.looseObject({
  author: z.string().nullish(),
  tags: z.array(z.string()).nullish().meta({ default: [] }),
  documentation_url: z.string().nullish(),
  created_at: z.iso.datetime({ offset: true }).nullish(),
  updated_at: z.iso.datetime({ offset: true }).nullish(),
});

export const systemsFile = z.strictObject({
  primary: z.string().nullish().meta({ default: 'default' }),
  secondary: z.array(z.string()).nullish().meta({ default: [] }),
});

export const domainEventFile = z.strictObject({
  name: z.string().min(1),
  description: z.string().nullish(),
  schema: object().nullish(),
});

/** A whole template file. */
export const templateFile = z.strictObject({
  name: named(64).meta({ description: 'The name of the template; unique with namespace and version.' }),
  namespace_name: z
    .string()
    .max(LONGEST_NAMESPACE)
    .regex(NAMESPACE, { error: `must be ${NAMESPACE_CHARACTERS}` })
    .meta({ description: 'Which workers run its steps.' }),
  version: named(16).meta({ description: 'A string, as "1.0.0"; a request names it exactly.' }),
  description: z.string().max(255).nullish().meta({ description: 'For people.' }),
  metadata: metadataFile.nullish().meta({ description: 'Author, documentation and any other notes.' }),
  system_dependencies: systemsFile
    .nullish()
    .meta({ description: 'The outside systems its steps talk to; for people.' }),
  domain_events: z.array(domainEventFile).nullish().meta({
    default: [],
    description: 'Events its steps may publish; for people. Steps declare theirs in publishes_events.',
  }),
  input_schema: object()
    .nullish()
    .meta({ description: "JSON Schema of a task's context, enforced when it is created." }),
  steps: z.array(stepFile).min(1).max(10_000).meta({ description: 'The steps, in any order.' }),
  environments: z
    .record(z.string(), z.strictObject({ steps: z.array(stepOverride).nullish() }).nullable())
    .nullish()
    .meta({ default: {}, description: 'What an environment changes; TASKER_ENV says which one applies.' }),
  lifecycle: lifecycleFile.nullish(),
  identity_strategy: z.enum(IDENTITY_STRATEGIES).nullish().meta({
    default: 'strict',
    description: 'What makes two requests the same task: their context, a key of the caller, or nothing.',
  }),
  default_context: object()
    .nullish()
    .meta({ description: 'Keys of the context that a request may leave out. A key in the request wins.' }),
  default_options: optionsFile.nullish(),
});

/** A template file that has the right form. */
export type TemplateFile = z.infer<typeof templateFile>;
export type StepFile = z.infer<typeof stepFile>;
export type StepOverrideFile = z.infer<typeof stepOverride>;
export type RetryFile = z.infer<typeof retryFile>;
