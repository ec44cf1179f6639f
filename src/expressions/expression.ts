import {
  type ASTNode,
  TypeError as CelTypeError,
  EvaluationError,
  ParseError,
  type ParseResult,
} from '@marcbachmann/cel-js';
import { messageOf } from '../errors.ts';
import { LONGEST_EXPRESSION, parseCel, type Root, runCel } from './cel.ts';
import { ExpressionError, ExpressionFailed } from './expression-error.ts';
import { jsonOf } from './json-value.ts';
import { type Read, readsOf } from './reads.ts';

/** The values of the names that an expression reads. `steps` and `errors` lack the steps without a result or a failure. */
export type ExpressionValues = Readonly<Partial<Record<Root, Readonly<Record<string, unknown>>>>>;

/**
 * An expression in CEL over a task's context and the results of its steps. It has no effects and knows no clock, so the
 * same values always give the same result.
 */
export class Expression {
  readonly text: string;
  /** What it reads, in the order of its text. */
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
      throw asExpressionError(error);
    }
    this.reads = readsOf(this.#parsed.ast);
    const { error } = this.#parsed.check();
    if (error) throw asExpressionError(error);
  }

  /**
   * Returns the value as JSON.
   * @throws ExpressionFailed if it reads something that does not exist, or the types do not fit
   */
  evaluate(values: ExpressionValues): unknown {
    try {
      return jsonOf(runCel(this.#parsed, { context: {}, steps: {}, errors: {}, task: {}, ...values }));
    } catch (error) {
      if (error instanceof ExpressionFailed) throw error;
      throw new ExpressionFailed(failureOf(error, this.text));
    }
  }
}

/** Returns the mistake that the library found, with its place. */
export function asExpressionError(error: unknown): ExpressionError {
  if (!(error instanceof ParseError || error instanceof CelTypeError)) throw error;
  return new ExpressionError(plainly(error.code, error.summary), error.range?.start ?? 0);
}

function failureOf(error: unknown, text: string): string {
  if (!(error instanceof EvaluationError)) return messageOf(error);
  const { code, summary, node } = error;
  if (code === 'no_such_key' && node) return missing(node, text);
  if (code === 'index_out_of_bounds' && node)
    return `${text.slice(startOf(node), node.end)} does not exist: ${lengthIn(summary)}`;
  return plainly(code, summary);
}

function lengthIn(summary: string): string {
  const size = /size (\d+)$/.exec(summary)?.[1];
  return size === undefined ? 'the index is negative' : `the list has ${size} elements`;
}

/** Describes a missing key, and how to test for it. */
function missing(node: ASTNode, text: string): string {
  const read = text.slice(startOf(node), node.end);
  if (node.op === '.') return `${read} does not exist; test it first with has(${read})`;
  if (node.op !== '[]') return `${read} does not exist`;
  const [owner, key] = node.args.map((part) => text.slice(startOf(part), part.end));
  return `${read} does not exist; test it first with ${key} in ${owner}`;
}

/** Returns where a chain of accesses begins. */
function startOf(node: ASTNode): number {
  let at = node;
  while (at.op === '.' || at.op === '[]') at = at.args[0];
  return at.start;
}

const OVERLOAD = /^no such overload: (?:(.+) (\S+) (.+)|([!-])(.+))$/;
const CALL = /^found no matching overload for '(?:(.+)\.)?(\w+)\((.*)\)'$/;

/** Rewrites a message of the library in the words of JSON. */
function plainly(code: string, summary: string): string {
  const [, left, operator, right, sign, operand] = OVERLOAD.exec(summary) ?? [];
  if (operator !== undefined) return `${operator} does not take ${inWords(left!)} and ${inWords(right!)}`;
  if (sign !== undefined) return `${sign} does not take ${inWords(operand!)}`;
  const [, receiver, name, given = ''] = CALL.exec(summary) ?? [];
  if (name !== undefined) {
    const of = receiver === undefined ? '' : ` of ${inWords(receiver)}`;
    const takes = given === '' ? 'without arguments' : `with ${given.split(', ').map(inWords).join(' and ')}`;
    return `there is no function ${name === 'matches_' ? 'matches' : name}${of} ${takes}`;
  }
  if (summary.endsWith('EOF')) return 'the expression ends too early';
  if (summary.startsWith('Exceeded')) {
    return 'the expression is nested too deeply, or has too many parts; let a handler compute this value';
  }
  const [, first, second] = /got '(.+?)'(?: and '(.+)')?$/.exec(summary) ?? [];
  if (first !== undefined && code in OPERANDS) return OPERANDS[code]!(inWords(first), inWords(second ?? ''));
  if (summary === 'has() invalid argument') {
    return "has takes a name and keys, such as has(context.key); for other keys, write 'the key' in context";
  }
  return summary.charAt(0).toLowerCase() + summary.slice(1);
}

/** The messages about operands of a wrong type. */
const OPERANDS: Readonly<Record<string, (first: string, second: string) => string>> = {
  invalid_condition_type: (type) => `the condition must be a boolean, not ${type}`,
  invalid_logical_operand: (type) => `&& and || take booleans, not ${type}`,
  incompatible_ternary_branches: (yes, no) =>
    `both values of ? : must have one type, not ${yes} and ${no}; write dyn(…) around them if that is intended`,
};

const WORDS: Readonly<Record<string, string>> = {
  bool: 'a boolean',
  bytes: 'bytes',
  double: 'a number',
  int: 'a whole number',
  uint: 'a whole number',
  null: 'null',
  string: 'a string',
  dyn: 'any value',
  'google.protobuf.Timestamp': 'a time',
  'google.protobuf.Duration': 'a duration',
};

function inWords(type: string): string {
  const bare = /^dyn<(.+)>$/.exec(type)?.[1] ?? type;
  if (bare.startsWith('list')) return 'a list';
  if (bare.startsWith('map')) return 'an object';
  return WORDS[bare] ?? bare;
}
