import type { Command } from 'commander';
import { lazily, moment, momentOrEvent, wholeNumber } from '../options.ts';

const PAGE = { least: 1, most: 1000 };
const A_TIME = 'as 2026-01-02T03:04Z, or so long ago: 90s, 15m, 2h, 7d';

/** `tasker event …` */
export function addEventCommands(program: Command): void {
  const event = program.command('event').description('look at domain events, and at the groups that get them');
  withFilter(event.command('list'), { before: 'only those before it, or, to page on, before the event of this id' })
    .description('durable events, the newest first')
    .option('-l, --limit <number>', 'at most so many', wholeNumber(PAGE), 20)
    .action(lazily(async () => (await import('./events.ts')).eventList));
  event
    .command('show <event>')
    .description('an event, whole: what was published, by which attempt, and its result')
    .action(lazily(async () => (await import('./events.ts')).eventShow));
  event
    .command('tail')
    .description('follow durable events as they come, until Ctrl-C')
    .option('--name <pattern>', 'only of this name; * ? [a-z] stand for others')
    .option('--task <uuid>', 'only of this task')
    .option('--after <time>', `begin with those after it, ${A_TIME}; default: now`, moment)
    .action(lazily(async () => (await import('./events.ts')).eventTail));
  addGroupCommands(event);
}

function addGroupCommands(event: Command): void {
  event
    .command('groups')
    .description('who gets events: what waits for each group, what is delivered again, what was given up')
    .action(lazily(async () => (await import('./groups.ts')).eventGroups));
  event
    .command('lag [group]')
    .description('how many events a group is behind, and how long; all groups without a name')
    .option('--max <events>', 'exit 1 when more than so many wait', wholeNumber({ least: 0, most: 2 ** 53 - 1 }))
    .action(lazily(async () => (await import('./groups.ts')).eventLag));
  withFilter(event.command('replay <group>'))
    .description('deliver events to a group again')
    .option('--dry-run', 'only say how many there are')
    .option('-y, --yes', 'do not ask')
    .action(lazily(async () => (await import('./groups.ts')).eventReplay));
  event
    .command('remove <group>')
    .description('remove a group that nobody needs, with all that waits for it')
    .option('-y, --yes', 'do not ask')
    .action(lazily(async () => (await import('./groups.ts')).eventRemove));
  event
    .command('dead [group]')
    .description('deliveries that were given up, the newest first')
    // No default here: whether it was given decides whether --redeliver may go on.
    .option('-l, --limit <number>', 'list at most so many (default: 20)', wholeNumber(PAGE))
    .option('--event <id>', 'only of this event')
    .option('--redeliver', 'deliver them again, each with all its attempts')
    .option('--discard', 'forget them')
    .option('-y, --yes', 'do not ask')
    .action(lazily(async () => (await import('./dead.ts')).eventDead));
}

function withFilter(command: Command, { before }: { before?: string } = {}): Command {
  return command
    .option('--name <pattern>', 'only of this name; * ? [a-z] stand for others')
    .option('--task <uuid>', 'only of this task')
    .option('--after <time>', `only those after it, ${A_TIME}`, moment)
    .option('--before <time>', before ?? 'only those before it', before === undefined ? moment : momentOrEvent);
}
