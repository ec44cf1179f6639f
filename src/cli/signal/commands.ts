import type { Command } from 'commander';
import { lazily, wholeNumber } from '../options.ts';

const PAGE = wholeNumber({ least: 1, most: 1000 });

/** `tasker signal …` */
export function addSignalCommands(program: Command): void {
  const signal = program.command('signal').description('send signals to waiting tasks, and show them');
  signal
    .command('send <task> <name>')
    .description('send a signal to a task; it is kept if no step waits for it yet')
    .option('-p, --payload <json>', 'payload as JSON, @file, or - for standard input (default: null)')
    .option('-k, --key <key>', 'idempotency key; a second signal with the same key is not stored')
    .option('-b, --by <name>', 'name of the sender; default: the OS user')
    .option(
      '--correlation',
      '<task> is a correlation id; send to all open tasks with this id that have a step for the signal',
    )
    .option('--template <template>', '<task> is the idempotency key of a task of this template (namespace/name)')
    .action(lazily(async () => (await import('./send.ts')).signalSend));
  signal
    .command('list <task>')
    .description('list the signals of a task in order of arrival')
    .option('--name <name>', 'only signals with this name')
    .option('--kept', 'only signals that no step has used')
    .option('-l, --limit <number>', 'maximum number of signals', PAGE, 50)
    .option('--cursor <cursor>', 'next page: the cursor that the previous page printed')
    .action(lazily(async () => (await import('./show.ts')).signalList));
  signal
    .command('show <signal>')
    .alias('get')
    .description('show a signal, its payload and its outcome')
    .action(lazily(async () => (await import('./show.ts')).signalShow));
}
