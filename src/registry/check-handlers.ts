import { messageOf } from '../errors.ts';
import { isFunctionHandler } from '../handlers/handler-of-function.ts';
import type { ExecutableHandler } from '../handlers/step-handler.ts';
import { waitsByType } from '../model/waits.ts';
import { type HandlerDefinition, usesMethodDispatch } from './handler-definition.ts';
import type { HandlerRegistry } from './handler-registry.ts';

/** The part of a template that {@link checkHandlers} needs. */
export interface CheckedTemplate {
  /** Steps of the types `timer`, `signal` and `approval` need no handler. */
  steps: readonly {
    name: string;
    type?: string;
    handler: HandlerDefinition;
    /** How the step is undone, with the handler that does it. */
    undo?: { handler: HandlerDefinition } | null;
  }[];
}

/** A handler that steps name and that this registry cannot resolve. */
export interface HandlerProblem {
  callable: string;
  /** True if no handler or resolver matches the callable. A handler may be registered later. */
  missing: boolean;
  /** Describes the problem and suggests similar names. */
  message: string;
  /** Names similar to a missing callable, most similar first. */
  near: string[];
  /** The names of the steps that use the callable. */
  steps: string[];
}

/** Returns the handler of a definition, or null. Rejects with the error that a resolver or a constructor throws. */
export type Resolve = (definition: HandlerDefinition) => Promise<ExecutableHandler | null>;

/** Resolves each definition once for several checks, because a resolver may be slow or count its calls. */
export function resolvingOnce(registry: HandlerRegistry): Resolve {
  const answers = new Map<string, Promise<ExecutableHandler | null>>();
  return (definition) => {
    const { callable, method = null, resolver = null, initialization = null } = definition;
    const key = JSON.stringify([callable, method, resolver, initialization]);
    let answer = answers.get(key);
    if (!answer) {
      answer = registry.resolve(definition);
      answers.set(key, answer);
    }
    return answer;
  };
}

/**
 * Returns one problem for each callable, method or resolver of the templates that does not resolve. Asks resolvers, and
 * creates handlers to look for their methods. Calls no handler.
 *
 * @example
 * for (const { message, steps } of await checkHandlers(registry, templates)) console.warn(`${steps.join(', ')}: ${message}`);
 */
export async function checkHandlers(
  registry: HandlerRegistry,
  templates: readonly CheckedTemplate[],
  resolve: Resolve = resolvingOnce(registry),
): Promise<HandlerProblem[]> {
  const problems = new Map<string, HandlerProblem>();
  const needed = templates.flatMap(({ steps }) =>
    steps.flatMap(({ name, type, handler, undo }) => [
      ...(type !== undefined && waitsByType(type) ? [] : [{ name, handler }]),
      ...(undo ? [{ name: `undo:${name}`, handler: undo.handler }] : []),
    ]),
  );
  for (const { name, handler } of needed) {
    const found = await problemOf(registry, handler, resolve);
    if (!found) continue;
    const before = problems.get(found.message);
    if (before) before.steps.push(name);
    else problems.set(found.message, { ...found, callable: handler.callable, steps: [name] });
  }
  return [...problems.values()];
}

async function problemOf(
  registry: HandlerRegistry,
  definition: HandlerDefinition,
  resolve: Resolve,
): Promise<Omit<HandlerProblem, 'callable' | 'steps'> | undefined> {
  try {
    // To check a registered name without a method, no handler needs to be created.
    if (!definition.method && !definition.resolver && registry.isRegistered(definition.callable)) return undefined;
    if (await resolve(definition)) return undefined;
    const { message, near } = registry.whyMissing(definition);
    return { missing: true, message, near };
  } catch (error) {
    // Errors of constructors and resolvers are part of the report.
    return { missing: false, message: messageOf(error), near: [] };
  }
}

/** The template of {@link unusedMethods}. */
interface NamedTemplate extends CheckedTemplate {
  namespace: string;
  name: string;
  version: string;
}

/**
 * Returns a message for each step that names a method although its handler is a function. The function is called
 * instead of the method.
 */
export async function unusedMethods(templates: readonly NamedTemplate[], resolve: Resolve): Promise<string[]> {
  const lines: string[] = [];
  for (const { namespace, name, version, steps } of templates) {
    for (const step of steps) {
      if (!usesMethodDispatch(step.handler) || !(await isFunction(step.handler, resolve))) continue;
      const { callable, method } = step.handler;
      lines.push(
        `template ${namespace}/${name}@${version}: step ${step.name} names method ${method}, but handler ${callable} is a function and has no methods; its function is called`,
      );
    }
  }
  return lines;
}

async function isFunction(definition: HandlerDefinition, resolve: Resolve): Promise<boolean> {
  try {
    const handler = await resolve(definition);
    return handler !== null && isFunctionHandler(handler);
  } catch {
    return false; // `checkHandlers` reports it
  }
}

/** Joins problems into one line: first the missing names, then the other messages. */
export function phraseProblems(problems: readonly HandlerProblem[], lead = 'no handler here for'): string {
  const names = [...new Set(problems.filter(({ missing }) => missing).map(withNear))];
  const others = problems.filter(({ missing }) => !missing).map(({ message }) => message);
  return [...(names.length > 0 ? [`${lead} ${names.join(', ')}`] : []), ...others].join('; ');
}

const MOST_STEPS = 3;

function withNear({ callable, near, steps }: HandlerProblem): string {
  const names = [...new Set(steps)];
  const more = names.length > MOST_STEPS ? ` and ${names.length - MOST_STEPS} more` : '';
  const of = `of step${names.length === 1 ? '' : 's'} ${names.slice(0, MOST_STEPS).join(', ')}${more}`;
  return `${callable} ${of}${near.length > 0 ? ` (did you mean ${near.join(' or ')}?)` : ''}`;
}
