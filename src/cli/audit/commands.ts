import { type Command, Option } from 'commander';
import { lazily, wholeNumber } from '../options.ts';

const DOORS = ['library', 'cli', 'rest', 'lifecycle', 'policy'];

/** `tasker audit …` */
export function addAuditCommands(program: Command): void {
  program
    .command('audit')
    .description('list the actions of operators')
    .command('list')
    .description('list actions of operators and lifecycles, newest first')
    .option('--actor <name>', 'only actions of this operator')
    .option('--action <action>', 'only these actions, such as cancel, retry, resolve, delete or replay_events')
    .addOption(new Option('--door <door>', 'only actions from this origin, such as cli or rest').choices(DOORS))
    .option('--after <time>', 'only actions after a time (2026-01-31T12:00Z) or age (90s, 15m, 2h, 7d)')
    .option('--before <time>', 'only actions before a time or age')
    .option('--task <uuid>', 'only actions on this task, which may have been deleted')
    .option('--bulk <number>', 'every action of this bulk action', wholeNumber({ least: 1, most: 2 ** 53 - 1 }))
    .option('--target <name>', 'only actions on this object, such as "event group receipts"')
    .option('--each', 'list every action of bulk actions, instead of one line for each bulk action')
    .option('-l, --limit <number>', 'maximum number of actions', wholeNumber({ least: 1, most: 1000 }), 20)
    .option('--cursor <cursor>', 'next page: the cursor that the previous page printed')
    .action(lazily(async () => (await import('./list.ts')).auditList));
}
