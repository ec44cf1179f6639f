import type { Command } from 'commander';
import { lazily, wholeNumber } from '../options.ts';

const PAGE = wholeNumber({ least: 1, most: 1000 });

/** `tasker signal …` */
export function addSignalCommands(program: Command): void {
  const signal = program.command('signal').description('send signals to tasks that wait, and show them');
  signal
    .command('send <task> <name>')
    .description('send a signal to a task; it is kept if its step does not wait yet')
    .option('-p, --payload <json>', 'payload as JSON, @file, or - for standard input (default: null)')
    .option('-k, --key <key>', 'key of the signal; the same key twice is one signal')
    .option('-b, --by <name>', 'who sends it; default: the user of this system')
    .option('--correlation', '<task> is a correlation id; send it to all of its open tasks that have a step for it')
    .option('--template <template>', '<task> is the idempotency key of a task of this template (namespace/name)')
    .action(lazily(async () => (await import('./send.ts')).signalSend));
  signal
    .command('list <task>')
    .description('list the signals of a task, in the order of their arrival')
    .option('--name <name>', 'only signals of this name')
    .option('--kept', 'only signals that no step has used')
    .option('-l, --limit <number>', 'maximum number of signals', PAGE, 50)
    .option('--cursor <cursor>', 'next page: the cursor that the page before printed')
    .action(lazily(async () => (await import('./show.ts')).signalList));
  signal
    .command('show <signal>')
    .alias('get')
    .description('show a signal, its payload, and what became of it')
    .action(lazily(async () => (await import('./show.ts')).signalShow));
}
