import type { Command } from 'commander';
import { lazily } from '../options.ts';

/** `tasker db …` */
export function addDatabaseCommands(program: Command): void {
  const db = program.command('db').description('the database: the embedded server in .tasker/, or DATABASE_URL');
  db.command('start')
    .description('start the embedded server; it runs until `db stop`')
    .option('--foreground', 'hold it here until Ctrl-C')
    .action(lazily(async () => (await import('./start.ts')).dbStart));
  db.command('stop')
    .description('stop the embedded server, whoever uses it')
    .action(lazily(async () => (await import('./stop.ts')).dbStop));
  db.command('status')
    .description('where it is, whether it runs, its version and schema; exits 1 when it does not run')
    .action(lazily(async () => (await import('./status.ts')).dbStatus));
  db.command('migrate')
    .description('bring the schema up to date')
    .action(lazily(async () => (await import('./migrate.ts')).dbMigrate));
  db.command('psql [arguments...]')
    .description('open psql on it, with what stands after --; without psql, print the URL')
    .option('--url', 'print the URL, password included')
    .action(lazily(async () => (await import('./psql.ts')).dbPsql));
}
