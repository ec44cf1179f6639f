import { z } from 'zod';
import { LONGEST_EXPRESSION } from '../expressions/cel.ts';
import { LONGEST_NAMESPACE, NAMESPACE, NAMESPACE_CHARACTERS } from '../model/namespace.ts';
import { RATE } from '../model/rate.ts';
import { JOIN, OTHERS, RUN_IF } from '../model/routes.ts';
import {
  BACKOFFS,
  BLOCKED_ACTIONS,
  CANCEL_ACTIONS,
  DEFAULT_RETRY,
  DELIVERY_MODES,
  EVENT_CONDITIONS,
  FAILURE_STRATEGIES,
  IDENTITY_STRATEGIES,
  ISOLATIONS,
  ON_CHILD_FAILURE,
  ON_CONFLICT,
  ON_ELEMENT_FAILURE,
  ON_INVALID,
  ON_PARENT_CANCEL,
  STALENESS_ACTIONS,
  STEP_TYPES,
  UNDO_INCLUDE,
} from './task-template.ts';
import { approvalFile, callAgainFile, limit, signalFile, timerFile } from './waits/wait-file.ts';

/**
 * The form of a template file in its first spelling. `spellings.ts` converts the other spellings. The parser checks
 * files with it, and the published JSON Schema is generated from it. Editors show the descriptions.
 */

/** Names must not contain control characters or start or end with whitespace, which would be a typing error. */
const NAME = /^[^\s\p{Cc}](?:[^\p{Cc}]*[^\s\p{Cc}])?$/u;
const EVENT_NAME = /^[a-z0-9_]+(?:\.[a-z0-9_]+)+$/;
/**
 * A key in a path of `sensitive:`. Other characters are rejected: they belong to other notations, whose paths would
 * hide nothing.
 */
const PATH_KEY = String.raw`[^.[\]\s\p{Cc}](?:[^.[\]\p{Cc}]*[^.[\]\s\p{Cc}])?`;
/** A path of `sensitive:`. */
export const SENSITIVE_PATH = new RegExp(String.raw`^(?!/|\$(?:\.|$))${PATH_KEY}(?:\.${PATH_KEY})*$`, 'u');
const PUBLISHER = /^[A-Za-z_][A-Za-z0-9_]*(?:(?:::|\.)[A-Za-z_][A-Za-z0-9_]*)*$/;

/** Maximum number of entries of `inputs` and of `output`. */
const MOST_EXPRESSIONS = 100;

/** Timers are limited to 2^31 − 1 milliseconds. A timer with a longer timeout would fire immediately. */
const LONGEST_TIMEOUT_SECONDS = 2_147_483;

const named = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(NAME, { error: 'must not start or end with whitespace or contain control characters' });
const whole = (min: number, max: number) => z.int().min(min).max(max);
const object = () => z.record(z.string(), z.unknown());

/** Expressions by name. A number or a boolean is an expression, too. */
const expressionsFile = z
  .record(named(128), z.union([z.string().max(LONGEST_EXPRESSION), z.number(), z.boolean()]))
  .refine((fields) => Object.keys(fields).length <= MOST_EXPRESSIONS, {
    error: `must have at most ${MOST_EXPRESSIONS} entries`,
  });

/** A condition. A boolean is an expression, too. */
const conditionFile = z.union([z.string().max(LONGEST_EXPRESSION), z.boolean()]);

/** Maximum length of the message of a step of the type `fail`, as the template has it. */
const LONGEST_MESSAGE = 10_000;

/** The name of a template, with its namespace before it and its version after it. */
const TEMPLATE_REFERENCE =
  /^(?:[A-Za-z_][A-Za-z0-9_]*\/)?[^/@\s\p{Cc}](?:[^/@\p{Cc}]*[^/@\s\p{Cc}])?(?:@[^@\s\p{Cc}]+)?$/u;
const LONGEST_REFERENCE = LONGEST_NAMESPACE + 64 + 16 + 2;

/** Maximum of `parallelism`. */
const MOST_PARALLEL = 1000;

/** The paths of `sensitive:`. */
const sensitiveFile = z.array(
  z.string().max(500).regex(SENSITIVE_PATH, {
    error: 'must be keys joined by dots, such as `card.number`; `*` stands for every element or key',
  }),
);

/** The type or the code of a failure. */
const errorName = named(255);

/** Maximum number of rules of a retry policy, and of errors of a rule. */
const MOST_RULES = 100;

/** An entry of `retry.rules`. */
export const retryRuleFile = z.strictObject({
  error: z
    .union([errorName, z.array(errorName).min(1).max(MOST_RULES)], {
      error: 'must be the type or the code of a failure, such as `rate_limited`, or a list of them',
    })
    .meta({ description: 'The types or codes of the failures that the rule is for: one, or a list.' }),
  retryable: z.boolean().nullish().meta({
    description:
      'false: such a failure is final; true: it is retried even if it was reported as permanent. Default: as reported.',
  }),
  max_attempts: whole(0, 100).nullish().meta({
    description: 'Maximum number of attempts, including the first and the failures of other kinds. 0 counts as 1.',
  }),
  backoff: z.enum(BACKOFFS).nullish().meta({ description: 'How the delay before a retry grows.' }),
  backoff_base_ms: whole(1, 3_600_000).nullish().meta({ description: 'Base delay of the backoff, in milliseconds.' }),
  max_backoff_ms: whole(1, 3_600_000).nullish().meta({ description: 'Maximum delay, in milliseconds.' }),
});

export const retryFile = z
  .strictObject({
    retryable: z.boolean().nullish().meta({
      default: DEFAULT_RETRY.retryable,
      description: 'If false, the first failure is final, even if the result is retryable.',
    }),
    max_attempts: whole(0, 100).nullish().meta({
      default: DEFAULT_RETRY.maxAttempts,
      description: 'Maximum number of attempts, including the first. 0 counts as 1.',
    }),
    backoff: z.enum(BACKOFFS).nullish().meta({
      default: DEFAULT_RETRY.backoff,
      description: 'How the delay before a retry grows.',
    }),
    backoff_base_ms: whole(1, 3_600_000).nullish().meta({
      default: DEFAULT_RETRY.backoffBaseMs,
      description: 'Base delay of the backoff, in milliseconds.',
    }),
    max_backoff_ms: whole(1, 3_600_000).nullish().meta({
      default: DEFAULT_RETRY.maxBackoffMs,
      description: 'Maximum delay, in milliseconds.',
    }),
    for: limit.nullish().meta({
      description: 'The time for all attempts, from the start of the first. No retry starts later. Default: no limit.',
    }),
    rules: z.array(retryRuleFile).max(MOST_RULES).nullish().meta({
      default: [],
      description: 'Other settings for certain failures. The first rule for the type or code of a failure applies.',
    }),
  })
  .meta({ description: 'Whether and when a failed attempt is retried.' });

const timeoutSeconds = whole(1, LONGEST_TIMEOUT_SECONDS).nullish().meta({
  description: "Timeout of an attempt, in seconds. Default: the worker's default.",
});

/** The value of `handler:`, after a bare name has been converted to `{callable}`. */
export const handlerFile = z
  .strictObject({
    callable: z.string().min(1).max(500).regex(NAME, { error: 'must not start or end with whitespace' }).meta({
      description: 'The name that the handler is registered under.',
    }),
    method: z.string().min(1).max(255).nullish().meta({
      description: "The method to call. Default: the handler's call method.",
    }),
    resolver: z.string().min(1).max(255).nullish().meta({
      description: 'The resolver to use. Default: all resolvers, in order of priority.',
    }),
    initialization: object().nullish().meta({
      default: {},
      description: "The step's own configuration, passed to the handler unchanged.",
    }),
    isolation: z.enum(ISOLATIONS).nullish().meta({
      description:
        "thread: in a thread that is terminated on a timeout, for CPU-bound handlers. Default: the handler's own setting, else none.",
    }),
  })
  .meta({ description: 'The handler of the step: a name, or a name with options.' });

export const eventFile = z.strictObject({
  name: z
    .string()
    .max(255)
    .regex(EVENT_NAME, { error: 'must be lower-case words separated by dots, for example `order.charged`' })
    .meta({ description: 'Lower-case words separated by dots, for example order.charged.' }),
  description: z.string().meta({ description: 'What the event means.' }),
  condition: z.enum(EVENT_CONDITIONS).nullish().meta({
    default: 'success',
    description: 'The outcome of the step that publishes it.',
  }),
  schema: object().meta({ description: 'JSON Schema of the payload.' }),
  delivery_mode: z.enum(DELIVERY_MODES).nullish().meta({
    default: 'durable',
    description: 'durable: stored with the result; fast: within the process only; broadcast: both.',
  }),
  publisher: z
    .string()
    .max(255)
    .regex(PUBLISHER, { error: 'must be an identifier; parts may be joined by `.` or `::`' })
    .nullish()
    .meta({ description: 'The name of a registered publisher.' }),
  on_invalid: z.enum(ON_INVALID).nullish().meta({
    default: 'drop',
    description:
      'What happens if the payload does not match its schema. drop: the event is not published; fail_step: the step fails permanently.',
  }),
});

/** The value of `undo:`. */
export const undoFile = z
  .strictObject({
    handler: handlerFile.meta({ description: 'The handler that undoes the step: a name, or a name with options.' }),
    include: z.enum(UNDO_INCLUDE).nullish().meta({
      default: 'completed',
      description:
        'completed: the step is undone if it completed; attempted: also if an attempt of it began, which may have had an effect.',
    }),
    retry: retryFile.nullish(),
    timeout_seconds: timeoutSeconds,
  })
  .meta({ description: 'How the effects of the step are undone, if its task is undone.' });

export const batchFile = z
  .strictObject({
    batch_size: whole(1, 100_000).nullish().meta({
      description: 'Number of items per worker, if the analyzer returns no size of its own.',
    }),
    parallelism: whole(1, MOST_PARALLEL).meta({
      description: 'Maximum number of workers of the batch that run at the same time.',
    }),
    cursor_field: z.string().min(1).max(255).meta({ description: 'The field that orders the items.' }),
    worker_template: z
      .string()
      .min(1)
      .max(255)
      .meta({ description: 'The batch_worker step that workers are created from.' }),
    failure_strategy: z.enum(FAILURE_STRATEGIES).meta({ description: 'The effect of a failed worker on the others.' }),
  })
  .meta({ description: 'How the workers created from this step run. Required for a batch_worker.' });

/** The fields of every step. */
const stepFields = {
  name: named(128).meta({ description: 'Unique in the template.' }),
  description: z.string().max(255).nullish().meta({ description: 'For information only.' }),
  handler: handlerFile
    .nullish()
    .meta({ description: 'Required, except for the types timer, signal, approval, task, fail and for_each.' }),
  type: z.enum(STEP_TYPES).nullish().meta({ default: 'standard', description: 'The kind of step.' }),
  system_dependency: z
    .string()
    .max(255)
    .nullish()
    .meta({ description: 'The external system that it uses, for information only.' }),
  dependencies: z.array(z.string().min(1).max(128)).nullish().meta({
    default: [],
    description: 'Names of the steps that must be complete before this one is ready.',
  }),
  run_if: z.enum(RUN_IF).nullish().meta({
    description:
      'The ends of the dependencies after which the step runs; otherwise it is skipped. Default complete: all completed.',
  }),
  join: z.enum(JOIN).nullish().meta({
    description:
      'any: the step starts when the first of its dependencies completes. Default all: when all of them have ended.',
  }),
  others: z.enum(OTHERS).nullish().meta({
    description:
      'For join: any: whether the other steps that lead only to this one stop or continue, once it starts. Default stop.',
  }),
  when: conditionFile.nullish().meta({
    description: 'An expression. If it is false when the step would start, the step is skipped.',
  }),
  message: z.string().min(1).max(LONGEST_MESSAGE).nullish().meta({
    description: 'Why a step of the type fail ends its task: text with {{ expression }}. Required for this type.',
  }),
  limits: z.array(z.string().min(1).max(64)).max(4).nullish().meta({
    description: 'Names of entries of `limits` of the template. An attempt starts when all of them have room.',
  }),
  inputs: expressionsFile.nullish().meta({
    description:
      "Expressions whose values the handler gets as its inputs, instead of the task's context. Evaluated at each start.",
  }),
  retry: retryFile.nullish(),
  timeout_seconds: timeoutSeconds,
  publishes_events: z.array(eventFile).nullish().meta({ default: [], description: 'Events that the step publishes.' }),
  batch_config: batchFile.nullish(),
  timer: timerFile.nullish(),
  signal: signalFile.nullish(),
  approval: approvalFile.nullish(),
  template: z
    .string()
    .max(LONGEST_REFERENCE)
    .regex(TEMPLATE_REFERENCE, {
      error: 'must be a template such as `billing/invoice`, or with a version such as `billing/invoice@1.0.0`',
    })
    .nullish()
    .meta({
      description:
        'The template of the child task, for the type task: namespace/name, or with @version. Default: the namespace of this template, and the active version.',
    }),
  context: expressionsFile.nullish().meta({
    description: 'The context of the child task, for the type task: expressions by key. Default: an empty context.',
  }),
  on_failure: z.enum(ON_CHILD_FAILURE).nullish().meta({
    description:
      'For the type task: the effect of a child task that does not complete. Default fail: the step fails; continue: the step completes with the state of the child.',
  }),
  on_cancel: z.enum(ON_PARENT_CANCEL).nullish().meta({
    description:
      'For the type task: what happens to the child task if the step no longer waits for it. Default cancel: it is cancelled; abandon: it continues.',
  }),
  timeout: limit.nullish().meta({ description: 'The limit of the wait, for the type task. Default: none.' }),
  wait: callAgainFile.nullish(),
  undo: undoFile.nullish(),
  result_schema: object().nullish().meta({ description: 'JSON Schema of the result, enforced when it is recorded.' }),
  sensitive: sensitiveFile.max(100).nullish().meta({
    description:
      'Paths in the result, such as card.number, that are shown only with the permission tasks:context_read.',
  }),
  composition: z.unknown().optional().meta({ description: 'Stored as given, and not executed.' }),
};

/** An entry of `steps:` of a step of the type `for_each`. */
export const elementStepFile = z.strictObject(stepFields);

/** The fields of a step of the type `for_each`. */
const forEachFields = {
  elements: z.string().max(LONGEST_EXPRESSION).nullish().meta({
    description: 'For the type for_each: an expression whose value is the list. It is evaluated once.',
  }),
  key: z
    .string()
    .max(LONGEST_EXPRESSION)
    .nullish()
    .meta({ description: 'For the type for_each: an expression whose value labels an element in lists.' }),
  parallelism: whole(1, MOST_PARALLEL).nullish().meta({
    description:
      'For the type for_each: the maximum number of elements whose steps run or wait at the same time. Default 20.',
  }),
  on_element_failure: z.enum(ON_ELEMENT_FAILURE).nullish().meta({
    description:
      'For the type for_each: the effect of a failed element. Default block: the others continue, then the task is blocked; continue: the step completes; stop: the others are cancelled, and the step fails.',
  }),
  steps: z.array(elementStepFile).nullish().meta({
    description: 'For the type for_each: the steps that run for each element, in any order.',
  }),
  output: z
    .union([z.string().max(LONGEST_EXPRESSION), z.number(), z.boolean()])
    .nullish()
    .meta({
      description: 'For the type for_each: an expression whose value is the output of an element.',
    }),
};

/** An entry of `steps:`. */
export const stepFile = z.strictObject({ ...stepFields, ...forEachFields });

const stepOverride = z.strictObject({
  name: z.string().min(1).max(128).meta({ description: 'The name of a step, or ALL for every step.' }),
  handler: z
    .strictObject({
      initialization: object().nullish().meta({ description: "Merged key by key into the step's own." }),
    })
    .nullish(),
  timeout_seconds: timeoutSeconds,
  retry: retryFile.nullish(),
});

export const lifecycleFile = z
  .strictObject({
    max_duration_minutes: whole(1, 43_200).nullish().meta({ description: 'From creation to the end.' }),
    max_waiting_for_dependencies_minutes: whole(1, 10_080).nullish(),
    max_waiting_for_retry_minutes: whole(1, 10_080).nullish(),
    max_steps_in_process_minutes: whole(1, 10_080).nullish(),
    max_waiting_minutes: whole(1, 5_259_600).nullish().meta({ description: 'The limit of the state waiting.' }),
    staleness_action: z.enum(STALENESS_ACTIONS).nullish().meta({ default: 'dlq' }),
    auto_fail_on_timeout: z.boolean().nullish(),
    auto_dlq_on_timeout: z.boolean().nullish(),
    on_blocked: z.enum(BLOCKED_ACTIONS).nullish().meta({
      default: 'none',
      description:
        'With dlq, tasks that are blocked by failures become dead letters; with error, they end in error; with undo, they are undone.',
    }),
    on_cancel: z.enum(CANCEL_ACTIONS).nullish().meta({
      default: 'cancel',
      description: 'With undo, a task that is cancelled is undone first. A second cancellation stops the undo.',
    }),
  })
  .meta({ description: 'The time limits of the states of a task, and the action if they are exceeded.' });

export const limitFile = z
  .strictObject({
    concurrent: whole(1, 1_000_000).nullish().meta({
      description: 'Maximum number of attempts that run at the same time.',
    }),
    rate: z
      .string()
      .regex(RATE, { error: 'must be a number for each second, minute, hour or day, such as 100/s or 5/m' })
      .nullish()
      .meta({ description: 'Maximum number of starts in a period, such as 100/s, 30/m, 5/h or 1/d.' }),
    burst: whole(1, 1_000_000).nullish().meta({
      description:
        'For a rate: the number of starts that may follow each other at once. Default: as many as the rate permits in 0.1 seconds, at least 1.',
    }),
    key: z.string().max(LONGEST_EXPRESSION).nullish().meta({
      description: 'An expression over context and task. Each of its values has the limit for itself.',
    }),
    fair: z.boolean().nullish().meta({
      default: false,
      description: 'Whether the keys take turns, regardless of priorities.',
    }),
  })
  .meta({ description: 'A limit that the attempts of steps share.' });

export const uniqueFile = z
  .strictObject({
    key: z.string().max(LONGEST_EXPRESSION).meta({
      description: 'An expression over context and task: its value is the key, a string, a number or a boolean.',
    }),
    on_conflict: z.enum(ON_CONFLICT).nullish().meta({
      default: 'return',
      description:
        'The answer if an open task has the key. return: that task; reject: an error; cancel_running: it is cancelled and replaced; replace_pending: it is replaced if no step of it was attempted, and returned otherwise.',
    }),
  })
  .meta({ description: 'Permits one open task for each key.' });

const label = z.string().max(128).nullish();

export const optionsFile = z
  .strictObject({
    priority: whole(-100, 100).nullish().meta({ default: 0, description: 'Higher priorities run first.' }),
    tags: z.array(z.string().max(128)).max(1000).nullish(),
    initiator: label.meta({ description: 'The person or program that made the request.' }),
    source_system: label.meta({ description: 'The system that the request came from.' }),
    reason: label.meta({ description: 'The reason for the request.' }),
  })
  .meta({
    description: 'Defaults for fields that a request for a task may omit. Fields in the request override them.',
  });

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

const LIMIT_NAME = /^[A-Za-z0-9_-]+$/;

/** A whole template file. */
export const templateFile = z.strictObject({
  name: named(64).meta({ description: 'The name of the template; unique with namespace and version.' }),
  namespace_name: z
    .string()
    .max(LONGEST_NAMESPACE)
    .regex(NAMESPACE, { error: `must be ${NAMESPACE_CHARACTERS}` })
    .meta({ description: 'Determines which workers run its steps.' }),
  version: named(16).meta({
    description: 'A string such as "1.0.0". A request gives exactly this version, or means the active version.',
  }),
  description: z.string().max(255).nullish().meta({ description: 'For information only.' }),
  metadata: metadataFile.nullish().meta({ description: 'Author, documentation and other notes.' }),
  system_dependencies: systemsFile
    .nullish()
    .meta({ description: 'The external systems that its steps use, for information only.' }),
  domain_events: z.array(domainEventFile).nullish().meta({
    default: [],
    description:
      'Events that its steps may publish, for information only. Steps declare their events in publishes_events.',
  }),
  input_schema: object()
    .nullish()
    .meta({ description: "JSON Schema of a task's context, enforced when it is created." }),
  steps: z.array(stepFile).min(1).max(10_000).meta({ description: 'The steps, in any order.' }),
  output: expressionsFile.nullish().meta({
    description: 'Expressions whose values are the result of a complete task. Evaluated when it is read.',
  }),
  output_schema: object().nullish().meta({ description: 'JSON Schema of the output.' }),
  environments: z
    .record(z.string(), z.strictObject({ steps: z.array(stepOverride).nullish() }).nullable())
    .nullish()
    .meta({ default: {}, description: 'Overrides for environments. TASKER_ENV selects the environment.' }),
  lifecycle: lifecycleFile.nullish(),
  limits: z
    .record(z.string().max(64).regex(LIMIT_NAME, { error: 'must be letters, digits, _ and -' }), limitFile)
    .nullish()
    .meta({ description: 'Limits by name. Each step names the limits of its attempts.' }),
  identity_strategy: z.enum(IDENTITY_STRATEGIES).nullish().meta({
    default: 'strict',
    description: "What identifies a task: its context, the caller's key, or nothing.",
  }),
  unique: uniqueFile.nullish(),
  default_context: object().nullish().meta({
    description: 'Defaults for keys of the context that a request may omit. Keys in the request override them.',
  }),
  default_options: optionsFile.nullish(),
  sensitive: sensitiveFile.max(100).nullish().meta({
    description:
      'Paths in the context, such as customers.*.email, that are shown only with the permission tasks:context_read.',
  }),
});

/** A well-formed template file. */
export type TemplateFile = z.infer<typeof templateFile>;
export type StepFile = z.infer<typeof stepFile>;
export type ElementStepFile = z.infer<typeof elementStepFile>;
export type StepOverrideFile = z.infer<typeof stepOverride>;
export type RetryFile = z.infer<typeof retryFile>;
export type UndoFile = z.infer<typeof undoFile>;
export type RetryRuleFile = z.infer<typeof retryRuleFile>;
