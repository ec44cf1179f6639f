import type { Command } from 'commander';
import { TaskerError } from '../../errors.ts';
import { addOperator } from '../operator.ts';
import { alsoNamed, collect, collectNamespaces, lazily, seconds } from '../options.ts';

/** The subcommands of `tasker worker`, which runs a worker when called without a subcommand. */
const NOUNS = ['list', 'show', 'drain', 'resume'];

/** `tasker worker …`. The command itself runs a worker. */
export function addWorkerCommands(worker: Command, run: (...given: never[]) => Promise<void>): void {
  worker
    .allowExcessArguments()
    .hook('preSubcommand', refuseOwnOptions)
    .action(async (...given: unknown[]) => {
      const [word] = (given.at(-1) as Command).args;
      if (word !== undefined) throw unknownWord(word);
      await (run as (...given: unknown[]) => Promise<void>)(...given);
    });
  const list = worker
    .command('list')
    .description('list the workers of all processes: live workers, and workers that ended in the last hour')
    .option('-n, --namespace <namespace>', 'only workers that serve this namespace; may be repeated', collectNamespaces)
    .option('-s, --state <state>', 'only running, draining, drained, lost or stopped workers; may be repeated', collect)
    .option('--all', 'include workers that ended in the last day')
    .action(lazily(async () => (await import('./list.ts')).workerList));
  alsoNamed(list, '--state', '--status');
  worker
    .command('show <worker>')
    .description('show a worker, by its name or id: its process, handlers, load, and running steps')
    .action(lazily(async () => (await import('./list.ts')).workerShow));
  addOperator(worker.command('drain <worker>'))
    .description('ask a worker to stop taking steps; its process stays alive')
    .option('--wait', 'wait until the worker no longer holds steps')
    .option('--timeout <seconds>', 'with --wait: stop waiting after this time; the worker keeps draining', seconds)
    .action(lazily(async () => (await import('./drain.ts')).workerDrain));
  addOperator(worker.command('resume <worker>'))
    .description('let a draining worker take steps again')
    .action(lazily(async () => (await import('./drain.ts')).workerResume));
}

/** Rejects the options for running a worker before and after a subcommand. The parser accepts them there. */
function refuseOwnOptions(worker: Command, command: Command): void {
  for (const option of worker.options) {
    const name = option.attributeName();
    if (worker.getOptionValueSource(name) !== 'cli' || command.options.some((own) => own.attributeName() === name))
      continue;
    command.error(`error: unknown option '${option.long}'`, { code: 'commander.unknownOption' });
  }
}

function unknownWord(word: string): TaskerError {
  return new TaskerError(
    'bad_request',
    `unknown command worker ${word}; \`tasker worker\` runs a worker, and its other commands are ${NOUNS.join(', ')}`,
  );
}
