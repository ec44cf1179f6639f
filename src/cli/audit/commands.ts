import type { Command } from 'commander';
import { NAMED_AUDIT_CONDITIONS } from '../../contract/filters/audit.ts';
import { addConditions } from '../conditions.ts';
import { lazily, wholeNumber } from '../options.ts';

/** `tasker audit …` */
export function addAuditCommands(program: Command): void {
  const list = program
    .command('audit')
    .description('list the actions of operators')
    .command('list')
    .description('list actions of operators and lifecycles, newest first');
  addConditions(list, NAMED_AUDIT_CONDITIONS)
    .option('--each', 'list every action of bulk actions, instead of one line for each bulk action')
    .option('-l, --limit <number>', 'maximum number of actions', wholeNumber({ least: 1, most: 1000 }), 20)
    .option('--cursor <cursor>', 'next page: the cursor that the previous page printed')
    .action(lazily(async () => (await import('./list.ts')).auditList));
}
