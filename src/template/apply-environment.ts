import { type StepOverride, type StepTemplate, type TaskTemplate, waitsByType } from './task-template.ts';

/** The step name in an override that means every step. */
export const ALL_STEPS = 'ALL';

/**
 * Returns the template with the overrides of one environment. Overrides of `ALL` are applied before overrides of a
 * named step. The specific override therefore wins, regardless of the order in the file. An environment that the
 * template does not name changes nothing.
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
    handler:
      initialization && !waitsByType(step.type)
        ? { ...step.handler, initialization: { ...step.handler.initialization, ...initialization } }
        : step.handler,
    timeoutSeconds: timeoutSeconds ?? step.timeoutSeconds,
    retry: retry ?? step.retry,
  };
}
