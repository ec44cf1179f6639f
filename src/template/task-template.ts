/** A value that JSON can hold. */
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;

/** An object that JSON can hold. */
export interface JsonObject {
  [key: string]: JsonValue;
}

/** A JSON Schema (draft 2020-12, or draft-07 where `$schema` says so). */
export type JsonSchema = Record<string, unknown>;

/** What a step is to the engine; see `docs/guide/templates.md`. */
export const STEP_TYPES = ['standard', 'decision', 'deferred_convergence', 'batchable', 'batch_worker'] as const;
export type StepType = (typeof STEP_TYPES)[number];

/** How the delay before a retry grows. */
export const BACKOFFS = ['none', 'linear', 'exponential', 'fibonacci'] as const;
export type Backoff = (typeof BACKOFFS)[number];

/** What makes two requests for a task the same task. */
export const IDENTITY_STRATEGIES = ['strict', 'caller_provided', 'always_unique'] as const;
export type IdentityStrategy = (typeof IDENTITY_STRATEGIES)[number];

/** What happens to a task that stays in one state longer than its lifecycle allows. */
export const STALENESS_ACTIONS = ['dlq', 'error', 'none'] as const;
export type StalenessAction = (typeof STALENESS_ACTIONS)[number];

/** Which outcome of a step publishes an event. */
export const EVENT_CONDITIONS = ['success', 'failure', 'retryable_failure', 'permanent_failure', 'always'] as const;
export type EventCondition = (typeof EVENT_CONDITIONS)[number];

/** How an event travels: stored with the result, in the process only, or both. */
export const DELIVERY_MODES = ['durable', 'fast', 'broadcast'] as const;
export type DeliveryMode = (typeof DELIVERY_MODES)[number];

/** What becomes of a step whose event does not fit its schema. */
export const ON_INVALID = ['drop', 'fail_step'] as const;
export type OnInvalid = (typeof ON_INVALID)[number];

/** What a failed batch worker means for the others. */
export const FAILURE_STRATEGIES = ['continue_on_failure', 'fail_fast', 'isolate'] as const;
export type FailureStrategy = (typeof FAILURE_STRATEGIES)[number];

/** When a failed attempt is followed by another, and after how long. */
export interface RetryPolicy {
  /** False: the first failure is final, whatever the result says. Default true. */
  retryable: boolean;
  /** Every start counts, the first included. 1 to 100, default 3. */
  maxAttempts: number;
  /** Default `exponential`. */
  backoff: Backoff;
  /** The delay that `backoff` grows from, in milliseconds. Default 1000. */
  backoffBaseMs: number;
  /** No delay is longer, in milliseconds. Default 30000. */
  maxBackoffMs: number;
}

/** The retry policy of a step that declares none, and of the fields that a declared one leaves out. */
export const DEFAULT_RETRY: Readonly<RetryPolicy> = Object.freeze({
  retryable: true,
  maxAttempts: 3,
  backoff: 'exponential',
  backoffBaseMs: 1000,
  maxBackoffMs: 30_000,
});

/** Where a handler runs: in the event loop with the others, or in a thread that can be ended. */
export const ISOLATIONS = ['none', 'thread'] as const;
export type Isolation = (typeof ISOLATIONS)[number];

/** Which code does a step's work. */
export interface HandlerReference {
  /** The name that the registry resolves. */
  callable: string;
  /** The method to call; null: the handler's own `call`. */
  method: string | null;
  /** The resolver to ask; null: all of them, in their order. */
  resolver: string | null;
  /** The step's own configuration, given to the handler as it is. */
  initialization: Record<string, unknown>;
  /** Where it runs; null: as the handler itself says. */
  isolation: Isolation | null;
}

/** An event that a step publishes when its outcome meets the condition. */
export interface EventDeclaration {
  name: string;
  description: string;
  condition: EventCondition;
  schema: JsonSchema;
  deliveryMode: DeliveryMode;
  /** A publisher registered by that name; null: the one that is registered for the step, else the ordinary one. */
  publisher: string | null;
  /** Default `drop`: the event is not published, and the step keeps its result. */
  onInvalid: OnInvalid;
}

/** How the workers made from a `batch_worker` step run. */
export interface BatchConfig {
  batchSize: number;
  /** At most so many workers of the batch run at once. */
  parallelism: number;
  cursorField: string;
  workerTemplate: string;
  failureStrategy: FailureStrategy;
}

/** One step of a template. */
export interface StepTemplate {
  name: string;
  description: string | null;
  handler: HandlerReference;
  type: StepType;
  systemDependency: string | null;
  /** Names of the steps that must be complete before this one is ready. */
  dependencies: string[];
  retry: RetryPolicy;
  /** Null: the worker's default holds. */
  timeoutSeconds: number | null;
  publishesEvents: EventDeclaration[];
  batchConfig: BatchConfig | null;
  /** Enforced when a result is recorded. */
  resultSchema: JsonSchema | null;
  /** Kept as given; nothing executes it. */
  composition: unknown;
}

/** How long a task may stay in a state, in minutes, and what happens then. Null: the template sets no limit of its own. */
export interface Lifecycle {
  maxDurationMinutes: number | null;
  maxWaitingForDependenciesMinutes: number | null;
  maxWaitingForRetryMinutes: number | null;
  maxStepsInProcessMinutes: number | null;
  /** Default `dlq`. */
  stalenessAction: StalenessAction;
  autoFailOnTimeout: boolean | null;
  autoDlqOnTimeout: boolean | null;
}

/** Author, documentation and any other notes about a template. */
export interface TemplateMetadata {
  author: string | null;
  tags: string[];
  documentationUrl: string | null;
  /** RFC 3339. */
  createdAt: string | null;
  /** RFC 3339. */
  updatedAt: string | null;
  /** Fields of any other name, as written. */
  other: Record<string, unknown>;
}

/** The outside systems that a template's steps talk to; for people, nothing reads it. */
export interface SystemDependencies {
  primary: string;
  secondary: string[];
}

/** An event that the template's steps may publish, declared for documentation. */
export interface DomainEvent {
  name: string;
  description: string | null;
  schema: JsonSchema | null;
}

/** What one environment changes in one step, or in all of them (`ALL`). */
export interface StepOverride {
  name: string;
  /** Merged key by key over the step's own; null: nothing changes. */
  initialization: Record<string, unknown> | null;
  timeoutSeconds: number | null;
  /** Replaces the step's policy as a whole. */
  retry: RetryPolicy | null;
}

/** Fields that a request for a task of the template may leave out. Null: the template has no default of its own. */
export interface DefaultOptions {
  /** −100 … 100, higher first. */
  priority: number | null;
  tags: string[] | null;
  initiator: string | null;
  sourceSystem: string | null;
  reason: string | null;
}

/** A parsed template: what tasks are created from. */
export interface TaskTemplate {
  name: string;
  namespace: string;
  version: string;
  description: string | null;
  metadata: TemplateMetadata | null;
  systemDependencies: SystemDependencies;
  domainEvents: DomainEvent[];
  /** Enforced on a task's context when it is created. */
  inputSchema: JsonSchema | null;
  steps: StepTemplate[];
  /** As written, for show; what applies has already been applied to `steps`. */
  environments: Record<string, StepOverride[]>;
  lifecycle: Lifecycle | null;
  /** Default `strict`. */
  identityStrategy: IdentityStrategy;
  /** Supplies the keys that are missing from the context of a new task. */
  defaultContext: Record<string, unknown> | null;
  /** Supplies the fields that are missing from a request. */
  defaultOptions: DefaultOptions | null;
}
