import { isEmbeddedAllowed } from '../../app/open-database.ts';
import { type DatabaseStatus, databaseStatus } from '../../app/project/database-admin.ts';
import { loadConfig } from '../../config/load-config.ts';
import { DEFAULT_SCHEMA } from '../../config/schema-name.ts';
import { pc } from '../../logging/terminal/colors.ts';
import { EXIT } from '../exit-codes.ts';
import type { GlobalOptions } from '../options.ts';
import { print, printJson } from '../show/output.ts';
import { fields } from '../show/text.ts';
import { here, thisRun } from '../this-run.ts';

/** `tasker db status`: shows the state of the database without starting it. */
export async function dbStatus(options: GlobalOptions): Promise<void> {
  const status = await databaseStatus({ ...options, ...here() });
  if (options.json) printJson(jsonOf(status));
  else print(describe(status));
  if (!status.running) thisRun().exitCode = EXIT.failed;
}

function jsonOf({
  kind,
  place,
  running,
  version,
  schemaName,
  schema,
  bytes,
  embedded,
}: DatabaseStatus): Record<string, unknown> {
  return {
    kind,
    place,
    running,
    version,
    schema_name: schemaName,
    schema: schema ?? null,
    bytes,
    pid: embedded?.pid ?? null,
    in_use: embedded?.inUse ?? null,
    data_folder: embedded?.dataFolder ?? null,
    log_file: embedded?.logFile ?? null,
  };
}

function describe({ kind, place, running, version, schemaName, schema, bytes, embedded }: DatabaseStatus): string {
  const pending = schema?.pending ?? [];
  const named = schemaName === DEFAULT_SCHEMA ? '' : `${schemaName}, `;
  const schemaText =
    schema === undefined
      ? null
      : pending.length === 0
        ? `up to date (${schema.applied.at(-1)})`
        : pc.yellow(`pending: ${pending.join(', ')}; run \`npx tasker db migrate\``);
  return fields([
    ['database', kind === 'embedded' ? `embedded, in ${place}` : place],
    [
      'state',
      running
        ? pc.green('running')
        : version === null
          ? notCreated()
          : 'not running; the next command that needs the database starts it',
    ],
    ['process', embedded?.pid === undefined ? null : String(embedded.pid)],
    ['version', version === null ? null : `PostgreSQL ${version}`],
    ['schema', schemaText && `${named}${schemaText}`],
    ['size', bytes === null ? null : `${(bytes / 1_048_576).toFixed(1)} MB`],
    ['log', embedded && version !== null ? embedded.logFile : null],
  ]);
}

function notCreated(): string {
  return isEmbeddedAllowed(loadConfig(here()))
    ? 'not created yet; run `npx tasker-core dev` or `npx tasker db start`'
    : 'not created; set DATABASE_URL to your PostgreSQL server';
}
