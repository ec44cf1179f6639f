import { backtracksLittle } from './backtracking.ts';
import { type CharTest, type PatternNode, parsePattern, UnsupportedPattern } from './parse-pattern.ts';

/** A pattern that tests any text in time proportional to its length. */
export interface LinearPattern {
  test(text: string): boolean;
  /** The size of its program, which the time for a character depends on. Absent if JavaScript's engine tests it. */
  states?: number;
}

/** The kind of a state: consume a character, fork, check a condition at the position, or report a match. */
type Step =
  | { op: 'char'; test: CharTest; next: State }
  | { op: 'fork'; to: State[] }
  | { op: 'assert'; holds: (position: number, input: Input) => boolean; next: State }
  | { op: 'look'; table: number; negative: boolean; next: State }
  | { op: 'match' };

interface State {
  step: Step;
  /** The round in which the state was last reached. */
  reached: number;
}

/** A program, given by its first state. A new round starts at each position. */
interface Program {
  first: State;
  round: number;
}

/** A look-around: for each position, whether its program matches a substring that ends there. */
interface Look {
  program: Program;
  /** The program of a look-ahead is reversed and runs from the end of the text to its beginning. */
  forward: boolean;
}

interface Input {
  length: number;
  /** The code point after a position. */
  at(position: number): number;
  /** One table for each look-around. */
  tables: Uint8Array[];
}

/** Repetitions are expanded, so `(a{1000}){1000}` would be a program of a million states. */
const MOST_STATES = 200_000;

const SURROGATE = /[\ud800-\udfff]/;

/**
 * Compiles a pattern of JSON Schema. The result matches exactly the strings that JavaScript's `new RegExp(source,
 * 'u').test` matches. For a pattern that could backtrack for a long time, JavaScript's engine is not used. Instead, all
 * paths through the pattern are followed in parallel, one character at a time. Look-arounds are tables that are filled
 * in one pass each.
 *
 * @example
 * linearPattern('^(a+)+$').test('a'.repeat(10_000) + 'b'); // false, immediately
 * @throws SyntaxError if the source is not a regular expression
 * @throws UnsupportedPattern for a backreference, a modifier, or a pattern that is too large
 */
export function linearPattern(source: string): LinearPattern {
  const native = new RegExp(source, 'u');
  const parsed = withinStack(() => parsePattern(source));
  if (withinStack(() => backtracksLittle(parsed))) return native;
  const looks: Look[] = [];
  const compiler = new Compiler(looks, new Map(), true);
  const program = withinStack(() => compiler.compile(parsed));
  const anchored = program.first.step.op === 'assert' && program.first.step.holds === atStart;
  return {
    states: compiler.states,
    test(text) {
      const input = inputOf(text);
      for (const look of looks) {
        const table = new Uint8Array(input.length + 1);
        run(look.program, input, { forward: look.forward, table, anchored: false });
        input.tables.push(table);
      }
      return run(program, input, { forward: true, table: undefined, anchored });
    },
  };
}

/** Nested groups are parsed and compiled recursively. */
function withinStack<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof RangeError) throw new UnsupportedPattern('is nested too deeply; simplify it');
    throw error;
  }
}

const atStart = (position: number) => position === 0;
const atEnd = (position: number, { length }: Input) => position === length;
const atBoundary = (position: number, input: Input) =>
  (position > 0 && isWord(input.at(position - 1))) !== (position < input.length && isWord(input.at(position)));

const ASSERTIONS = {
  start: atStart,
  end: atEnd,
  boundary: atBoundary,
  inside: (position: number, input: Input) => !atBoundary(position, input),
} as const;

function isWord(codePoint: number): boolean {
  const small = codePoint | 0x20;
  return (codePoint >= 0x30 && codePoint <= 0x39) || (small >= 0x61 && small <= 0x7a) || codePoint === 0x5f;
}

/** Compiles from the end to the beginning, so that the continuation of a part is known when the part is compiled. */
class Compiler {
  readonly #looks: Look[];
  /** The compiled look-arounds, so that a look-around in a repetition is compiled only once. */
  readonly #tables: Map<PatternNode, number>;
  /** Whether the program reads the text from its beginning to its end. */
  readonly #forward: boolean;
  #states = 0;

  constructor(looks: Look[], tables: Map<PatternNode, number>, forward: boolean) {
    this.#looks = looks;
    this.#tables = tables;
    this.#forward = forward;
  }

  /** Number of states so far. */
  get states(): number {
    return this.#states;
  }

  compile(node: PatternNode): Program {
    return { first: this.#before(node, this.#state({ op: 'match' })), round: 0 };
  }

  #state(step: Step): State {
    if (this.#states++ > MOST_STATES) {
      throw new UnsupportedPattern('repeats too much; use maxLength, or repeat fewer times');
    }
    return { step, reached: 0 };
  }

  /**
   * Returns the first state of a part that is followed by `next`. Returns `next` itself if the part is always empty.
   */
  #before(node: PatternNode, next: State): State {
    switch (node.kind) {
      case 'char':
        return this.#state({ op: 'char', test: node.test, next });
      case 'sequence': {
        const fromLast = this.#forward ? node.items.toReversed() : node.items;
        return fromLast.reduce((rest, item) => this.#before(item, rest), next);
      }
      case 'choice':
        return this.#state({ op: 'fork', to: node.options.map((option) => this.#before(option, next)) });
      case 'repeat':
        return this.#beforeRepeat(node, next);
      case 'assert':
        return this.#state({ op: 'assert', holds: ASSERTIONS[node.where], next });
      case 'look':
        return this.#state({ op: 'look', table: this.#tableOf(node), negative: node.negative, next });
    }
  }

  #beforeRepeat({ item, least, most }: Extract<PatternNode, { kind: 'repeat' }>, next: State): State {
    let rest = next;
    if (most === Infinity) {
      const to = [next];
      rest = this.#state({ op: 'fork', to });
      to.push(this.#before(item, rest));
    }
    for (let times = most === Infinity ? least : most; times > 0; times--) {
      const once = this.#before(item, rest);
      if (once === rest) break; // matches only the empty text, regardless of the repetitions
      rest = times > least ? this.#state({ op: 'fork', to: [once, next] }) : once;
    }
    return rest;
  }

  #tableOf(node: Extract<PatternNode, { kind: 'look' }>): number {
    const known = this.#tables.get(node);
    if (known !== undefined) return known;
    // Nested look-arounds come first, because their tables are filled first.
    const program = new Compiler(this.#looks, this.#tables, node.behind).compile(node.item);
    const table = this.#looks.push({ program, forward: node.behind }) - 1;
    this.#tables.set(node, table);
    return table;
  }
}

function inputOf(text: string): Input {
  if (!SURROGATE.test(text)) return { length: text.length, at: (position) => text.charCodeAt(position), tables: [] };
  const codePoints = Uint32Array.from(text, (character) => character.codePointAt(0)!);
  return { length: codePoints.length, at: (position) => codePoints[position]!, tables: [] };
}

interface Run {
  forward: boolean;
  /** Receives a 1 at each position where a match ends. Without it, the first match is enough. */
  table: Uint8Array | undefined;
  /** Matches only begin at the first position. */
  anchored: boolean;
}

/** Runs a program from all positions in parallel. Returns whether it matched anywhere. */
function run(program: Program, input: Input, { forward, table, anchored }: Run): boolean {
  let starts: State[] = [];
  const waiting: Waiting[] = [];
  for (let step = 0; step <= input.length; step++) {
    const position = forward ? step : input.length - step;
    if (step === 0 || !anchored) starts.push(program.first);
    if (starts.length === 0) return false;
    if (reach(program, starts, { position, input, waiting })) {
      if (!table) return true;
      table[position] = 1;
    }
    if (step === input.length) break;
    const codePoint = input.at(forward ? position : position - 1);
    starts = [];
    for (const { test, next } of waiting) if (test(codePoint)) starts.push(next);
  }
  return false;
}

type Waiting = Extract<Step, { op: 'char' }>;

interface Reaching {
  position: number;
  input: Input;
  /** Receives the states that wait for the next character. */
  waiting: Waiting[];
}

/** Follows these states until they need a character. Returns whether the end was reached. */
function reach(program: Program, open: State[], { position, input, waiting }: Reaching): boolean {
  const round = ++program.round;
  waiting.length = 0;
  let matched = false;
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    if (state.reached === round) continue;
    state.reached = round;
    const { step } = state;
    switch (step.op) {
      case 'char':
        waiting.push(step);
        break;
      case 'fork':
        for (const to of step.to) open.push(to);
        break;
      case 'assert':
        if (step.holds(position, input)) open.push(step.next);
        break;
      case 'look':
        if ((input.tables[step.table]![position] === 1) !== step.negative) open.push(step.next);
        break;
      case 'match':
        matched = true;
        break;
    }
  }
  return matched;
}
