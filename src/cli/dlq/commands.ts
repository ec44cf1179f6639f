import { type Command, Option } from 'commander';
import {
  DEAD_LETTER_CONDITIONS,
  NAMED_DEAD_LETTER_CONDITIONS,
  NAMED_ENTRY_CONDITIONS,
} from '../../contract/filters/dead-letters.ts';
import { addConditions, oneOf, time } from '../conditions.ts';
import { addOperator } from '../operator.ts';
import { collect, lazily, wholeNumber } from '../options.ts';
import { addTaskFilter } from '../task-filter.ts';

const PAGE = wholeNumber({ least: 1, most: 1000 });
const PRIORITY = wholeNumber({ least: -100, most: 100 });
/** The states in which a dead letter can be closed. */
const OUTCOMES = DEAD_LETTER_CONDITIONS.status.choices.filter((status) => status !== 'pending' && status !== 'all');

/** `tasker dlq …` */
export function addDeadLetterCommands(program: Command): void {
  const dlq = program.command('dlq').description('manage dead letters: tasks that need a person to act');
  addReading(dlq);
  addActs(dlq);
  addRedrive(dlq);
}

function addReading(dlq: Command): void {
  const list = dlq.command('list').description('list the open dead letters, the most urgent first');
  addConditions(list, NAMED_DEAD_LETTER_CONDITIONS)
    .addOption(
      new Option('--sort <order>', 'priority: most urgent first; added: newest first').choices(['priority', 'added']),
    )
    .option('-l, --limit <number>', 'maximum number of dead letters', PAGE, 20)
    .option('--cursor <cursor>', 'next page: the cursor that the previous page printed')
    .action(lazily(async () => (await import('./list.ts')).dlqList));
  dlq
    .command('show <entry>')
    .alias('get')
    .description('show a dead letter, by its id or the id of its task: snapshot, notes and state')
    .action(lazily(async () => (await import('./show.ts')).dlqShow));
  dlq
    .command('stats')
    .description('count dead letters by reason')
    .option('-n, --namespace <namespace>', 'only dead letters of this namespace')
    .option('--name <name>', 'only dead letters of this template')
    .option(
      '--added-after <time>',
      'only dead letters added since a time (2026-01-31T12:00Z) or age (90s, 15m, 2h, 7d)',
      time,
    )
    .action(lazily(async () => (await import('./stats.ts')).dlqStats));
  dlq
    .command('staleness')
    .description('list open tasks with limits; tasks closest to exceeding a limit come first')
    .option('-l, --limit <number>', 'maximum number of tasks', PAGE, 20)
    .action(lazily(async () => (await import('./stats.ts')).dlqStaleness));
}

function addActs(dlq: Command): void {
  addIds(addOperator(dlq.command('add [task...]')))
    .description('add tasks to the dead letters by hand; the tasks do not change')
    .option('--assignee <name>', 'person or team responsible for them')
    .option('--priority <number>', 'from -100 to 100; higher is more urgent', PRIORITY)
    .action(lazily(async () => (await import('./change.ts')).dlqAdd));
  addIds(addOperator(dlq.command('assign [entry...]')))
    .description('assign dead letters to a person or team, or change their priority')
    .option('--to <name>', 'person or team')
    .option('--unassign', 'remove the assignee')
    .option('--priority <number>', 'from -100 to 100; higher is more urgent', PRIORITY)
    .action(lazily(async () => (await import('./change.ts')).dlqAssign));
  addOperator(dlq.command('note <entry> <text>'))
    .description('add a remark to a dead letter')
    .action(lazily(async () => (await import('./change.ts')).dlqNote));
  addIds(addOperator(dlq.command('resolve [entry...]')))
    .description('close dead letters; their tasks do not change')
    .addOption(closingStatus('outcome (default: manually_resolved)'))
    .option('-n, --notes <text>', 'description of the resolution')
    .action(lazily(async () => (await import('./change.ts')).dlqResolve));
  addIds(addOperator(dlq.command('update [entry...]')))
    .description('change fields of dead letters; with --status, also close them like `resolve`')
    .addOption(closingStatus('close the dead letters with this status'))
    .option('-n, --notes <text>', 'description of the resolution')
    .option('--assignee <name>', 'person or team responsible for them')
    .option('--priority <number>', 'from -100 to 100; higher is more urgent', PRIORITY)
    .action(lazily(async () => (await import('./change.ts')).dlqUpdate));
}

function addRedrive(dlq: Command): void {
  const redrive = addIds(addOperator(dlq.command('redrive [entry...]')))
    .description('run tasks of the dead letters again, selected by id or by a filter')
    .option('--all', 'all open dead letters')
    .option('--dry-run', 'only show what would be done')
    .option('-y, --yes', 'do not ask for confirmation');
  addConditions(addTaskFilter(redrive, { acts: true }), NAMED_ENTRY_CONDITIONS).action(
    lazily(async () => (await import('./redrive.ts')).dlqRedrive),
  );
}

function addIds(command: Command): Command {
  return command
    .option('--id <id>', 'id of a dead letter or its task; may be repeated', collect)
    .option('--ids <source>', '- reads ids from standard input, one per line');
}

function closingStatus(description: string): Option {
  return new Option('-s, --status <status>', description).choices(OUTCOMES).argParser(oneOf(OUTCOMES));
}
