/** Returns whether a part of a pattern matches a code point. */
export type CharTest = (codePoint: number) => boolean;

/** A parsed pattern. Captures do not matter for a test, so a group is only its contents. */
export type PatternNode =
  | { kind: 'char'; test: CharTest }
  | { kind: 'sequence'; items: readonly PatternNode[] }
  | { kind: 'choice'; options: readonly PatternNode[] }
  | { kind: 'repeat'; item: PatternNode; least: number; most: number }
  | { kind: 'assert'; where: 'start' | 'end' | 'boundary' | 'inside' }
  | { kind: 'look'; behind: boolean; negative: boolean; item: PatternNode };

/** A pattern that cannot be matched in linear time. The message follows "the pattern". */
export class UnsupportedPattern extends Error {}

const QUANTIFIER = /(?:([*+?])|\{(\d+)(,(\d*))?\})\??/y;
const LOOK = /\(\?(<?)([=!])/y;
const GROUP = /\((?:\?:|\?<[^>=!]*>|(?!\?))/y;
const CLASS = /\[(?:[^\]\\]|\\.)*\]/suy;
/** An escape for one character. A pair of escaped surrogates is one character. */
const CHARACTER_ESCAPE =
  /\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u\{[\da-fA-F]+\}|u[\da-fA-F]{4}|x[\da-fA-F]{2}|c[a-zA-Z]|[pP]\{[^}]*\}|[^bBk1-9])/suy;

/**
 * Parses a pattern of JSON Schema, which is a regular expression of JavaScript with the flag `u`. The source
 * must be valid: errors that `new RegExp` reports are not detected here.
 * @throws UnsupportedPattern for a backreference or a modifier
 */
export function parsePattern(source: string): PatternNode {
  return new Parser(source).choice();
}

class Parser {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  choice(): PatternNode {
    const options = [this.#sequence()];
    while (this.#next === '|') {
      this.#at++;
      options.push(this.#sequence());
    }
    return options.length === 1 ? options[0]! : { kind: 'choice', options };
  }

  get #next(): string | undefined {
    return this.#source[this.#at];
  }

  #sequence(): PatternNode {
    const items: PatternNode[] = [];
    while (this.#next !== undefined && this.#next !== '|' && this.#next !== ')')
      items.push(this.#repeated(this.#term()));
    return items.length === 1 ? items[0]! : { kind: 'sequence', items };
  }

  #repeated(item: PatternNode): PatternNode {
    const match = this.#take(QUANTIFIER);
    if (!match) return item;
    const [, sign, least, comma, most] = match;
    if (sign !== undefined)
      return { kind: 'repeat', item, least: sign === '+' ? 1 : 0, most: sign === '?' ? 1 : Infinity };
    const end = comma === undefined ? Number(least) : most === '' ? Infinity : Number(most);
    return { kind: 'repeat', item, least: Number(least), most: end };
  }

  #term(): PatternNode {
    const character: string = this.#source[this.#at]!;
    switch (character) {
      case '^':
        this.#at++;
        return { kind: 'assert', where: 'start' };
      case '$':
        this.#at++;
        return { kind: 'assert', where: 'end' };
      case '(':
        return this.#group();
      case '[':
        return { kind: 'char', test: testOf(this.#take(CLASS)![0]) };
      case '.':
        this.#at++;
        return { kind: 'char', test: testOf('.') };
      case '\\':
        return this.#escape();
      default: {
        const wanted = this.#source.codePointAt(this.#at)!;
        this.#at += wanted > 0xffff ? 2 : 1;
        return { kind: 'char', test: (codePoint) => codePoint === wanted };
      }
    }
  }

  #group(): PatternNode {
    const look = this.#take(LOOK);
    if (!look && !this.#take(GROUP)) {
      throw new UnsupportedPattern('has a modifier such as (?i:…), which is not supported; write both cases as [aA]');
    }
    const item = this.choice();
    this.#at++; // the closing parenthesis
    return look ? { kind: 'look', behind: look[1] === '<', negative: look[2] === '!', item } : item;
  }

  #escape(): PatternNode {
    const character = this.#take(CHARACTER_ESCAPE);
    if (character) return { kind: 'char', test: testOf(character[0]) };
    const letter = this.#source[this.#at + 1];
    if (letter !== 'b' && letter !== 'B') {
      throw new UnsupportedPattern(
        `has a backreference (\\${letter}), which can take exponential time; write out the alternatives`,
      );
    }
    this.#at += 2;
    return { kind: 'assert', where: letter === 'b' ? 'boundary' : 'inside' };
  }

  #take(form: RegExp): RegExpExecArray | null {
    form.lastIndex = this.#at;
    const match = form.exec(this.#source);
    if (match) this.#at = form.lastIndex;
    return match;
  }
}

const ASCII = 128;

/** Uses JavaScript's engine, one character at a time, so that classes have exactly the same meaning. */
function testOf(source: string): CharTest {
  const form = new RegExp(`^${source}$`, 'u');
  const known: (boolean | undefined)[] = [];
  return (codePoint) => {
    if (codePoint >= ASCII) return form.test(String.fromCodePoint(codePoint));
    known[codePoint] ??= form.test(String.fromCodePoint(codePoint));
    return known[codePoint];
  };
}
