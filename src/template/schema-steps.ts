import { isFields } from '../model/json.ts';

/** Maximum number of steps of one check: about a second on one core, and far more than 16 MB of data need. */
const MOST_STEPS = 40_000_000;
/** Maximum number of characters of the code that Ajv generates for one schema: about a second. */
const MOST_CODE = 4 * 1024 * 1024;

/** Costs in steps. The call of a function and the creation of an error take much longer than an iteration of a loop. */
const CALL = 16;
const ERROR = 32;
const CHARACTERS_A_STEP = 128;

/** Thrown if a schema is too expensive to compile, or to check a value against. */
export class TooManySteps extends Error {}

/**
 * Counts the work of the functions that Ajv generates. A schema of a few kilobytes can take hours: nested `anyOf` doubles
 * the work at each level, and `uniqueItems` compares each item with all others. The work is counted and not timed, so
 * that a value is accepted or rejected in the same way on every machine.
 */
export class StepCounter {
  /** Steps that are left for the current check. Generated code reads and writes it. */
  left = MOST_STEPS;
  #code = 0;

  /** Begins a check. */
  begin(): void {
    this.left = MOST_STEPS;
  }

  spend(steps: number): void {
    this.left -= steps;
    if (this.left < 0) this.exceeded();
  }

  /** Called by generated code. */
  exceeded(): never {
    throw new TooManySteps(
      `takes more than ${MOST_STEPS / 1_000_000} million steps to check; use fewer nested anyOf, oneOf and $ref, or less data`,
    );
  }

  /** Generated code calls these instead of the functions whose work depends on the size of their values. */
  readonly counted = <F extends (...given: never[]) => unknown>(call: F): F => {
    const { name } = call;
    if (name === 'equal') return this.#equal as unknown as F;
    if (name !== 'ucs2length') return call;
    return ((text: string) => {
      this.spend(text.length >> 1);
      return (call as unknown as (text: string) => number)(text);
    }) as unknown as F;
  };

  readonly keys = (value: object): string[] => {
    const keys = Object.keys(value);
    this.spend(keys.length);
    return keys;
  };

  readonly assign = (to: object, ...from: object[]): object => {
    for (const one of from) if (one) this.spend(Object.keys(one).length);
    return Object.assign(to, ...from) as object;
  };

  readonly concat = <T>(list: T[], more: T[]): T[] => {
    this.spend((list.length + more.length) >> 3);
    return list.concat(more);
  };

  /** Compares JSON values. */
  readonly #equal = (one: unknown, other: unknown): boolean => {
    this.spend(1);
    if (one === other) return true;
    if (Array.isArray(one)) {
      if (!Array.isArray(other) || one.length !== other.length) return false;
      return one.every((item, i) => this.#equal(item, other[i]));
    }
    if (!isFields(one) || !isFields(other)) return false;
    this.spend(4);
    const keys = Object.keys(one);
    if (keys.length !== Object.keys(other).length) return false;
    return keys.every((key) => Object.hasOwn(other, key) && this.#equal(one[key], other[key]));
  };

  /** Option `code.process` of Ajv: returns the generated code of a function with counters. */
  readonly process = (code: string): string => {
    this.#code += code.length;
    if (this.#code > MOST_CODE) {
      throw new TooManySteps('the schema is too large to compile; split it, or use fewer $ref to large parts');
    }
    return `const steps = self.steps;${withCounters(code)}`;
  };
}

/** A block of generated code that runs more than once: the body of a function or a loop. */
interface Block {
  /** The position of its counter: after its opening brace, or before a loop over a list. */
  at: number;
  cost: number;
  /** The variable with the number of iterations of a loop over a list, which are counted together. */
  times: string | undefined;
  /** Its length, without the blocks in it and without code that creates errors. */
  length: number;
}

const TOKEN =
  /"(?:[^"\\]|\\.)*"|(?<![.\w$])(?:(?:function|for|while)\b|const err\d+ = |errors\+\+;|scope\.func\[\d+\]|Object\.(?:keys|assign)\(|vErrors\.concat\()|[(){}]/g;

/** The head of a loop over a list. */
const OVER_LIST = /for\(let (i\d+)=0; \1<(len\d+); \1\+\+\)/y;

/** Inserts a counter at the beginning of each function and loop, and before each creation of an error. */
function withCounters(code: string): string {
  const inserts: { at: number; remove: number; text: string }[] = [];
  /** Open braces: a block, or undefined for a brace that is not one. */
  const open: (Block | undefined)[] = [];
  const within = () => open.findLast((block) => block !== undefined);
  let depth = 0;
  /** The depth of parentheses at which the head of a function or loop ends, and its cost. */
  let head: (Pick<Block, 'at' | 'cost' | 'times'> & { depth: number }) | undefined;
  let ended: typeof head;
  let from = 0;
  let isError = false;
  const count = (to: number) => {
    const block = within();
    if (block && !isError) block.length += to - from;
    from = to;
  };
  for (const { 0: token, index } of code.matchAll(TOKEN)) {
    if (token.startsWith('"')) continue;
    if (token === 'function' || token === 'for' || token === 'while') {
      OVER_LIST.lastIndex = index;
      const times = OVER_LIST.exec(code)?.[2];
      head = { depth, at: index, cost: token === 'function' ? CALL : 1, times };
    } else if (token === '(') depth++;
    else if (token === ')') {
      depth--;
      if (head?.depth === depth) {
        ended = head;
        head = undefined;
        continue;
      }
    } else if (token === '{') {
      count(index);
      open.push(ended && { ...ended, at: ended.times === undefined ? index + 1 : ended.at, length: 0 });
    } else if (token === '}') {
      count(index);
      const block = open.pop();
      if (block) {
        const cost = block.cost + Math.floor(block.length / CHARACTERS_A_STEP);
        const steps = block.times === undefined ? cost : `${cost} * ${block.times}`;
        inserts.push({ at: block.at, remove: 0, text: `if((steps.left -= ${steps}) < 0)steps.exceeded();` });
      }
    } else if (token.startsWith('const err')) {
      count(index);
      isError = true;
      inserts.push({ at: index, remove: 0, text: `steps.left -= ${ERROR};` });
    } else if (token === 'errors++;') {
      count(index);
      isError = false;
    } else {
      const text = token.startsWith('scope') ? `steps.counted(${token})` : replacementOf(token);
      inserts.push({ at: index, remove: token.length, text });
      if (token.endsWith('(')) depth++;
    }
    if (token !== 'function') ended = undefined;
  }
  if (open.length > 0 || depth !== 0) throw new Error('the generated code of a schema could not be parsed');
  return applied(code, inserts);
}

function replacementOf(token: string): string {
  if (token.startsWith('vErrors')) return 'steps.concat(vErrors,';
  return token.replace('Object', 'steps');
}

function applied(code: string, inserts: { at: number; remove: number; text: string }[]): string {
  const parts: string[] = [];
  let from = 0;
  for (const { at, remove, text } of inserts.sort((one, other) => one.at - other.at)) {
    parts.push(code.slice(from, at), text);
    from = at + remove;
  }
  return parts.join('') + code.slice(from);
}
