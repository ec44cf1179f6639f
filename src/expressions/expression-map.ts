import type { Fields } from '../model/json.ts';
import { stepsIn } from './check-expression.ts';
import { Expression, type ExpressionValues } from './expression.ts';
import { ExpressionFailed } from './expression-error.ts';
import type { Read } from './reads.ts';

/** The expressions of `inputs` or `output`, ready to be evaluated. */
export interface ExpressionMap {
  readonly expressions: ReadonlyMap<string, Expression>;
  readonly reads: readonly Read[];
  /** The steps whose results they read. */
  readonly steps: readonly string[];
}

const compiled = new WeakMap<Readonly<Record<string, string>>, ExpressionMap>();

/** Returns the expressions of a map of a template. Each map is compiled once. */
export function expressionMap(texts: Readonly<Record<string, string>>): ExpressionMap {
  let map = compiled.get(texts);
  if (!map) {
    const expressions = new Map(Object.entries(texts).map(([name, text]) => [name, new Expression(text)]));
    const reads = [...expressions.values()].flatMap((expression) => expression.reads);
    map = { expressions, reads, steps: stepsIn(reads) };
    compiled.set(texts, map);
  }
  return map;
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
