import type { Command } from 'commander';
import { optionsOf } from '../options.ts';

/** `tasker db …` */
export function addDatabaseCommands(program: Command): void {
  const db = program.command('db').description('the database: the embedded server in .tasker/, or DATABASE_URL');
  db.command('start')
    .description('start the embedded server; it runs until `db stop`')
    .option('--foreground', 'hold it here until Ctrl-C')
    .action(async (_options, command: Command) => (await import('./start.ts')).dbStart(optionsOf(command)));
  db.command('stop')
    .description('stop the embedded server, whoever uses it')
    .action(async (_options, command: Command) => (await import('./stop.ts')).dbStop(optionsOf(command)));
  db.command('status')
    .description('where it is, whether it runs, its version and schema; exits 1 when it does not run')
    .action(async (_options, command: Command) => (await import('./status.ts')).dbStatus(optionsOf(command)));
  db.command('migrate')
    .description('bring the schema up to date')
    .action(async (_options, command: Command) => (await import('./migrate.ts')).dbMigrate(optionsOf(command)));
  db.command('psql [arguments...]')
    .description('open psql on it, with what stands after --; without psql, print the URL')
    .option('--url', 'print the URL, password included')
    .action(async (rest: string[], _options, command: Command) =>
      (await import('./psql.ts')).dbPsql(rest, optionsOf(command)),
    );
}
