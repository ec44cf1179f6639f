import { Expression, type ExpressionValues } from '../../expressions/expression.ts';
import { ExpressionFailed } from '../../expressions/expression-error.ts';
import type { Fields } from '../../model/json.ts';
import type { LimitConfig, TaskTemplate } from '../../template/task-template.ts';

/** Maximum length of a key in characters. */
const LONGEST_KEY = 128;

/** The values of a task that the keys of limits can read. */
export interface KeyValues {
  context: Fields;
  tags: readonly string[] | null;
  rank: number;
  correlationId: string | null;
}

const expressions = new WeakMap<LimitConfig, Expression>();

/**
 * Returns the key of a limit for a task. The key of a limit without keys is empty.
 * @throws ExpressionFailed if the expression fails, or its value cannot be a key
 */
export function limitKeyOf(template: TaskTemplate, name: string, values: KeyValues): string {
  const limit = template.limits?.[name];
  if (limit?.key == null) return '';
  const expression = expressions.get(limit) ?? new Expression(limit.key);
  expressions.set(limit, expression);
  const value = expression.evaluate(valuesOf(template, values));
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
    throw new ExpressionFailed(`the key is ${JSON.stringify(value)}; it must be a string, a number or a boolean`);
  }
  const key = String(value);
  if (key === '') throw new ExpressionFailed('the key is empty');
  if (key.length <= LONGEST_KEY) return key;
  throw new ExpressionFailed(`the key has ${key.length} characters; at most ${LONGEST_KEY} are allowed`);
}

function valuesOf(template: TaskTemplate, { context, tags, rank, correlationId }: KeyValues): ExpressionValues {
  const { namespace, name, version } = template;
  const task = { namespace, name, version, tags: tags ?? [], priority: rank === 0 ? 0 : -rank };
  // The template's rules refuse the other values of a task, which do not exist yet when it is created.
  return { context, steps: {}, task: { ...task, uuid: '', created_at: '', correlation_id: correlationId ?? '' } };
}

/** Returns why a key of a limit cannot be computed for a task. Undefined if all can. */
export function wrongLimitKey(template: TaskTemplate, values: KeyValues): string | undefined {
  const used = new Set(template.steps.flatMap(({ limits }) => limits ?? []));
  for (const name of used) {
    try {
      limitKeyOf(template, name, values);
    } catch (error) {
      if (!(error instanceof ExpressionFailed)) throw error;
      return `limits.${name}.key: ${error.message}`;
    }
  }
  return undefined;
}
