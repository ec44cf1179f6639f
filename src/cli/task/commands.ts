import { type Command, InvalidArgumentError, Option } from 'commander';
import { meantState } from '../../app/list-options.ts';
import { collect, lazily, seconds, wholeNumber } from '../options.ts';

const PRIORITY = { least: -100, most: 100 };
/** Where tasks are found; the others are passed within a transaction. */
const STATES = [
  'pending',
  'steps_in_process',
  'waiting_for_retry',
  'blocked_by_failures',
  'complete',
  'error',
  'cancelled',
  'resolved_manually',
];
const PAGE = { least: 1, most: 1000 };

/** `tasker task …` */
export function addTaskCommands(program: Command): void {
  const task = program.command('task').description('create, look at and cancel tasks');
  addCreate(task);
  task
    .command('get <uuid>')
    .description('a task and its steps')
    .action(lazily(async () => (await import('./get.ts')).taskGet));
  task
    .command('list')
    .description('tasks, the newest first')
    .option('-n, --namespace <namespace>', 'only of this namespace')
    .option('--name <name>', 'only of this template')
    .addOption(new Option('-s, --status <state>', 'only in this state').choices(STATES).argParser(knownState))
    .option('--open', 'only those that have not ended')
    .option('--stale', 'only those that stand longer than their lifecycle allows')
    .option('-l, --limit <number>', 'at most so many', wholeNumber(PAGE), 20)
    .option('--before <uuid>', 'page on: only those created before this one')
    .action(lazily(async () => (await import('./list.ts')).taskList));
  task
    .command('watch <uuid>')
    .description('follow a task until it ends; exits 2 when it rests blocked by failures')
    .option('--timeout <seconds>', 'give up after so long', seconds)
    .action(lazily(async () => (await import('./watch.ts')).taskWatch));
  task
    .command('cancel <uuid>')
    .description('cancel a task that has not ended')
    .option('-r, --reason <text>', 'kept in its history')
    .option('-b, --by <name>', 'who does it', 'cli')
    .action(lazily(async () => (await import('./cancel.ts')).taskCancel));
  task
    .command('why <uuid>')
    .description('why each step is where it is, and what it waits for')
    .action(lazily(async () => (await import('./why.ts')).taskWhy));
  task
    .command('steps <uuid>')
    .description('the same as `step list`')
    .action(lazily(async () => (await import('../step/steps.ts')).stepList));
}

function knownState(word: string): string {
  if (STATES.includes(word)) return word;
  const near = meantState(word, STATES);
  const hint = near === undefined ? `the states are ${STATES.join(', ')}` : `did you mean ${near}?`;
  throw new InvalidArgumentError(`${word} is not a task state; ${hint}`);
}

function addCreate(task: Command): void {
  task
    .command('create [name]')
    .description('create a task; prints its id')
    .option('--name <name>', 'the template; also as the argument, and as namespace/name@version')
    .option('-n, --namespace <namespace>', 'default: default, or the only namespace that has this template')
    .option('-v, --template-version <version>', 'default: 1.0.0, or the only version of this template')
    .option('-i, --input <json>', 'the context, a JSON object; @file reads a file, - standard input')
    .option('-p, --priority <number>', 'from -100 to 100, higher first', wholeNumber(PRIORITY))
    .option('-c, --correlation-id <uuid>', 'ties logs and tasks together')
    .option('-k, --idempotency-key <key>', 'the same key is the same task')
    .option('--return-existing', 'when the task is there already, print its id instead of an error')
    .option('-r, --reason <text>', 'kept with the task')
    .option('-t, --tag <tag>', 'kept with the task; may be repeated', collect)
    .option('-w, --wait', 'follow it until it ends; exits as `task watch`')
    .option('--timeout <seconds>', 'with --wait: give up after so long', seconds)
    .action(lazily(async () => (await import('./create.ts')).taskCreate));
}
