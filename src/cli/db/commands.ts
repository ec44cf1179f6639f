import type { Command } from 'commander';
import { lazily } from '../options.ts';

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
  db.command('psql [arguments...]')
    .description('open psql on the database with the arguments after --; prints the URL if psql is not installed')
    .option('--url', 'print the URL, including the password')
    .action(lazily(async () => (await import('./psql.ts')).dbPsql));
}
