import type { ASTNode } from '@marcbachmann/cel-js';
import { loadCel } from './cel.ts';
import { ExpressionError } from './expression-error.ts';

/** Returns the mistake that the library found before the evaluation, with its place. */
export function mistakeOf(error: unknown): ExpressionError {
  if (error instanceof ExpressionError) return error;
  const { ParseError, TypeError: WrongTypes } = loadCel();
  if (!(error instanceof ParseError || error instanceof WrongTypes)) throw error;
  return new ExpressionError(inWords(error.code, error.summary), error.range?.start ?? 0);
}

/** The failures whose messages of the library have no values in them. */
const WITHOUT_VALUES: ReadonlySet<string> = new Set([
  'division_by_zero',
  'incompatible_ternary_branches',
  'invalid_comprehension_range',
  'invalid_condition_type',
  'invalid_logical_operand',
  'modulo_by_zero',
  'no_matching_overload',
  'no_such_overload',
  'too_many_iterations',
]);

/**
 * Describes a failure of the evaluation. The message has the text of the expression, but no values that it read: they
 * may be sensitive.
 */
export function failureOf(error: unknown, text: string): string {
  if (!(error instanceof loadCel().EvaluationError)) return 'it cannot be evaluated';
  const { code, summary, node, range } = error;
  if (code === 'no_such_key' && node) return missing(node, text);
  if (code === 'index_out_of_bounds' && node) {
    return `${text.slice(startOf(node), node.end)} does not exist: the list is shorter, or the index is negative`;
  }
  if (WITHOUT_VALUES.has(code)) return inWords(code, summary);
  const part = range ? text.slice(range.start, range.end) : text;
  return `${part} fails with ${code.replaceAll('_', ' ')}`;
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
function inWords(code: string, summary: string): string {
  const [, left, operator, right, sign, operand] = OVERLOAD.exec(summary) ?? [];
  if (operator !== undefined) return `${operator} does not take ${typeOf(left!)} and ${typeOf(right!)}`;
  if (sign !== undefined) return `${sign} does not take ${typeOf(operand!)}`;
  const [, receiver, name, given = ''] = CALL.exec(summary) ?? [];
  if (name !== undefined) {
    const called = name === 'matches_' ? 'matches' : name;
    const takes = given === '' ? 'no arguments' : given.split(', ').map(typeOf).join(' and ');
    return receiver === undefined
      ? `no function ${called} takes ${takes}`
      : `${typeOf(receiver)} has no function ${called} that takes ${takes}`;
  }
  if (summary.endsWith('EOF')) return 'the expression ends too early';
  if (summary.startsWith('Exceeded')) {
    return 'the expression is nested too deeply, or has too many parts; let a handler compute this value';
  }
  const [, first, second] = /got '(.+?)'(?: and '(.+)')?$/.exec(summary) ?? [];
  if (first !== undefined && code in OPERANDS) return OPERANDS[code]!(typeOf(first), typeOf(second ?? ''));
  if (summary === 'has() invalid argument') {
    return "has takes a name and keys, such as has(context.key); for other keys, write 'the key' in context";
  }
  const plain = summary.charAt(0).toLowerCase() + summary.slice(1);
  return plain === 'unexpected character: =' ? `${plain}; compare with ==` : plain;
}

/** The messages about operands of a wrong type. */
const OPERANDS: Readonly<Record<string, (first: string, second: string) => string>> = {
  invalid_condition_type: (type) => `the condition must be a boolean, not ${type}`,
  invalid_logical_operand: (type) => `&& and || take booleans, not ${type}`,
  incompatible_ternary_branches: (yes, no) =>
    `both values of ? : must have one type, not ${yes} and ${no}; write dyn(…) around them if that is intended`,
};

const TYPES: Readonly<Record<string, string>> = {
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

function typeOf(type: string): string {
  const bare = /^dyn<(.+)>$/.exec(type)?.[1] ?? type;
  if (bare.startsWith('list')) return 'a list';
  if (bare.startsWith('map')) return 'an object';
  return TYPES[bare] ?? bare;
}
