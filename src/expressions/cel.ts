import { createRequire } from 'node:module';
import type { ASTNode, BinaryOperator, Environment, ParseResult } from '@marcbachmann/cel-js';
import { messageOf } from '../errors.ts';
import { type LinearPattern, linearPattern } from '../pattern/linear-pattern.ts';
import { ExpressionError } from './expression-error.ts';

/**
 * The language CEL, by the library cel-js, with what differs here: JSON's numbers and whole-number literals mix,
 * `matches` takes linear time, and the iterations of macros are counted.
 */

let library: typeof import('@marcbachmann/cel-js');

/** Loads the library when the first expression is parsed. Most templates have none, and loading it would delay starts. */
export function loadCel(): typeof library {
  library ??= createRequire(import.meta.url)('@marcbachmann/cel-js') as typeof library;
  return library;
}

/** The names that an expression can read. */
export const ROOTS = ['context', 'steps', 'errors', 'task', 'element', 'index'] as const;
export type Root = (typeof ROOTS)[number];

/** The types of the names that are not objects. */
const TYPE_OF: Readonly<Partial<Record<Root, string>>> = { element: 'dyn', index: 'double' };

/** Maximum length of an expression in characters. */
export const LONGEST_EXPRESSION = 4096;
/** Maximum nesting of parentheses, calls and lists. */
const DEEPEST = 64;
/** Maximum number of iterations of all macros of one evaluation. The same input always gives the same answer. */
export const MOST_ITERATIONS = 100_000;
/** Compiled patterns of `matches` that are kept. Patterns may come from data. */
const MOST_PATTERNS = 1000;

/** `matches` under the name that it is called by, because the library's own one can backtrack for a long time. */
const MATCHES = 'matches_';

/** A node with the parts that the library's types omit: what a macro was expanded to. */
export type Node = ASTNode & { meta: { alternate?: Node } };

/** The part of an expanded macro that is called before each iteration. */
interface Comprehension {
  condition?: (accumulated: unknown) => boolean;
}

let iterations = 0;
const patterns = new Map<string, LinearPattern>();

function patternOf(source: string): LinearPattern {
  let pattern = patterns.get(source);
  if (!pattern) {
    if (patterns.size >= MOST_PATTERNS) patterns.clear();
    pattern = linearPattern(source);
    patterns.set(source, pattern);
  }
  return pattern;
}

function remainder(a: number, b: number): number {
  if (b === 0) throw new (loadCel().EvaluationError)({ code: 'modulo_by_zero', message: 'modulo by zero' });
  return a % b;
}

const ARITHMETIC: Readonly<Partial<Record<BinaryOperator, (a: number, b: number) => number>>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': remainder,
};

function newEnvironment(): Environment {
  const environment = new (loadCel().Environment)({
    homogeneousAggregateLiterals: false,
    limits: { maxDepth: DEEPEST, maxListElements: 1000, maxMapEntries: 1000 },
  });
  environment.registerFunction(`string.${MATCHES}(string): bool`, (text: string, source: string) => {
    try {
      return patternOf(source).test(text);
    } catch {
      throw new (loadCel().EvaluationError)({ code: 'invalid_pattern', message: 'the pattern cannot be used' });
    }
  });
  for (const [operator, compute] of Object.entries(ARITHMETIC)) {
    const mixed = (a: number | bigint, b: number | bigint) => compute(Number(a), Number(b));
    environment.registerOperator(`double ${operator} int: double`, mixed);
    environment.registerOperator(`int ${operator} double: double`, mixed);
  }
  environment.registerOperator('double % double: double', remainder);
  environment.registerOperator('double == int: bool', (a: number, b: bigint) => a === Number(b));
  return environment;
}

let evaluating: Environment | undefined;
let checking: Environment | undefined;

/** The environment in which expressions are evaluated. The values have the types that they have at run time. */
function evaluationEnvironment(): Environment {
  if (!evaluating) {
    evaluating = newEnvironment();
    for (const root of ROOTS) evaluating.registerVariable(root, TYPE_OF[root] ?? 'map');
  }
  return evaluating;
}

/** The names that stand for values of a known type when types are checked, by the type in JSON Schema. */
export const TYPED_NAMES: Readonly<Record<string, string>> = {
  string: 's_',
  number: 'n_',
  integer: 'n_',
  boolean: 'b_',
  array: 'l_',
  object: 'm_',
};

/** The environment in which types are checked. */
function checkEnvironment(): Environment {
  if (!checking) {
    checking = newEnvironment()
      .registerVariable('s_', 'string')
      .registerVariable('n_', 'double')
      .registerVariable('b_', 'bool')
      .registerVariable('l_', 'list')
      .registerVariable('m_', 'map');
    for (const root of ROOTS) checking.registerVariable(root, TYPE_OF[root] ?? 'map');
  }
  return checking;
}

/** Parses an expression. Throws the library's `ParseError`. The result counts the iterations of its macros. */
export function parseCel(text: string): ParseResult {
  const parsed = evaluationEnvironment().parse(text);
  for (const node of nodesOf(parsed.ast)) {
    usePatterns(node);
    countIterations(node);
  }
  return parsed;
}

/** Returns the type of an expression, or the error of its types. */
export function checkCel(text: string): ReturnType<Environment['check']> {
  const parsed = checkEnvironment().parse(text);
  for (const node of nodesOf(parsed.ast)) usePatterns(node);
  return parsed.check();
}

/** Evaluates an expression with the values of the names that it reads. Throws the library's `EvaluationError`. */
export function runCel(parsed: ParseResult, values: Readonly<Record<string, unknown>>): unknown {
  iterations = 0;
  return parsed(values) as unknown;
}

/** Replaces the library's `matches`. @throws ExpressionError if a literal pattern is not a regular expression */
function usePatterns(node: Node): void {
  if (node.op !== 'rcall' || node.args[0] !== 'matches') return;
  (node.args as [string, ...unknown[]])[0] = MATCHES;
  const [pattern] = node.args[2];
  if (pattern?.op !== 'value' || typeof pattern.args !== 'string') return;
  try {
    patternOf(pattern.args);
  } catch (error) {
    throw new ExpressionError(`the pattern of matches cannot be used: ${messageOf(error)}`, pattern.start);
  }
}

function countIterations(node: Node): void {
  const { alternate } = node.meta;
  if (!alternate || (alternate.op as string) !== 'comprehension') return;
  const comprehension = alternate.args as unknown as Comprehension;
  const { condition } = comprehension;
  comprehension.condition = (accumulated) => {
    if (++iterations > MOST_ITERATIONS) throw tooManyIterations(node);
    return condition === undefined || condition(accumulated);
  };
}

function tooManyIterations(node: Node): Error {
  const message = `its macros iterate more than ${MOST_ITERATIONS} times; let a handler compute this value`;
  return new (loadCel().EvaluationError)({ code: 'too_many_iterations', message, node });
}

/** Returns a node and all nodes below it. */
export function* nodesOf(root: ASTNode): Generator<Node> {
  const open: Node[] = [root as Node];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    yield node;
    open.push(...childrenOf(node));
  }
}

/** Returns the operands of a node. For a macro, its arguments as written. */
export function childrenOf(node: ASTNode): Node[] {
  if (node.op === 'value' || node.op === 'id') return [];
  const operands: unknown = node.op === '.' || node.op === '.?' ? node.args[0] : node.args;
  // Calls have the name of the function beside their operands, and maps have pairs.
  return ([operands].flat(3) as (Node | string)[]).filter((operand) => typeof operand !== 'string');
}
