import type { Command } from 'commander';
import { addOperator } from '../operator.ts';
import { lazily, wholeNumber } from '../options.ts';

const ID = wholeNumber({ least: 1, most: 2 ** 53 - 1 });

/** `tasker bulk …` */
export function addBulkCommands(program: Command): void {
  const bulk = program.command('bulk').description('follow, stop and resume bulk acts');
  bulk
    .command('list')
    .description('list bulk acts, newest first')
    .option('-l, --limit <number>', 'maximum number of bulk acts', wholeNumber({ least: 1, most: 1000 }), 20)
    .option('--before <id>', 'next page: only bulk acts before this one', ID)
    .action(lazily(async () => (await import('./manage.ts')).bulkList));
  bulk
    .command('show')
    .argument('<id>', 'number of the bulk act', ID)
    .description('show a bulk act, and the items that were skipped or failed')
    .action(lazily(async () => (await import('./manage.ts')).bulkShow));
  addOperator(bulk.command('stop'))
    .argument('<id>', 'number of the bulk act', ID)
    .description('stop a bulk act after the transaction in progress')
    .action(lazily(async () => (await import('./manage.ts')).bulkStop));
  addOperator(bulk.command('resume'))
    .argument('<id>', 'number of the bulk act', ID)
    .description('continue a bulk act that was stopped or killed; nothing is done twice')
    .action(lazily(async () => (await import('./manage.ts')).bulkResume));
}
