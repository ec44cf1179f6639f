import { type Command, Option } from 'commander';
import type { TaskFilter } from '../app/operator-types.ts';
import { NAMED_TASK_CONDITIONS, type TaskConditionValues } from '../contract/filters/tasks.ts';
import { oneLine } from '../logging/terminal/shown-text.ts';
import { addConditions, conditionArguments, conditionsOf, conditionWords } from './conditions.ts';
import { wholeNumber } from './options.ts';

/**
 * The options that {@link addTaskFilter} adds, as commander returns them. On a command that acts, `--reason` is the reason
 * of the action, and `--task-reason` is the condition.
 */
export type TaskFilterOptions = TaskConditionValues & { taskReason?: string };

/** The flags of a command with its own `--reason`. */
const ACTS = { reason: '--task-reason' } as const;

/** Adds the options that select tasks. `acts`: whether the command has its own `--reason`. */
export function addTaskFilter(command: Command, { acts }: { acts: boolean }): Command {
  return addConditions(command, NAMED_TASK_CONDITIONS, acts ? ACTS : {});
}

/** Returns the filter of a command's options, with only the conditions that were given. */
export function taskFilterOf(options: TaskFilterOptions, { acts }: { acts: boolean }): TaskFilter {
  const { taskReason: reason } = options;
  return conditionsOf(acts ? { ...options, reason } : options, NAMED_TASK_CONDITIONS) as TaskFilter;
}

/** Describes a filter for a person: `status blocked_by_failures, name fulfil`. Empty if there is no condition. */
export function describeFilter(filter: TaskFilter): string {
  return oneLine(conditionWords(filter, NAMED_TASK_CONDITIONS).join(', '));
}

/** Returns the options and values that pass this filter to another command, for a shell. */
export function filterArguments(filter: TaskFilter, { acts }: { acts: boolean }): string[] {
  return conditionArguments(filter, acts ? ACTS : {});
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
