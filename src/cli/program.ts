import { Command } from 'commander';
import { packageVersion } from '../config/package-version.ts';
import { useConfigPath } from '../config/use-config-path.ts';
import { TaskerError } from '../errors.ts';
import { schemaName } from './options.ts';
import { parserOutput } from './show/output.ts';
import { thisRun } from './this-run.ts';

/**
 * The commands that start something on this machine, or read and write local files. They use neither a database nor a
 * server.
 */
const LOCAL = new Set(['init', 'dev', 'worker', 'server', 'doctor', 'config', 'db', 'generate', 'completion']);

/** Groups of commands by the names of their top-level commands, in the order of the help. */
const GROUPS: readonly (readonly [words: string, load: () => Promise<(program: Command) => void>])[] = [
  ['init dev worker server status doctor', async () => (await import('./project/commands.ts')).addProjectCommands],
  ['task', async () => (await import('./task/commands.ts')).addTaskCommands],
  ['step', async () => (await import('./step/commands.ts')).addStepCommands],
  ['timer', async () => (await import('./timer/commands.ts')).addTimerCommands],
  ['queue', async () => (await import('./queue/commands.ts')).addQueueCommands],
  ['signal', async () => (await import('./signal/commands.ts')).addSignalCommands],
  ['approval', async () => (await import('./approval/commands.ts')).addApprovalCommands],
  ['dlq', async () => (await import('./dlq/commands.ts')).addDeadLetterCommands],
  ['stats', async () => (await import('./stats/commands.ts')).addStatsCommands],
  ['schedule', async () => (await import('./schedule/commands.ts')).addScheduleCommands],
  ['event', async () => (await import('./event/commands.ts')).addEventCommands],
  ['bulk', async () => (await import('./bulk/commands.ts')).addBulkCommands],
  ['audit', async () => (await import('./audit/commands.ts')).addAuditCommands],
  ['auth', async () => (await import('./auth/commands.ts')).addAuthCommands],
  ['template', async () => (await import('./template/commands.ts')).addTemplateCommands],
  ['namespace', async () => (await import('./namespace/commands.ts')).addNamespaceCommands],
  ['pause', async () => (await import('./pause/commands.ts')).addPauseCommands],
  ['generate', async () => (await import('./generate/commands.ts')).addGenerateCommands],
  ['db', async () => (await import('./db/commands.ts')).addDatabaseCommands],
  ['archive', async () => (await import('./archive/commands.ts')).addArchiveCommands],
  ['config', async () => (await import('./config/commands.ts')).addConfigCommands],
  ['profile', async () => (await import('./profile/commands.ts')).addProfileCommands],
  ['mcp', async () => (await import('./mcp/commands.ts')).addMcpCommand],
  ['completion', async () => (await import('./completion/commands.ts')).addCompletionCommand],
];

/** Arguments that need the definitions of all commands, for help or completion. */
const NEEDS_ALL = new Set(['-h', '--help', 'help', 'completion']);

/** Other commands check the server themselves; see `withTasker`. */
function refuseUselessServer(command: Command): void {
  const { server, profile } = command.optsWithGlobals<{ server?: string; profile?: string }>();
  const option = server !== undefined ? '--server' : profile !== undefined ? '--profile' : undefined;
  let top = command;
  while (top.parent?.parent) top = top.parent;
  if (option === undefined || !LOCAL.has(top.name()) || (top.name() === 'worker' && command !== top)) return;
  throw new TaskerError('bad_request', `tasker ${top.name()} does not work over a server; run it without ${option}`);
}

/**
 * Defines the commands and their options. The code of a command is imported when it runs, so that help and usage errors
 * appear immediately. If the arguments begin with the name of a command, defines only its group.
 */
export async function makeProgram(argv: readonly string[] = []): Promise<Command> {
  const program = new Command('tasker')
    .description('Workflows of TypeScript steps on PostgreSQL.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .option(
      '--database-url <url>',
      'URL of the PostgreSQL server; default: DATABASE_URL, otherwise the embedded server in .tasker/',
    )
    .option(
      '--schema <name>',
      'schema of the database that contains the tables; default: TASKER_SCHEMA, otherwise tasker',
      schemaName,
    )
    .option('--server <url>', 'use a tasker server instead of the database; default: TASKER_ORCHESTRATION_URL, if set')
    .option('--profile <name>', 'use a server saved by `tasker profile set`; default: TASKER_PROFILE')
    .option(
      '--config <path>',
      "configuration: a TOML file or a folder of layers; default: TASKER_CONFIG_PATH, otherwise the project's own",
    )
    .option(
      '--templates <paths>',
      "template folders; default: TASKER_TEMPLATE_PATH, otherwise the project's config/tasks or templates",
    )
    .option('--handlers <paths>', 'handler folders; default: TASKER_HANDLER_PATH, otherwise ./handlers')
    .option('--json', 'print results as JSON')
    .option(
      '--show-sensitive',
      'print the values that templates declare as sensitive; with a server, the permissions of the credential decide',
    )
    .option('--verbose', 'log more, and show the causes and stack of errors')
    .showHelpAfterError('(run with --help for usage)')
    .configureOutput({ ...parserOutput, outputError: (text, write) => write(text) })
    .hook('preAction', (_program, command) => {
      const { config, schema } = command.optsWithGlobals<{ config?: string; schema?: string }>();
      if (config !== undefined) useConfigPath(config, thisRun().env);
      if (schema !== undefined) thisRun().env.TASKER_SCHEMA = schema;
      refuseUselessServer(command);
    })
    .exitOverride();
  // A word after an option may be its value.
  const name = argv.find((word, i) => !word.startsWith('-') && !argv[i - 1]?.startsWith('-')) ?? '';
  const named = GROUPS.filter(([words]) => words.split(' ').includes(name));
  const groups = named.length === 0 || argv.some((word) => NEEDS_ALL.has(word)) ? GROUPS : named;
  for (const [, load] of groups) (await load())(program);
  program.addHelpText(
    'after',
    '\nFirst workflow:  npx tasker-core init && npx tasker-core dev\nExit codes: 0 success, 1 failure, 2 usage error (or blocked task), 3 could not start',
  );
  return program;
}
