import { z } from 'zod';
import { isTaskerError } from '../errors.ts';
import { regexOfPatterns } from '../model/event-pattern.ts';
import { isNamespace, NAMESPACE_RULE } from '../model/namespace.ts';
import { hostsOf } from './database-hosts.ts';
import { FILTER_LEVELS, type LogFilter, parseLogFilter } from './log-filter.ts';
import { isSchemaName, SCHEMA_RULE } from './schema-name.ts';

/** An address to listen on. */
export interface ListenAddress {
  host: string;
  /** 0 means any free port. */
  port: number;
}

/** The form of a value in the file: how it is parsed, and how messages and docs describe it. */
export interface ValueForm<T> {
  /** Parses the value in the file. Its input type is the JSON Schema of the key. */
  schema: z.ZodType<T>;
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
  /** Describes an issue with one part of the value, after the part's name. Default: one message for the whole value. */
  explain?(issue: z.core.$ZodIssue): string;
}

/** The longest timeout of a Node timer. A timer with a longer timeout fires immediately. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

const numberOf = (text: string): unknown => (text.trim() === '' ? text : Number(text));

export function whole(least: number, most: number): ValueForm<number> {
  const words = `a whole number from ${least} to ${most}`;
  return { schema: z.int().min(least).max(most), words, ofText: numberOf, least };
}

/** A number that has a longer unit and fractions in the file, and is in milliseconds in the program. */
function scaled(unit: string, unitMs: number, { leastMs, most }: { leastMs: number; most: number }): ValueForm<number> {
  const least = leastMs / unitMs;
  return {
    schema: z
      .number()
      .min(least)
      .max(most)
      .transform((value) => Math.round(value * unitMs)),
    words: `a number of ${unit} from ${least} to ${most}`,
    ofText: numberOf,
    inFile: (value) => value / unitMs,
    least: leastMs,
  };
}

export const seconds = (leastMs: number): ValueForm<number> =>
  scaled('seconds', 1000, { leastMs, most: Math.floor(LONGEST_TIMER_MS / 1000) });

/** Not limited by timers, because days are only compared. */
export const days: ValueForm<number> = scaled('days', 86_400_000, { leastMs: 0, most: 36_500 });

/** A fraction of the time. */
export const share: ValueForm<number> = {
  schema: z.number().min(0.01).max(1),
  words: 'a number from 0.01 to 1',
  ofText: numberOf,
};

export const milliseconds = (least: number): ValueForm<number> => ({
  ...whole(least, LONGEST_TIMER_MS),
  words: `a whole number of milliseconds from ${least} to ${LONGEST_TIMER_MS}`,
});

const YES = new Set(['1', 'true', 'yes', 'on']);
const NO = new Set(['0', 'false', 'no', 'off']);

export const flag: ValueForm<boolean> = {
  schema: z.boolean(),
  words: 'true or false',
  ofText: (text) => {
    const plain = text.trim().toLowerCase();
    if (YES.has(plain)) return true;
    return NO.has(plain) ? false : text;
  },
};

export const schemaName: ValueForm<string> = {
  schema: z.string().trim().refine(isSchemaName),
  words: SCHEMA_RULE,
};

export const word: ValueForm<string> = {
  schema: z.string().trim().min(1),
  words: 'a non-empty string',
};

/** A URL. An empty string is treated as not given. */
const urlOf = (
  beginning: RegExp,
  words: string,
  canParse: (text: string) => boolean = URL.canParse,
): ValueForm<string | undefined> => ({
  schema: z
    .string()
    .refine((text) => text === '' || (beginning.test(text) && canParse(text)))
    .transform((text) => text || undefined),
  words,
});

export const url = urlOf(
  /^postgres(ql)?:\/\//,
  'a PostgreSQL URL such as postgres://user:password@host:5432/database',
  (text) => hostsOf(text) !== undefined,
);
export const rabbitmqUrl = urlOf(/^amqps?:\/\/[^/]/, 'a RabbitMQ URL such as amqp://user:password@host:5672/vhost');

/** Namespaces to serve: a list in the file, separated by commas in a variable. Empty names are ignored. */
export const namespaces: ValueForm<string[] | undefined> = {
  schema: z
    .array(
      z
        .string()
        .trim()
        .refine((name) => name === '' || isNamespace(name)),
    )
    .transform((list) => list.filter((name) => name !== ''))
    .transform((list) => (list.length > 0 ? list : undefined)),
  words: `a list of namespaces; ${NAMESPACE_RULE}`,
  ofText: (text) => text.split(','),
};

/** Splits a string with several paths, which are separated as in PATH or by commas. */
export const splitPaths = (text: string): string[] =>
  text
    .split(process.platform === 'win32' ? /[;,]/ : /[:,]/)
    .map((part) => part.trim())
    .filter((part) => part !== '');

export const paths: ValueForm<string[]> = {
  schema: z.array(z.string().trim().min(1)).transform((list) => list.map(withoutGlob)),
  words: 'a list of folders or files',
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
export const keptLogs: ValueForm<'none' | 'failed' | 'all'> = {
  schema: z.enum(['none', 'failed', 'all']),
  words: 'none, failed or all',
};

/** The start position of a new group in the log. */
export const beginning: ValueForm<'now' | 'beginning'> = {
  schema: z.enum(['now', 'beginning']),
  words: 'now or beginning',
};

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
  schema: z.array(z.string().trim()).refine(arePatterns),
  words: PATTERNS_WORDS,
  ofText: (text) => text.split(',').filter((part) => part.trim() !== ''),
};

export const filePath: ValueForm<string> = { ...word, words: 'the path of a folder' };

export const address: ValueForm<ListenAddress> = {
  schema: z
    .string()
    .transform(addressOf)
    .pipe(z.object({ host: z.string(), port: z.int().min(0).max(65_535) })),
  words: 'an address such as 127.0.0.1:8081, [::1]:8081 or :8081',
  inFile: ({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`),
};

/** Parses an address. `:8081` listens on every address of the machine, `8081` only on the loopback address. */
function addressOf(text: string): { host: string | undefined; port: number } {
  const match = /^(?:\[([\da-fA-F:.]+(?:%[\w.-]+)?)\]:|([^:[\]\s]*):)?(\d{1,5})$/.exec(text.trim());
  if (!match) return { host: undefined, port: Number.NaN };
  const host = match[1] ?? match[2];
  return { host: host === undefined ? '127.0.0.1' : host || '0.0.0.0', port: Number(match[3]) };
}

/** An invalid level is an error in the file, and a warning in a variable; see `readVariables`. */
export const logFilter: ValueForm<LogFilter> = {
  schema: z
    .string()
    .refine((text) => text.trim() !== '' && parseLogFilter(text).bad.length === 0)
    .transform((text) => parseLogFilter(text).filter),
  words: `one of ${FILTER_LEVELS.join(', ')}, or levels by module such as worker=debug,info`,
  inFile: ({ level, modules }) => [...Object.entries(modules).map((pair) => pair.join('=')), level].join(','),
};
