/** A mistake in an expression, found before it is evaluated. */
export class ExpressionError extends Error {
  /** Offset of the mistake in the expression, starting at 0. */
  readonly offset: number;

  constructor(message: string, offset = 0) {
    super(message);
    this.name = 'ExpressionError';
    this.offset = offset;
  }
}

/** The type of the error of a step that failed because of an expression. */
export const EXPRESSION_FAILED = 'expression_failed';

/** An expression that failed while it was evaluated, or whose value is not JSON. */
export class ExpressionFailed extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ExpressionFailed';
  }
}
