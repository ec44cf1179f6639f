import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

/**
 * The channel that notifies processes of new rows in the log. Payload `want`: a server has streams, so changes must be
 * announced soon.
 */
export const CHANNEL_CHANGES = 'tasker_changes';
/** The payload of that channel by which a server asks all processes to announce changes soon. */
export const WANT = 'want';

// The lock is taken before the number, and held until the commit. So a reader that sees a number has seen all smaller ones.
const ANNOUNCE_CHANGES = sql('announce_changes')`
with turn as materialized (select pg_advisory_xact_lock(7303014019) got),
given as materialized (
  select $1::uuid[] || (
           select array_agg(x.task) from unnest($3::uuid[], $4::bigint[], $5::int[]) x (task, seq, mark)
            where x.mark is distinct from (select c.mark from tasker.task_change c where c.seq = x.seq)) tasks
    from turn),
added as (
  insert into tasker.task_change (size, tasks)
  select coalesce(cardinality(tasks), 0), tasks from given where $3::uuid[] is null or cardinality(tasks) > 0
  returning seq, mark)
select seq::float8, mark, case when $2::boolean then pg_notify('${CHANNEL_CHANGES}', '') end from added`;

/** The number of a row of the log, and its random mark. */
export type Announcement = Omit<ChangeRow, 'tasks'>;

/**
 * Adds changed tasks to the log, and returns the new row. `null` for the tasks: changes were lost. `notify`: wakes the
 * processes that have streams. `announced`: tasks of earlier rows, which are added again if a crash has lost their row.
 * Without other tasks, there may be nothing to add.
 */
export async function announceChanges(
  db: Db,
  taskUuids: readonly string[] | null,
  { notify, announced }: { notify: boolean; announced?: ReadonlyMap<string, Announcement> | undefined },
): Promise<Announcement | undefined> {
  const list = (values: Iterable<string | number>) => `{${[...values].join(',')}}`;
  const rows = [...(announced?.values() ?? [])];
  const again = announced && [announced.keys(), rows.map(({ seq }) => seq), rows.map(({ mark }) => mark)].map(list);
  const values = [taskUuids && list(taskUuids), notify, ...(again ?? [null, null, null])];
  return (await db.query<Announcement>(ANNOUNCE_CHANGES, values)).rows[0];
}

/** Approximate number of ids, and of rows, that the log keeps. */
const KEPT_IDS = 200_000;
const KEPT_ROWS = 20_000;

const PRUNE_CHANGES = sql('prune_changes')`
delete from tasker.task_change where seq < (
  select min(seq) from (
    select seq, sum(size) over newer - size ids, row_number() over newer n
      from tasker.task_change window newer as (order by seq desc)) x
   where x.ids < $1 and x.n <= $2)`;

/** Removes the oldest rows of the log. The newest row stays. */
export async function pruneChanges(db: Db, ids = KEPT_IDS): Promise<void> {
  await db.query(PRUNE_CHANGES, [ids, KEPT_ROWS]);
}

/** A row of the log. */
export interface ChangeRow {
  seq: number;
  /** Differs if the database lost the row and assigned its number to another row. */
  mark: number;
  /** Null if changes were lost. */
  tasks: readonly string[] | null;
}

type StoredRow = Omit<ChangeRow, 'tasks'> & { tasks: string | null };

function changeRow({ seq, mark, tasks }: StoredRow): ChangeRow {
  return { seq, mark, tasks: tasks === null ? null : tasks.length === 2 ? [] : tasks.slice(1, -1).split(',') };
}

const READ_CHANGES = sql('read_changes')`
with asked as materialized (select pg_notify('${CHANNEL_CHANGES}', '${WANT}') told where $3::boolean)
select c.seq::float8, c.mark, c.tasks::text
  from (select seq, mark, tasks from tasker.task_change where seq >= $1 order by seq limit $2) c left join asked on true`;

/** Returns the row with this number, if it is still there, and the rows after it. `want`: see {@link WANT}. */
export async function readChanges(
  db: Db,
  { from, limit, want }: { from: number; limit: number; want: boolean },
): Promise<ChangeRow[]> {
  return (await db.query<StoredRow>(READ_CHANGES, [from, limit, want])).rows.map(changeRow);
}

const NEWEST_CHANGE = sql('newest_change')`
with asked as materialized (select pg_notify('${CHANNEL_CHANGES}', '${WANT}') told)
select c.seq::float8, c.mark, '{}' tasks
  from (select seq, mark from tasker.task_change order by seq desc limit 1) c left join asked on true`;

/** Returns the newest row of the log, without its tasks, and asks all processes to announce changes soon. */
export async function newestChange(db: Db): Promise<ChangeRow> {
  return changeRow((await db.query<StoredRow>(NEWEST_CHANGE)).rows[0]!);
}

// The end of a snapshot is after the last ended transaction, so running transactions may have greater numbers. A number
// that is assigned now is greater than all of them.
const LATE_TASKS = sql('late_tasks')`
select array(select w.id from unnest($1::uuid[]) w (id)
              where exists (select 1 from tasker.task t where t.task_uuid = w.id))::text found,
       pg_snapshot_xmin(s.now)::text oldest, case when $2::boolean then pg_current_xact_id()::text end newest
  from (select pg_current_snapshot() now) s`;

/** The tasks of a list that exist, and the transaction numbers at the time of the search. */
export interface LateTasks {
  found: string[];
  /** All transactions with smaller numbers had ended. */
  oldest: bigint;
  /** All transactions that had begun to write have smaller numbers. Undefined if it was not requested. */
  newest: bigint | undefined;
}

/** Searches for tasks that may not be committed yet. `number`: assigns a transaction number, for `newest`. */
export async function lateTasks(
  db: Db,
  taskUuids: readonly string[],
  { number }: { number: boolean },
): Promise<LateTasks> {
  type Row = { found: string; oldest: string; newest: string | null };
  const { rows } = await db.query<Row>(LATE_TASKS, [`{${taskUuids.join(',')}}`, number]);
  const { found, oldest, newest } = rows[0]!;
  return {
    found: found.slice(1, -1).split(',').filter(Boolean),
    oldest: BigInt(oldest),
    newest: newest === null ? undefined : BigInt(newest),
  };
}
