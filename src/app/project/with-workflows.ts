import { TaskerError } from '../../errors.ts';
import type { StepHandlerClass } from '../../handlers/step-handler.ts';
import { kindOf } from '../../model/json.ts';
import { HandlerRegistry } from '../../registry/handler-registry.ts';
import { isWorkflow } from '../../workflow/workflow.ts';
import type { CreateTaskerOptions } from '../tasker-options.ts';
import type { HandlerSource } from './handler-folders.ts';

/**
 * Returns options whose templates and handlers include those of the workflows. A program with `worker: false` runs no
 * handlers, so it gets only the templates.
 * @throws TaskerError `template_invalid` if a value is not a workflow, `handler_invalid` if two functions have one name
 */
export function withWorkflows({ workflows = [], ...options }: CreateTaskerOptions): CreateTaskerOptions {
  for (const [at, one] of workflows.entries()) {
    if (isWorkflow(one)) continue;
    throw new TaskerError(
      'template_invalid',
      `workflows[${at}] must be a workflow, as workflow('…').step(…) returns, got ${kindOf(one)}`,
    );
  }
  const handlers = distinct(workflows.flatMap((one) => one.handlers));
  const templates = [...[options.templates ?? []].flat(), ...workflows.map(({ template }) => template)];
  if (handlers.length === 0 || options.worker === false) return { ...options, templates };
  return { ...options, templates, handlers: withHandlers(options.handlers, handlers) };
}

function distinct(handlers: readonly StepHandlerClass[]): StepHandlerClass[] {
  const byName = new Map<string, StepHandlerClass>();
  for (const handler of handlers) {
    const { handlerName } = handler;
    const known = byName.get(handlerName);
    if (known && known !== handler) throw twice(handlerName);
    byName.set(handlerName, handler);
  }
  return [...byName.values()];
}

function withHandlers(source: HandlerSource | undefined, handlers: readonly StepHandlerClass[]): HandlerSource {
  if (source instanceof HandlerRegistry) {
    for (const handler of handlers) {
      const { handlerName } = handler;
      if (!source.isRegistered(handlerName)) source.register(handler);
      else if (source.sourceOf(handlerName) !== handler) throw twice(handlerName);
    }
    return source;
  }
  const others = [source ?? []].flat() as (string | StepHandlerClass)[];
  const named = new Map(others.flatMap((one) => (typeof one === 'string' ? [] : [[one.handlerName, one] as const])));
  for (const handler of handlers) {
    const known = named.get(handler.handlerName);
    if (known && known !== handler) throw twice(handler.handlerName);
  }
  return [...new Set([...others, ...handlers])];
}

function twice(name: string): TaskerError {
  return new TaskerError(
    'handler_invalid',
    `handler ${name} is defined twice in this program; rename the step, the workflow or the handler`,
  );
}
