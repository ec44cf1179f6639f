import { TaskerError } from '../errors.ts';
import { isFields } from '../model/fields.ts';
import { buildTemplate } from './build-template.ts';
import { checkForm } from './check-form.ts';
import { toFile } from './form-fields.ts';
import type { BatchConfig, JsonObject, RetryPolicy, StepTemplate, TaskTemplate } from './task-template.ts';
import {
  batchFile,
  domainEventFile,
  eventFile,
  handlerFile,
  lifecycleFile,
  metadataFile,
  optionsFile,
  retryFile,
  stepFile,
  templateFile,
} from './template-file.ts';

/**
 * The template as JSON with snake_case keys: what the database keeps as a task's snapshot. What is null is left out, so
 * that a field of a later version does not change the digests of templates that don't use it. Overrides of the
 * environment are in the steps already; `environments` itself is not part of it.
 */
export function templateToJson(template: TaskTemplate): JsonObject {
  const { metadata, lifecycle, defaultOptions } = template;
  const json = toFile(templateFile, {
    ...template,
    namespaceName: template.namespace,
    metadata: metadata && { ...present(metadata.other), ...toFile(metadataFile, metadata) },
    domainEvents: template.domainEvents.map((event) => toFile(domainEventFile, event)),
    steps: template.steps.map(stepToJson),
    environments: null,
    lifecycle: lifecycle && toFile(lifecycleFile, lifecycle),
    defaultOptions: defaultOptions && toFile(optionsFile, defaultOptions),
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

function stepToJson(step: StepTemplate): Record<string, unknown> {
  const { handler, retry, batchConfig, publishesEvents } = step;
  return toFile(stepFile, {
    ...step,
    handler: toFile(handlerFile, handler),
    retry: retryToJson(retry),
    publishesEvents: publishesEvents.map(({ onInvalid, ...event }) =>
      toFile(eventFile, { ...event, onInvalid: onInvalid === 'fail_step' ? onInvalid : null }),
    ),
    batchConfig: batchConfig && batchToJson(batchConfig),
  });
}

/** As it stands in a template's file. */
export const retryToJson = (retry: RetryPolicy) => toFile(retryFile, retry);

/** As it stands in a template's file. */
export const batchToJson = (batch: BatchConfig) => toFile(batchFile, batch);

/** The fields that are not null. */
function present(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}
