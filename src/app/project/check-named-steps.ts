import { type NamedSteps, namedStepsOf } from '../../handlers/named-steps.ts';
import { nearNames } from '../../model/near-names.ts';
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
    for (const step of template.steps) {
      const named = await namedBy(registry, step, resolve);
      if (!named) continue;
      for (const [role, name] of rolesOf(named)) {
        const key = JSON.stringify([step.handler.callable, role, name]);
        const wrong = problemOf(template, { role, name });
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

type Role = 'depends' | 'analyzerStep' | 'workerTemplate';

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

function rolesOf({ depends, analyzerStep, workerTemplate }: NamedSteps): [Role, string][] {
  return [
    ...[...new Set(depends)].map((name): [Role, string] => ['depends', name]),
    ...(analyzerStep === undefined ? [] : [['analyzerStep', analyzerStep] as [Role, string]]),
    ...(workerTemplate === undefined ? [] : [['workerTemplate', workerTemplate] as [Role, string]]),
  ];
}

const PHRASES: Readonly<Record<Role, string>> = {
  depends: 'depends on step',
  analyzerStep: 'analyzerStep names step',
  workerTemplate: 'workerTemplate names step',
};

function problemOf({ steps, ...template }: TaskTemplate, { role, name }: { role: Role; name: string }) {
  const workers = steps.filter(({ type }) => type === 'batch_worker').map((step) => step.name);
  const possible = role === 'workerTemplate' ? workers : steps.map((step) => step.name);
  if (possible.includes(name)) return undefined;
  // The steps of a batch are named after its `batch_worker` step.
  if (role === 'depends' && workers.some((worker) => name.startsWith(`${worker}_`))) return undefined;
  const exists = steps.some((step) => step.name === name);
  const place = `template ${template.namespace}/${template.name}@${template.version}`;
  const what = exists ? `is not a batch_worker in ${place}` : `${place} does not have`;
  const near =
    nearNames(name, possible, 1)[0] ?? (role === 'workerTemplate' && workers.length === 1 ? workers[0] : undefined);
  return `${PHRASES[role]} ${name}, which ${what}${near === undefined ? '' : `; did you mean ${near}?`}`;
}
