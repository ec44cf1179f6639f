import type { Db } from '../../db/statement.ts';
import { columns, sql } from '../sql.ts';
import type { StepKey } from '../step-key.ts';

// The newest tasks come first: a program of an earlier version leaves waits open only while it runs. The slice counts
// rows, including ended waits, so that its cost is bounded.
const LEFT_WAITS = sql('left_waits')`
with slice as materialized (
  select task_uuid, idx, ended_at is null open from tasker.wait where (task_uuid, idx) < ($1, $2)
   order by task_uuid desc, idx desc limit $3),
l as (
  select w.task_uuid, w.idx, coalesce(t.state, 'gone') state
    from slice w
    left join lateral (
      select case when x.done_at is null then 'open' else 'ended' end state from tasker.task x
       where x.task_uuid = w.task_uuid offset 0) t on true
    left join lateral (
      select 1 waits from tasker.step x
       where w.open and x.task_uuid = w.task_uuid and x.idx = w.idx and x.state = 'waiting' offset 0) s on true
   where t.state is null or (w.open and (t.state = 'ended' or (w.idx >= 0 and s.waits is null))))
select (select count(*)::int from slice) rows,
       (select json_build_object('taskUuid', task_uuid, 'idx', idx)::text from slice order by slice.task_uuid, slice.idx limit 1) last,
       (select coalesce(json_agg(json_build_object('taskUuid', task_uuid, 'idx', idx, 'state', state)), '[]')::text from l) waits`;

/**
 * A wait of a deleted task, or an open wait of an ended task or of a step that does not wait. `state`: the state of its
 * task.
 */
export interface LeftWait extends StepKey {
  state: 'gone' | 'ended' | 'open';
}

/**
 * Finds the waits that programs of earlier versions have left among the next `limit` waits before a key, newest task
 * first. `next`: the key for the next call; undefined after the last wait.
 */
export async function leftWaits(
  db: Db,
  { before, limit }: { before: StepKey; limit: number },
): Promise<{ waits: LeftWait[]; next: StepKey | undefined }> {
  type Row = { rows: number; last: string | null; waits: string };
  const { rows, last, waits } = (await db.query<Row>(LEFT_WAITS, [before.taskUuid, before.idx, limit])).rows[0]!;
  return {
    waits: JSON.parse(waits) as LeftWait[],
    next: rows < limit || last === null ? undefined : (JSON.parse(last) as StepKey),
  };
}

const DROP_LEFT_WAITS = sql('drop_left_waits')`
delete from tasker.wait where ctid = any (array(
  select x.tid from unnest($1::uuid[], $2::int[]) d (task_uuid, idx) cross join lateral (
    select ctid tid from tasker.wait x
     where x.task_uuid = d.task_uuid and x.idx = d.idx
       and not exists (select 1 from tasker.task t where t.task_uuid = d.task_uuid) offset 0) x))`;

/** Deletes waits of tasks that no longer exist. */
export async function dropLeftWaits(db: Db, waits: readonly StepKey[]): Promise<void> {
  await db.query(DROP_LEFT_WAITS, columns(waits, 'taskUuid', 'idx'));
}
