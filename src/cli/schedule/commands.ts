import { type Command, Option } from 'commander';
import { addOperator } from '../operator.ts';
import { collect, lazily, moment, wholeNumber } from '../options.ts';

const PAGE = wholeNumber({ least: 1, most: 1000 });
const PRIORITY = wholeNumber({ least: -100, most: 100 });

/** `tasker schedule …` */
export function addScheduleCommands(program: Command): void {
  const schedule = program.command('schedule').description('manage schedules, which create tasks at their due times');
  schedule
    .command('list')
    .description('list schedules with their next due times and last outcomes')
    .addOption(new Option('--state <state>', 'only schedules in this state').choices(['active', 'paused', 'over']))
    .option('--source <name>', 'only schedules from the files of this package')
    .option('-l, --limit <number>', 'maximum number of schedules', PAGE, 100)
    .option('--after <name>', 'next page: only schedules after this name')
    .action(lazily(async () => (await import('./list.ts')).scheduleList));
  schedule
    .command('show <name>')
    .alias('get')
    .description('show a schedule, its next due times and its last outcomes')
    .option('-l, --limit <number>', 'maximum number of past due times', PAGE, 20)
    .action(lazily(async () => (await import('./list.ts')).scheduleShow));
  addOperator(addSettings(schedule.command('create <name>').description('create a schedule')))
    .requiredOption('-t, --template <template>', 'namespace/name@version, or namespace/name@latest')
    .option('--paused', 'create the schedule in the paused state')
    .action(lazily(async () => (await import('./change.ts')).scheduleCreate));
  addOperator(addSettings(schedule.command('update <name>').description('change the given settings of a schedule')))
    .option('-t, --template <template>', 'namespace/name@version, or namespace/name@latest')
    .option('--unset <setting>', 'remove a setting, such as end or jitter; may be repeated', collect)
    .action(lazily(async () => (await import('./change.ts')).scheduleUpdate));
  addActs(schedule);
}

function addActs(schedule: Command): void {
  addOperator(schedule.command('pause <name>'))
    .description('pause a schedule; its open tasks continue')
    .action(lazily(async () => (await import('./change.ts')).schedulePause));
  addOperator(schedule.command('resume <name>'))
    .description('resume a schedule; due times during the pause get no task')
    .action(lazily(async () => (await import('./change.ts')).scheduleResume));
  addOperator(schedule.command('trigger <name>'))
    .description('create a task of a schedule now; prints its id')
    .option('-i, --input <json>', 'context of this task, as a JSON object; @file reads a file, - reads standard input')
    .option('-k, --idempotency-key <key>', 'with the same key, a task is created only once')
    .action(lazily(async () => (await import('./change.ts')).scheduleTrigger));
  addOperator(schedule.command('backfill <name>'))
    .description('create the tasks of past due times that have none')
    .requiredOption('--from <time>', 'first time, such as 2026-01-01T00:00Z, or an age such as 7d; inclusive', moment)
    .requiredOption(
      '--to <time>',
      'last time, such as 2026-01-31T00:00Z, or an age such as 1h; inclusive, at most now',
      moment,
    )
    .option('--dry-run', 'only list the due times')
    .action(lazily(async () => (await import('./backfill.ts')).scheduleBackfill));
  addOperator(schedule.command('delete <name>'))
    .description('delete a schedule, but not its tasks')
    .option('-y, --yes', 'do not ask for confirmation')
    .action(lazily(async () => (await import('./change.ts')).scheduleDelete));
  addOperator(schedule.command('apply [path...]'))
    .description(
      'create and update the schedules of a package from its files (default: ./schedules), and pause the others',
    )
    .option('--source <name>', 'name of the package; default: schedules.source, otherwise the name in package.json')
    .option('--dry-run', 'only show what would change')
    .action(lazily(async () => (await import('./apply.ts')).scheduleApply));
}

/** A duration without a unit is in seconds, as in files. */
function secondsOrText(text: string): number | string {
  return /^\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text;
}

/** Adds the options for the settings of a schedule. */
function addSettings(command: Command): Command {
  return command
    .option('-c, --cron <expression>', 'cron expression, such as "0 9 * * 1-5"; six fields start with seconds')
    .option(
      '-e, --every <duration>',
      'interval, such as 90s, 15m, 2h, 7d or P1DT12H; counted from --start',
      secondsOrText,
    )
    .option('-z, --timezone <zone>', 'time zone of --cron, such as Europe/Berlin; default: UTC')
    .option(
      '-i, --input <json>',
      'the context of each task, as a JSON object; @file reads a file, - reads standard input',
    )
    .option('--tag <tag>', 'tag of each task; may be repeated', collect)
    .option('-p, --priority <number>', 'priority of each task, from -100 to 100', PRIORITY)
    .option('--description <text>', 'purpose of the schedule')
    .option('--jitter <duration>', 'maximum delay of each due time', secondsOrText)
    .option('--start <time>', 'first possible due time, such as 2026-01-31T09:00:00+01:00')
    .option('--end <time>', 'last possible due time')
    .option('--catch-up <which>', 'missed due times that still get a task: none, last or all; default: last')
    .option(
      '--catch-up-window <duration>',
      'maximum delay after which a missed due time still gets a task; default: no limit',
      secondsOrText,
    )
    .option(
      '--overlap <policy>',
      'what to do while a task is open: allow, skip, queue_one or cancel_running; default: allow',
    )
    .option('--on-failure <action>', 'what to do after a task fails: continue or pause; default: continue');
}
