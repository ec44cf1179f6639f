import { messageOf, TaskerError } from '../errors.ts';
import { isFields, kindOf } from '../model/json.ts';
import { type ParsedTemplate, parseTemplate, type TemplateProblem } from './parse-template.ts';
import type { TaskTemplate } from './task-template.ts';

/** Options of {@link templateOfObject}. */
export interface TemplateOfObjectOptions {
  /** The index of the object in the list. Undefined if it was not in a list. */
  at?: number | undefined;
  /** The environment whose overrides are applied. In a parsed template, they are already applied. */
  environment: string;
}

/**
 * Returns the template of an object. A parsed template is returned as is. Any other object is checked like a template
 * file with the same keys.
 * @throws TaskerError `template_invalid` if the value is not an object, or has values without a JSON form
 */
export function templateOfObject(given: unknown, { at, environment }: TemplateOfObjectOptions): ParsedTemplate {
  const place = at === undefined ? 'templates' : `templates[${at}]`;
  if (!isFields(given)) {
    throw new TaskerError(
      'template_invalid',
      `${place} must be a path, a parsed template or an object with the keys of a template file, got ${kindOf(given)}`,
    );
  }
  if (isParsed(given)) return { template: given, problems: [] };
  const file = typeof given.name === 'string' ? `${place} (${given.name})` : place;
  if ('identityStrategy' in given || 'systemDependencies' in given) {
    throw new TaskerError(
      'template_invalid',
      `${file} has keys of a parsed template, but is incomplete; write it with the keys of a template file (snake_case), or parse it with mustParseTemplate`,
    );
  }
  const { template, problems } = parseTemplate(jsonOf(given, file), { environment });
  return { template, problems: problems.map((problem) => ({ ...withoutLines(problem), file })) };
}

/** Removes line numbers, which an object does not have. */
function withoutLines(problem: TemplateProblem): TemplateProblem {
  const message = problem.message.replace(/, first on line \d+(?=;)| \(line \d+\)/g, '');
  return { ...problem, message, line: 0, column: 0 };
}

/** Returns whether an object has the fields that only the parser adds, which copies of a parsed template have too. */
function isParsed(given: object): given is TaskTemplate {
  const { steps, domainEvents, systemDependencies, identityStrategy } = given as Partial<TaskTemplate>;
  if (!Array.isArray(steps) || !Array.isArray(domainEvents) || !isFields(systemDependencies)) return false;
  return typeof identityStrategy === 'string' && steps.every(isParsedStep);
}

function isParsedStep(step: unknown): boolean {
  if (!isFields(step)) return false;
  const { handler, retry, dependencies, publishesEvents } = step;
  return isFields(handler) && isFields(retry) && Array.isArray(dependencies) && Array.isArray(publishesEvents);
}

/** Returns the JSON of an object. Throws for values that JSON would silently omit or change. */
function jsonOf(given: object, place: string): string {
  try {
    return JSON.stringify(given, (key, value: unknown) => {
      const isNumber = typeof value === 'number';
      if (isNumber ? Number.isFinite(value) : !['function', 'symbol', 'bigint'].includes(typeof value)) return value;
      throw new TaskerError(
        'template_invalid',
        `${place}: ${key} is ${isNumber ? String(value) : kindOf(value)}; a template must contain only JSON, and refers to handlers by name`,
      );
    });
  } catch (error) {
    if (error instanceof TaskerError) throw error;
    throw new TaskerError(
      'template_invalid',
      `${place} cannot be converted to JSON: ${messageOf(error).split('\n')[0]}`,
      {
        cause: error,
      },
    );
  }
}
