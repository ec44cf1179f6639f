import { TaskerError } from '../../errors.ts';
import { checkExpression } from '../../expressions/check-expression.ts';
import type { ExpressionValues, TaskValues } from '../../expressions/expression.ts';
import { ExpressionError, ExpressionFailed } from '../../expressions/expression-error.ts';
import { messageParts } from '../../expressions/message.ts';
import { describeUnknown } from '../../model/near-names.ts';
import { scopeIn } from '../../template/expression-scope.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../options.ts';
import { readObject } from '../read-input.ts';
import { note, print, printJson } from '../show/output.ts';
import { thisRun } from '../this-run.ts';
import { findTemplate } from './find.ts';

interface EvalOptions extends GlobalOptions {
  step?: string;
  expression?: string;
  context: string;
  results: string;
  errors: string;
}

/** The value of an expression, or why it has none. */
type Evaluated = { name: string; text: string } & ({ value: unknown } | { error: string });

/**
 * `tasker template eval`: evaluates the expressions of a step or of the output, or a given one, with values from the
 * command line. Exits 1 if one of them fails.
 */
export async function templateEval(wanted: string, options: EvalOptions): Promise<void> {
  const template = await findTemplate(wanted, options);
  const texts = textsOf(template, options);
  const values: ExpressionValues = {
    context: { ...template.defaultContext, ...(await readObject(options.context, '--context')) },
    steps: await readObject(options.results, '--results'),
    errors: await readObject(options.errors, '--errors'),
    task: taskOf(template),
  };
  const scope = scopeIn(template, options.step);
  const evaluated = Object.entries(texts).map(([name, text]): Evaluated => {
    const condition = name === 'when';
    try {
      const value = checkExpression(text, { ...scope, condition }).evaluate(values);
      if (!condition || typeof value === 'boolean') return { name, text, value };
      return { name, text, error: `the condition is ${JSON.stringify(value)}; it must be true or false` };
    } catch (error) {
      if (!(error instanceof ExpressionError || error instanceof ExpressionFailed)) throw error;
      return { name, text, error: error.message };
    }
  });
  if (options.json) printJson({ expressions: evaluated });
  else
    for (const one of evaluated)
      print(`${one.name}: ${'error' in one ? `error: ${one.error}` : JSON.stringify(one.value)}`);
  if (evaluated.length === 0) note(`${options.step ?? 'the template'} has no expressions; give one with --expression`);
  if (evaluated.some((one) => 'error' in one)) thisRun().exitCode = EXIT.failed;
}

/** Returns the given expression, or those of the step or the output, by their names. */
function textsOf({ steps, output }: TaskTemplate, { step: wanted, expression }: EvalOptions): Record<string, string> {
  const step = steps.find(({ name }) => name === wanted);
  if (wanted !== undefined && !step) {
    const names = steps.map(({ name }) => name);
    throw new TaskerError('bad_request', describeUnknown('step', [wanted], names));
  }
  if (expression !== undefined) return { expression };
  const named = (key: string, texts: Record<string, string> | null) =>
    Object.entries(texts ?? {}).map(([name, text]) => [`${key}.${name}`, text] as const);
  if (!step) return Object.fromEntries(named('output', output));
  const inMessage = messageParts(step.message ?? '').flatMap((part) =>
    typeof part === 'string' ? [] : part.expression,
  );
  return Object.fromEntries([
    ...(step.when === null ? [] : [['when', step.when] as const]),
    ...named('inputs', step.inputs),
    ...inMessage.map((text, i) => [`message.${i + 1}`, text] as const),
  ]);
}

/** The values of a task that does not exist. */
function taskOf({ namespace, name, version, defaultOptions }: TaskTemplate): TaskValues {
  const uuid = '00000000-0000-7000-8000-000000000000';
  return {
    uuid,
    namespace,
    name,
    version,
    tags: defaultOptions?.tags ?? [],
    priority: defaultOptions?.priority ?? 0,
    created_at: new Date().toISOString(),
    correlation_id: uuid,
  };
}
