import { LEVELS, type Level, type LogBindings, type Logger } from './logger.ts';
import { REDACTED } from './secret-names.ts';

/** Number of characters by which strings are grouped. Shorter strings are not searched for. */
const BEGINNING = 4;
/** Longer strings in a line are cut, so that the search takes a bounded time. */
const LONGEST_TEXT = 65_536;
/** Maximum nesting of fields. Deeper values are replaced by `[…]`. */
const DEEPEST = 8;

/** Texts that must not appear in a log. */
export class SensitiveTexts {
  /** The strings by their beginning, longest first, because one string may be the beginning of another. */
  readonly #byBeginning = new Map<string, Map<number, Set<string>>>();

  constructor(texts: Iterable<string>) {
    const all = [...texts].flatMap((text) => [text, JSON.stringify(text).slice(1, -1)]);
    for (const text of all.sort((a, b) => b.length - a.length)) this.#add(text);
  }

  #add(text: string): void {
    if (text.length < BEGINNING) return;
    const beginning = text.slice(0, BEGINNING);
    const same = this.#byBeginning.get(beginning) ?? new Map<number, Set<string>>();
    this.#byBeginning.set(beginning, same);
    same.set(text.length, (same.get(text.length) ?? new Set()).add(text));
  }

  /** Returns the length of the longest text that begins at an index. 0 if none begins there. */
  #lengthAt(text: string, index: number): number {
    const lengths = this.#byBeginning.get(text.slice(index, index + BEGINNING));
    for (const [length, same] of lengths ?? []) if (same.has(text.slice(index, index + length))) return length;
    return 0;
  }

  /** Returns whether one of the strings occurs in a string. */
  occursIn(text: string): boolean {
    if (this.#byBeginning.size === 0) return false;
    for (let i = 0; i + BEGINNING <= text.length; i++) if (this.#lengthAt(text, i) > 0) return true;
    return false;
  }

  /** Returns a string in which the strings are replaced. */
  hide(given: string): string {
    if (this.#byBeginning.size === 0) return given;
    const text = given.length > LONGEST_TEXT ? `${given.slice(0, LONGEST_TEXT)}…` : given;
    const parts: string[] = [];
    let from = 0;
    for (let i = 0; i + BEGINNING <= text.length; ) {
      const length = this.#lengthAt(text, i);
      if (length === 0) i++;
      else {
        parts.push(text.slice(from, i), REDACTED);
        i += length;
        from = i;
      }
    }
    return from === 0 ? text : parts.join('') + text.slice(from);
  }

  /** Returns a copy of a value in which the strings are replaced. Errors keep their class. */
  hideIn(value: unknown, holders: ReadonlySet<object> = new Set()): unknown {
    if (typeof value === 'string') return this.hide(value);
    if (typeof value === 'number' || typeof value === 'bigint') {
      return this.hide(String(value)) === String(value) ? value : REDACTED;
    }
    if (typeof value !== 'object' || value === null) return value;
    if (holders.has(value)) return '[circular]';
    if (holders.size >= DEEPEST) return '[…]';
    const inside = new Set(holders).add(value);
    if (value instanceof Error) return this.#hideInError(value, inside);
    if ('toJSON' in value && typeof value.toJSON === 'function') return this.hideIn(value.toJSON(), inside);
    if (Array.isArray(value)) return value.map((item) => this.hideIn(item, inside));
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [this.hide(key), this.hideIn(one, inside)]));
  }

  #hideInError(error: Error, inside: ReadonlySet<object>): Error {
    const members: PropertyDescriptorMap = {};
    let changed = false;
    for (const key of new Set(['message', 'stack', ...Object.getOwnPropertyNames(error)])) {
      const own: unknown = Reflect.get(error, key);
      const value = this.hideIn(own, inside);
      changed ||= value !== own;
      members[key] = { value, enumerable: Object.prototype.propertyIsEnumerable.call(error, key), configurable: true };
    }
    return changed ? (Object.create(error, members) as Error) : error;
  }
}

/** Returns a logger with some members of the given one overridden. */
export function withMembers(inner: Logger, members: object): Logger {
  const logger = Object.create(inner) as Logger;
  for (const [name, value] of Object.entries(members)) {
    Object.defineProperty(logger, name, { value, writable: true, configurable: true });
  }
  return logger;
}

/**
 * Returns a logger that replaces sensitive strings in messages and fields. `texts` is called for the first line. Never
 * throws because of a line: one that cannot be searched is replaced.
 */
export function hidingLogger(inner: Logger, texts: () => SensitiveTexts): Logger {
  const line =
    (level: string) =>
    (...args: unknown[]): void => {
      if (inner.isLevelEnabled?.(level) === false) return;
      (inner[level as Level] as (...args: unknown[]) => void)(...hidden(args, texts));
    };
  const levels = 'fatal' in inner ? [...LEVELS, 'fatal'] : LEVELS;
  const child: Logger['child'] = (bindings, ...rest: unknown[]) => {
    const [fields] = hidden([bindings], texts) as [LogBindings | string];
    const own = typeof fields === 'string' ? {} : fields;
    return hidingLogger((inner.child as (...args: unknown[]) => Logger)(own, ...rest), texts);
  };
  return withMembers(inner, { ...Object.fromEntries(levels.map((level) => [level, line(level)])), child });
}

function hidden(args: readonly unknown[], texts: () => SensitiveTexts): unknown[] {
  try {
    const sensitive = texts();
    return args.map((arg) => sensitive.hideIn(arg));
  } catch {
    return [REDACTED]; // a getter or toJSON of the handler's own object threw
  }
}
