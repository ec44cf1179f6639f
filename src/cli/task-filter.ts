import { type Command, InvalidArgumentError, Option } from 'commander';
import { snakeCase } from '../app/json/views.ts';
import { stateHint, VISIBLE_STATES } from '../app/list-options.ts';
import type { TaskFilter } from '../app/operator-types.ts';
import { NAMED_FILTER_FIELDS, type NamedFilterField, type TaskFilterValues } from '../contract/task-filter-fields.ts';
import { oneLine } from '../logging/terminal/shown-text.ts';
import { alsoNamed, collect, moment, wholeNumber } from './options.ts';
import { timeConditions } from './show/time-conditions.ts';

/**
 * The options that {@link addTaskFilter} adds, as commander returns them. On a command that acts, `--reason` is the reason
 * of the action, and `--task-reason` is the condition.
 */
export type TaskFilterOptions = TaskFilterValues & { taskReason?: string };

type Parse = (text: string, before: unknown) => unknown;

/** The parser of an option, by the kind of its condition. Others take the text, or nothing. */
const PARSERS: Partial<Record<NamedFilterField['kind'], Parse>> = {
  texts: collect as Parse,
  states: collectStates as Parse,
  time,
  object: jsonObject,
};

const OPTIONS = NAMED_FILTER_FIELDS.filter(({ help }) => help !== undefined);

/** The events with conditions on their time, such as `created`. */
const EVENTS = OPTIONS.flatMap(({ kind, name }) => (kind === 'time' ? (/^(.*)After$/.exec(name)?.slice(1) ?? []) : []));

/** Adds the options that select tasks. `acts`: whether the command has its own `--reason`. */
export function addTaskFilter(command: Command, { acts }: { acts: boolean }): Command {
  for (const { parameter, name, kind, short, value, help } of OPTIONS) {
    const flag = optionOf(name, { acts });
    const option = new Option(`${short ? `-${short}, ` : ''}${flag}${value ? ` <${value}>` : ''}`, help);
    const parse = PARSERS[kind];
    command.addOption(parse ? option.argParser<unknown>(parse) : option);
    if (parameter === snakeCase(name)) continue;
    alsoNamed(command, flag, `--${kebabCase(parameter)}`);
  }
  return command;
}

/** Returns the filter of a command's options, with only the conditions that were given. */
export function taskFilterOf(options: TaskFilterOptions, { acts }: { acts: boolean }): TaskFilter {
  const given = OPTIONS.map(({ name }) => [name, acts && name === 'reason' ? options.taskReason : options[name]]);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined)) as TaskFilter;
}

/** Describes a filter for a person: `status blocked_by_failures, name fulfil`. Empty if there is no condition. */
export function describeFilter(filter: TaskFilter): string {
  const given = filter as Readonly<Record<string, unknown>>;
  const textOf = (time: unknown) => (time instanceof Date ? time.toISOString() : (time as string | undefined));
  const times = EVENTS.flatMap((event) =>
    timeConditions(event, { after: textOf(given[`${event}After`]), before: textOf(given[`${event}Before`]) }),
  );
  const kindOf = (key: string) => OPTIONS.find(({ name }) => name === key)?.kind;
  const others = Object.entries(given)
    .filter(([key]) => kindOf(key) !== 'time')
    .map(([key, value]) => {
      const words = snakeCase(key).replaceAll('_', ' ');
      if (value === true) return words;
      if (Array.isArray(value)) return `${words} ${value.join(kindOf(key) === 'texts' ? ' and ' : ' or ')}`;
      return `${words} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`;
    });
  return oneLine([...others, ...times].join(', '));
}

/** Returns the options and values that pass this filter to another command, for a shell. */
export function filterArguments(filter: TaskFilter, { acts }: { acts: boolean }): string[] {
  return Object.entries(filter).flatMap(([key, value]) => {
    const option = optionOf(key, { acts });
    if (value === true) return [option];
    return [value]
      .flat()
      .flatMap((one) => [option, quoted(typeof one === 'object' ? JSON.stringify(one) : String(one))]);
  });
}

function optionOf(name: string, { acts }: { acts: boolean }): `--${string}` {
  return acts && name === 'reason' ? '--task-reason' : `--${kebabCase(snakeCase(name))}`;
}

const kebabCase = (name: string) => name.replaceAll('_', '-');

/** Quotes a word for a POSIX shell, if necessary. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

const PAGE_SIZE = 20;

/** Options of the commands that show a page of a search. */
export interface PageOptions {
  sort?: string;
  order?: 'asc' | 'desc';
  limit: number;
  cursor?: string;
}

/** Adds the options that select a page. */
export function addPageOptions(command: Command, what: string): Command {
  return command
    .addOption(new Option('--order <order>', 'asc: oldest first; desc: newest first').choices(['asc', 'desc']))
    .option('-l, --limit <number>', `maximum number of ${what}`, wholeNumber({ least: 1, most: 1000 }), PAGE_SIZE)
    .option('--cursor <cursor>', 'next or previous page: the cursor that a page shows');
}

/** Returns the options and values that pass the order and the size of this page to another command. */
export function pageArguments({ sort, order, limit }: PageOptions): string[] {
  return [
    ...(sort === undefined || sort === 'created' ? [] : ['--sort', sort]),
    ...(order === undefined ? [] : ['--order', order]),
    ...(limit === PAGE_SIZE ? [] : ['--limit', String(limit)]),
  ];
}

/** Accepts a time or an age. Keeps the text, so that the filter can be shown as it was typed. */
export function time(text: string): string {
  moment(text);
  return text.trim();
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
