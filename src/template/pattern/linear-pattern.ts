import { backtracksLittle } from './backtracking.ts';
import { type CharTest, type PatternNode, parsePattern, UnsupportedPattern } from './parse-pattern.ts';

/** A pattern that tests any text in time proportional to its length. */
export interface LinearPattern {
  test(text: string): boolean;
}

/** One instruction: consume a character, fork, jump, check a condition at the position, or report a match. */
type Instruction =
  | { op: 'char'; test: CharTest }
  | { op: 'split'; to: number; other: number }
  | { op: 'jump'; to: number }
  | { op: 'assert'; holds: (position: number, input: Input) => boolean }
  | { op: 'look'; table: number; negative: boolean }
  | { op: 'match' };

/** Instructions, and a record of those reached at the current position. */
interface Program {
  code: Instruction[];
  reached: Uint32Array;
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
  /** One for each look-around. */
  tables: Uint8Array[];
}

/** Repetitions are expanded, so `(a{1000}){1000}` would be a program of a million instructions. */
const MOST_INSTRUCTIONS = 200_000;

/** The largest number that `reached` holds. */
const LAST_ROUND = 2 ** 32 - 1;

const SURROGATE = /[\ud800-\udfff]/;

/**
 * Compiles a pattern of JSON Schema. It matches exactly the texts that JavaScript's `new RegExp(source, 'u').test`
 * matches. A pattern that could backtrack for long is not left to that engine. Instead, all paths through the pattern
 * are followed at once, one character at a time. Look-arounds are tables that are filled in one pass each.
 *
 * @example
 * linearPattern('^(a+)+$').test('a'.repeat(10_000) + 'b'); // false, at once
 * @throws SyntaxError when it is not a regular expression
 * @throws UnsupportedPattern for a backreference, a modifier, or a pattern that is too large
 */
export function linearPattern(source: string): LinearPattern {
  const native = new RegExp(source, 'u');
  const parsed = withinStack(() => parsePattern(source));
  if (withinStack(() => backtracksLittle(parsed))) return native;
  const looks: Look[] = [];
  const compiler = new Compiler(looks);
  const program = withinStack(() => compiler.compile(parsed, true));
  const [first] = program.code;
  const anchored = first?.op === 'assert' && first.holds === atStart;
  return {
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

class Compiler {
  readonly #looks: Look[];
  /** A look-around in a repetition is compiled once. */
  readonly #tables = new Map<PatternNode, number>();

  constructor(looks: Look[]) {
    this.#looks = looks;
  }

  /** `forward`: the order in which the program meets the characters of what it matches. */
  compile(node: PatternNode, forward: boolean): Program {
    const code: Instruction[] = [];
    this.#emit(node, code, forward);
    code.push({ op: 'match' });
    return { code, reached: new Uint32Array(code.length), round: 0 };
  }

  #emit(node: PatternNode, code: Instruction[], forward: boolean): void {
    if (code.length > MOST_INSTRUCTIONS) {
      throw new UnsupportedPattern('repeats too much; use maxLength, or repeat fewer times');
    }
    switch (node.kind) {
      case 'char':
        code.push({ op: 'char', test: node.test });
        break;
      case 'sequence':
        for (const item of forward ? node.items : node.items.toReversed()) this.#emit(item, code, forward);
        break;
      case 'choice':
        this.#emitChoice(node.options, code, forward);
        break;
      case 'repeat':
        this.#emitRepeat(node, code, forward);
        break;
      case 'assert':
        code.push({ op: 'assert', holds: ASSERTIONS[node.where] });
        break;
      case 'look':
        code.push({ op: 'look', table: this.#tableOf(node), negative: node.negative });
        break;
    }
  }

  #emitChoice(options: readonly PatternNode[], code: Instruction[], forward: boolean): void {
    const ends: { op: 'jump'; to: number }[] = [];
    for (const [index, option] of options.entries()) {
      const last = index === options.length - 1;
      const split = { op: 'split' as const, to: code.length + 1, other: 0 };
      if (!last) code.push(split);
      this.#emit(option, code, forward);
      if (last) break;
      const end = { op: 'jump' as const, to: 0 };
      code.push(end);
      ends.push(end);
      split.other = code.length;
    }
    for (const end of ends) end.to = code.length;
  }

  #emitRepeat(node: Extract<PatternNode, { kind: 'repeat' }>, code: Instruction[], forward: boolean): void {
    const { item, least, most } = node;
    for (let times = 0; times < least; times++) {
      const before = code.length;
      this.#emit(item, code, forward);
      if (code.length === before) return; // matches nothing, however often it is repeated
    }
    const exits: { op: 'split'; to: number; other: number }[] = [];
    for (let times = least; times < Math.min(most, most === Infinity ? least + 1 : most); times++) {
      const begin = code.length;
      const split = { op: 'split' as const, to: begin + 1, other: 0 };
      code.push(split);
      exits.push(split);
      this.#emit(item, code, forward);
      if (most === Infinity) code.push({ op: 'jump', to: begin });
      else if (code.length === split.to) break; // matches nothing, however often it is repeated
    }
    for (const exit of exits) exit.other = code.length;
  }

  #tableOf(node: Extract<PatternNode, { kind: 'look' }>): number {
    const known = this.#tables.get(node);
    if (known !== undefined) return known;
    // Nested look-arounds come first, because their tables are filled first.
    const program = this.compile(node.item, node.behind);
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
  /** Matches begin at the first position only. */
  anchored: boolean;
}

/** Runs a program from every position at once. Returns whether it matched anywhere. */
function run(program: Program, input: Input, { forward, table, anchored }: Run): boolean {
  let starts: number[] = [];
  const waiting: number[] = [];
  for (let step = 0; step <= input.length; step++) {
    const position = forward ? step : input.length - step;
    if (step === 0 || !anchored) starts.push(0);
    if (starts.length === 0) return false;
    if (reach(program, starts, { position, input, waiting })) {
      if (!table) return true;
      table[position] = 1;
    }
    if (step === input.length) break;
    const codePoint = input.at(forward ? position : position - 1);
    starts = [];
    for (const at of waiting) {
      const instruction = program.code[at]!;
      if (instruction.op === 'char' && instruction.test(codePoint)) starts.push(at + 1);
    }
  }
  return false;
}

interface Reaching {
  position: number;
  input: Input;
  /** Receives the instructions that wait for the next character. */
  waiting: number[];
}

/** Follows these instructions until they need a character. Returns whether the end was reached. */
function reach(program: Program, open: number[], { position, input, waiting }: Reaching): boolean {
  const { code, reached } = program;
  if (program.round === LAST_ROUND) {
    reached.fill(0);
    program.round = 0;
  }
  const round = ++program.round;
  waiting.length = 0;
  let matched = false;
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (reached[at] === round) continue;
    reached[at] = round;
    const instruction = code[at]!;
    switch (instruction.op) {
      case 'char':
        waiting.push(at);
        break;
      case 'split':
        open.push(instruction.other, instruction.to);
        break;
      case 'jump':
        open.push(instruction.to);
        break;
      case 'assert':
        if (instruction.holds(position, input)) open.push(at + 1);
        break;
      case 'look':
        if ((input.tables[instruction.table]![position] === 1) !== instruction.negative) open.push(at + 1);
        break;
      case 'match':
        matched = true;
        break;
    }
  }
  return matched;
}
