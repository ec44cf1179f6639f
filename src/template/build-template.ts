import { durationMs } from '../model/duration.ts';
import { fromFile } from './form-fields.ts';
import {
  DEFAULT_RETRY,
  type ForEachConfig,
  type HandlerReference,
  type RetryPolicy,
  type RetryRule,
  type StepOverride,
  type StepTemplate,
  type TaskTemplate,
  type TemplateMetadata,
  type UndoConfig,
  WAIT_CALLABLES,
} from './task-template.ts';
import {
  batchFile,
  domainEventFile,
  type ElementStepFile,
  elementStepFile,
  eventFile,
  handlerFile,
  lifecycleFile,
  limitFile,
  metadataFile,
  optionsFile,
  type RetryFile,
  type RetryRuleFile,
  retryFile,
  retryRuleFile,
  type StepFile,
  type StepOverrideFile,
  systemsFile,
  type TemplateFile,
  templateFile,
  type UndoFile,
  undoFile,
  uniqueFile,
} from './template-file.ts';
import { expressionsOf, waitsOf } from './waits/convert-waits.ts';

/** Builds the template of a well-formed file, with defaults. Overrides are kept but not applied. */
export function buildTemplate(file: TemplateFile): TaskTemplate {
  const { name, namespaceName, ...fields } = fromFile(templateFile, file, { identityStrategy: 'strict' });
  return {
    name,
    namespace: namespaceName,
    ...fields,
    metadata: file.metadata ? metadataOf(file.metadata) : null,
    systemDependencies: fromFile(systemsFile, file.system_dependencies ?? {}, { primary: 'default', secondary: [] }),
    domainEvents: (file.domain_events ?? []).map((event) => fromFile(domainEventFile, event)),
    steps: [
      ...file.steps.map((step) => stepOf(step)),
      // An index is a step's place in a task, so the steps of elements do not stand among those of the task.
      ...file.steps.flatMap(({ name: owner, steps }) => (steps ?? []).map((step) => stepOf(step, owner))),
    ],
    output: expressionsOf(file.output),
    environments: Object.fromEntries(
      Object.entries(file.environments ?? {}).map(([name, it]) => [name, (it?.steps ?? []).map(overrideOf)]),
    ),
    lifecycle: file.lifecycle ? fromFile(lifecycleFile, file.lifecycle, { stalenessAction: 'dlq' }) : null,
    limits: file.limits
      ? Object.fromEntries(Object.entries(file.limits).map(([name, limit]) => [name, fromFile(limitFile, limit)]))
      : null,
    unique: file.unique ? fromFile(uniqueFile, file.unique, { onConflict: 'return' }) : null,
    defaultOptions: file.default_options ? fromFile(optionsFile, file.default_options) : null,
  };
}

function stepOf(step: StepFile | ElementStepFile, elementOf: string | null = null): StepTemplate {
  // The fields of a child task are together in `child`.
  const {
    template: _,
    context: _c,
    onFailure: _f,
    onCancel: _o,
    timeout: _t,
    ...fields
  } = fromFile(elementStepFile, step, { type: 'standard' });
  return {
    ...fields,
    ...waitsOf(step),
    handler: handlerOf(step),
    dependencies: [...new Set(step.dependencies)],
    when: step.when == null ? null : String(step.when),
    inputs: expressionsOf(step.inputs),
    retry: retryOf(step.retry ?? {}),
    publishesEvents: (step.publishes_events ?? []).map((event) =>
      fromFile(eventFile, event, { condition: 'success', deliveryMode: 'durable', onInvalid: 'drop' }),
    ),
    batchConfig: step.batch_config ? fromFile(batchFile, step.batch_config) : null,
    undo: step.undo ? undoOf(step.undo) : null,
    forEach: 'elements' in step && step.elements != null ? forEachOf(step.elements, step) : null,
    elementOf,
  };
}

function forEachOf(elements: string, { key, parallelism, on_element_failure, output }: StepFile): ForEachConfig {
  return {
    elements,
    key: key ?? null,
    parallelism: parallelism ?? 20,
    onElementFailure: on_element_failure ?? 'block',
    output: output == null ? null : String(output),
  };
}

function undoOf(undo: UndoFile): UndoConfig {
  return {
    ...fromFile(undoFile, undo, { include: 'completed' }),
    handler: fromFile(handlerFile, undo.handler, { initialization: {} }),
    retry: retryOf(undo.retry ?? {}),
  };
}

function handlerOf({ type, handler }: StepFile): HandlerReference {
  const callable = WAIT_CALLABLES[type as keyof typeof WAIT_CALLABLES];
  return fromFile(handlerFile, callable === undefined ? handler! : { callable }, { initialization: {} });
}

function retryOf(retry: RetryFile): RetryPolicy {
  const { forMs: _for, rules: _rules, ...defaults } = DEFAULT_RETRY;
  const { for: time, rules, ...policy } = fromFile(retryFile, retry, defaults);
  return {
    ...policy,
    maxAttempts: Math.max(1, policy.maxAttempts),
    forMs: time === null ? null : durationMs(time)!,
    rules: rules === null || rules.length === 0 ? null : rules.map(ruleOf),
  };
}

function ruleOf(file: RetryRuleFile): RetryRule {
  const { error, maxAttempts, ...rule } = fromFile(retryRuleFile, file);
  return {
    ...rule,
    error: [...new Set(typeof error === 'string' ? [error] : error)],
    maxAttempts: maxAttempts === null ? null : Math.max(1, maxAttempts),
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

function metadataOf(metadata: NonNullable<TemplateFile['metadata']>): TemplateMetadata {
  const others = Object.entries(metadata).filter(
    ([key, value]) => !Object.hasOwn(metadataFile.shape, key) && value !== null,
  );
  return { ...fromFile(metadataFile, metadata, { tags: [] }), other: Object.fromEntries(others) };
}
