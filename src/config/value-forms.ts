import { isTaskerError } from '../errors.ts';
import { regexOfPatterns } from '../model/event-pattern.ts';
import { isNamespace, NAMESPACE_RULE } from '../model/namespace.ts';
import { hostsOf } from './database-hosts.ts';
import { FILTER_LEVELS, type LogFilter, parseLogFilter } from './log-filter.ts';

/** An address to listen on. */
export interface ListenAddress {
  host: string;
  /** 0 means any free port. */
  port: number;
}

/** The result of parsing an invalid value. */
export const WRONG = Symbol('wrong');

type Parse<T> = (value: unknown) => T | typeof WRONG;

/** The form of a value in the file: how it is parsed, and how messages and docs describe it. */
export interface ValueForm<T> {
  /** Parses the value in the file. */
  parse: Parse<T>;
  /** The JSON Schema of the value in the file. */
  json: Readonly<Record<string, unknown>>;
  /** The description after "must be". */
  words: string;
  /** Converts the text of a variable to the value in the file. Default: the text itself. */
  ofText?(text: string): unknown;
  /** The minimum, in the unit of the program. */
  least?: number;
  /** Converts a value to its form in the file. Default: the value itself. */
  inFile?(value: T): unknown;
  /** Returns a value with its secrets hidden. */
  shown?(value: T): unknown;
  /** Returns the indexes or keys of the invalid parts of an invalid value. Default: none, the whole value is invalid. */
  wrongParts?(value: unknown): (number | string)[];
  /** Describes the invalid parts of an invalid list of tables. Default: one message for the whole list. */
  faults?(value: unknown): Fault[];
}

/** An invalid part of a list of tables. */
export interface Fault {
  path: readonly (number | string)[];
  /** An unknown key of the table at this path. */
  unknown?: string;
  /** The description after the path. */
  message: string;
}

/** The longest timeout of a Node timer. A timer with a longer timeout fires immediately. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

const numberOf = (text: string): unknown => (text.trim() === '' ? text : Number(text));

/** A string that `read` accepts, converted. */
export function text<T>(words: string, read: (text: string) => T | typeof WRONG, json: object = {}): ValueForm<T> {
  return {
    parse: (value) => (typeof value === 'string' ? read(value) : WRONG),
    json: { type: 'string', ...json },
    words,
  };
}

/** A string that `fits` accepts. */
export const fitting = (fits: (text: string) => boolean, words = '', json: object = {}): ValueForm<string> =>
  text(words, (given) => (fits(given) ? given : WRONG), json);

/** A string that matches a pattern. */
export const matching = (pattern: RegExp, words = ''): ValueForm<string> =>
  fitting((given) => pattern.test(given), words, { pattern: pattern.source });

/** A string that `fits` accepts. An empty string is treated as not given. */
export const fittingOrEmpty = (fits: (text: string) => boolean, words: string): ValueForm<string | undefined> =>
  refined(
    fitting((given) => given === '' || fits(given), words),
    (given) => given || undefined,
  );

/** One of several strings. */
export function oneOf<T extends string>(values: readonly T[], words = ''): ValueForm<T> {
  const parse: Parse<T> = (value) => values.find((one) => one === value) ?? WRONG;
  return { parse, json: { type: 'string', enum: values }, words };
}

/** A list of values of one form. */
export function listOf<T>(form: Pick<ValueForm<T>, 'parse' | 'json'>, words: string, least = 0): ValueForm<T[]> {
  const indexes = (list: unknown[]) => list.flatMap((one, at) => (form.parse(one) === WRONG ? [at] : []));
  return {
    parse: (value) => {
      if (!Array.isArray(value) || value.length < least || indexes(value).length > 0) return WRONG;
      return value.map((one) => form.parse(one) as T);
    },
    json: { ...(least > 0 && { minItems: least }), type: 'array', items: form.json },
    words,
    wrongParts: (value) => (Array.isArray(value) ? indexes(value) : []),
  };
}

/** Returns a form whose values are also checked or converted. */
export function refined<T, To>(form: ValueForm<T>, next: (value: T) => To | typeof WRONG): ValueForm<To> {
  const parse: Parse<To> = (value) => {
    const read = form.parse(value);
    return read === WRONG ? WRONG : next(read);
  };
  return { ...(form as Omit<ValueForm<T>, 'inFile' | 'shown'>), parse };
}

function numbers(type: 'number' | 'integer', least: number, most: number, words: string): ValueForm<number> {
  const fits = type === 'integer' ? Number.isSafeInteger : Number.isFinite;
  return {
    parse: (value) =>
      fits(value) && (value as number) >= least && (value as number) <= most ? (value as number) : WRONG,
    json: { type, minimum: least, maximum: most },
    words,
    ofText: numberOf,
  };
}

export const whole = (least: number, most: number): ValueForm<number> => ({
  ...numbers('integer', least, most, `a whole number from ${least} to ${most}`),
  least,
});

/** A number that has a longer unit and fractions in the file, and is in milliseconds in the program. */
function scaled(unit: string, unitMs: number, { leastMs, most }: { leastMs: number; most: number }): ValueForm<number> {
  const least = leastMs / unitMs;
  const inUnit = numbers('number', least, most, `a number of ${unit} from ${least} to ${most}`);
  return {
    ...refined(inUnit, (value) => Math.round(value * unitMs)),
    inFile: (value) => value / unitMs,
    least: leastMs,
  };
}

export const seconds = (leastMs: number): ValueForm<number> =>
  scaled('seconds', 1000, { leastMs, most: Math.floor(LONGEST_TIMER_MS / 1000) });

/** Not limited by timers, because days are only compared. */
export const days: ValueForm<number> = scaled('days', 86_400_000, { leastMs: 0, most: 36_500 });

/** A fraction of the time. */
export const share: ValueForm<number> = numbers('number', 0.01, 1, 'a number from 0.01 to 1');

export const milliseconds = (least: number): ValueForm<number> => ({
  ...whole(least, LONGEST_TIMER_MS),
  words: `a whole number of milliseconds from ${least} to ${LONGEST_TIMER_MS}`,
});

const YES = new Set(['1', 'true', 'yes', 'on']);
const NO = new Set(['0', 'false', 'no', 'off']);

export const flag: ValueForm<boolean> = {
  parse: (value) => (typeof value === 'boolean' ? value : WRONG),
  json: { type: 'boolean' },
  words: 'true or false',
  ofText: (text) => {
    const plain = text.trim().toLowerCase();
    if (YES.has(plain)) return true;
    return NO.has(plain) ? false : text;
  },
};

const trimmed = text('', (given) => given.trim());

export const word = text('a non-empty string', (given) => given.trim() || WRONG, { minLength: 1 });

/** A string that is treated as not given if it is blank. */
export const optionalText = text('a string', (given) => given.trim() || undefined);

export const url = fittingOrEmpty(
  (given) => /^postgres(ql)?:\/\//.test(given) && hostsOf(given) !== undefined,
  'a PostgreSQL URL such as postgres://user:password@host:5432/database',
);
export const rabbitmqUrl = fittingOrEmpty(
  (given) => /^amqps?:\/\/[^/]/.test(given) && URL.canParse(given),
  'a RabbitMQ URL such as amqp://user:password@host:5672/vhost',
);

/** Namespaces to serve: a list in the file, separated by commas in a variable. Empty names are ignored. */
export const namespaces: ValueForm<string[] | undefined> = {
  ...refined(listOf(trimmed, `a list of namespaces; ${NAMESPACE_RULE}`), (list) => {
    const names = list.filter((name) => name !== '');
    if (names.length === 0) return undefined;
    return names.every(isNamespace) ? names : WRONG;
  }),
  ofText: (text) => text.split(','),
};

/** Splits a string with several paths, which are separated as in PATH or by commas. */
export const splitPaths = (text: string): string[] =>
  text
    .split(process.platform === 'win32' ? /[;,]/ : /[:,]/)
    .map((part) => part.trim())
    .filter((part) => part !== '');

export const paths: ValueForm<string[]> = {
  ...refined(listOf(word, 'a list of folders or files'), (list) => list.map(withoutGlob)),
  ofText: splitPaths,
};

/** Folders are read recursively, so `config/tasks/**\/*.yaml` is treated as its folder. */
function withoutGlob(one: string): string {
  const parts = one.split('/');
  const glob = parts.findIndex((part) => /[*?{[]/.test(part));
  if (glob === -1) return one;
  return parts.slice(0, glob).join('/') || (one.startsWith('/') ? '/' : '.');
}

/** Which attempts keep the lines of their handler. */
export const keptLogs = oneOf(['none', 'failed', 'all'], 'none, failed or all');

/** The start position of a new group in the log. */
export const beginning = oneOf(['now', 'beginning'], 'now or beginning');

/** The description after "must be". */
export const PATTERNS_WORDS = 'a list of event names or patterns with `*`, `?` and `[…]`';

/** Returns whether these are names or patterns of events. */
export function arePatterns(list: readonly string[]): boolean {
  try {
    regexOfPatterns(list);
    return list.length > 0;
  } catch (error) {
    if (isTaskerError(error)) return false;
    throw error;
  }
}

export const patterns: ValueForm<string[]> = {
  ...refined(listOf(trimmed, PATTERNS_WORDS), (list) => (arePatterns(list) ? list : WRONG)),
  ofText: (text) => text.split(',').filter((part) => part.trim() !== ''),
};

export const filePath: ValueForm<string> = { ...word, words: 'the path of a folder' };

export const address: ValueForm<ListenAddress> = {
  ...text('an address such as 127.0.0.1:8081, [::1]:8081 or :8081', addressOf),
  inFile: ({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`),
};

/** Parses an address. `:8081` listens on every address of the machine, `8081` only on the loopback address. */
function addressOf(given: string): ListenAddress | typeof WRONG {
  const match = /^(?:\[([\da-fA-F:.]+(?:%[\w.-]+)?)\]:|([^:[\]\s]*):)?(\d{1,5})$/.exec(given.trim());
  if (!match || Number(match[3]) > 65_535) return WRONG;
  const host = match[1] ?? match[2];
  return { host: host === undefined ? '127.0.0.1' : host || '0.0.0.0', port: Number(match[3]) };
}

/** An invalid level is an error in the file, and a warning in a variable; see `readVariables`. */
export const logFilter: ValueForm<LogFilter> = {
  ...text(`one of ${FILTER_LEVELS.join(', ')}, or levels by module such as worker=debug,info`, (given) => {
    const { filter, bad } = parseLogFilter(given);
    return given.trim() === '' || bad.length > 0 ? WRONG : filter;
  }),
  inFile: ({ level, modules }) => [...Object.entries(modules).map((pair) => pair.join('=')), level].join(','),
};
