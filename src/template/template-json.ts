import { TaskerError } from '../errors.ts';
import { buildTemplate } from './build-template.ts';
import { checkForm } from './check-form.ts';
import { isFields } from './spellings.ts';
import type { BatchConfig, JsonObject, RetryPolicy, StepTemplate, TaskTemplate } from './task-template.ts';

/**
 * The template as JSON with snake_case keys: what the database keeps as a task's snapshot. What is null is left out, so
 * that a field of a later version does not change the digests of templates that don't use it. Overrides of the
 * environment are in the steps already; `environments` itself is not part of it.
 */
export function templateToJson(template: TaskTemplate): JsonObject {
  const { metadata, lifecycle, defaultOptions } = template;
  const json = present({
    name: template.name,
    namespace_name: template.namespace,
    version: template.version,
    description: template.description,
    metadata:
      metadata &&
      present({
        ...metadata.other,
        author: metadata.author,
        tags: metadata.tags,
        documentation_url: metadata.documentationUrl,
        created_at: metadata.createdAt,
        updated_at: metadata.updatedAt,
      }),
    system_dependencies: template.systemDependencies,
    domain_events: template.domainEvents.map(present),
    input_schema: template.inputSchema,
    steps: template.steps.map(stepToJson),
    lifecycle:
      lifecycle &&
      present({
        max_duration_minutes: lifecycle.maxDurationMinutes,
        max_waiting_for_dependencies_minutes: lifecycle.maxWaitingForDependenciesMinutes,
        max_waiting_for_retry_minutes: lifecycle.maxWaitingForRetryMinutes,
        max_steps_in_process_minutes: lifecycle.maxStepsInProcessMinutes,
        staleness_action: lifecycle.stalenessAction,
        auto_fail_on_timeout: lifecycle.autoFailOnTimeout,
        auto_dlq_on_timeout: lifecycle.autoDlqOnTimeout,
      }),
    identity_strategy: template.identityStrategy,
    default_context: template.defaultContext,
    default_options:
      defaultOptions &&
      present({
        priority: defaultOptions.priority,
        tags: defaultOptions.tags,
        initiator: defaultOptions.initiator,
        source_system: defaultOptions.sourceSystem,
        reason: defaultOptions.reason,
      }),
  });
  // What the parser lets through holds nothing but JSON.
  return json as JsonObject;
}

/**
 * The template that {@link templateToJson} wrote. Keys it does not know (of a later program) are passed over, and so are
 * `default_options` of an earlier program that have another form: they had no effect there.
 */
export function templateFromJson(json: unknown): TaskTemplate {
  const { file, issues } = checkForm(json);
  if (file) return buildTemplate(file);
  if (isFields(json) && issues.every(({ path }) => path[0] === 'default_options')) {
    return templateFromJson({ ...json, default_options: null });
  }
  const what = issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new TaskerError('template_invalid', `stored template is not one: ${what.join('; ')}`, {
    details: { problems: what },
  });
}

/** As it stands in a template's file. */
export function retryToJson(retry: RetryPolicy) {
  return {
    retryable: retry.retryable,
    max_attempts: retry.maxAttempts,
    backoff: retry.backoff,
    backoff_base_ms: retry.backoffBaseMs,
    max_backoff_ms: retry.maxBackoffMs,
  };
}

/** As it stands in a template's file. */
export function batchToJson(batch: BatchConfig) {
  return {
    batch_size: batch.batchSize,
    parallelism: batch.parallelism,
    cursor_field: batch.cursorField,
    worker_template: batch.workerTemplate,
    failure_strategy: batch.failureStrategy,
  };
}

function stepToJson(step: StepTemplate): Record<string, unknown> {
  const { handler, retry, batchConfig } = step;
  return present({
    name: step.name,
    description: step.description,
    handler: present(handler),
    type: step.type,
    system_dependency: step.systemDependency,
    dependencies: step.dependencies,
    retry: retryToJson(retry),
    timeout_seconds: step.timeoutSeconds,
    publishes_events: step.publishesEvents.map((event) =>
      present({
        name: event.name,
        description: event.description,
        condition: event.condition,
        schema: event.schema,
        delivery_mode: event.deliveryMode,
        publisher: event.publisher,
        on_invalid: event.onInvalid === 'fail_step' ? event.onInvalid : null,
      }),
    ),
    batch_config: batchConfig && batchToJson(batchConfig),
    result_schema: step.resultSchema,
    composition: step.composition,
  });
}

/** The fields that are not null. */
function present(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}
