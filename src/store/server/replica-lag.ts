import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

// Everything that was committed before the last replayed transaction is visible. On a server that is not a standby, the
// result is 0. On a standby that has not replayed anything, the result is null.
const REPLICA_LAG = sql('replica_lag')`
select case when pg_is_in_recovery()
            then greatest(0, extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000)::float8
            else 0 end "lagMs"`;

/** Returns the maximum lag of a standby in milliseconds. Null means unknown. */
export async function replicaLag(db: Db): Promise<number | null> {
  return (await db.query<{ lagMs: number | null }>(REPLICA_LAG)).rows[0]!.lagMs;
}
