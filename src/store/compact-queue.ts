import type { Db } from '../db/statement.ts';
import { sql } from './sql.ts';

const QUEUE_BLOAT = sql('queue_bloat')`
select n_dead_tup::int dead, n_live_tup::int live from pg_stat_all_tables where relid = 'tasker.queue'::regclass`;

/** About how many rows of the queue are dead and how many live, as the server's statistics have it. */
export async function queueBloat(db: Db): Promise<{ dead: number; live: number }> {
  const { rows } = await db.query<{ dead: number; live: number }>(QUEUE_BLOAT);
  return rows[0] ?? { dead: 0, live: 0 };
}

const TRY_COMPACTING = sql('try_compacting')`select pg_try_advisory_xact_lock(7303014003) mine`;

/** Whether no other worker compacts at this moment. */
export async function tryCompacting(db: Db): Promise<boolean> {
  return (await db.query<{ mine: boolean }>(TRY_COMPACTING)).rows[0]!.mine;
}

const LOCK_QUEUE = sql('lock_queue')`lock table tasker.queue in access exclusive mode`;
const SET_ASIDE = sql('set_queue_aside')`
create temp table tasker_queue_kept on commit drop as select * from tasker.queue`;
const TRUNCATE = sql('truncate_queue')`truncate tasker.queue`;
const PUT_BACK = sql('put_queue_back')`
insert into tasker.queue overriding system value select * from tasker_queue_kept`;

/** Writes the live rows of the queue anew, so that the dead ones are gone although some old transaction may see them. */
export async function compactQueue(db: Db): Promise<void> {
  for (const statement of [LOCK_QUEUE, SET_ASIDE, TRUNCATE, PUT_BACK]) await db.query(statement);
}
