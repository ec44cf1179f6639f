import { type Command, InvalidArgumentError, Option } from 'commander';
import { snakeCase } from '../app/json/views.ts';
import { stateHint, VISIBLE_STATES } from '../app/list-options.ts';
import type { NamedCondition } from '../contract/filters/condition.ts';
import { alsoNamed, collect, moment, wholeNumber } from './options.ts';
import { timeConditions } from './show/time-conditions.ts';

type All = readonly NamedCondition[];
/** Flags that differ from the names of their conditions. */
type Flags = Readonly<Record<string, `-${string}`>>;
type Parse = (text: string, before: unknown) => unknown;

/** The parser of an option, by the kind of its condition. Others take the text, or nothing. */
const PARSERS: Partial<Record<NamedCondition['kind'], Parse>> = {
  texts: collect as Parse,
  states: collectStates as Parse,
  number: wholeNumber({ least: 1, most: Number.MAX_SAFE_INTEGER }),
  after: time,
  before: time,
  object: jsonObject,
};

/** Returns the long flag of a condition, by its name in the library. */
export function flagOf(name: string): `--${string}` {
  return `--${snakeCase(name).replaceAll('_', '-')}`;
}

/** Adds the options of conditions. `flags`: other flags for some conditions, by their names in the library. */
export function addConditions(command: Command, all: All, flags: Flags = {}): Command {
  for (const { parameter, name, kind, short, value, help, choices } of all) {
    if (help === undefined) continue;
    const flag = flags[name] ?? flagOf(name);
    const option = new Option(`${short ? `-${short}, ` : ''}${flag}${value ? ` <${value}>` : ''}`, help);
    const parse = choices ? oneOf(choices) : PARSERS[kind];
    if (choices) option.choices(choices);
    command.addOption(parse ? option.argParser<unknown>(parse) : option);
    if (parameter !== snakeCase(name)) alsoNamed(command, flag as `--${string}`, flagOf(parameter));
  }
  return command;
}

/** Returns the conditions that were given as options. */
export function conditionsOf<Values extends object>(options: Values, all: All): Values {
  const given = all.map(({ name }) => [name, options[name as keyof Values]]);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined)) as Values;
}

/** Describes conditions for a person: `status error`, `created in the last 2h`. */
export function conditionWords(conditions: object, all: All): string[] {
  const found = (key: string) => all.find(({ name }) => name === key);
  const given = conditions as Readonly<Record<string, unknown>>;
  const times = [...new Set(all.flatMap(({ event }) => event ?? []))].flatMap((event) => {
    const end = (kind: 'after' | 'before') => {
      const time = given[all.find((one) => one.event === event && one.kind === kind)?.name ?? ''];
      return time === undefined ? undefined : textOf(time);
    };
    return timeConditions(event, { after: end('after'), before: end('before') });
  });
  const others = Object.entries(given)
    .filter(([key]) => found(key)?.event === undefined)
    .map(([key, value]) => {
      const words = found(key)?.words ?? snakeCase(key).replaceAll('_', ' ');
      if (value === true) return words;
      if (Array.isArray(value)) return `${words} ${value.join(found(key)?.kind === 'texts' ? ' and ' : ' or ')}`;
      return `${words} ${textOf(value)}`;
    });
  return [...others, ...times];
}

/** Returns the options and values that pass conditions to another command, for a shell. `flags`: as for the options. */
export function conditionArguments(conditions: object, flags: Flags = {}): string[] {
  return Object.entries(conditions).flatMap(([key, value]: [string, unknown]) => {
    const flag = flags[key] ?? flagOf(key);
    if (value === undefined || value === false) return [];
    if (value === true) return [flag];
    return [value].flat().flatMap((one) => [flag, quoted(textOf(one))]);
  });
}

function textOf(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Quotes a word for a POSIX shell, if necessary. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** Accepts a time or an age. Keeps the text, so that the filter can be shown as it was typed. */
export function time(text: string): string {
  moment(text);
  return text.trim();
}

/** Returns a parser that accepts one of these words, in any case, and as `ManuallyResolved`. */
export function oneOf(words: readonly string[]): (text: string) => string {
  const plain = (text: string) => text.replaceAll('_', '').toLowerCase();
  return (text) => {
    const found = words.find((word) => plain(word) === plain(text));
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`it must be one of ${words.join(', ')}.`);
  };
}

/** Accepts a state, or several separated by commas. */
function collectStates(text: string, before: string[] = []): string[] {
  const states = text.split(',').map((word) => word.trim());
  for (const state of states) {
    if (VISIBLE_STATES.some((known) => known === state)) continue;
    throw new InvalidArgumentError(`${state} is not a task state; ${stateHint(state, VISIBLE_STATES)}`);
  }
  return [...before, ...states];
}

function jsonObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(`it must be a JSON object: ${(error as Error).message}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new InvalidArgumentError('it must be a JSON object, such as \'{"customer":"c1"}\'.');
}
