import { Command } from 'commander';
import { packageVersion } from '../config/package-version.ts';
import { useConfigPath } from '../config/use-config-path.ts';
import { TaskerError } from '../errors.ts';
import { addApprovalCommands } from './approval/commands.ts';
import { addArchiveCommands } from './archive/commands.ts';
import { addAuditCommands } from './audit/commands.ts';
import { addAuthCommands } from './auth/commands.ts';
import { addBulkCommands } from './bulk/commands.ts';
import { addCompletionCommand } from './completion/commands.ts';
import { addConfigCommands } from './config/commands.ts';
import { addDatabaseCommands } from './db/commands.ts';
import { addDeadLetterCommands } from './dlq/commands.ts';
import { addEventCommands } from './event/commands.ts';
import { addGenerateCommands } from './generate/commands.ts';
import { addMcpCommand } from './mcp/commands.ts';
import { addNamespaceCommands } from './namespace/commands.ts';
import { addPauseCommands } from './pause/commands.ts';
import { addProfileCommands } from './profile/commands.ts';
import { addProjectCommands } from './project/commands.ts';
import { addQueueCommands } from './queue/commands.ts';
import { addScheduleCommands } from './schedule/commands.ts';
import { addSignalCommands } from './signal/commands.ts';
import { addStatsCommands } from './stats/commands.ts';
import { addStepCommands } from './step/commands.ts';
import { addTaskCommands } from './task/commands.ts';
import { addTemplateCommands } from './template/commands.ts';
import { addTimerCommands } from './timer/commands.ts';

/**
 * The commands that start something on this machine, or read and write local files. They use neither a database nor a
 * server.
 */
const LOCAL = new Set(['init', 'dev', 'worker', 'server', 'doctor', 'config', 'db', 'generate', 'completion']);

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
 * appear immediately.
 */
export function makeProgram(): Command {
  const program = new Command('tasker')
    .description('Workflows of TypeScript steps on PostgreSQL.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .option(
      '--database-url <url>',
      'URL of the PostgreSQL server; default: DATABASE_URL, otherwise the embedded server in .tasker/',
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
    .configureOutput({ outputError: (text, write) => write(text) })
    .hook('preAction', (_program, command) => {
      const { config } = command.optsWithGlobals<{ config?: string }>();
      if (config !== undefined) useConfigPath(config);
      refuseUselessServer(command);
    })
    .exitOverride();
  addProjectCommands(program);
  addTaskCommands(program);
  addStepCommands(program);
  addTimerCommands(program);
  addQueueCommands(program);
  addSignalCommands(program);
  addApprovalCommands(program);
  addDeadLetterCommands(program);
  addStatsCommands(program);
  addScheduleCommands(program);
  addEventCommands(program);
  addBulkCommands(program);
  addAuditCommands(program);
  addAuthCommands(program);
  addTemplateCommands(program);
  addNamespaceCommands(program);
  addPauseCommands(program);
  addGenerateCommands(program);
  addDatabaseCommands(program);
  addArchiveCommands(program);
  addConfigCommands(program);
  addProfileCommands(program);
  addMcpCommand(program);
  addCompletionCommand(program);
  program.addHelpText(
    'after',
    '\nFirst workflow:  npx tasker init && npx tasker dev\nExit codes: 0 success, 1 failure, 2 usage error (or blocked task), 3 could not start',
  );
  return program;
}
