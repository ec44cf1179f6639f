import type { Db } from '../../db/statement.ts';
import type { WaitRequest } from '../../model/waits.ts';
import { PARENTS_DONE_AT } from '../expand-tasks.ts';
import { columns, sql } from '../sql.ts';
import type { HeldKey } from '../step-key.ts';
import { BEGUN_AT } from './start-tasks.ts';

const READY_AT = `
          select greatest(
                   ${BEGUN_AT}, ${PARENTS_DONE_AT('s.template_id')},
                   (select max(a.at) from (
                      select x.at from tasker.operator_action x
                       where x.task_uuid = s.task_uuid and (x.idx is null or x.idx = s.idx)
                         and x.action in ('reset', 'retry', 'rerun') offset 0) a)) ready_at
            from tasker.task t where t.task_uuid = s.task_uuid offset 0`;

// The step keeps its claim, which shows the worker that began the wait. Rows are looked up individually and updated by
// ctid, as in record_steps.
//
// A timer with a duration starts when its step became ready: at the end of its last parent, the start of its task, or
// an action of an operator. The time that the step was in the queue is part of the duration.
//
// Calls of one attempt are one run, which keeps the time of the first call and the number of calls. A run continues as
// long as no attempt has ended since the last call, because a call has no row in the history. The fences of the last
// calls are kept for a worker that did not receive the response.
const BEGIN_WAITS = sql('begin_waits')`
with s as (
  update tasker.step s set state = 'waiting', done_at = statement_timestamp(), next_at = null
    from (
      select d.*, x.tid
        from rows from (
          unnest($1::uuid[], $2::int[], $3::bigint[], $4::int[], $5::smallint[], $6::text[], $7::float8[], $8::float8[], $9::float8[]),
          jsonb_array_elements($10::jsonb)
        ) with ordinality d (task_uuid, idx, claim, template_id, rank, kind, until_ms, for_ms, due_ms, settings, ord)
        cross join lateral (
          select ctid tid from tasker.step x
           where x.task_uuid = d.task_uuid and x.idx = d.idx and x.state = 'in_progress' and x.claim = d.claim offset 0) x
    ) d
   where s.ctid = d.tid
  returning s.task_uuid, s.idx, s.attempts, d.claim, d.template_id, d.rank, d.kind, d.until_ms, d.for_ms, d.due_ms, d.settings, d.ord),
w as (
  insert into tasker.wait as w (task_uuid, idx, kind, attempt, claim, template_id, rank, since, until, due_at, calls, settings, progress)
  select task_uuid, idx, kind, attempts, claim, template_id, rank, since, until, least(until, statement_timestamp() + due_ms * interval '1 ms'),
         calls, settings, progress
    from (
      select s.*, coalesce(r.since, statement_timestamp()) since,
             coalesce('epoch'::timestamptz + s.until_ms * interval '1 ms', coalesce(e.ready_at, statement_timestamp()) + s.for_ms * interval '1 ms') until,
             case when s.kind = 'call' then coalesce(r.calls, 0) + 1 else 0 end calls, coalesce(r.progress, '{}') progress
        from s left join lateral (${READY_AT}) e on s.kind = 'timer' and s.for_ms is not null
        left join lateral (
          select y.since, y.calls,
                 jsonb_build_object('claims', case when jsonb_array_length(y.claims) > 8 then y.claims - 0 else y.claims end) progress
            from (select x.since, x.calls, coalesce(x.progress -> 'claims', '[]') || jsonb_build_array(jsonb_build_array(x.attempt, x.claim)) claims
                    from tasker.wait x
                   where s.kind = 'call' and x.task_uuid = s.task_uuid and x.idx = s.idx and x.kind = 'call'
                     and not exists (select 1 from tasker.history h
                                      where h.task_uuid = s.task_uuid and h.idx = s.idx and h.attempt >= x.attempt
                                        and h.outcome <> 'released')) y
          offset 0) r on true) b
  on conflict (task_uuid, idx) do update set
    kind = excluded.kind, attempt = excluded.attempt, claim = excluded.claim, template_id = excluded.template_id, rank = excluded.rank,
    since = excluded.since, until = excluded.until, due_at = excluded.due_at, calls = excluded.calls, settings = excluded.settings,
    progress = excluded.progress, ended_at = null, ended_by = null),
t as (
  update tasker.task set n_active = n_active - c.n, n_wait = n_wait + c.n
    from (
      select c.*, x.tid from (select task_uuid, count(*)::int n from s group by 1) c
       cross join lateral (select ctid tid from tasker.task x where x.task_uuid = c.task_uuid offset 0) x) c
   where task.ctid = c.tid)
select ord::int from s`;

/** A step that begins to wait, and its fence. */
export interface BeginningWait extends HeldKey {
  templateId: number;
  rank: number;
  wait: WaitRequest;
}

/** The latest time of a JavaScript date. PostgreSQL supports later times. */
const LAST_MS = 8.64e15;

/**
 * Begins the waits of running steps, and returns the indexes of the waits that the fence accepted. Call it after
 * lockTasks.
 */
export async function beginWaits(db: Db, steps: readonly BeginningWait[]): Promise<Set<number>> {
  const column = (of: (wait: WaitRequest) => number | undefined) =>
    `{${steps.map(({ wait }) => of(wait) ?? 'null').join(',')}}`;
  const { rows } = await db.query<{ ord: number }>(BEGIN_WAITS, [
    ...columns(steps, 'taskUuid', 'idx', 'claim', 'templateId', 'rank'),
    `{${steps.map(({ wait }) => wait.kind).join(',')}}`,
    column(({ untilMs }) => (untilMs === undefined ? undefined : Math.max(-LAST_MS, Math.min(untilMs, LAST_MS)))),
    column(({ forMs }) => forMs),
    column(({ dueMs }) => dueMs),
    `[${steps.map(({ wait }) => JSON.stringify(wait.settings)).join(',')}]`,
  ]);
  return new Set(rows.map(({ ord }) => ord - 1));
}
