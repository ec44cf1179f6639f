import {
  type BatchConfig,
  DEFAULT_RETRY,
  type DefaultOptions,
  type EventDeclaration,
  type HandlerReference,
  type Lifecycle,
  type RetryPolicy,
  type StepOverride,
  type StepTemplate,
  type TaskTemplate,
  type TemplateMetadata,
} from './task-template.ts';
import type { RetryFile, StepFile, StepOverrideFile, TemplateFile } from './template-file.ts';

/** The template that a well-formed file describes, defaults filled in. Overrides are kept, not applied. */
export function buildTemplate(file: TemplateFile): TaskTemplate {
  return {
    name: file.name,
    namespace: file.namespace_name,
    version: file.version,
    description: file.description ?? null,
    metadata: metadataOf(file.metadata),
    systemDependencies: {
      primary: file.system_dependencies?.primary ?? 'default',
      secondary: file.system_dependencies?.secondary ?? [],
    },
    domainEvents: (file.domain_events ?? []).map((event) => ({
      name: event.name,
      description: event.description ?? null,
      schema: event.schema ?? null,
    })),
    inputSchema: file.input_schema ?? null,
    steps: file.steps.map(stepOf),
    environments: Object.fromEntries(
      Object.entries(file.environments ?? {}).map(([name, it]) => [name, (it?.steps ?? []).map(overrideOf)]),
    ),
    lifecycle: lifecycleOf(file.lifecycle),
    identityStrategy: file.identity_strategy ?? 'strict',
    defaultContext: file.default_context ?? null,
    defaultOptions: defaultOptionsOf(file.default_options),
  };
}

function stepOf(step: StepFile): StepTemplate {
  return {
    name: step.name,
    description: step.description ?? null,
    handler: handlerOf(step.handler),
    type: step.type ?? 'standard',
    systemDependency: step.system_dependency ?? null,
    dependencies: [...new Set(step.dependencies)],
    retry: retryOf(step.retry ?? {}),
    timeoutSeconds: step.timeout_seconds ?? null,
    publishesEvents: (step.publishes_events ?? []).map(eventOf),
    batchConfig: batchConfigOf(step.batch_config),
    resultSchema: step.result_schema ?? null,
    composition: step.composition ?? null,
  };
}

function handlerOf(handler: StepFile['handler']): HandlerReference {
  return {
    callable: handler.callable,
    method: handler.method ?? null,
    resolver: handler.resolver ?? null,
    initialization: handler.initialization ?? {},
    isolation: handler.isolation ?? null,
  };
}

function retryOf(retry: RetryFile): RetryPolicy {
  return {
    retryable: retry.retryable ?? DEFAULT_RETRY.retryable,
    maxAttempts: Math.max(1, retry.max_attempts ?? DEFAULT_RETRY.maxAttempts),
    backoff: retry.backoff ?? DEFAULT_RETRY.backoff,
    backoffBaseMs: retry.backoff_base_ms ?? DEFAULT_RETRY.backoffBaseMs,
    maxBackoffMs: retry.max_backoff_ms ?? DEFAULT_RETRY.maxBackoffMs,
  };
}

function eventOf(event: NonNullable<StepFile['publishes_events']>[number]): EventDeclaration {
  return {
    name: event.name,
    description: event.description,
    condition: event.condition ?? 'success',
    schema: event.schema,
    deliveryMode: event.delivery_mode ?? 'durable',
    publisher: event.publisher ?? null,
    onInvalid: event.on_invalid ?? 'drop',
  };
}

function batchConfigOf(config: StepFile['batch_config']): BatchConfig | null {
  if (!config) return null;
  return {
    batchSize: config.batch_size,
    parallelism: config.parallelism,
    cursorField: config.cursor_field,
    workerTemplate: config.worker_template,
    failureStrategy: config.failure_strategy,
  };
}

function overrideOf(override: StepOverrideFile): StepOverride {
  return {
    name: override.name,
    initialization: override.handler?.initialization ?? null,
    timeoutSeconds: override.timeout_seconds ?? null,
    retry: override.retry ? retryOf(override.retry) : null,
  };
}

function lifecycleOf(lifecycle: TemplateFile['lifecycle']): Lifecycle | null {
  if (!lifecycle) return null;
  return {
    maxDurationMinutes: lifecycle.max_duration_minutes ?? null,
    maxWaitingForDependenciesMinutes: lifecycle.max_waiting_for_dependencies_minutes ?? null,
    maxWaitingForRetryMinutes: lifecycle.max_waiting_for_retry_minutes ?? null,
    maxStepsInProcessMinutes: lifecycle.max_steps_in_process_minutes ?? null,
    stalenessAction: lifecycle.staleness_action ?? 'dlq',
    autoFailOnTimeout: lifecycle.auto_fail_on_timeout ?? null,
    autoDlqOnTimeout: lifecycle.auto_dlq_on_timeout ?? null,
  };
}

function defaultOptionsOf(options: TemplateFile['default_options']): DefaultOptions | null {
  if (!options) return null;
  return {
    priority: options.priority ?? null,
    tags: options.tags ?? null,
    initiator: options.initiator ?? null,
    sourceSystem: options.source_system ?? null,
    reason: options.reason ?? null,
  };
}

function metadataOf(metadata: TemplateFile['metadata']): TemplateMetadata | null {
  if (!metadata) return null;
  const { author, tags, documentation_url, created_at, updated_at, ...other } = metadata;
  return {
    author: author ?? null,
    tags: tags ?? [],
    documentationUrl: documentation_url ?? null,
    createdAt: created_at ?? null,
    updatedAt: updated_at ?? null,
    other: Object.fromEntries(Object.entries(other).filter(([, value]) => value !== null)),
  };
}
