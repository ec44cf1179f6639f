import { messageOf, TaskerError } from '../errors.ts';
import { isFields } from '../model/fields.ts';
import { kindOf } from '../model/kind-of.ts';
import { type ParsedTemplate, parseTemplate, type TemplateProblem } from './parse-template.ts';
import type { TaskTemplate } from './task-template.ts';

/** Options of {@link templateOfObject}. */
export interface TemplateOfObjectOptions {
  /** Its index in the list; undefined when it was given alone. */
  at?: number | undefined;
  /** The environment whose overrides are applied. A parsed template has its own already. */
  environment: string;
}

/**
 * Returns the template of an object. A parsed template is returned as it is. Any other object is checked like a
 * template file with the same keys.
 * @throws TaskerError `template_invalid` when it is not an object, or has values that JSON can't hold
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
      `${file} has keys of a parsed template, but is not a complete one; write it with the keys of a template file (snake_case), or parse it with mustParseTemplate`,
    );
  }
  const { template, problems } = parseTemplate(jsonOf(given, file), { environment });
  return { template, problems: problems.map((problem) => ({ ...withoutLines(problem), file })) };
}

/** An object has no lines. */
function withoutLines(problem: TemplateProblem): TemplateProblem {
  const message = problem.message.replace(/, first on line \d+(?=;)| \(line \d+\)/g, '');
  return { ...problem, message, line: 0, column: 0 };
}

/** Whether it has fields that only the parser adds. A template built from a parsed one counts too. */
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

/** Refuses values that JSON would silently leave out or change. */
function jsonOf(given: object, place: string): string {
  try {
    return JSON.stringify(given, (key, value: unknown) => {
      const isNumber = typeof value === 'number';
      if (isNumber ? Number.isFinite(value) : !['function', 'symbol', 'bigint'].includes(typeof value)) return value;
      throw new TaskerError(
        'template_invalid',
        `${place}: ${key} is ${isNumber ? String(value) : kindOf(value)}; a template holds JSON only, and names its handlers`,
      );
    });
  } catch (error) {
    if (error instanceof TaskerError) throw error;
    throw new TaskerError('template_invalid', `${place} can't be written as JSON: ${messageOf(error).split('\n')[0]}`, {
      cause: error,
    });
  }
}
