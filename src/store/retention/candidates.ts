import type { Db } from '../../db/statement.ts';
import { neededChild } from '../child-tasks.ts';
import { sql } from '../sql.ts';
import type { WaitingEvents } from './waiting-events.ts';

// $3 has the time before which tasks must have ended, by `template:state`. Tasks without such a time are kept. For a
// restored task, the time of the restore is compared.
const IS_OLD = `
  t.done_at is not null and greatest(t.done_at, t.restored_at) < ($3::jsonb ->> (t.template_id || ':' || t.state))::timestamptz`;

// Reads slices of the key, which grows with the time of creation, so that each statement takes bounded time. Reading by
// the key needs no separate index, and also finds tasks that are not in the search tables.
const SLICE = `
with slice as materialized (
  select t.*, row_number() over () nr from (
    select task_uuid, template_id, state, done_at, restored_at from tasker.task
     where task_uuid > $1 and task_uuid < $2 order by task_uuid limit $4::int) t)`;

const PRUNE_SLICE = sql('prune_slice')`${SLICE}
select coalesce(string_agg(t.task_uuid::text, ',' order by t.nr) filter (where ${IS_OLD}), '') ids,
       case when count(*) = $4 then (array_agg(t.task_uuid order by t.nr desc))[1]::text end last
  from slice t`;

/** A slice of the tasks: a number of tasks after an id, up to an id. */
export interface PruneSlice {
  after: string;
  before: string;
  /** JSON text: the time before which tasks must have ended, by the id of their template and their state. */
  cutoffs: string;
  limit: number;
}

/** Returns the tasks of a slice that ended long enough ago, and its last task; null if it was the last slice. */
export async function pruneSlice(db: Db, slice: PruneSlice): Promise<{ ids: string[]; last: string | null }> {
  const { ids, last } = (await db.query<{ ids: string; last: string | null }>(PRUNE_SLICE, valuesOf(slice))).rows[0]!;
  return { ids: ids === '' ? [] : ids.split(','), last };
}

const COUNT_SLICE = sql('count_prune_slice')`${SLICE}
select t.template_id "templateId", t.state::text, count(*)::int count, tasker.iso(min(t.done_at)) oldest,
       tasker.iso(max(t.done_at)) newest, (array_agg(t.task_uuid order by t.nr))[1:10]::text[] sample, null last
  from slice t where ${IS_OLD} group by 1, 2
union all
select null, null, count(*)::int, null, null, null, case when count(*) = $4 then (array_agg(t.task_uuid order by t.nr desc))[1]::text end
  from slice t`;

/** Tasks of one template in one state that ended long enough ago. */
export interface PruneCount {
  templateId: number;
  state: string;
  count: number;
  /** When the first and the last of them ended. */
  oldest: string;
  newest: string;
  /** The ids of the first ten tasks. */
  sample: string[];
}

/** Counts the tasks that {@link pruneSlice} returns. */
export async function countPruneSlice(
  db: Db,
  slice: PruneSlice,
): Promise<{ counts: PruneCount[]; last: string | null }> {
  const { rows } = await db.query<PruneCount & { last: string | null }>(COUNT_SLICE, valuesOf(slice));
  const { last } = rows.find((row) => row.templateId === null)!;
  return { counts: rows.filter((row) => row.templateId !== null), last };
}

function valuesOf({ after, before, cutoffs, limit }: PruneSlice): unknown[] {
  return [after, before, cutoffs, limit];
}

const GROUP_WAITS = `
  exists (select 1 from unnest($4::text[], $5::int[], $6::bigint[]) w (matching, part, low)
           where w.part = get_byte(uuid_send(e.task_uuid), 15) & 15 and e.id >= w.low and e.name ~ w.matching)
  or exists (select 1 from tasker.event_dead x where x.id = e.id)`;

/**
 * Reasons to keep a task `t` that ended long enough ago, each with its condition. The first that applies is reported.
 */
const HOLDS: readonly (readonly [why: string, condition: string])[] = [
  [
    'dead_letter',
    `exists (select 1 from tasker.dead_letter x where x.task_uuid = t.task_uuid and x.status = 'pending' offset 0)`,
  ],
  [
    'undelivered_events',
    `exists (select 1 from (select x.id, x.name, x.task_uuid from tasker.domain_event x where x.task_uuid = t.task_uuid offset 0) e
              where ${GROUP_WAITS})
     or exists (select 1 from tasker.event_group g cross join lateral (
                  select 1 from tasker.event_retry x where x.group_id = g.id and x.task_uuid = t.task_uuid limit 1) r)`,
  ],
  [
    'parent_open',
    `exists (select 1 from tasker.child_task c where c.child_uuid = t.task_uuid and ${neededChild('c')} offset 0)`,
  ],
];

const CHECK_PRUNABLE = sql('check_prunable')`
select d.task_uuid "taskUuid",
       case when t.task_uuid is null then 'gone' when (${IS_OLD}) is not true then 'changed'
            ${HOLDS.map(([why, condition]) => `when ${condition} then '${why}'`).join('\n            ')} end why,
       (select count(*) from tasker.step s where s.task_uuid = d.task_uuid)::int steps,
       case when $2 then pg_column_size(t.context)
         + (select coalesce(sum(pg_column_size(s.result)), 0) from tasker.step s where s.task_uuid = d.task_uuid)
         + (select coalesce(sum(pg_column_size(h.detail)), 0) from tasker.history h where h.task_uuid = d.task_uuid)
         + (select coalesce(sum(pg_column_size(l.lines)), 0) from tasker.step_log l where l.task_uuid = d.task_uuid)
         + (select coalesce(sum(pg_column_size(e.payload) + pg_column_size(e.execution)), 0) from tasker.domain_event e
             where e.task_uuid = d.task_uuid) else 0 end::float8 bytes
  from unnest($1::uuid[]) d (task_uuid)
  left join lateral (select * from tasker.task x where x.task_uuid = d.task_uuid offset 0) t on true
 order by d.task_uuid`;

/** A task that may be pruned. */
export interface CheckedTask {
  taskUuid: string;
  /** Why it is not pruned: `gone`, `changed` (it runs again), or a reason to keep it. Null if it can be pruned. */
  why: string | null;
  steps: number;
  /** The stored size of the data that an archive would contain. 0 if that is not requested. */
  bytes: number;
}

/** Rechecks locked tasks, and whether anything still needs them. Returns the tasks in the order of their ids. */
export async function checkPrunable(
  db: Db,
  taskUuids: readonly string[],
  { cutoffs, waiting, sized }: { cutoffs: string; waiting: WaitingEvents; sized: boolean },
): Promise<CheckedTask[]> {
  const ids = `{${taskUuids.join(',')}}`;
  const values = [ids, sized, cutoffs, waiting.matching, waiting.parts, waiting.lows];
  return (await db.query<CheckedTask>(CHECK_PRUNABLE, values)).rows;
}

const TASK_BYTES = sql('bytes_of_tasks')`
select coalesce(sum(pg_table_size(c.oid) + pg_indexes_size(c.oid)) / nullif(max(c.reltuples) filter (where c.relname = 'task'), 0), 0)::float8 bytes
  from pg_class c where c.relnamespace = 'tasker'::regnamespace and c.relkind = 'r' and c.relname = any ($1)`;

/** Estimates how many bytes a task uses in these tables, from the size of their files. 0: not known yet. */
export async function bytesOfTask(db: Db, tables: readonly string[]): Promise<number> {
  return Math.max(0, (await db.query<{ bytes: number }>(TASK_BYTES, [tables])).rows[0]!.bytes);
}
