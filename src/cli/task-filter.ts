import { type Command, InvalidArgumentError, Option } from 'commander';
import { stateHint, TASK_FILTER_KEYS, VISIBLE_STATES } from '../app/list-options.ts';
import type { TaskFilter } from '../app/operator-types.ts';
import { oneLine } from '../logging/terminal/shown-text.ts';
import { alsoNamed, collect, moment, wholeNumber } from './options.ts';
import { timeConditions } from './show/time-conditions.ts';

/** The options that {@link addTaskFilter} adds, as commander returns them. */
export interface TaskFilterOptions {
  namespace?: string;
  name?: string;
  templateVersion?: string;
  status?: string[];
  open?: boolean;
  ended?: boolean;
  stale?: boolean;
  tag?: string[];
  initiator?: string;
  source?: string;
  /** On a command that acts, `--reason` is the reason of the action, and `--task-reason` is this condition. */
  reason?: string;
  taskReason?: string;
  correlationId?: string;
  parentCorrelationId?: string;
  key?: string;
  createdAfter?: string;
  createdBefore?: string;
  endedAfter?: string;
  endedBefore?: string;
  updatedAfter?: string;
  updatedBefore?: string;
  context?: Record<string, unknown>;
  step?: string;
  stepState?: string;
  handler?: string;
  errorType?: string;
  error?: string;
  worker?: string;
}

const EVENTS = ['created', 'ended', 'updated'] as const;

/** Adds the options that select tasks. `acts`: whether the command has its own `--reason`. */
export function addTaskFilter(command: Command, { acts }: { acts: boolean }): Command {
  command
    .option('-n, --namespace <namespace>', 'only tasks of this namespace')
    .option('--name <name>', 'only tasks of this template')
    .option('--template-version <version>', 'only tasks of this version, or range such as ">=1.2.0 <2.0.0"')
    .addOption(new Option('-s, --status <state>', 'only tasks in this state; may be repeated').argParser(collectStates))
    .option('--open', 'only tasks that have not ended')
    .option('--ended', 'only tasks that have ended')
    .option('--stale', 'only tasks that exceed a limit of their lifecycle')
    .option('--tag <tag>', 'only tasks with this tag; may be repeated', collect)
    .option('--initiator <name>', 'only tasks of this initiator')
    .option('--source <name>', 'only tasks of this source system')
    .option(acts ? '--task-reason <text>' : '--reason <text>', 'only tasks that were created with this reason')
    .option('--correlation-id <uuid>', 'only tasks with this correlation id')
    .option('--parent-correlation-id <uuid>', 'only tasks with this parent correlation id')
    .option('--key <key>', 'only tasks with this idempotency key');
  alsoNamed(command, '--status', '--state');
  for (const event of EVENTS) {
    command
      .option(
        `--${event}-after <time>`,
        `only tasks ${event} since a time (2026-01-31T12:00Z, yesterday) or age (90s, 15m, 2h, 24h30m, 7d)`,
        time,
      )
      .option(`--${event}-before <time>`, `only tasks ${event} before a time or age`, time);
  }
  return command
    .option('--context <json>', 'only tasks whose context contains this JSON object; slow', jsonObject)
    .option('--step <name>', 'only tasks with this step; the options below then apply to it')
    .option('--step-state <state>', 'only tasks with a step in this state')
    .option('--handler <name>', 'only tasks with a step of this handler')
    .option('--error-type <type>', 'only tasks with a step that failed with this error type')
    .option('--error <text>', 'only tasks with a step whose error contains this text; slow')
    .option('--worker <name>', 'only tasks with a step that this worker runs, or that failed there last');
}

/** Returns the filter of a command's options, with only the conditions that were given. */
export function taskFilterOf(options: TaskFilterOptions, { acts }: { acts: boolean }): TaskFilter {
  const given: Record<string, unknown> = {};
  for (const key of TASK_FILTER_KEYS) {
    const value = key === 'reason' && acts ? options.taskReason : options[key];
    if (value !== undefined) given[key] = value;
  }
  return given;
}

/** Describes a filter for a person: `status blocked_by_failures, name fulfil`. Empty if there is no condition. */
export function describeFilter(filter: TaskFilter): string {
  const textOf = (time: string | Date | undefined) => (time instanceof Date ? time.toISOString() : time);
  const times = EVENTS.flatMap((event) =>
    timeConditions(event, { after: textOf(filter[`${event}After`]), before: textOf(filter[`${event}Before`]) }),
  );
  const others = Object.entries(filter)
    .filter(([key]) => !/^(created|ended|updated)(After|Before)$/.test(key))
    .map(([key, value]) => {
      const words = key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
      if (value === true) return words;
      if (Array.isArray(value)) return `${words} ${value.join(key === 'tag' ? ' and ' : ' or ')}`;
      return `${words} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`;
    });
  return oneLine([...others, ...times].join(', '));
}

/** Returns the options and values that pass this filter to another command, for a shell. */
export function filterArguments(filter: TaskFilter, { acts }: { acts: boolean }): string[] {
  return Object.entries(filter).flatMap(([key, value]) => {
    const option = acts && key === 'reason' ? '--task-reason' : optionOf(key);
    if (value === true) return [option];
    return [value]
      .flat()
      .flatMap((one) => [option, quoted(typeof one === 'object' ? JSON.stringify(one) : String(one))]);
  });
}

function optionOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

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
