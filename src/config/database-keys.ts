import { DEFAULT_SCHEMA } from './schema-name.ts';
import * as forms from './value-forms.ts';

/** The settings of more connections to the database. */
export const DATABASE_KEYS = {
  /** The schema of the database that contains the tables. Default: `TASKER_SCHEMA`, otherwise `tasker`. */
  schema: {
    path: 'common.database.schema',
    variables: ['TASKER_SCHEMA'],
    form: forms.schemaName,
    byDefault: DEFAULT_SCHEMA,
    isOption: true as const,
    about:
      'The schema of the database that contains all tables. Several schemas of one database are separate installations.',
  },
  /** Whether to apply pending migrations at startup. Default: `TASKER_MIGRATE`, otherwise true. If false, refuses to start. */
  migrate: {
    path: 'common.database.migrate',
    variables: ['TASKER_MIGRATE'],
    form: forms.flag,
    byDefault: true,
    isOption: true as const,
    about:
      'Whether a program applies pending migrations when it starts. If false, the program refuses to start while migrations are pending, and `tasker db migrate` applies them. `--no-migrate` does the same.',
  },
  /** For LISTEN and migrations, if `databaseUrl` points to a transaction pooler. Default: `DATABASE_DIRECT_URL`. */
  databaseDirectUrl: {
    path: 'common.database.direct_url',
    variables: ['DATABASE_DIRECT_URL'],
    form: forms.url,
    byDefault: undefined as string | undefined,
    defaultWords: '`common.database.url`',
    secret: true as const,
    variableUnchecked: true as const,
    isOption: true as const,
    about:
      'The same database without a pooler, for LISTEN and migrations. Ignored if a different database URL takes precedence over the one it was given with.',
  },
  /** A standby for lists and statistics. Default: `DATABASE_REPLICA_URL`, otherwise they are read from the primary. */
  databaseReplicaUrl: {
    path: 'common.database.replica_url',
    variables: ['DATABASE_REPLICA_URL'],
    form: forms.url,
    byDefault: undefined as string | undefined,
    defaultWords: '`common.database.url`',
    secret: true as const,
    variableUnchecked: true as const,
    isOption: true as const,
    about:
      'A standby for lists of tasks and steps, and for statistics. `lag_ms` of a response includes the delay of the standby. Not used while it is more than 30 seconds behind. Ignored if a different database URL takes precedence over the one it was given with.',
  },
};
