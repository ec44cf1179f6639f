import type { Db } from '../../db/statement.ts';
import { openTasks } from '../shown-state.ts';
import { sql } from '../sql.ts';

const TAKE_WATCH_TURN = sql('take_watch_turn')`
update tasker.dead_letter_look set watched_at = now() where watched_at <= now() - $1::int * interval '1 ms' returning 1`;

/** Starts applying thresholds to open tasks, if no process has done so for `leastMs`. */
export async function takeWatchTurn(db: Db, leastMs: number): Promise<boolean> {
  return (await db.query(TAKE_WATCH_TURN, [leastMs])).rows.length > 0;
}

// A template whose lifecycle specifies no action opts out. Rows that need no change are not touched.
const WATCH_OPEN_TASKS = sql('watch_open_tasks')`
with page as materialized (
  ${openTasks('x.task_uuid, x.template_id, x.created_at', 't.task_uuid > $1::uuid', '$2::int')}),
found as (
  select p.task_uuid from page p
   cross join lateral (
     select m.stale_action is null and (m.definition #>> '{lifecycle,auto_dlq_on_timeout}' = 'false'
              or (m.definition #>> '{lifecycle,auto_dlq_on_timeout}' is null and m.definition #>> '{lifecycle,staleness_action}' = 'none')) is true out
       from tasker.template m where m.id = p.template_id offset 0) opted
    left join lateral (select thresholds from tasker.task_watch w where w.task_uuid = p.task_uuid offset 0) w on true
   where p.created_at <= now() - $3::int * interval '1 minute' and not opted.out
     and (w.thresholds is null or ($5::boolean and w.thresholds is distinct from $4::int[]))),
watched as (
  insert into tasker.task_watch as w (task_uuid, check_at, thresholds)
  select task_uuid, now(), $4::int[] from found
  on conflict (task_uuid) do update set thresholds = excluded.thresholds, check_at = least(w.check_at, excluded.check_at)
  returning 1)
select (select count(*)::int from watched) watched, (select count(*)::int from page) looked,
       (select task_uuid from page order by task_uuid desc limit 1) last`;

/** Thresholds for open tasks. */
export interface WatchingThresholds {
  /** Minutes for the duration, waiting for dependencies, waiting for a retry, and steps in process. Null means none. */
  minutes: readonly (number | null)[];
  /** Whether to also replace thresholds of another configuration. */
  renew: boolean;
}

/** A page of the open tasks, in the order of their ids. */
export interface WatchedPage {
  watched: number;
  looked: number;
  last: string | null;
}

/** Applies thresholds to the open tasks of a page that are old enough to reach one. */
export async function watchOpenTasks(
  db: Db,
  { after, limit }: { after: string; limit: number },
  { minutes, renew }: WatchingThresholds,
): Promise<WatchedPage> {
  const least = Math.min(...minutes.filter((value) => value !== null));
  const list = `{${minutes.map((value) => value ?? 'null').join(',')}}`;
  return (await db.query<WatchedPage>(WATCH_OPEN_TASKS, [after, limit, least, list, renew])).rows[0]!;
}
