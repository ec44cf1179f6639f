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

/** The options of a command, those for every command among them. */
export function optionsOf<T extends object>(command: Command): T & GlobalOptions {
  return command.optsWithGlobals<T & GlobalOptions>();
}
