import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import type { Tasker } from '../../app/tasker.ts';
import { TaskerError } from '../../errors.ts';
import { addOperator, type OperatorFlags } from '../operator.ts';
import { collect, type GlobalOptions } from '../options.ts';
import { addTaskFilter, type TaskFilterOptions, taskFilterOf } from '../task-filter.ts';
import { thisRun } from '../this-run.ts';

/** Options of a command that acts on one or many tasks or steps. */
export interface BulkCommandOptions extends GlobalOptions, OperatorFlags, Omit<TaskFilterOptions, 'reason'> {
  id?: string[];
  ids?: string;
  dryRun?: boolean;
  yes?: boolean;
}

/** The target, in the form that the library's bulk verbs take. */
export type Target = Parameters<Tasker['bulk']['retry']>[0];
type Step = { taskUuid: string; step: string };

/** Adds the options of a command that acts on named items, or on the items that a filter finds. */
export function addBulkOptions(command: Command, { what }: { what: 'task' | 'step' }): Command {
  const named = what === 'task' ? 'id of a task' : 'id of a step, or TASK/STEP';
  command
    .option('--id <id>', `${named}; may be repeated`, collect)
    .option('--ids <source>', '- reads ids from standard input, one per line')
    .option('--dry-run', 'only show what would be done')
    .option('-y, --yes', 'do not ask for confirmation');
  return addTaskFilter(addOperator(command), { acts: true });
}

/** Returns the ids passed to a command, from all sources. */
export async function readIds(given: readonly string[], { id = [], ids }: BulkCommandOptions): Promise<string[]> {
  if (ids !== undefined && ids !== '-') {
    throw new TaskerError(
      'bad_request',
      `--ids accepts only - (standard input), got ${ids}; for one item use --id ${ids}`,
    );
  }
  const lines = ids === undefined ? [] : (await text(thisRun().stdin)).split('\n').map((line) => line.trim());
  return [...given, ...id, ...lines.filter((line) => line !== '')];
}

/** Returns the target of a command. @throws TaskerError `bad_request` if it has both items and a filter, or neither */
export function targetOf(
  what: 'task' | 'step',
  { ids, steps = [], options }: { ids: readonly string[]; steps?: readonly Step[]; options: BulkCommandOptions },
): Target {
  const filter = taskFilterOf(options, { acts: true });
  const filtered = Object.keys(filter).length > 0;
  const named = ids.length + steps.length > 0 || options.ids !== undefined;
  if (filtered && named) {
    throw new TaskerError('bad_request', `pass the ids of ${what}s or a filter, not both`);
  }
  if (filtered) return filter;
  if (!named) {
    const positional = what === 'task' ? 'its id' : 'TASK STEP';
    throw new TaskerError(
      'bad_request',
      `no ${what} was given; pass ${positional}, --id, --ids - or a filter such as --error-type timeout`,
    );
  }
  return what === 'task' ? { ids } : { steps: [...steps, ...ids.map(stepOf)] };
}

/** Reads `TASK/STEP`, `TASK STEP`, or the id of a step. */
function stepOf(given: string): string | Step {
  const [, taskUuid, step] = /^([^\s/]+)[\s/]+(.+)$/.exec(given) ?? [];
  return taskUuid === undefined || step === undefined ? given : { taskUuid, step };
}
