import { spawn } from 'node:child_process';
import { openForTools } from '../../app/project/database-admin.ts';
import { childEnvironment } from '../../config/child-environment.ts';
import { changeUrl } from '../../config/database-hosts.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { here, thisRun } from '../this-run.ts';
import { notesLogger } from '../with-tasker.ts';

interface DbPsqlOptions extends GlobalOptions {
  url?: boolean;
}

/**
 * `tasker db psql`: runs psql, or prints the URL if it is not installed. Keeps the embedded server running until psql
 * exits.
 */
export async function dbPsql(rest: readonly string[], options: DbPsqlOptions): Promise<void> {
  const open = await openForTools({ ...here(), databaseUrl: options.databaseUrl, logger: notesLogger(options) });
  try {
    const { directUrl: url, schema } = open.database;
    if (options.json) return printJson({ url, schema: schema.name });
    if (options.url) return print(url);
    if (!schema.isDefault) note(`the tables are in the schema ${schema.name}; write :"schema".task`);
    const code = await psql(url, schema.isDefault ? rest : ['-v', `schema=${schema.name}`, ...rest]);
    if (code === 'missing') {
      note('psql is not in PATH; use this URL with any PostgreSQL client:');
      print(url);
    } else thisRun().exitCode = code;
  } finally {
    await open.close();
  }
}

function psql(url: string, rest: readonly string[]): Promise<number | 'missing'> {
  const { place, password } = withoutPassword(url);
  // psql handles Ctrl-C itself, to cancel a query. The password is passed in the environment, because other users of the
  // machine can read arguments.
  const ignore = () => {};
  process.on('SIGINT', ignore);
  return new Promise((resolve, reject) => {
    const child = spawn('psql', ['-d', place, ...rest], {
      stdio: 'inherit',
      cwd: here().cwd,
      env: childEnvironment({ PGPASSWORD: password }, here().env),
    });
    child.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ENOENT' ? resolve('missing') : reject(error),
    );
    child.once('exit', (code) => resolve(code ?? EXIT.failed));
  }).finally(() => process.off('SIGINT', ignore)) as Promise<number | 'missing'>;
}

function withoutPassword(url: string): { place: string; password: string | undefined } {
  let password: string | undefined;
  const place = changeUrl(url, (parsed) => {
    if (parsed.password !== '') password = decodeURIComponent(parsed.password);
    parsed.password = '';
  });
  return { place, password };
}
