import type { Db } from '../db/statement.ts';
import { sql } from './sql.ts';

// In a transaction block, the transaction began with an earlier statement. Without one, both times are equal.
// Not hot: reads no table of tasks.
const READ_SESSION = sql('read_callers_session')`
select now() <> statement_timestamp() "inTransaction", current_setting('transaction_read_only') = 'on' "readOnly",
       concat_ws(' ', pg_backend_pid(), extract(epoch from now())) transaction, current_database()::text database,
       concat_ws('/', (select system_identifier from pg_control_system()),
                 (select oid from pg_database where datname = current_database())) place`;

/** The session of a client that a caller has passed. */
export interface CallersSession {
  inTransaction: boolean;
  readOnly: boolean;
  /** Differs for each transaction. */
  transaction: string;
  /** The name of the database. */
  database: string;
  /** Identifies the server and the database. Copies of a server's files, such as standbys, have the same. */
  place: string;
}

/** Returns the state of the session. */
export async function readCallersSession(db: Db): Promise<CallersSession> {
  return (await db.query<CallersSession>(READ_SESSION)).rows[0]!;
}
