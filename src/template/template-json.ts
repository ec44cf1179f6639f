import { TaskerError } from '../errors.ts';
import { durationText } from '../model/duration.ts';
import { buildTemplate } from './build-template.ts';
import { checkForm } from './check-form.ts';
import { toFile } from './form-fields.ts';
import {
  type BatchConfig,
  type JsonObject,
  type RetryPolicy,
  type StepTemplate,
  type TaskTemplate,
  type UndoConfig,
  waitsByType,
} from './task-template.ts';
import {
  batchFile,
  domainEventFile,
  elementStepFile,
  eventFile,
  handlerFile,
  lifecycleFile,
  limitFile,
  metadataFile,
  optionsFile,
  retryFile,
  retryRuleFile,
  stepFile,
  templateFile,
  undoFile,
  uniqueFile,
} from './template-file.ts';
import { waitsToJson } from './waits/convert-waits.ts';

/**
 * Returns the template as JSON with snake_case keys, which the database stores as a snapshot. Fields that are null are
 * omitted, so a field that a later version adds does not change the digests of templates without the field. Overrides
 * are already merged into the steps, and `environments` itself is not included.
 */
export function templateToJson(template: TaskTemplate): JsonObject {
  const { metadata, lifecycle, limits, unique, defaultOptions } = template;
  const json = toFile(templateFile, {
    ...template,
    namespaceName: template.namespace,
    metadata: metadata && { ...present(metadata.other), ...toFile(metadataFile, metadata) },
    domainEvents: template.domainEvents.map((event) => toFile(domainEventFile, event)),
    steps: template.steps
      .filter(({ elementOf }) => elementOf === null)
      .map((step) => ofListToJson(step, template.steps)),
    environments: null,
    lifecycle: lifecycle && toFile(lifecycleFile, lifecycle),
    limits:
      limits && Object.fromEntries(Object.entries(limits).map(([name, limit]) => [name, toFile(limitFile, limit)])),
    unique: unique && toFile(uniqueFile, unique),
    defaultOptions: defaultOptions && toFile(optionsFile, defaultOptions),
  });
  // A parsed template contains only JSON values.
  return json as JsonObject;
}

/** Returns the template from the JSON of {@link templateToJson}. Unknown keys, from a later version of the program, are ignored. */
export function templateFromJson(json: unknown): TaskTemplate {
  const { file, issues } = checkForm(json);
  if (file) return buildTemplate(file);
  const what = issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new TaskerError('template_invalid', `invalid stored template: ${what.join('; ')}`, {
    details: { problems: what },
  });
}

/** Returns a step, with the steps of its elements inside. */
function ofListToJson(step: StepTemplate, all: readonly StepTemplate[]): Record<string, unknown> {
  const json = stepToJson(step);
  if (!step.forEach) return json;
  const { elements, key, parallelism, onElementFailure, output } = step.forEach;
  const steps = all.filter(({ elementOf }) => elementOf === step.name).map(stepToJson);
  return { ...json, ...toFile(stepFile, { elements, key, parallelism, onElementFailure, output, steps }) };
}

function stepToJson(step: StepTemplate): Record<string, unknown> {
  const { handler, retry, batchConfig, publishesEvents, undo } = step;
  return toFile(elementStepFile, {
    ...step,
    ...waitsToJson(step),
    handler: waitsByType(step.type) ? null : toFile(handlerFile, handler),
    retry: retryToJson(retry),
    publishesEvents: publishesEvents.map(({ onInvalid, ...event }) =>
      toFile(eventFile, { ...event, onInvalid: onInvalid === 'fail_step' ? onInvalid : null }),
    ),
    batchConfig: batchConfig && batchToJson(batchConfig),
    undo: undo && undoToJson(undo),
  });
}

/** Returns an undo in the form of a template file. */
const undoToJson = ({ handler, retry, ...undo }: UndoConfig) =>
  toFile(undoFile, { ...undo, handler: toFile(handlerFile, handler), retry: retryToJson(retry) });

/** Returns a retry policy in the form of a template file. */
export const retryToJson = ({ forMs, rules, ...retry }: RetryPolicy) =>
  toFile(retryFile, {
    ...retry,
    for: forMs === null ? null : durationText(forMs),
    rules: rules?.map((rule) => toFile(retryRuleFile, rule)),
  });

/** Returns a batch configuration in the form of a template file. */
export const batchToJson = (batch: BatchConfig) => toFile(batchFile, batch);

/** Returns the fields that are not null. */
function present(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}
