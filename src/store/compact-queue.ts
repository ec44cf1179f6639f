import type { Db, Statement } from '../db/statement.ts';

const QUEUE_BLOAT: Statement = {
  name: 'queue_bloat',
  text: `
select n_dead_tup::int dead, n_live_tup::int live from pg_stat_all_tables where relid = 'tasker.queue'::regclass`,
};

/** About how many rows of the queue are dead and how many live, as the server's statistics have it. */
export async function queueBloat(db: Db): Promise<{ dead: number; live: number }> {
  const { rows } = await db.query<{ dead: number; live: number }>(QUEUE_BLOAT);
  return rows[0] ?? { dead: 0, live: 0 };
}

const TRY_COMPACTING: Statement = {
  name: 'try_compacting',
  text: `select pg_try_advisory_xact_lock(7303014003) mine`,
};

/** Whether no other worker compacts at this moment. */
export async function tryCompacting(db: Db): Promise<boolean> {
  return (await db.query<{ mine: boolean }>(TRY_COMPACTING)).rows[0]!.mine;
}

const LOCK_QUEUE: Statement = { name: 'lock_queue', text: 'lock table tasker.queue in access exclusive mode' };
const SET_ASIDE: Statement = {
  name: 'set_queue_aside',
  text: 'create temp table tasker_queue_kept on commit drop as select * from tasker.queue',
};
const TRUNCATE: Statement = { name: 'truncate_queue', text: 'truncate tasker.queue' };
const PUT_BACK: Statement = {
  name: 'put_queue_back',
  text: 'insert into tasker.queue overriding system value select * from tasker_queue_kept',
};

/** Writes the live rows of the queue anew, so that the dead ones are gone although some old transaction may see them. */
export async function compactQueue(db: Db): Promise<void> {
  for (const statement of [LOCK_QUEUE, SET_ASIDE, TRUNCATE, PUT_BACK]) await db.query(statement);
}
