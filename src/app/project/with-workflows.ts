import { TaskerError } from '../../errors.ts';
import type { StepHandlerClass } from '../../handlers/step-handler.ts';
import { kindOf } from '../../model/json.ts';
import { HandlerRegistry } from '../../registry/handler-registry.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import { formatProblem, type TemplateProblem } from '../../template/template-problem.ts';
import { type AnyWorkflow, isWorkflow, withChildren } from '../../workflow/workflow.ts';
import type { CreateTaskerOptions } from '../tasker-options.ts';
import type { HandlerSource } from './handler-folders.ts';

/**
 * Returns options whose templates and handlers include those of the workflows and of their child tasks. A program with `worker: false` runs no
 * handlers, so it gets only the templates.
 * @throws TaskerError `template_invalid` if a value is not a workflow, `handler_invalid` if two functions have one name
 */
export function withWorkflows({ workflows: given = [], ...options }: CreateTaskerOptions): CreateTaskerOptions {
  for (const [at, one] of given.entries()) {
    if (isWorkflow(one)) continue;
    throw new TaskerError(
      'template_invalid',
      `workflows[${at}] must be a workflow, as workflow('…').step(…) returns, got ${kindOf(one)}`,
    );
  }
  const workflows = withChildren(given);
  const handlers = workflows.flatMap((one) => one.handlers);
  const templates = [...[options.templates ?? []].flat(), ...workflows.map(({ template }) => template)];
  if (handlers.length === 0 || options.worker === false) return { ...options, templates };
  return { ...options, templates, handlers: withHandlers(options.handlers, handlers) };
}

/**
 * Returns the warnings about the templates of workflows, as lines to log. `registered`: all templates of the program.
 * Without it, the workflows of child tasks are registered, too.
 */
export function workflowWarnings(workflows: readonly AnyWorkflow[] = [], registered?: readonly TemplateId[]): string[] {
  const problems = withChildren(workflows).flatMap((one) => one.problems);
  const missing = registered === undefined ? [] : unregisteredChildren(workflows, registered);
  return [...problems.filter(({ severity }) => severity === 'warning'), ...missing].map(formatProblem);
}

type TemplateId = Pick<TaskTemplate, 'namespace' | 'name' | 'version'>;

const idOf = ({ namespace, name, version }: TemplateId) => `${namespace}/${name}@${version}`;

/**
 * Returns a warning for each workflow of a child task that is not registered, because no handler file exports it. Its
 * task would not start, or would run an earlier version whose handlers may be missing.
 */
export function unregisteredChildren(
  workflows: readonly AnyWorkflow[],
  registered: readonly TemplateId[],
): TemplateProblem[] {
  const known = new Set(registered.map(idOf));
  const found = new Map<string, TemplateProblem>();
  for (const parent of withChildren(workflows)) {
    for (const child of parent.children.filter((one) => !known.has(idOf(one)))) {
      const message = `its child task uses workflow ${idOf(child)}, which is not registered, because no handler file exports it; export it`;
      const problem = { severity: 'warning', code: 'unregistered_child', message, line: 0, column: 0 } as const;
      found.set(`${idOf(parent)} ${idOf(child)}`, { ...problem, file: idOf(parent), path: '' });
    }
  }
  return [...found.values()];
}

function withHandlers(source: HandlerSource | undefined, handlers: readonly StepHandlerClass[]): HandlerSource {
  const registry = source instanceof HandlerRegistry ? source : undefined;
  const others = registry ? [] : ([source ?? []].flat() as (string | StepHandlerClass)[]);
  const known = new Map(others.flatMap((one) => (typeof one === 'string' ? [] : [[one.handlerName, one] as const])));
  for (const handler of handlers) {
    const { handlerName: name } = handler;
    const before = known.get(name) ?? (registry?.isRegistered(name) ? registry.sourceOf(name) : undefined);
    if (before === undefined) known.set(name, handler);
    else if (before !== handler) {
      throw new TaskerError(
        'handler_invalid',
        `handler ${name} is defined twice in this program; rename the step, the workflow or the handler`,
      );
    }
  }
  if (!registry) return [...new Set([...others, ...known.values()])];
  for (const handler of known.values()) registry.register(handler);
  return registry;
}
