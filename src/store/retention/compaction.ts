import type { Session } from '../../db/session.ts';
import type { Db } from '../../db/statement.ts';
import { made, sql } from '../sql.ts';

// The size of the live rows in a new file, from their average width by the last ANALYZE and the space that the fill
// factor leaves free. The rows of a TOAST table are chunks of about 2 kB.
const TABLE_SPACES = sql('table_spaces')`
select c.relname "table", pg_table_size(c.oid)::float8 bytes, pg_indexes_size(c.oid)::float8 "indexBytes",
       (greatest(c.reltuples, 0) * (28 + coalesce(w.width, 0)) * 100 / coalesce(f.fillfactor, 100)
         + greatest(coalesce(t.reltuples, 0), 0) * 2050)::float8 "liveBytes",
       greatest(c.reltuples, 0)::float8 rows, pg_has_role(c.relowner, 'USAGE') mine
  from pg_class c
  left join pg_class t on t.oid = c.reltoastrelid
  cross join lateral (
    select sum(s.avg_width * (1 - s.null_frac)) width from pg_stats s where s.schemaname = 'tasker' and s.tablename = c.relname) w
  cross join lateral (
    select max(substr(o, 12)::int) fillfactor from unnest(c.reloptions) o where o like 'fillfactor=%') f
 where c.relnamespace = 'tasker'::regnamespace and c.relkind = 'r'
 order by pg_total_relation_size(c.oid) desc, c.relname`;

/** The space that a table occupies. */
export interface TableSpace {
  table: string;
  /** Bytes of the table, with its large values. */
  bytes: number;
  indexBytes: number;
  /** An estimate of the table's size in a new file. */
  liveBytes: number;
  rows: number;
  /** Whether the user of this connection may compact it. */
  mine: boolean;
}

/** Returns the space of all tables, the largest first. */
export async function tableSpaces(db: Db): Promise<TableSpace[]> {
  return (await db.query<TableSpace>(TABLE_SPACES)).rows;
}

const SPACE_OF_TABLE = sql('space_of_table')`
select pg_total_relation_size(('tasker.' || quote_ident($1))::regclass)::float8 bytes`;

/** Returns the current size of a table and its indexes in bytes. */
export async function spaceOfTable(db: Db, table: string): Promise<number> {
  return (await db.query<{ bytes: number }>(SPACE_OF_TABLE, [table])).rows[0]!.bytes;
}

const PREPARE_COMPACTING = sql('prepare_compacting')`
select set_config('statement_timeout', '0', false), set_config('lock_timeout', $1, false),
       set_config('idle_in_transaction_session_timeout', '0', false)`;

/** Sets the timeouts of a connection that compacts. */
export async function prepareCompacting(session: Session, lockTimeoutMs: number): Promise<void> {
  await session.query(PREPARE_COMPACTING, [`${lockTimeoutMs}ms`]);
}

const NEXT_TRANSACTION = sql('next_transaction')`
select pg_snapshot_xmax(pg_current_snapshot())::text id`;

/** Returns the id of the next transaction. */
export async function nextTransaction(session: Session): Promise<string> {
  return (await session.query<{ id: string }>(NEXT_TRANSACTION)).rows[0]!.id;
}

// A VACUUM is ignored, because its snapshot keeps no rows of other tables.
const OLDER_SNAPSHOT = sql('older_snapshot')`
select a.pid, a.application_name application, (extract(epoch from now() - a.xact_start) * 1000)::float8 "ageMs"
  from pg_stat_activity a
 where (a.datname = current_database() or a.backend_type = 'walsender') and a.pid <> pg_backend_pid()
   and age(a.backend_xmin) > age($1::xid8::xid)
   and not exists (select from pg_stat_progress_vacuum v where v.pid = a.pid)
 order by age(a.backend_xmin) desc limit 1`;

/** A connection whose snapshot still sees rows that other transactions have deleted. */
export interface OlderSnapshot {
  pid: number;
  application: string;
  /** The time since its transaction began, in milliseconds; null for a standby. */
  ageMs: number | null;
}

/** Finds the oldest snapshot that was taken before the transaction. A rewrite keeps the rows that such a snapshot sees. */
export async function olderSnapshot(session: Session, transaction: string): Promise<OlderSnapshot | undefined> {
  return (await session.query<OlderSnapshot>(OLDER_SNAPSHOT, [transaction])).rows[0];
}

const COMPACT = sql('compact_table')``;

/** Removes the rows of deleted tasks, and cuts off free pages at the end of the table. Workers continue. */
export async function vacuumTable(session: Session, table: string): Promise<void> {
  await session.query(made(COMPACT, `vacuum (analyze) tasker.${table}`));
}

/** Rewrites the indexes of a table. Workers continue. */
export async function reindexTable(session: Session, table: string): Promise<void> {
  await session.query(made(COMPACT, `reindex table concurrently tasker.${table}`));
}

/** Rewrites a table and its indexes. Everything that reads or writes the table waits. */
export async function rewriteTable(session: Session, table: string): Promise<void> {
  await session.query(made(COMPACT, `vacuum (full, analyze) tasker.${table}`));
}

const COUNT_ENDED = sql('estimate_ended_tasks')`
select greatest(0, t.reltuples - greatest(0, o.reltuples))::float8 ended
  from pg_class t, pg_class o
 where t.oid = 'tasker.task'::regclass and o.oid = 'tasker.task_open_states'::regclass`;

/** Estimates the number of tasks that have ended, from the statistics of the last VACUUM or ANALYZE. */
export async function estimateEndedTasks(db: Db): Promise<number> {
  return (await db.query<{ ended: number }>(COUNT_ENDED)).rows[0]!.ended;
}
