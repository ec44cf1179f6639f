import { snakeKeys } from '../../app/json/views.ts';
import { databaseGrants } from '../../app/project/database-grants.ts';
import type { GlobalOptions } from '../options.ts';
import { note, print, printJson } from '../show/output.ts';
import { here } from '../this-run.ts';
import { notesLogger } from '../with-tasker.ts';

interface DbGrantsOptions extends GlobalOptions {
  readOnly?: boolean;
  apply?: boolean;
}

/** `tasker db grants`: prints the statements that grant a role its rights, or runs them. */
export async function dbGrants(role: string, options: DbGrantsOptions): Promise<void> {
  const { databaseUrl, readOnly = false, apply = false, json } = options;
  const access = readOnly ? 'read' : 'write';
  const choice = { ...here(), databaseUrl, logger: notesLogger(options) };
  const grants = await databaseGrants(choice, { role, access, apply });
  if (json) return printJson(snakeKeys(grants));
  const { place, schema, owners, statements } = grants;
  if (apply) return note(`${place}: ${role} may now ${readOnly ? 'read' : 'read and write'} the schema ${schema}`);
  note(`run these statements as ${owners.join(' and ')}, or with --apply`);
  print(statements.map((statement) => `${statement};`).join('\n'));
}
