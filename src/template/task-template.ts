import type { RetryPolicy } from '../model/retry-rules.ts';
import type { JoinMode, OthersMode, RunIf } from '../model/routes.ts';

export type { RetryPolicy, RetryRule } from '../model/retry-rules.ts';
export { WAIT_CALLABLES, WAIT_FIELDS, waitsByType } from '../model/waits.ts';

/** A JSON value. */
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  [key: string]: JsonValue;
}

/** A JSON Schema (draft 2020-12, or draft-07 if `$schema` declares it). */
export type JsonSchema = Record<string, unknown>;

/** The kind of a step; see `docs/guide/templates.md`. */
export const STEP_TYPES = [
  'standard',
  'decision',
  'deferred_convergence',
  'batchable',
  'batch_worker',
  'timer',
  'signal',
  'approval',
  'task',
  'fail',
  'for_each',
] as const;
export type StepType = (typeof STEP_TYPES)[number];

/** How the delay before a retry grows. */
export const BACKOFFS = ['none', 'linear', 'exponential', 'fibonacci'] as const;

/** How the identity of a task is determined: requests with the same identity are the same task. */
export const IDENTITY_STRATEGIES = ['strict', 'caller_provided', 'always_unique'] as const;
export type IdentityStrategy = (typeof IDENTITY_STRATEGIES)[number];

/** The action for a task that stays in one state longer than its lifecycle allows. */
export const STALENESS_ACTIONS = ['dlq', 'error', 'none'] as const;
export type StalenessAction = (typeof STALENESS_ACTIONS)[number];
/** The actions for a task that is blocked by failures. */
export const BLOCKED_ACTIONS = ['dlq', 'error', 'undo', 'none'] as const;

/** The answer to a request for a task whose key an open task has. */
export const ON_CONFLICT = ['return', 'reject', 'cancel_running', 'replace_pending'] as const;

/** The rule that there is at most one open task for each key. */
export interface UniqueConfig {
  /** An expression over `context` and `task`, evaluated when a task is created. */
  key: string;
  /**
   * `return`: the open task is returned. `reject`: the request fails. `cancel_running`: the open task is cancelled and
   * replaced. `replace_pending`: it is replaced if no step of it was attempted, and returned otherwise. Default `return`.
   */
  onConflict: (typeof ON_CONFLICT)[number];
}

/** The effect of a cancellation on a task. */
export const CANCEL_ACTIONS = ['cancel', 'undo'] as const;

/** The outcome of a step that publishes an event. */
export const EVENT_CONDITIONS = ['success', 'failure', 'retryable_failure', 'permanent_failure', 'always'] as const;
export type EventCondition = (typeof EVENT_CONDITIONS)[number];

/** How an event is delivered: stored with the result, within the process only, or both. */
export const DELIVERY_MODES = ['durable', 'fast', 'broadcast'] as const;
export type DeliveryMode = (typeof DELIVERY_MODES)[number];

/** The action if the payload of an event does not match its schema. */
export const ON_INVALID = ['drop', 'fail_step'] as const;
export type OnInvalid = (typeof ON_INVALID)[number];

/** The effect of a failed batch worker on the others. */
export const FAILURE_STRATEGIES = ['continue_on_failure', 'fail_fast', 'isolate'] as const;
export type FailureStrategy = (typeof FAILURE_STRATEGIES)[number];

/** The default retry policy, which also supplies the fields that a declared policy omits. */
export const DEFAULT_RETRY: Readonly<RetryPolicy> = Object.freeze({
  retryable: true,
  maxAttempts: 3,
  backoff: 'exponential',
  backoffBaseMs: 1000,
  maxBackoffMs: 30_000,
  forMs: null,
  rules: null,
});

/** Where a handler runs: in the event loop with all others, or in a thread that can be terminated. */
export const ISOLATIONS = ['none', 'thread'] as const;
export type Isolation = (typeof ISOLATIONS)[number];

/** The handler of a step. */
export interface HandlerReference {
  /** The name that the registry resolves. */
  callable: string;
  /** The method to call. Null means `call`. */
  method: string | null;
  /** The resolver to use. Null means all resolvers, in order of priority. */
  resolver: string | null;
  /** The step's own configuration, passed to the handler unchanged. */
  initialization: Record<string, unknown>;
  /** Where the handler runs. Null uses the handler's own setting. */
  isolation: Isolation | null;
  /** False if the template only arrived over HTTP, and this worker loads no files and packages for such templates. */
  loadsFiles?: false;
}

/** An event that a step publishes if its outcome matches the condition. */
export interface EventDeclaration {
  name: string;
  description: string;
  condition: EventCondition;
  schema: JsonSchema;
  deliveryMode: DeliveryMode;
  /**
   * The name of a registered publisher. Null uses the publisher registered for the step, else the default publisher.
   */
  publisher: string | null;
  /**
   * The action if the payload is invalid. With the default `drop`, the event is not published and the step succeeds.
   */
  onInvalid: OnInvalid;
}

/** How the workers created from a `batch_worker` step run. */
export interface BatchConfig {
  /** Number of items per worker, if the analyzer returns no size of its own. Null if the template has none. */
  batchSize: number | null;
  /** Maximum number of workers of the batch that run at the same time. */
  parallelism: number;
  cursorField: string;
  workerTemplate: string;
  failureStrategy: FailureStrategy;
}

/** The time that a `timer` step waits for. */
export interface TimerConfig {
  /** Milliseconds from the moment at which the step is ready. Null means until the time in `until`. */
  forMs: number | null;
  /**
   * The location of the time: a path in the task's context, or a field in the result of a step. Null if `forMs` is set.
   */
  until: { context: string } | { step: string; field: string } | null;
}

/** The signal that a `signal` step waits for. */
export interface SignalConfig {
  /** Null if the step waits for the first of several signals. */
  name: string | null;
  /** The names of the signals of which the first completes the step. Null if it waits for `name`. */
  names: string[] | null;
  /** The schema of the payload of `name`. Null accepts any JSON. */
  schema: JsonSchema | null;
  /** The schemas of the payloads of `names`. A signal that has none may have any JSON. */
  schemas: Record<string, JsonSchema> | null;
  /** Milliseconds. Null waits without a limit. */
  timeoutMs: number | null;
  /** The action at the limit. `complete` completes the step with `default`. Default `fail`. */
  onTimeout: 'fail' | 'complete';
  default: JsonValue;
  /** Number of signals to wait for. Default 1. */
  count: number;
  /** The action for a signal that no step can use. `keep` keeps it with the task. Default `refuse`. */
  onUnknown: 'refuse' | 'keep';
}

/** The decision by people that an `approval` step waits for. */
export interface ApprovalConfig {
  title: string;
  /** The schema of a vote's form. Null means no form. */
  form: JsonSchema | null;
  /** The users or roles that may vote. Empty means everyone. */
  assignees: string[];
  /** Number of approvals that decide. Default 1. */
  quorum: number;
  /** Number of rejections that decide. Default 1. */
  rejectQuorum: number;
  /** The effect of a rejection on the step. Default `complete`. */
  onReject: 'fail' | 'complete';
  /** Milliseconds. Null means no reminder. */
  remindAfterMs: number | null;
  /** Milliseconds. Null means no escalation. */
  escalateAfterMs: number | null;
  escalateTo: string[];
  /** Milliseconds. Null waits without a limit. */
  timeoutMs: number | null;
}

/** The effect on its step of a child task that does not complete. */
export const ON_CHILD_FAILURE = ['fail', 'continue'] as const;
/** The fate of a child task whose step no longer waits for it. */
export const ON_PARENT_CANCEL = ['cancel', 'abandon'] as const;

/** The child task that a step of the type `task` starts and waits for. */
export interface ChildConfig {
  /** `name`, `namespace/name` or `namespace/name@version`. Without a version, the active version when the step starts. */
  template: string;
  /** Expressions by key: the context of the child. Null means an empty context. */
  context: Record<string, string> | null;
  /** `continue`: the step completes with the state of the child. Default `fail`: it fails. */
  onFailure: (typeof ON_CHILD_FAILURE)[number];
  /** `abandon`: the child continues. Default `cancel`: it is cancelled. */
  onCancel: (typeof ON_PARENT_CANCEL)[number];
  /** Milliseconds. Null waits without a limit. */
  timeoutMs: number | null;
}

/** The effect of a failed element on the others of its list. */
export const ON_ELEMENT_FAILURE = ['block', 'continue', 'stop'] as const;

/** The list of a step of the type `for_each`. */
export interface ForEachConfig {
  /** An expression whose value is the list. It is evaluated once. */
  elements: string;
  /** An expression whose value labels an element. Null: elements have no labels. */
  key: string | null;
  /** Maximum number of elements whose steps run or wait at the same time. Default 20. */
  parallelism: number;
  /**
   * `block`: the others continue, then the task is blocked until an operator acts. `continue`: the others continue, and the
   * step completes. `stop`: the others are cancelled, and the step fails. Default `block`.
   */
  onElementFailure: (typeof ON_ELEMENT_FAILURE)[number];
  /** An expression whose value is the output of an element. Null: elements have no outputs. */
  output: string | null;
}

/** The steps that an undo covers: only completed steps, or also steps with an attempt that may have had an effect. */
export const UNDO_INCLUDE = ['completed', 'attempted'] as const;

/** How the effects of a step are undone. */
export interface UndoConfig {
  handler: HandlerReference;
  /** Default `completed`. */
  include: (typeof UNDO_INCLUDE)[number];
  retry: RetryPolicy;
  /** Timeout of an attempt. Null uses the worker's default. */
  timeoutSeconds: number | null;
}

/** The limits of a step whose handler asks to be called again. */
export interface CallAgainConfig {
  /** Milliseconds from the first call. Default 24 hours. */
  timeoutMs: number;
  /** If null, only the time is limited. */
  maxCalls: number | null;
  /** Whether a step with `retryable: false` may be called again. Default false. */
  repeatable: boolean;
}

/** A limit of a template, which the attempts of its steps share. */
export interface LimitConfig {
  /** Maximum number of attempts that run at the same time. Null: not limited. */
  concurrent: number | null;
  /** Maximum number of starts in a period, such as `100/s`. Null: not limited. */
  rate: string | null;
  /** Number of starts that may follow each other at once. Null: as many as the rate permits in 0.1 seconds, at least 1. */
  burst: number | null;
  /** An expression over `context` and `task`: each of its values has the limit for itself. Null: all tasks share it. */
  key: string | null;
  /** Whether the keys take turns, regardless of priorities. Null is false. */
  fair: boolean | null;
}

/** A step of a template. */
export interface StepTemplate {
  name: string;
  description: string | null;
  handler: HandlerReference;
  type: StepType;
  systemDependency: string | null;
  /** The names of the steps that must be complete before this one is ready. */
  dependencies: string[];
  /** The ends of the dependencies after which the step runs. Null is `complete`: all of them completed. */
  runIf: RunIf | null;
  /** `any`: the step starts when the first of its dependencies completes. Null is `all`: when all have ended. */
  join: JoinMode | null;
  /** For `join: any`: what happens to the other steps that lead only to this one. Null is `stop`. */
  others: OthersMode | null;
  /** An expression: if it is false when the step would start, the step is skipped. Null: it always runs. */
  when: string | null;
  /** Set for the type `fail` only: why the task ends, as text with `{{ expression }}`. */
  message: string | null;
  /** Expressions whose values replace the task's context as the inputs of the handler. Null means the context. */
  inputs: Record<string, string> | null;
  /** The names of the limits that its attempts count in. Null: none. */
  limits: string[] | null;
  retry: RetryPolicy;
  /** Timeout of an attempt. Null uses the worker's default. */
  timeoutSeconds: number | null;
  publishesEvents: EventDeclaration[];
  batchConfig: BatchConfig | null;
  /** Set for the type `timer` only. */
  timer: TimerConfig | null;
  /** Set for the type `signal` only. */
  signal: SignalConfig | null;
  /** Set for the type `approval` only. */
  approval: ApprovalConfig | null;
  /** Set for the type `task` only. */
  child: ChildConfig | null;
  /** Set for the type `for_each` only. */
  forEach: ForEachConfig | null;
  /** The step of the type `for_each` for each of whose elements this step runs. Null: it runs once in a task. */
  elementOf: string | null;
  /** The limits of calls again. Null means the defaults. */
  wait: CallAgainConfig | null;
  /** How the effects of the step are undone. Null: they are not. */
  undo: UndoConfig | null;
  /** The schema for the result, enforced when the result is recorded. */
  resultSchema: JsonSchema | null;
  /** Paths in the result, such as `card.number`, that are shown only with the permission `tasks:context_read`. */
  sensitive: string[] | null;
  /** Stored as given. It is not executed. */
  composition: unknown;
}

/**
 * The time limits of a task's states, in minutes, and the action if they are exceeded. Null means that the template
 * sets no limit.
 */
export interface Lifecycle {
  maxDurationMinutes: number | null;
  maxWaitingForDependenciesMinutes: number | null;
  maxWaitingForRetryMinutes: number | null;
  maxStepsInProcessMinutes: number | null;
  /** The limit of the state `waiting`. If null, waits are not limited. */
  maxWaitingMinutes: number | null;
  /** The action if a limit is exceeded. Default `dlq`. */
  stalenessAction: StalenessAction;
  autoFailOnTimeout: boolean | null;
  autoDlqOnTimeout: boolean | null;
  /**
   * The action if a task is blocked by failures: `dlq` adds it to the dead letters, `error` ends it, and `undo` undoes it.
   * Null is `none`.
   */
  onBlocked: (typeof BLOCKED_ACTIONS)[number] | null;
  /** The effect of a cancellation of an open task: `undo` undoes it. Null is `cancel`. */
  onCancel: (typeof CANCEL_ACTIONS)[number] | null;
}

/** The author, documentation and other notes about a template. */
export interface TemplateMetadata {
  author: string | null;
  tags: string[];
  documentationUrl: string | null;
  /** RFC 3339. */
  createdAt: string | null;
  /** RFC 3339. */
  updatedAt: string | null;
  /** All other fields, as written. */
  other: Record<string, unknown>;
}

/** The external systems that a template's steps use. For information only. */
export interface SystemDependencies {
  primary: string;
  secondary: string[];
}

/** An event that the template's steps may publish. For documentation only. */
export interface DomainEvent {
  name: string;
  description: string | null;
  schema: JsonSchema | null;
}

/** The overrides of one environment for one step, or for all steps (`ALL`). */
export interface StepOverride {
  name: string;
  /** Merged key by key into the step's own. Null changes nothing. */
  initialization: Record<string, unknown> | null;
  timeoutSeconds: number | null;
  /** Replaces the whole policy of the step. Null changes nothing. */
  retry: RetryPolicy | null;
}

/** Defaults for fields that a request for a task may omit. Null means that the template has no default. */
export interface DefaultOptions {
  /** −100 to 100. Higher priorities run first. */
  priority: number | null;
  tags: string[] | null;
  initiator: string | null;
  sourceSystem: string | null;
  reason: string | null;
}

/** A parsed template, from which tasks are created. */
export interface TaskTemplate {
  name: string;
  namespace: string;
  version: string;
  description: string | null;
  metadata: TemplateMetadata | null;
  systemDependencies: SystemDependencies;
  domainEvents: DomainEvent[];
  /** The schema for a task's context, enforced when the task is created. */
  inputSchema: JsonSchema | null;
  /** The steps of a task, and after them the steps for each element of a list. */
  steps: StepTemplate[];
  /** Expressions whose values are the output of a complete task. Null if its tasks have no output. */
  output: Record<string, string> | null;
  /** The schema of the output. It is not enforced: the output that does not match it has an error beside it. */
  outputSchema: JsonSchema | null;
  /** All overrides as written, for display. The overrides that apply are already merged into `steps`. */
  environments: Record<string, StepOverride[]>;
  lifecycle: Lifecycle | null;
  /** The limits of its steps, by name. Null: none. */
  limits: Record<string, LimitConfig> | null;
  /** How the identity of a task is determined. Default `strict`. */
  identityStrategy: IdentityStrategy;
  /** Permits one open task for each key. Null: any number of tasks may be open. */
  unique: UniqueConfig | null;
  /** Defaults for keys that are missing in the context of a new task. */
  defaultContext: Record<string, unknown> | null;
  /** Defaults for fields that are missing in a request. */
  defaultOptions: DefaultOptions | null;
  /** Paths in the context, such as `customers.*.email`, that are shown only with the permission `tasks:context_read`. */
  sensitive: string[] | null;
}
