import type { Command } from 'commander';
import { collectNamespaces, lazily, seconds, wholeNumber } from '../options.ts';

const CONCURRENCY = { least: 1, most: 100_000 };

/** The commands on the project in the current folder. */
export function addProjectCommands(program: Command): void {
  program
    .command('init')
    .description('a template, a handler and a test into the current project; overwrites nothing')
    .option('--typescript', 'write TypeScript; default: where the project has typescript or a tsconfig.json')
    .action(lazily(async () => (await import('./init.ts')).init));
  workerOptions(program.command('dev'))
    .description('run the project here: database, worker, reloading, and a view of what goes on')
    .action(lazily(async () => (await import('./dev.ts')).dev));
  workerOptions(program.command('worker'))
    .option('--web <address>', 'where health and metrics are answered (default: 127.0.0.1:8081); off: nowhere')
    .description('run steps until SIGTERM; logs JSON lines to standard error')
    .action(lazily(async () => (await import('./worker.ts')).worker));
  program
    .command('doctor')
    .description('check database, schema, clock, notifications, disk, templates, handlers, workers')
    .action(lazily(async () => (await import('./doctor.ts')).doctor));
}

function workerOptions(command: Command): Command {
  return command
    .option('--concurrency <number>', 'handlers that run at once (default: 100)', wholeNumber(CONCURRENCY))
    .option('-n, --namespace <namespace>', 'serve only this one; may be repeated', collectNamespaces)
    .option('--name <name>', "the worker's name in history (default: host and process)")
    .option('--drain-timeout <seconds>', 'how long running handlers may finish (default: 30)', seconds);
}
