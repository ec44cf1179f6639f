import type { Db } from '../../db/statement.ts';
import type { WaitEnd } from '../../model/waits.ts';
import { columns, sql } from '../sql.ts';
import type { StepKey } from '../step-key.ts';

/** The fence under which a wait is recorded. No worker has the id 0, so no worker holds such a step. */
export const FENCE_OF_WAITS = 0;

// Marks the step as running again, for the recording that follows in the same transaction. Both rows are changed by
// ctid, and the task is locked. If the clock of the server was set back, `least` keeps the attempt from ending before
// its start.
const END_WAITS = sql('end_waits')`
with s as (
  update tasker.step s set state = 'in_progress', claim = ${FENCE_OF_WAITS}, started_at = least(s.started_at, statement_timestamp())
    from (
      select d.*, x.tid, y.wait_tid, y.rank, t.task_tid
        from unnest($1::uuid[], $2::int[], $3::int[], $4::text[]) with ordinality d (task_uuid, idx, attempt, ended_by, ord)
       cross join lateral (
         select ctid tid from tasker.step x where x.task_uuid = d.task_uuid and x.idx = d.idx and x.state = 'waiting' offset 0) x
       cross join lateral (
         select ctid wait_tid, rank from tasker.wait x
          where x.task_uuid = d.task_uuid and x.idx = d.idx and x.attempt = d.attempt and x.ended_at is null offset 0) y
       cross join lateral (
         select ctid task_tid from tasker.task x where x.task_uuid = d.task_uuid and x.done_at is null offset 0) t) d
   where s.ctid = d.tid
  returning d.ord, s.attempts - s.spared counted, s.max_attempts, s.retryable, d.ended_by, d.wait_tid, d.task_tid),
w as (
  update tasker.wait w set ended_at = greatest(statement_timestamp(), w.since), ended_by = s.ended_by
    from s where w.ctid = s.wait_tid returning s.ord, w.ended_at),
t as (
  update tasker.task t set n_active = t.n_active + c.n, n_wait = t.n_wait - c.n
    from (select task_tid, count(*)::int n from s group by 1) c where t.ctid = c.task_tid)
select s.ord::int, s.counted, tasker.iso(w.ended_at) "endedAt" from s join w on w.ord = s.ord`;

/** The end of a step's wait. */
export interface EndOfWait extends StepKey {
  /** The waiting attempt. */
  attempt: number;
  by: WaitEnd;
}

/** A wait that this transaction has ended. */
export interface TakenWait {
  /** The number of its attempt among the attempts that count towards `max_attempts`. */
  counted: number;
  endedAt: string;
}

/**
 * Ends waits, and marks their steps as running under {@link FENCE_OF_WAITS}. The ends must be recorded in the same
 * transaction. Returns the waits that had not ended, by their index in the list. Call it after lockTasks.
 */
export async function endWaits(db: Db, ends: readonly EndOfWait[]): Promise<Map<number, TakenWait>> {
  const { rows } = await db.query<TakenWait & { ord: number }>(
    END_WAITS,
    columns(ends, 'taskUuid', 'idx', 'attempt', 'by'),
  );
  return new Map(rows.map(({ ord, ...row }) => [ord - 1, row]));
}
