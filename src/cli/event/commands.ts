import type { Command } from 'commander';
import { addOperator } from '../operator.ts';
import { lazily, moment, momentOrEvent, wholeNumber } from '../options.ts';

const PAGE = { least: 1, most: 1000 };
const A_TIME = 'a time such as 2026-01-02T03:04Z, or an age such as 90s, 15m, 2h or 7d';

/** `tasker event …` */
export function addEventCommands(program: Command): void {
  const event = program.command('event').description('inspect and replay domain events and their subscriber groups');
  withFilter(event.command('list'), {
    before: 'only events before this time, or before the event with this id, for the next page',
  })
    .description('list durable events, newest first')
    .option('-l, --limit <number>', 'maximum number of events', wholeNumber(PAGE), 20)
    .action(lazily(async () => (await import('./events.ts')).eventList));
  event
    .command('show <event>')
    .description('show an event: its payload, the attempt that published it, and the result of the step')
    .action(lazily(async () => (await import('./events.ts')).eventShow));
  event
    .command('tail')
    .description('follow new durable events until Ctrl-C')
    .option('--name <pattern>', 'only events of this name; * ? [a-z] are wildcards')
    .option('--task <uuid>', 'only events of this task')
    .option('--after <time>', `start after ${A_TIME}; default: now`, moment)
    .action(lazily(async () => (await import('./events.ts')).eventTail));
  addGroupCommands(event);
}

function addGroupCommands(event: Command): void {
  event
    .command('groups')
    .description('list the subscriber groups with their waiting, retrying and dead events')
    .action(lazily(async () => (await import('./groups.ts')).eventGroups));
  event
    .command('lag [group]')
    .description('show how many events a group lags behind, and for how long; without a name, all groups')
    .option(
      '--max <events>',
      'exit 1 if more events than this are waiting',
      wholeNumber({ least: 0, most: 2 ** 53 - 1 }),
    )
    .action(lazily(async () => (await import('./groups.ts')).eventLag));
  addOperator(withFilter(event.command('replay <group>')))
    .description('deliver past events to a group again')
    .option('--dry-run', 'only print the number of events')
    .option('-y, --yes', 'do not ask for confirmation')
    .action(lazily(async () => (await import('./groups.ts')).eventReplay));
  addOperator(event.command('remove <group>'))
    .description('remove an unused group and its waiting events')
    .option('-y, --yes', 'do not ask for confirmation')
    .action(lazily(async () => (await import('./groups.ts')).eventRemove));
  addOperator(event.command('dead [group]'))
    .description('list dead deliveries, newest first')
    // It has no default, because --redeliver and --discard reject an explicit limit.
    .option('-l, --limit <number>', 'maximum number of dead deliveries to list (default: 20)', wholeNumber(PAGE))
    .option('--event <id>', 'only dead deliveries of this event')
    .option('--redeliver', 'deliver them again, with a full set of attempts')
    .option('--discard', 'discard them')
    .option('-y, --yes', 'do not ask for confirmation')
    .action(lazily(async () => (await import('./dead.ts')).eventDead));
}

function withFilter(command: Command, { before }: { before?: string } = {}): Command {
  return command
    .option('--name <pattern>', 'only events of this name; * ? [a-z] are wildcards')
    .option('--task <uuid>', 'only events of this task')
    .option('--after <time>', `only events after ${A_TIME}`, moment)
    .option('--before <time>', before ?? 'only events before this time', before === undefined ? moment : momentOrEvent);
}
