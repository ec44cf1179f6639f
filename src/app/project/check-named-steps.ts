import { unknownInputs } from '../../handlers/named-inputs.ts';
import { type NamedSteps, namedStepsOf } from '../../handlers/named-steps.ts';
import { branchesOf } from '../../model/branches.ts';
import {
  namesForStep,
  type StepReference,
  type TemplateNames,
  unknownBranch,
  unknownStep,
} from '../../model/template-names.ts';
import { type Resolve, resolvingOnce } from '../../registry/check-handlers.ts';
import { ownHandler } from '../../registry/handler-origin.ts';
import type { HandlerRegistry } from '../../registry/handler-registry.ts';
import { type StepTemplate, type TaskTemplate, waitsByType } from '../../template/task-template.ts';
import { graphOf } from '../../template/template-graph.ts';

/** A problem with a step or an input that a handler names, but that a template does not have. */
export interface NamedStepProblem {
  /**
   * `warning`: another template that uses the handler has the step or input, so the handler may handle its absence; or
   * the input is optional.
   */
  severity: 'error' | 'warning';
  code: 'unknown_step' | 'unknown_input';
  message: string;
  template: TaskTemplate;
  /** The step that uses the handler. */
  step: string;
}

/**
 * Checks the steps that handlers name (`depends`, `analyzerStep`, `workerTemplate`, `Decision.route([…])`) and their
 * inputs against the templates whose steps use them. Handlers that this registry cannot resolve are skipped.
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
      for (const { role, name, wrong } of checkedNames(named, { step, template })) {
        const key = JSON.stringify([step.handler.callable, role, name]);
        if (wrong === undefined) found.add(key);
        else {
          const message = `handler ${step.handler.callable}: ${wrong.message}`;
          problems.push({ ...wrong, message, template, step: step.name, key });
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

/** A name that a handler uses, and what is wrong with it in a template. */
interface CheckedName {
  role: StepReference['role'] | 'routes' | 'inputs';
  name: string;
  wrong: Pick<NamedStepProblem, 'severity' | 'code' | 'message'> | undefined;
}

function checkedNames(named: NamedSteps, of: { step: StepTemplate; template: TaskTemplate }): CheckedName[] {
  const names = namesForStep(of.template, of.step);
  const place = `template ${of.template.namespace}/${of.template.name}@${of.template.version}`;
  const unknown = (message: string | undefined) =>
    message === undefined ? undefined : ({ severity: 'error', code: 'unknown_step', message } as const);
  const branches = lazyBranches(of);
  return [
    ...referencesOf(named).map((reference) => ({
      ...reference,
      wrong: unknown(unknownStep(names, reference, place)),
    })),
    ...(of.step.type === 'decision' ? (named.routes?.() ?? []) : []).map((name) => ({
      role: 'routes' as const,
      name,
      wrong: unknown(unknownBranch(names, { name, branches: branches() }, place)),
    })),
    ...inputsIn(named, names.inputs, place),
  ];
}

function inputsIn(named: NamedSteps, closed: TemplateNames['inputs'], place: string): CheckedName[] {
  const inputs = named.inputs?.() ?? [];
  const unknown = new Map(closed && unknownInputs(inputs, closed, place).map((input) => [input.key, input]));
  return [...new Set(inputs.map(({ key }) => key))].map((name) => {
    const found = unknown.get(name);
    const severity = found?.optional ? 'warning' : 'error';
    const wrong = found && ({ severity, code: 'unknown_input', message: found.message } as const);
    return { role: 'inputs', name, wrong } as const;
  });
}

/** Builds the graph only for decisions that name steps, because it takes a while for large templates. */
function lazyBranches({ step, template }: { step: StepTemplate; template: TaskTemplate }): () => string[] {
  let found: string[] | undefined;
  return () => {
    if (!found) {
      const graph = graphOf(template);
      found = branchesOf(graph, graph.indexOf.get(step.name)!).map((index) => graph.names[index]!);
    }
    return found;
  };
}

function referencesOf({ depends, analyzerStep, workerTemplate }: NamedSteps): StepReference[] {
  return [
    ...[...new Set(depends)].map((name): StepReference => ({ role: 'depends', name })),
    ...(analyzerStep === undefined ? [] : [{ role: 'analyzerStep', name: analyzerStep } as const]),
    ...(workerTemplate === undefined ? [] : [{ role: 'workerTemplate', name: workerTemplate } as const]),
  ];
}
