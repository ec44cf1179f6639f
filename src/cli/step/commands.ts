import type { Command } from 'commander';
import { lazily } from '../options.ts';

/** `tasker step …` */
export function addStepCommands(program: Command): void {
  const step = program.command('step').description('look at steps, and act on those that failed');
  step
    .command('list <task>')
    .description('the steps of a task')
    .action(lazily(async () => (await import('./steps.ts')).stepList));
  step
    .command('get <task> <step>')
    .description('a step, its result and its last error')
    .action(lazily(async () => (await import('./steps.ts')).stepGet));
  step
    .command('history <task> [step]')
    .description('every attempt, and what operators did')
    .action(lazily(async () => (await import('./steps.ts')).stepHistory));
  acting(step.command('reset <task> <step>'))
    .description('send a failed step back to the queue with all its attempts')
    .action(lazily(async () => (await import('./act-on-step.ts')).stepReset));
  acting(step.command('resolve <task> <step>'))
    .description('declare a step done by hand; its children go on')
    .option('--result <json>', 'what its children read; @file reads a file, - standard input')
    .action(lazily(async () => (await import('./act-on-step.ts')).stepResolve));
  acting(step.command('complete <task> <step>'))
    .description('complete a step with a result, or correct the result of one that is done')
    .requiredOption('--result <json>', 'what its children read; @file reads a file, - standard input')
    .action(lazily(async () => (await import('./act-on-step.ts')).stepComplete));
}

function acting(command: Command): Command {
  return command.option('-r, --reason <text>', 'kept in the history').option('-b, --by <name>', 'who does it', 'cli');
}
