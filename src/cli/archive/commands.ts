import type { Command } from 'commander';
import { addOperator } from '../operator.ts';
import { collect, lazily, wholeNumber } from '../options.ts';

/** `tasker archive …` */
export function addArchiveCommands(program: Command): void {
  const archive = program
    .command('archive')
    .description('list and restore the tasks that `tasker db prune --archive` wrote to files');
  archive
    .command('show <file...>')
    .description('list the tasks of archive files, or show one of them; needs no database')
    .option('--task <uuid>', 'show this task with its steps, history and events')
    .option('-l, --limit <number>', 'maximum number of tasks to list', wholeNumber({ least: 1, most: 1_000_000 }), 20)
    .action(lazily(async () => (await import('./show.ts')).archiveShow));
  addOperator(
    archive
      .command('restore <file...>')
      .description('restore the tasks of archive files under their ids; existing tasks are not changed')
      .option('--task <uuid>', 'only this task; may be repeated', collect),
  ).action(lazily(async () => (await import('./restore.ts')).archiveRestore));
}
