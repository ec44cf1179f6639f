import { type Command, Option } from 'commander';
import { addBulkOptions } from '../bulk/options.ts';
import { addOperator } from '../operator.ts';
import { collect, duration, lazily, seconds, timeWithZone, wholeNumber } from '../options.ts';
import { addPausing } from '../pause/commands.ts';
import { addElement } from '../step/element.ts';
import { addPageOptions, addTaskFilter } from '../task-filter.ts';

const PAGE = { least: 1, most: 1000 };
const PRIORITY = { least: -100, most: 100 };

/** `tasker task …` */
export function addTaskCommands(program: Command): void {
  const task = program.command('task').description('create, inspect and follow tasks, and act on one or many');
  addCreate(task);
  task
    .command('get <uuid>')
    .description('show a task and its steps')
    .action(lazily(async () => (await import('./get.ts')).taskGet));
  task
    .command('export <uuid>')
    .description('print a task with its steps, history, events and audit as one JSON document, for a bug report')
    .option('-o, --output <file>', 'write it to this file')
    .action(lazily(async () => (await import('./export.ts')).taskExport));
  addList(task);
  addTaskFilter(task.command('summary'), { acts: false })
    .description('count tasks by template and state, and group failures, retries and steps without a worker')
    .option('-l, --limit <number>', 'maximum number of groups (default: 10, with --json 100)', wholeNumber(PAGE))
    .action(lazily(async () => (await import('./summary.ts')).taskSummary));
  task
    .command('watch <uuid>')
    .description('follow a task until it ends; exits 2 if it is blocked by failures')
    .option('--timeout <seconds>', 'stop following after this time', seconds)
    .action(lazily(async () => (await import('./watch.ts')).taskWatch));
  addActs(task);
  addOperator(addElement(task.command('rerun <uuid>')))
    .description('run a step and everything after it again, even in a task that has ended')
    .requiredOption('-f, --from <step>', 'the first step: its name or id, or a batch_worker step for its whole batch')
    .option('--dry-run', 'only list what would run again')
    .action(lazily(async () => (await import('./rerun.ts')).taskRerun));
  addBulkOptions(task.command('undo [uuid...]'), { what: 'task' })
    .description('undo the completed steps of tasks in the reverse order, by the undo of their templates')
    .action(lazily(async () => (await import('./undo.ts')).taskUndo));
  addOperator(task.command('copy <uuid>'))
    .description('create a copy of a task; prints its id')
    .option('-i, --input <json>', 'a new context, as a JSON object; @file reads a file, - reads standard input')
    .option('-k, --idempotency-key <key>', 'with the same key, a copy is made only once')
    .action(lazily(async () => (await import('./copy.ts')).taskCopy));
  addOperator(task.command('start-now <uuid>'))
    .description('start a task now instead of at its start time')
    .action(lazily(async () => (await import('./start.ts')).taskStartNow));
  addOperator(task.command('reschedule <uuid>'))
    .description('change the start time of a task')
    .option('--at <time>', 'such as 2026-12-24T18:00:00+01:00', timeWithZone)
    .option('--in <duration>', 'from now, such as 90s, 15m, 2h, 7d or P1DT12H', duration)
    .action(lazily(async () => (await import('./start.ts')).taskReschedule));
  addPausing(task, 'task');
  task
    .command('why <uuid>')
    .description('explain why each step is in its state')
    .action(lazily(async () => (await import('./why.ts')).taskWhy));
  task
    .command('logs <uuid>')
    .description('show the log lines of all steps in order of time; by default only failed attempts are kept')
    .option('-c, --contains <text>', 'only lines whose message or fields contain this text')
    .action(lazily(async () => (await import('../step/logs.ts')).taskLogs));
  task
    .command('steps <uuid>')
    .description('same as `step list`')
    .action(lazily(async () => (await import('../step/steps.ts')).stepList));
}

function addList(task: Command): void {
  const list = task.command('list').description('find tasks by any of these conditions, newest first');
  addTaskFilter(list, { acts: false }).addOption(
    new Option('--sort <time>', 'time to sort by').choices(['created', 'ended', 'updated']).default('created'),
  );
  addPageOptions(list, 'tasks')
    .option('--before <uuid>', 'only tasks after this one in the order of the list')
    .action(lazily(async () => (await import('./list.ts')).taskList));
}

/** Commands that act on one task, or on many. */
function addActs(task: Command): void {
  addBulkOptions(task.command('cancel [uuid...]'), { what: 'task' })
    .description('cancel tasks that have not ended')
    .action(lazily(async () => (await import('./change.ts')).taskCancel));
  addBulkOptions(task.command('retry [uuid...]'), { what: 'task' })
    .description('retry the failed steps of tasks with all their attempts, and the waiting steps immediately')
    .action(lazily(async () => (await import('./change.ts')).taskRetry));
  addBulkOptions(task.command('resolve [uuid...]'), { what: 'task' })
    .description('end tasks by hand as resolved_manually; their open steps are cancelled')
    .action(lazily(async () => (await import('./change.ts')).taskResolve));
  addBulkOptions(task.command('delete [uuid...]'), { what: 'task' })
    .description('delete tasks that have ended, with their results and history; the audit stays')
    .action(lazily(async () => (await import('./change.ts')).taskDelete));
}

function addCreate(task: Command): void {
  task
    .command('create [name]')
    .description('create a task; prints its id')
    .option('--name <name>', 'name of the template, also accepted as the argument; may be namespace/name@version')
    .option(
      '-n, --namespace <namespace>',
      'namespace of the template; default: default, or the only one that has this template',
    )
    .option('-v, --template-version <version>', 'version of the template; default: its active version')
    .option('--context <json>', 'the same as --input')
    .option('-i, --input <json>', 'the context as a JSON object; @file reads a file, - reads standard input')
    .option('-p, --priority <number>', 'from -100 to 100; higher runs first', wholeNumber(PRIORITY))
    .option('-c, --correlation-id <uuid>', 'id that connects tasks and log lines')
    .option('-k, --idempotency-key <key>', 'requests with the same key create one task')
    .option('--return-existing', 'if the task already exists, print its id instead of an error')
    .option('-r, --reason <text>', 'reason, kept with the task')
    .option('-t, --tag <tag>', 'tag, kept with the task; may be repeated', collect)
    .option('--at <time>', 'start at this time, such as 2026-12-24T18:00:00+01:00', timeWithZone)
    .option('--in <duration>', 'start after this time, such as 90s, 15m, 2h, 7d or P1DT12H', duration)
    .option('-w, --wait', 'follow the task until it ends; exits like `task watch`')
    .option('--timeout <seconds>', 'with --wait: stop following after this time', seconds)
    .action(lazily(async () => (await import('./create.ts')).taskCreate));
}
