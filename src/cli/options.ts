import { type Command, InvalidArgumentError, Option } from 'commander';
import { DURATION_FORMS, durationMs, timeInWords } from '../app/schedules/duration.ts';
import { isSchemaName, SCHEMA_RULE } from '../config/schema-name.ts';
import { isNamespace, NAMESPACE_RULE } from '../template/namespace-rule.ts';

/** Options that every command accepts, before or after its name. */
export interface GlobalOptions {
  databaseUrl?: string;
  /** The schema of the database that contains the tables. */
  schema?: string;
  /** The URL of a server to use instead of the database. */
  server?: string;
  /** The name of a profile with the URL of a server. */
  profile?: string;
  json?: boolean;
  /** Prints values that templates declare as sensitive. Only for a database. */
  showSensitive?: boolean;
  verbose?: boolean;
  /** Paths, separated by commas or by the separator of PATH. */
  templates?: string;
  handlers?: string;
}

/** Parses the name of a schema. */
export function schemaName(text: string): string {
  if (isSchemaName(text)) return text;
  throw new InvalidArgumentError(`it must be ${SCHEMA_RULE}.`);
}

/** Returns a parser for an option that takes a whole number. */
export function wholeNumber({ least, most }: { least: number; most: number }): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^[+-]?\d+$/.test(text.trim()) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`it must be a whole number from ${least} to ${most}.`);
  };
}

/** Parses an option in seconds, which may have a fraction, into milliseconds. */
export function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return Math.round(value * 1000);
  throw new InvalidArgumentError('it must be a number of seconds.');
}

/** Parses a duration into milliseconds: `90s`, `15m`, `2h`, `24h30m`, `7d`, ISO 8601, or a number of seconds. */
export function duration(text: string): number {
  const ms = durationMs(/^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text.trim());
  if (ms !== undefined) return ms;
  throw new InvalidArgumentError(`it must be a duration: ${DURATION_FORMS}.`);
}

/** Parses an option that takes a time: ISO 8601, an age (`90s`, `15m`, `2h`, `24h30m`, `7d`), `today` or `yesterday`. */
export function moment(text: string, _before?: unknown, now: number = Date.now()): Date {
  const date = new Date(timeInWords(text, now) ?? timeOf(text));
  if (Number.isNaN(date.getTime())) {
    throw new InvalidArgumentError(
      'it must be a time, such as 2026-01-02T03:04Z, an age, such as 90s, 15m, 2h, 24h30m or 7d, or today or yesterday.',
    );
  }
  return date;
}

/** Parses an option that takes a time in the future: ISO 8601 with a zone. Returns it unchanged. */
export function timeWithZone(text: string): string {
  const given = text.trim();
  const isTime = /^\d{4}-\d{2}-\d{2}T.+(Z|[+-]\d{2}(:?\d{2})?)$/i.test(given) && !Number.isNaN(Date.parse(given));
  if (isTime) return given;
  throw new InvalidArgumentError('it must be a date and time with a zone, such as 2026-12-24T18:00:00+01:00.');
}

/** Like {@link moment}, but also accepts the id of an event, which it returns unchanged. */
export function momentOrEvent(text: string): Date | string {
  return /^[0-9a-f]{8}-/i.test(text.trim()) ? text.trim() : moment(text);
}

/** Accepts only ISO 8601, because `Date.parse` accepts almost any text. */
function timeOf(text: string): number {
  return /^\d{4}-\d{2}-\d{2}([T ]|$)/.test(text.trim()) ? Date.parse(text.trim()) : Number.NaN;
}

/** Collects the values of a repeatable option. */
export function collect(text: string, before: string[] = []): string[] {
  return [...before, text];
}

/** Adds another name of an option, which the help does not list. */
export function alsoNamed(command: Command, flag: `--${string}`, other: `--${string}`): Command {
  const option = command.options.find(({ long }) => long === flag);
  if (option === undefined) throw new Error(`${command.name()} has no option ${flag}`);
  const alias = new Option(option.flags.replace(/^.*--[\w-]+/, other), option.description).hideHelp();
  if (option.parseArg) alias.argParser(option.parseArg);
  // Both names set the same value.
  alias.attributeName = () => option.attributeName();
  return command.addOption(alias);
}

/** Collects the namespaces that a worker serves. Ignores an empty value. */
export function collectNamespaces(text: string, before: string[] = []): string[] {
  const name = text.trim();
  if (name !== '' && !isNamespace(name)) throw new InvalidArgumentError(`${NAMESPACE_RULE}.`);
  return name === '' ? before : [...before, name];
}

/**
 * Returns the action of a command, which imports its function when it runs. The function receives the arguments,
 * followed by all options.
 */
export function lazily(load: () => Promise<(...given: never[]) => unknown>): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const run = (await load()) as (...given: unknown[]) => unknown;
    const command = given.at(-1) as Command;
    await run(...given.slice(0, -2), command.optsWithGlobals());
  };
}
