import type { Command } from 'commander';
import { optionsOf } from '../options.ts';

/** `tasker step …` */
export function addStepCommands(program: Command): void {
  const step = program.command('step').description('look at steps, and act on those that failed');
  step
    .command('list <task>')
    .description('the steps of a task')
    .action(async (task: string, _options, command: Command) =>
      (await import('./list.ts')).stepList(task, optionsOf(command)),
    );
  step
    .command('get <task> <step>')
    .description('a step, its result and its last error')
    .action(async (task: string, name: string, _options, command: Command) =>
      (await import('./get.ts')).stepGet({ task, step: name }, optionsOf(command)),
    );
  step
    .command('history <task> [step]')
    .description('every attempt, and what operators did')
    .action(async (task: string, name: string | undefined, _options, command: Command) =>
      (await import('./history.ts')).stepHistory({ task, step: name }, optionsOf(command)),
    );
  acting(step.command('reset <task> <step>'))
    .description('send a failed step back to the queue with all its attempts')
    .action(async (task: string, name: string, _options, command: Command) =>
      (await import('./reset.ts')).stepReset({ task, step: name }, optionsOf(command)),
    );
  acting(step.command('resolve <task> <step>'))
    .description('declare a step done by hand; its children go on')
    .option('--result <json>', 'what its children read; @file reads a file, - standard input')
    .action(async (task: string, name: string, _options, command: Command) =>
      (await import('./resolve.ts')).stepResolve({ task, step: name }, optionsOf(command)),
    );
  acting(step.command('complete <task> <step>'))
    .description('complete a step with a result, or correct the result of one that is done')
    .requiredOption('--result <json>', 'what its children read; @file reads a file, - standard input')
    .action(async (task: string, name: string, _options, command: Command) =>
      (await import('./complete.ts')).stepComplete({ task, step: name }, optionsOf(command)),
    );
}

function acting(command: Command): Command {
  return command.option('-r, --reason <text>', 'kept in the history').option('-b, --by <name>', 'who does it', 'cli');
}
