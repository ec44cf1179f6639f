import { type Command, InvalidArgumentError, Option } from 'commander';
import { collectNamespaces, lazily, seconds, wholeNumber } from '../options.ts';
import { addWorkerCommands } from '../worker/commands.ts';

const CONCURRENCY = { least: 1, most: 100_000 };

/** The commands that act on the project in the current folder. */
export function addProjectCommands(program: Command): void {
  program
    .command('init')
    .description(
      'add a first workflow and a test to the current project; overwrites nothing. In TypeScript, the workflow is one file; otherwise it is a template and its handlers',
    )
    .option('--typescript', 'write TypeScript files; the default if the project has typescript or a tsconfig.json')
    .action(lazily(async () => (await import('./init.ts')).init));
  workerOptions(program.command('dev'))
    .option(
      '--bind <address>',
      'loopback address of the web page and the API (default: 127.0.0.1:8080, or a free port)',
    )
    .addOption(noPort())
    .description('run the project locally: database, worker, web page, live reload and a view of running tasks')
    .action(lazily(async () => (await import('./dev.ts')).dev));
  const worker = workerOptions(program.command('worker'))
    .option(
      '--web <address>',
      'address of the health and metrics server (default: 127.0.0.1:8081, or a free port); off disables it',
    )
    .option(...REPLACE)
    .option(...NO_MIGRATE)
    .description('run steps until SIGTERM; logs JSON lines to standard error. With a command: list and drain workers');
  addWorkerCommands(
    worker,
    lazily(async () => (await import('./worker.ts')).worker),
  );
  program
    .command('server')
    .description(
      'serve the HTTP API until SIGTERM; runs steps only with --with-worker. On other addresses than loopback, requests need a credential',
    )
    .option('--bind <address>', 'address to listen on (default: TASKER_WEB_BIND_ADDRESS, otherwise 127.0.0.1:8080)')
    .addOption(noPort())
    .option('--with-worker', 'also run steps in this process, with the settings of `worker`')
    .option(...REPLACE)
    .option(...NO_MIGRATE)
    .option('--insecure', 'require no credential, even on addresses that other machines can reach')
    .option('--tls-cert <file>', 'certificate (PEM), to serve https; needs --tls-key')
    .option('--tls-key <file>', 'private key of the certificate (PEM)')
    .option(
      '--legacy-status',
      'for clients of the original system: return 200 instead of 201 for a created task, and show waiting tasks and steps as in progress',
    )
    .action(lazily(async () => (await import('./server.ts')).server));
  program
    .command('status')
    .description('show workers, queues, open tasks, problems, and rates')
    .option('--watch', 'refresh periodically until Ctrl-C')
    .option('--interval <seconds>', 'time between two refreshes (default: 2)', seconds)
    .action(lazily(async () => (await import('./status.ts')).status));
  program
    .command('doctor')
    .description('check database, schema, rights, clock, notifications, disk, templates, handlers, workers')
    .action(lazily(async () => (await import('./doctor.ts')).doctor));
}

/** Names the right option to users who try the usual one. */
function noPort(): Option {
  const refuse = (port: string): never => {
    throw new InvalidArgumentError(`use --bind 127.0.0.1:${port}`);
  };
  return new Option('--port <port>').argParser(refuse).hideHelp();
}

/** Without it, different content for a registered version is rejected in production. */
const REPLACE = [
  '--replace',
  'in production, replace the content of registered template versions that differ from the files',
] as const;

/** Without it, the configuration decides. */
const NO_MIGRATE = [
  '--no-migrate',
  'refuse to start while migrations are pending, instead of applying them; see `db migrate`',
] as const;

function workerOptions(command: Command): Command {
  return command
    .option(
      '--concurrency <number>',
      'maximum number of handlers running at the same time (default: 100)',
      wholeNumber(CONCURRENCY),
    )
    .option('-n, --namespace <namespace>', 'serve only this namespace; may be repeated', collectNamespaces)
    .option('--name <name>', "the worker's name in the history (default: host and process)")
    .option(
      '--drain-timeout <seconds>',
      'time for running handlers to finish when the worker stops (default: 30)',
      seconds,
    );
}
