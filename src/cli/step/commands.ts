import type { Command } from 'commander';
import { MOST_ELEMENTS } from '../../model/for-each.ts';
import { addBulkOptions } from '../bulk/options.ts';
import { addOperator } from '../operator.ts';
import { lazily, wholeNumber } from '../options.ts';
import { addPageOptions, addTaskFilter } from '../task-filter.ts';
import { addElement } from './element.ts';

/** `tasker step …` */
export function addStepCommands(program: Command): void {
  const step = program.command('step').description('inspect steps, and retry, reset, resolve or complete them');
  const list = step
    .command('list [task]')
    .description('list the steps of a task, or find steps of all tasks by any of these conditions');
  list.option(
    '--element <number>',
    'only the steps of the task that run for this element of a for_each, from 0',
    wholeNumber({ least: 0, most: MOST_ELEMENTS - 1 }),
  );
  addPageOptions(addTaskFilter(list, { acts: false }), 'steps').action(
    lazily(async () => (await import('./list.ts')).stepListOrSearch),
  );
  addElement(step.command('get <task> <step>'))
    .description('show a step, its result and its last error')
    .action(lazily(async () => (await import('./steps.ts')).stepGet));
  addElement(step.command('history <task> [step]'))
    .description('list every attempt and operator action')
    .action(lazily(async () => (await import('./steps.ts')).stepHistory));
  addElement(step.command('logs <task> <step>'))
    .description('show the log lines of the handler; by default only failed attempts are kept')
    .option('--attempt <number>', 'only this attempt', wholeNumber({ least: 1, most: 2_147_483_647 }))
    .action(lazily(async () => (await import('./logs.ts')).stepLogs));
  addBulkOptions(addElement(step.command('retry [task] [step]')), { what: 'step' })
    .description('retry failed steps with all their attempts, and steps that wait for a retry immediately')
    .action(lazily(async () => (await import('./act-on-step.ts')).stepRetry));
  addBulkOptions(addElement(step.command('reset [task] [step]')), { what: 'step' })
    .description('return failed steps to the queue with a full set of attempts')
    .action(lazily(async () => (await import('./act-on-step.ts')).stepReset));
  addBulkOptions(addElement(step.command('resolve [task] [step]')), { what: 'step' })
    .description('mark steps as resolved manually; their children continue')
    .option('--result <json>', 'the result that the children read; @file reads a file, - reads standard input')
    .action(lazily(async () => (await import('./act-on-step.ts')).stepResolve));
  addOperator(addElement(step.command('complete <task> <step>')))
    .description('complete a step with a result, or correct the result of a completed step')
    .requiredOption('--result <json>', 'the result that its children read; @file reads a file, - reads standard input')
    .action(lazily(async () => (await import('./act-on-step.ts')).stepComplete));
}
