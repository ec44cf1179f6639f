import { type Command, InvalidArgumentError } from 'commander';
import { NAMESPACE_RULE, namespaces } from '../config/value-forms.ts';

/** Options that every command takes, before or after its name. */
export interface GlobalOptions {
  databaseUrl?: string;
  json?: boolean;
  verbose?: boolean;
  /** Paths, separated as in PATH or by commas. */
  templates?: string;
  handlers?: string;
}

/** A parser for an option that takes a whole number. */
export function wholeNumber({ least, most }: { least: number; most: number }): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^[+-]?\d+$/.test(text.trim()) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`it must be a whole number from ${least} to ${most}.`);
  };
}

/** A parser for an option that takes seconds, fractions allowed; gives milliseconds. */
export function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return Math.round(value * 1000);
  throw new InvalidArgumentError('it must be a number of seconds.');
}

const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A parser for an option that takes a time: ISO 8601, or how long ago (`90s`, `15m`, `2h`, `7d`). */
export function moment(text: string, _before?: unknown, now: number = Date.now()): Date {
  const [, count, unit] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text.trim()) ?? [];
  const time = unit === undefined ? timeOf(text) : now - Number(count) * UNITS[unit]!;
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) {
    throw new InvalidArgumentError('it must be a time as 2026-01-02T03:04Z, or so long ago: 90s, 15m, 2h, 7d.');
  }
  return date;
}

/** The same, or the id of an event, which is left as it is. */
export function momentOrEvent(text: string): Date | string {
  return /^[0-9a-f]{8}-/i.test(text.trim()) ? text.trim() : moment(text);
}

/** Only ISO 8601: `Date.parse` makes years of anything. */
function timeOf(text: string): number {
  return /^\d{4}-\d{2}-\d{2}([T ]|$)/.test(text.trim()) ? Date.parse(text.trim()) : Number.NaN;
}

/** Collects an option that may be given several times. */
export function collect(text: string, before: string[] = []): string[] {
  return [...before, text];
}

/** Collects the namespaces that a worker serves. An empty one counts as not given. */
export function collectNamespaces(text: string, before: string[] = []): string[] {
  const read = namespaces.schema.safeParse([text]);
  if (!read.success) throw new InvalidArgumentError(`${NAMESPACE_RULE}.`);
  return [...before, ...(read.data ?? [])];
}

/** The action of a command whose function is imported when it runs. That gets the arguments, then all options. */
export function lazily(load: () => Promise<(...given: never[]) => unknown>): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const run = (await load()) as (...given: unknown[]) => unknown;
    const command = given.at(-1) as Command;
    await run(...given.slice(0, -2), command.optsWithGlobals());
  };
}
