import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';
import { ATTEMPT, COUNT } from './aggregate.ts';
import { COUNTED, COUNTING_LOCK, uncountedOf } from './uncounted.ts';

// Takes the lock only if no other process is counting, and not if counting was done recently. `$2`: ignores a pause.
const TAKE_TURN = sql('take_counting_turn')`
select case when (s.counted_at <= clock_timestamp() - $1::int * interval '1 ms' or s.counted_at > clock_timestamp())
                  and ($2::boolean or s.rest_until <= clock_timestamp()
                       or s.rest_until > clock_timestamp() + interval '2 minutes')
         then pg_try_advisory_xact_lock(${COUNTING_LOCK}) else false end taken,
       pg_snapshot_xmax(s.counted) > pg_snapshot_xmax(pg_current_snapshot()) ahead
  from tasker.analytics_state s`;

/** The result of taking the lock for counting. */
export interface CountingTurn {
  taken: boolean;
  /** The server's transaction numbers are below the counted ones, because the database was restored. */
  ahead: boolean;
}

/**
 * Takes the lock for counting until the end of the transaction. Does not take it if another process has it, if
 * everything was counted less than `olderMs` ago, or if counting is paused. `now`: ignores the pause. Later statements
 * see what earlier holders wrote.
 */
export async function takeCountingTurn(
  db: Db,
  { olderMs, now }: { olderMs: number; now: boolean },
): Promise<CountingTurn> {
  return (await db.query<CountingTurn>(TAKE_TURN, [olderMs, now])).rows[0] ?? { taken: false, ahead: false };
}

const REST = sql('rest_from_counting')`
update tasker.analytics_state set rest_until = clock_timestamp() + least($1::int, 60000) * interval '1 ms'`;

/** Pauses counting in the background in all processes for a time, at most a minute. */
export async function restFromCounting(db: Db, ms: number): Promise<void> {
  await db.query(REST, [Math.ceil(ms)]);
}

// A database that was restored on another server has transaction numbers of the old server. The old numbers matter only
// if they are greater than those of the new server. The restore wrote this row too (`xmin`), and nothing has changed it
// since, so everything that ended on the new server has this number or a greater one. `after` leaves out old rows with
// such numbers. Rows that the old server had not counted get the number of
// the restore.
const REBASE = sql('rebase_counting')`
with s as materialized (
  select greatest(s.after, s.counted_at) at, pg_snapshot_xmax(s.counted)::text::bigint next,
         array(select y::text::bigint from pg_snapshot_xip(s.counted) y) running,
         c.now - ((c.now - s.xmin::text::bigint) & 4294967295) restored
    from tasker.analytics_state s cross join (select txid_current() now) c
   where pg_snapshot_xmax(s.counted) > pg_snapshot_xmax(pg_current_snapshot())),
h as (
  update tasker.history h set tx = (select restored from s)
   where h.tx >= (select next from s) or h.tx = any ((select running from s)::bigint[])),
a as (
  update tasker.operator_action o set tx = (select restored from s)
   where o.tx is not null and (o.tx >= (select next from s) or o.tx = any ((select running from s)::bigint[])))
update tasker.analytics_state x set counted = (s.restored || ':' || s.restored || ':')::pg_snapshot, after = s.at from s`;

/**
 * Continues counting if the server has lower transaction numbers than the stored number, which happens after a restore.
 * Everything that ended after the last count of the old server is counted.
 */
export async function rebaseCounting(db: Db): Promise<void> {
  await db.query(REBASE);
}

// The transactions of a pass: up to `$1` transactions that are visible to this statement and were not visible in the
// stored snapshot. `finished`: transactions that were running in the stored snapshot and have ended since. Long
// transactions are looked up individually, because otherwise all rows since their start would have to be read. Rows of
// transactions from `upto` on are left for the next pass.
const RANGE = `
b as materialized (
  select s.after, s.counted_at, c.snap, x.lo, x.hi, least(x.hi, x.lo + $1::bigint) upto, f.finished,
         least(x.lo, (select min(y) from unnest(f.finished) y where y >= x.lo - 1000)) first,
         array(select y from unnest(f.finished) y where y < x.lo - 1000) early
    from tasker.analytics_state s
    cross join (select pg_current_snapshot() snap offset 0) c
    cross join lateral (
      select pg_snapshot_xmax(s.counted)::text::bigint lo, pg_snapshot_xmax(c.snap)::text::bigint hi) x
    cross join lateral (
      select array(select y::text::bigint from pg_snapshot_xip(s.counted) y where pg_visible_in_snapshot(y, c.snap)) finished) f)`;

const newAttempts = (columns: string) => `
  select ${columns} from tasker.history h
   where h.tx >= (select first from b) and h.tx < (select upto from b)
     and (h.tx >= (select lo from b) or h.tx = any ((select finished from b)::bigint[]))
     and h.ended_at > coalesce((select after from b), '-infinity')
  union all
  select ${columns} from tasker.history h
   where h.tx = any ((select early from b)::bigint[]) and h.ended_at > coalesce((select after from b), '-infinity')`;

const NEW_ACTS = `
  select o.task_uuid, o.at from tasker.operator_action o
   where o.task_uuid is not null and o.tx is not null and o.tx >= (select lo from b) and o.tx < (select upto from b)
     and o.at > coalesce((select after from b), '-infinity')
  union all
  select o.task_uuid, o.at from tasker.operator_action o
   where o.task_uuid is not null and o.tx is not null and o.tx = any ((select finished from b)::bigint[])
     and o.at > coalesce((select after from b), '-infinity')`;

// Counts what is visible to this statement and was not visible in the stored snapshot. So a slow transaction is counted
// when it is committed, whatever its number, and nothing waits for it. If there are more than `$2` rows, the statement
// counts nothing and returns no row.
const COUNT_NEW = sql('count_new_attempts')`
with ${RANGE},
found as materialized (select * from (${newAttempts(ATTEMPT)}) x limit $2::int + 1),
found_act as materialized (select * from (${NEW_ACTS}) x limit $2::int + 1),
size as materialized (
  select greatest((select count(*) from found), (select count(*) from found_act)) <= $2::int fits),
a as materialized (select * from found where (select fits from size)),
act as materialized (select * from found_act where (select fits from size)),
${COUNT},
state as (
  update tasker.analytics_state s set
    counted = (least(pg_snapshot_xmin(b.snap)::text::bigint, b.upto) || ':' || b.upto || ':' || coalesce(
      (select string_agg(y::text, ',' order by y) from pg_snapshot_xip(b.snap) y where y::text::bigint < b.upto), ''))::pg_snapshot,
    counted_at = case when b.upto >= b.hi then statement_timestamp() else s.counted_at end
    from b where (select fits from size)
  returning (b.upto - b.lo)::float8 transactions, b.upto >= b.hi complete, s.pruned_at < now() - interval '1 minute' prunable,
            1000 * extract(epoch from statement_timestamp() - b.counted_at)::float8 "sinceCompleteMs")
select (select count(*)::int from a) attempts, (select count(*)::int from ends) ends, state.* from state`;

// Counts the uncounted rows of the tasks that have the first `$2` attempts, or actions, of a pass. The stored snapshot
// cannot express that a part of a transaction is counted, so the counted rows lose the number of their transaction. A
// task is not divided, because several rows can show the same end.
const COUNT_PART = sql('count_part_of_attempts')`
with ${RANGE}, ${COUNTED},
found as materialized (select * from (${newAttempts('h.task_uuid')}) x limit $2::int),
found_act as materialized (select task_uuid from (${NEW_ACTS}) x limit $2::int),
d as materialized (select task_uuid from found union select task_uuid from found_act),
${uncountedOf('d')},
${COUNT},
marked as (update tasker.history set tx = null where ctid = any (array(select place from a))),
marked_act as (update tasker.operator_action set tx = null where id = any (array(select id from act)))
select (select count(*)::int from a) attempts, (select count(*)::int from ends) ends, 0 transactions, false complete,
       greatest((select count(*) from found), (select count(*) from found_act)) >= $2::int more, s.pruned_at < now() - interval '1 minute' prunable,
       1000 * extract(epoch from statement_timestamp() - s.counted_at)::float8 "sinceCompleteMs"
  from tasker.analytics_state s`;

/** The result of a pass. */
export interface Counted {
  /** Number of attempts that were counted. */
  attempts: number;
  /** Number of task ends that were counted. */
  ends: number;
  /** Number of transactions that the pass covered, in all databases of the server. */
  transactions: number;
  /** Whether everything that was committed before the pass is now counted. */
  complete: boolean;
  /** Whether old periods are due to be removed. */
  prunable: boolean;
  /** Time since the last complete pass before this one. */
  sinceCompleteMs: number;
}

/**
 * Counts the attempts and the task ends of up to `transactions` transactions that are not counted yet. If they have
 * more than `attempts` attempts, counts nothing and returns undefined. Call it in a transaction that holds the lock.
 */
export async function countNew(
  db: Db,
  { transactions, attempts }: { transactions: number; attempts: number },
): Promise<Counted | undefined> {
  return (await db.query<Counted>(COUNT_NEW, [transactions, attempts])).rows[0];
}

/**
 * Counts all attempts of the tasks that have the first `rows` attempts of the next transaction and of transactions that
 * committed late. `more`: whether there may be more such attempts. Call it in a transaction that holds the lock.
 */
export async function countPart(db: Db, { rows }: { rows: number }): Promise<Counted & { more: boolean }> {
  return (await db.query<Counted & { more: boolean }>(COUNT_PART, [1, rows])).rows[0]!;
}

// Limits the rows of a pass, so that a clock that briefly jumps ahead does not remove everything.
const PRUNE = sql('prune_analytics')`
with minutes as (
  delete from tasker.analytics where ctid = any (array(
    select ctid from tasker.analytics where minutes = 1 and at < now() - interval '2 days' order by at limit 5000))),
hours as (
  delete from tasker.analytics where ctid = any (array(
    select ctid from tasker.analytics where minutes = 60 and at < now() - interval '90 days' order by at limit 5000))),
ends as (
  delete from tasker.earlier_end where ctid = any (array(
    select ctid from tasker.earlier_end where done_at < now() - interval '1 day' limit 5000)))
update tasker.analytics_state set pruned_at = now()`;

/** Removes minutes that are older than two days, and hours that are older than 90 days. */
export async function pruneAnalytics(db: Db): Promise<void> {
  await db.query(PRUNE);
}

// Selects the next ten-day period that has stored days. The period must have ended a day before the time up to which
// everything is counted, so that few of its days change again.
const SUM_TEN_DAYS = sql('sum_ten_days')`
with next as materialized (
  select n.first from tasker.analytics_state s cross join lateral (
    select date_bin('240 hours', min(x.at), timestamptz '1970-01-01T00:00Z') first
      from tasker.analytics x where x.minutes = 1440 and x.at >= coalesce(s.ten_days_until, '-infinity')) n
   where n.first + interval '264 hours' <= least(s.counted_at, now())),
keys as materialized (
  select distinct x.template_id, x.idx from next cross join lateral (
    select * from tasker.analytics x
     where x.minutes = 1440 and x.at >= next.first and x.at < next.first + interval '240 hours' offset 0) x),
summed as materialized (select tasker.sum_ten_days(next.first, template_id, idx) from next cross join keys)
update tasker.analytics_state set ten_days_until = next.first + interval '240 hours'
  from next cross join (select count(*) n from summed) k where k.n >= 0`;

/** Sums the days of the next ten-day period, if it has ended. Call it in a transaction that holds the lock. */
export async function sumTenDays(db: Db): Promise<void> {
  await db.query(SUM_TEN_DAYS);
}

const SUMMARIZE = sql('summarize_history')`select tasker.summarize_history()`;

/** Adds the new pages of the history to its index by transaction. */
export async function summarizeHistory(db: Db): Promise<void> {
  await db.query(SUMMARIZE);
}

const HISTORY_IS_SHORT = sql('history_is_short')`
select count(*) < $1 short from (select 1 from tasker.history limit $1) x`;

/** Returns whether fewer attempts than this have ended in the whole database. */
export async function historyIsShort(db: Db, attempts: number): Promise<boolean> {
  return (await db.query<{ short: boolean }>(HISTORY_IS_SHORT, [attempts])).rows[0]!.short;
}
