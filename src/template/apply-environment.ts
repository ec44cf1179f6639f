import type { StepOverride, StepTemplate, TaskTemplate } from './task-template.ts';

/** The name in an override that stands for every step. */
export const ALL_STEPS = 'ALL';

/**
 * The template as it is in one environment. Overrides of `ALL` come first, those of a step by name after them, so that
 * the particular wins wherever it stands in the file. An environment the template does not name changes nothing.
 */
export function applyEnvironment(template: TaskTemplate, environment: string | undefined): TaskTemplate {
  if (environment === undefined || !Object.hasOwn(template.environments, environment)) return template;
  const overrides = template.environments[environment]!;
  const byName = new Map<string, StepOverride[]>();
  for (const override of overrides) byName.set(override.name, [...(byName.get(override.name) ?? []), override]);
  const of = (name: string) => byName.get(name) ?? [];
  const steps = template.steps.map((step) => [...of(ALL_STEPS), ...of(step.name)].reduce(overridden, step));
  return { ...template, steps };
}

function overridden(step: StepTemplate, { initialization, timeoutSeconds, retry }: StepOverride): StepTemplate {
  return {
    ...step,
    handler: initialization
      ? { ...step.handler, initialization: { ...step.handler.initialization, ...initialization } }
      : step.handler,
    timeoutSeconds: timeoutSeconds ?? step.timeoutSeconds,
    retry: retry ?? step.retry,
  };
}
