import { type Command, InvalidArgumentError } from 'commander';
import { addOperator } from '../operator.ts';
import { collect, lazily, moment } from '../options.ts';

/** `tasker db …` */
export function addDatabaseCommands(program: Command): void {
  const db = program.command('db').description('start, stop, inspect and migrate the database');
  db.command('start')
    .description('start the embedded server; it runs until `npx tasker db stop`')
    .option('--foreground', 'stay in the foreground until Ctrl-C')
    .action(lazily(async () => (await import('./embedded.ts')).dbStart));
  db.command('stop')
    .description('stop the embedded server, even if processes still use it')
    .action(lazily(async () => (await import('./embedded.ts')).dbStop));
  db.command('status')
    .description('show the location, state, version and schema of the database; exits 1 if it is not running')
    .action(lazily(async () => (await import('./status.ts')).dbStatus));
  db.command('migrate')
    .description('apply pending migrations')
    .action(lazily(async () => (await import('./migrate.ts')).dbMigrate));
  db.command('grants <role>')
    .description('print the statements that give a role the rights of workers and servers, for the owner of the schema')
    .option('--read-only', 'only the rights to read, for reports')
    .option('--apply', 'run the statements, as the owner of the schema')
    .action(lazily(async () => (await import('./grants.ts')).dbGrants));
  db.command('psql [arguments...]')
    .description('open psql on the database with the arguments after --; prints the URL if psql is not installed')
    .option('--url', 'print the URL, including the password')
    .action(lazily(async () => (await import('./psql.ts')).dbPsql));
  addPrune(db);
  addOperator(
    db
      .command('compact')
      .description('return the disk space of deleted tasks to the operating system')
      .option('--full', 'rewrite tables with much free space; each is locked while it is rewritten')
      .option('--dry-run', 'only show sizes, and what would be locked')
      .option('-y, --yes', 'do not ask for confirmation'),
  ).action(lazily(async () => (await import('./compact.ts')).dbCompact));
}

function addPrune(db: Command): void {
  addOperator(
    db
      .command('prune')
      .description('delete tasks that ended long ago, in small transactions while workers run')
      .requiredOption('--older-than <time>', 'tasks that ended before this time or age (30d)', time)
      .option(
        '-s, --status <state>',
        'only complete, error, cancelled, resolved_manually or undone; may be repeated',
        collect,
      )
      .option('-n, --namespace <namespace>', 'only tasks of this namespace')
      .option('--name <name>', 'only tasks of this template')
      .option('--template-version <version>', 'only tasks of this version, or range such as 1.x')
      .option('--archive <folder>', 'first write the tasks to files in this folder; default: retention.archive_folder')
      .option('--no-archive', 'write no archive, even if one is configured')
      .option('--release-keys', 'let repeated requests create new tasks; default: such a request is a conflict')
      .option('--share <number>', 'share of the time spent working, 0.01 to 1; default: 0.1', share)
      .option('--dry-run', 'only show what would be deleted')
      .option('-y, --yes', 'do not ask for confirmation'),
  ).action(lazily(async () => (await import('./prune.ts')).dbPrune));
}

/** Accepts a time or an age, and keeps the text, because the database clock determines the time. */
function time(text: string): string {
  moment(text);
  return text.trim();
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0.01 && value <= 1) return value;
  throw new InvalidArgumentError('it must be a number from 0.01 to 1.');
}
