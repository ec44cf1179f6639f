import { z } from 'zod';
import { isTaskerError } from '../errors.ts';
import { regexOfPatterns } from '../model/event-pattern.ts';
import { isNamespace, NAMESPACE_RULE } from '../model/namespace.ts';
import { FILTER_LEVELS, type LogFilter, parseLogFilter } from './log-filter.ts';

/** An address to listen on. */
export interface ListenAddress {
  host: string;
  /** 0: any that is free. */
  port: number;
}

/** The form of a value in the file: how it is checked and read, and how a message and the docs call it. */
export interface ValueForm<T> {
  /** Reads what stands in the file; its input side is the JSON Schema of the key. */
  schema: z.ZodType<T>;
  /** After "must be". */
  words: string;
  /** Makes of a variable's text what would stand in the file; absent: the text itself. */
  ofText?(text: string): unknown;
  /** The least value, as the program has it. */
  least?: number;
  /** What would stand in the file for a value; absent: the value itself. */
  inFile?(value: T): unknown;
  /** What may be shown of a value that has secrets in it. */
  shown?(value: T): unknown;
  /** What is wrong with a part of the value, after the part's name; absent: all of it is told as one. */
  explain?(issue: z.core.$ZodIssue): string;
}

/** No timer of Node runs longer: it would fire at once, again and again. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

const numberOf = (text: string): unknown => (text.trim() === '' ? text : Number(text));

export function whole(least: number, most: number): ValueForm<number> {
  const words = `a whole number from ${least} to ${most}`;
  return { schema: z.int().min(least).max(most), words, ofText: numberOf, least };
}

/** A longer unit in the file, fractions allowed; milliseconds for the program. */
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

/** They are compared, not waited for. */
export const days: ValueForm<number> = scaled('days', 86_400_000, { leastMs: 0, most: 36_500 });

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

export const word: ValueForm<string> = {
  schema: z.string().trim().min(1),
  words: 'a text that is not empty',
};

/** A text that may be empty, which is as good as not given. */
const urlOf = (beginning: RegExp, words: string): ValueForm<string | undefined> => ({
  schema: z
    .string()
    .refine((text) => text === '' || (beginning.test(text) && URL.canParse(text)))
    .transform((text) => text || undefined),
  words,
});

export const url = urlOf(/^postgres(ql)?:\/\//, 'a PostgreSQL URL such as postgres://user:password@host:5432/database');
export const rabbitmqUrl = urlOf(/^amqps?:\/\/[^/]/, 'a RabbitMQ URL such as amqp://user:password@host:5672/vhost');

export { NAMESPACE_RULE };

/** Namespaces to serve: a list in the file, separated by commas in a variable. An empty one counts as not given. */
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

/** Paths in one text are separated as in PATH, or by commas. */
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

/** Folders are read with all that is below them: of `config/tasks/**\/*.yaml` the folder counts. */
function withoutGlob(one: string): string {
  const parts = one.split('/');
  const glob = parts.findIndex((part) => /[*?{[]/.test(part));
  if (glob === -1) return one;
  return parts.slice(0, glob).join('/') || (one.startsWith('/') ? '/' : '.');
}

/** Where a group of events begins that does not exist yet. */
export const beginning: ValueForm<'now' | 'beginning'> = {
  schema: z.enum(['now', 'beginning']),
  words: 'now or beginning',
};

/** After "must be". */
export const PATTERNS_WORDS = 'a list of names, which may have `*`, `?` and `[…]`';

/** Whether these are names of events, or patterns of some. */
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

/** `:8081` is every address of the machine, `8081` the machine alone. */
function addressOf(text: string): { host: string | undefined; port: number } {
  const match = /^(?:\[([\da-fA-F:.]+(?:%[\w.-]+)?)\]:|([^:[\]\s]*):)?(\d{1,5})$/.exec(text.trim());
  if (!match) return { host: undefined, port: Number.NaN };
  const host = match[1] ?? match[2];
  return { host: host === undefined ? '127.0.0.1' : host || '0.0.0.0', port: Number(match[3]) };
}

/** In the file a wrong level is an error; in a variable it is told and left out, see `readVariables`. */
export const logFilter: ValueForm<LogFilter> = {
  schema: z
    .string()
    .refine((text) => text.trim() !== '' && parseLogFilter(text).bad.length === 0)
    .transform((text) => parseLogFilter(text).filter),
  words: `one of ${FILTER_LEVELS.join(', ')}, or levels by module such as worker=debug,info`,
  inFile: ({ level, modules }) => [...Object.entries(modules).map((pair) => pair.join('=')), level].join(','),
};
