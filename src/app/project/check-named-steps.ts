import { type NamedSteps, namedStepsOf } from '../../handlers/named-steps.ts';
import { type StepReference, templateNamesOf, unknownStep } from '../../model/template-names.ts';
import { type Resolve, resolvingOnce } from '../../registry/check-handlers.ts';
import { ownHandler } from '../../registry/handler-origin.ts';
import type { HandlerRegistry } from '../../registry/handler-registry.ts';
import { type StepTemplate, type TaskTemplate, waitsByType } from '../../template/task-template.ts';

/** A problem with a step that a handler names in its options, but that a template does not have. */
export interface NamedStepProblem {
  /** `warning`: another template that uses the handler has the step, so the handler may handle its absence. */
  severity: 'error' | 'warning';
  message: string;
  template: TaskTemplate;
  /** The step that uses the handler. */
  step: string;
}

/**
 * Checks the steps that handlers name (`depends`, `analyzerStep`, `workerTemplate`) against the templates whose steps
 * use them. Handlers that this registry cannot resolve are skipped.
 */
export async function checkNamedSteps(
  registry: HandlerRegistry,
  templates: readonly TaskTemplate[],
  resolve: Resolve = resolvingOnce(registry),
): Promise<NamedStepProblem[]> {
  const problems: (NamedStepProblem & { key: string })[] = [];
  const found = new Set<string>();
  for (const template of templates) {
    const place = `template ${template.namespace}/${template.name}@${template.version}`;
    for (const step of template.steps) {
      const named = await namedBy(registry, step, resolve);
      if (!named) continue;
      for (const reference of referencesOf(named)) {
        const key = JSON.stringify([step.handler.callable, reference]);
        const wrong = unknownStep(templateNamesOf(template), reference, place);
        if (wrong === undefined) found.add(key);
        else {
          const message = `handler ${step.handler.callable}: ${wrong}`;
          problems.push({ severity: 'error', message, template, step: step.name, key });
        }
      }
    }
  }
  return problems.map(({ key, ...problem }) => (found.has(key) ? { ...problem, severity: 'warning' } : problem));
}

/** Joins the messages in one line, without duplicates. Empty if there are none. */
export function phraseNamedSteps(problems: readonly NamedStepProblem[]): string {
  return [...new Set(problems.map(({ message }) => message))].join('; ');
}

async function namedBy(
  registry: HandlerRegistry,
  { handler, type }: StepTemplate,
  resolve: Resolve,
): Promise<NamedSteps | undefined> {
  if (waitsByType(type)) return undefined;
  // A class is not instantiated just for this check.
  if (!handler.resolver && registry.isRegistered(handler.callable)) {
    return namedStepsOf(registry.sourceOf(handler.callable));
  }
  // `checkHandlers` reports unavailable handlers.
  const made = await resolve({ ...handler, method: null }).catch(() => null);
  return made ? namedStepsOf(ownHandler(made)) : undefined;
}

function referencesOf({ depends, analyzerStep, workerTemplate }: NamedSteps): StepReference[] {
  return [
    ...[...new Set(depends)].map((name): StepReference => ({ role: 'depends', name })),
    ...(analyzerStep === undefined ? [] : [{ role: 'analyzerStep', name: analyzerStep } as const]),
    ...(workerTemplate === undefined ? [] : [{ role: 'workerTemplate', name: workerTemplate } as const]),
  ];
}
