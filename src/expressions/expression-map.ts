import type { Fields } from '../model/json.ts';
import { Expression, type ExpressionValues } from './expression.ts';
import { ExpressionError, ExpressionFailed } from './expression-error.ts';

/** The expressions of `inputs` or `output`, ready to be evaluated. */
export interface ExpressionMap {
  readonly expressions: ReadonlyMap<string, Expression>;
  /** The steps whose results they read. */
  readonly steps: readonly string[];
}

const compiled = new WeakMap<Readonly<Record<string, string>>, ExpressionMap>();

/**
 * Returns the expressions of a map of a template. Each map is compiled once.
 * @throws ExpressionFailed if one is wrong, in a template that was not checked or that a later version has stored
 */
export function expressionMap(texts: Readonly<Record<string, string>>): ExpressionMap {
  let map = compiled.get(texts);
  if (!map) {
    const named = Object.entries(texts).map(([name, text]) => [name, compile(name, text)] as const);
    const reads = named.flatMap(([, expression]) => expression.reads);
    const steps = reads.flatMap(({ root, keys }) => (root === 'steps' && keys[0] ? [keys[0]] : []));
    map = { expressions: new Map(named), steps: [...new Set(steps)] };
    compiled.set(texts, map);
  }
  return map;
}

function compile(name: string, text: string): Expression {
  try {
    return new Expression(text);
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    throw new ExpressionFailed(`${name}: ${error.message}`);
  }
}

/**
 * Returns the values of all expressions of a map.
 * @throws ExpressionFailed that begins with the name of the first one that fails
 */
export function evaluateMap({ expressions }: ExpressionMap, values: ExpressionValues): Fields {
  return Object.fromEntries(
    [...expressions].map(([name, expression]) => {
      try {
        return [name, expression.evaluate(values)];
      } catch (error) {
        if (!(error instanceof ExpressionFailed)) throw error;
        throw new ExpressionFailed(`${name}: ${error.message}`);
      }
    }),
  );
}

/** Returns what a function returns, or the failure of an expression that it throws. */
export function orFailure<T>(run: () => T): T | ExpressionFailed {
  try {
    return run();
  } catch (error) {
    if (error instanceof ExpressionFailed) return error;
    throw error;
  }
}
