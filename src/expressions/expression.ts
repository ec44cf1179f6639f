import type { ParseResult } from '@marcbachmann/cel-js';
import type { Fields } from '../model/json.ts';
import { LONGEST_EXPRESSION, parseCel, runCel } from './cel.ts';
import { ExpressionError, ExpressionFailed } from './expression-error.ts';
import { jsonOf } from './json-value.ts';
import { failureOf, mistakeOf } from './messages.ts';
import { type Read, readsOf } from './reads.ts';

/** The values of `task`, which every expression can read. */
export interface TaskValues {
  uuid: string;
  namespace: string;
  name: string;
  version: string;
  tags: readonly string[];
  priority: number;
  /** ISO 8601 in UTC, to the microsecond. */
  created_at: string;
  correlation_id: string;
}

/** The values of the names that an expression reads. `steps` and `errors` lack the steps without a result or a failure. */
export interface ExpressionValues {
  context: Fields;
  steps: Fields;
  errors?: Fields;
  task: TaskValues;
  /** The element of a list and its number from 0, in the expressions of its steps. */
  element?: unknown;
  index?: number;
}

/**
 * An expression in CEL over a task's context and the results of its steps. It has no effects and knows no clock, so the
 * same values always give the same result.
 */
export class Expression {
  readonly text: string;
  /** The values that it reads, in the order of its text. */
  readonly reads: readonly Read[];
  readonly #parsed: ParseResult;

  /** @throws ExpressionError with the place of the mistake */
  constructor(text: string) {
    if (text.trim() === '') throw new ExpressionError('the expression is empty');
    if (text.length > LONGEST_EXPRESSION) {
      throw new ExpressionError(
        `the expression is longer than ${LONGEST_EXPRESSION} characters; let a handler compute this value`,
        LONGEST_EXPRESSION,
      );
    }
    this.text = text;
    try {
      this.#parsed = parseCel(text);
    } catch (error) {
      throw mistakeOf(error);
    }
    this.reads = readsOf(this.#parsed.ast);
    const { error } = this.#parsed.check();
    if (error) throw mistakeOf(error);
  }

  /**
   * Returns the value as JSON.
   * @throws ExpressionFailed if it reads something that does not exist, or the types do not fit
   */
  evaluate(values: ExpressionValues): unknown {
    let value: unknown;
    try {
      value = runCel(this.#parsed, { errors: {}, ...values });
    } catch (error) {
      throw new ExpressionFailed(failureOf(error, this.text));
    }
    return jsonOf(value);
  }
}
