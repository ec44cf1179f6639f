import type { Command } from 'commander';
import { addOperator } from '../operator.ts';
import { lazily, wholeNumber } from '../options.ts';

const ID = wholeNumber({ least: 1, most: 2 ** 53 - 1 });

/** `tasker bulk …` */
export function addBulkCommands(program: Command): void {
  const bulk = program.command('bulk').description('follow, stop and resume bulk actions');
  bulk
    .command('list')
    .description('list bulk actions, newest first')
    .option('-l, --limit <number>', 'maximum number of bulk actions', wholeNumber({ least: 1, most: 1000 }), 20)
    .option('--before <id>', 'next page: only bulk actions before this one', ID)
    .action(lazily(async () => (await import('./manage.ts')).bulkList));
  bulk
    .command('show')
    .argument('<id>', 'number of the bulk action', ID)
    .description('show a bulk action, and the items that were skipped or failed')
    .action(lazily(async () => (await import('./manage.ts')).bulkShow));
  addOperator(bulk.command('stop'))
    .argument('<id>', 'number of the bulk action', ID)
    .description('stop a bulk action after the transaction in progress')
    .action(lazily(async () => (await import('./manage.ts')).bulkStop));
  addOperator(bulk.command('resume'))
    .argument('<id>', 'number of the bulk action', ID)
    .description('continue a bulk action that was stopped or killed; finished items are not repeated')
    .action(lazily(async () => (await import('./manage.ts')).bulkResume));
}
