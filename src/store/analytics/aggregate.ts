// The common part of the statements that count. Each statement begins with the CTEs `a`, the attempts to count, and
// `act`, the actions in the audit that may have ended tasks. CTEs are joined by hash, and rows are looked up
// individually (lateral, offset 0). So no plan scans a whole table or compares all pairs of rows.

/** The columns of an attempt `h` of the history, for `a`. */
export const ATTEMPT = `
  h.task_uuid, h.idx, tasker.template_idx(h.idx) tidx, h.attempt, h.outcome, h.state, h.started_at, h.ended_at, h.duration_ms`;

/** The step index that represents the tasks of a template, and the index that represents all its steps. */
export const TASKS_IDX = -1;
export const ALL_STEPS_IDX = -2;

// A task that starts later begins when its wait for the start ends.
const TASKS = `
t as materialized (
  select t.* from (select task_uuid from a union select task_uuid from act) d cross join lateral (
    select x.task_uuid, x.template_id, coalesce((
             select w.ended_at from tasker.wait w where w.task_uuid = x.task_uuid and w.idx = -1 offset 0), x.created_at) begun_at, x.reruns, x.rerun_at, x.done_at, x.state
      from tasker.task x where x.task_uuid = d.task_uuid offset 0) t),`;

// When a step became ready, in the complicated cases: it is not its first attempt, or some parents ended earlier, were
// finished by hand, or are batch workers. A retry was due at the time stored with the failure, unless an operator acted
// earlier. After the end of a step, an operator made it ready. After a rerun, it waits for its parents again.
const READY_BY_LOOKUP = `
  select case
           when w.attempt > 1 and prev.state = 'enqueued' and acts.rerun_at is null then prev.ended_at
           when w.attempt > 1 and prev.state = 'waiting_for_retry' and acts.rerun_at is null
             then least(prev.ended_at + (prev.detail ->> 'retry_delay_ms')::bigint * interval '1 ms', acts.retry_at)
           when w.attempt = 1 or coalesce(acts.retry_at, acts.rerun_at) is not null
             then greatest(w.begun_at, parents.at, acts.retry_at, acts.rerun_at) end ready
    from (select 1) one
    left join lateral (
      select h.state, h.ended_at, h.detail from tasker.history h
       where h.task_uuid = w.task_uuid and h.idx = w.idx and h.attempt = w.attempt - 1 offset 0) prev on true
    left join lateral (
      select max(x.at) filter (where x.action in ('reset', 'retry') and (x.idx is null or x.idx = w.idx)) retry_at,
             max(x.at) filter (where x.action not in ('reset', 'retry')) rerun_at
        from tasker.operator_action x
       where (w.attempt > 1 or w.reruns > 0) and x.task_uuid = w.task_uuid and (x.action in ('reset', 'retry', 'rerun') or x.details ->> 'how' = 'reopened')
         and x.at <= w.started_at and x.at >= coalesce(prev.ended_at, w.begun_at)) acts on true
    left join lateral (
      select max(greatest(
               case when s.state in ('complete', 'resolved_manually', 'error', 'skipped') and s.done_at <= w.started_at then s.done_at end,
               (select max(h.ended_at) from tasker.history h where h.task_uuid = s.task_uuid and h.idx = s.idx
                   and h.state in ('complete', 'skipped') and h.ended_at <= w.started_at))) at
        from tasker.template_edge e
        join tasker.template_step p on p.template_id = e.template_id and p.idx = e.parent
        cross join lateral (
          select x.task_uuid, x.idx, x.state, x.done_at from tasker.step x where x.task_uuid = w.task_uuid and x.idx = e.parent
          union all
          select x.task_uuid, x.idx, x.state, x.done_at from tasker.step x
           where not p.initial and x.task_uuid = w.task_uuid
             and x.idx >= (e.parent + 1) << 17 and x.idx < (e.parent + 2) << 17 offset 0) s
       where e.template_id = w.template_id and e.child = w.tidx) parents on true`;

// The usual case: all parents of a first attempt are among the attempts to count. A step with one parent, the most
// common case, is joined with it directly.
const WAITS = `
edges as materialized (
  select e.* from (select distinct template_id from t) m cross join lateral (
    select x.template_id, x.parent, x.child, s.initial
      from tasker.template_edge x join tasker.template_step s on s.template_id = x.template_id and s.idx = x.parent
     where x.template_id = m.template_id offset 0) e),
children as materialized (
  select template_id, child, count(*) n, min(parent) parent, bool_and(initial) plain from edges group by 1, 2),
several as materialized (
  select e.template_id, e.parent, e.child from edges e join children c on c.template_id = e.template_id and c.child = e.child
   where c.n > 1 and c.plain),
parents as materialized (
  select a.task_uuid, e.child, max(a.ended_at) at, count(*) n
    from several e join t on t.template_id = e.template_id
    join a on a.task_uuid = t.task_uuid and a.idx = e.parent
   where a.state = 'complete'
   group by 1, 2),
w as materialized (
  select a.task_uuid, a.idx, a.tidx, a.attempt, a.outcome, a.state, a.started_at, a.ended_at, a.duration_ms,
         t.template_id, t.begun_at, t.reruns, a.ended_at = t.done_at ends_task,
         case when a.attempt > 1 or t.reruns > 0 then null
              when c.n is null then t.begun_at
              when c.n = 1 and c.plain then q.ended_at
              when c.n = p.n then p.at end ready
    from a join t on t.task_uuid = a.task_uuid
    left join children c on c.template_id = t.template_id and c.child = a.tidx
    left join a q on q.task_uuid = a.task_uuid and q.idx = c.parent and q.state = 'complete'
     and c.n = 1 and c.plain and t.reruns is null
    left join parents p on p.task_uuid = a.task_uuid and p.child = a.tidx),
-- Parents that were counted earlier. Each is looked up once, whatever the number of its children.
earlier as materialized (
  select distinct w.task_uuid, e.parent
    from w join children c on c.template_id = w.template_id and c.child = w.tidx
    join edges e on e.template_id = w.template_id and e.child = w.tidx
   where w.ready is null and w.attempt = 1 and w.reruns is null and c.plain
     and w.outcome not in ('released', 'skipped') and w.started_at is not null),
settled as materialized (
  select p.task_uuid, p.parent, s.done_at from earlier p cross join lateral (
    select x.done_at from tasker.step x
     where x.task_uuid = p.task_uuid and x.idx = p.parent and x.state = 'complete' offset 0) s),
late as materialized (
  select w.task_uuid, w.tidx, max(p.done_at) at
    from w join children c on c.template_id = w.template_id and c.child = w.tidx
    join edges e on e.template_id = w.template_id and e.child = w.tidx
    join settled p on p.task_uuid = w.task_uuid and p.parent = e.parent
   where w.ready is null and w.attempt = 1 and w.reruns is null and c.plain
   group by 1, 2, c.n having count(*) = c.n),
v as materialized (
  select w.*, coalesce(w.ready, l.at) was_ready
    from w left join late l on l.task_uuid = w.task_uuid and l.tidx = w.tidx and w.attempt = 1),
x as (
  select v.* from v where was_ready is not null or outcome in ('released', 'skipped') or started_at is null
  union all
  select w.task_uuid, w.idx, w.tidx, w.attempt, w.outcome, w.state, w.started_at, w.ended_at, w.duration_ms,
         w.template_id, w.begun_at, w.reruns, w.ends_task, w.ready, r.ready
    from v w cross join lateral (${READY_BY_LOOKUP}) r
   where w.was_ready is null and w.outcome not in ('released', 'skipped') and w.started_at is not null),`;

// A task has ended if an attempt or an action belongs to the statement that ended it. Both have the time of that
// statement. An end that a rerun undid in the meantime is in `earlier_end`.
const ENDS = `
ends as materialized (
  select t.template_id, t.task_uuid, t.done_at, t.state,
         (extract(epoch from t.done_at - greatest(t.rerun_at, t.begun_at)) * 1000000)::bigint took_us
    from (select task_uuid from w where ends_task
          union
          select act.task_uuid from act join t on t.task_uuid = act.task_uuid where act.at = t.done_at) e
    join t on t.task_uuid = e.task_uuid
  union all
  select t.template_id, t.task_uuid, e.done_at, e.state, e.took_us
    from t cross join lateral (
      select * from tasker.earlier_end x where t.reruns > 0 and x.task_uuid = t.task_uuid offset 0) e
   where (e.task_uuid, e.done_at) in (select task_uuid, ended_at from a)
      or (e.task_uuid, e.done_at) in (select task_uuid, at from act)),`;

// A skip is not an attempt, so it is not counted. Kinds: 0 completed, 1 failed, 2 lost, 3 cancelled, 4 resolved, 5 released. What follows: 1 another attempt, 2 none.
const COUNTED = `
s as materialized (
  select template_id, tidx idx, date_bin('1 minute', ended_at, timestamptz '2000-01-01T00:00Z') at, ended_at, task_uuid,
         case outcome when 'completed' then 0 when 'failed' then 1 when 'worker_lost' then 2 when 'released' then 5 else 3 end kind,
         case when outcome in ('failed', 'worker_lost') then case when state = 'error' then 2 else 1 end else 0 end next,
         case when outcome in ('completed', 'failed') then duration_ms::bigint * 1000 end run_us,
         case when was_ready is not null and outcome not in ('released', 'skipped')
           then greatest(0, round(date_part('epoch', started_at - was_ready) * 1000000)::bigint) end wait_us
    from x where outcome <> 'skipped'
  union all
  select template_id, ${TASKS_IDX}, date_bin('1 minute', done_at, timestamptz '2000-01-01T00:00Z'), done_at, task_uuid,
         case state when 'complete' then 0 when 'error' then 1 when 'resolved_manually' then 4 else 3 end, 0,
         greatest(0, took_us), null
    from ends),
r as materialized (
  select template_id, idx, at, kind, next, count(*) n, count(run_us) runs, sum(run_us) run_us, min(run_us) run_min, max(run_us) run_max,
         count(wait_us) waits, sum(wait_us) wait_us, min(wait_us) wait_min, max(wait_us) wait_max, max(ended_at) last_at
    from s group by 1, 2, 3, 4, 5),
m as materialized (
  select template_id, idx, at,
         coalesce(sum(n) filter (where kind = 0), 0) completed, coalesce(sum(n) filter (where kind = 1), 0) failed,
         coalesce(sum(n) filter (where kind = 2), 0) lost, coalesce(sum(n) filter (where kind = 3), 0) cancelled,
         coalesce(sum(n) filter (where kind = 4), 0) resolved, coalesce(sum(n) filter (where kind = 5), 0) released,
         coalesce(sum(n) filter (where next = 1), 0) retried, coalesce(sum(n) filter (where next = 2), 0) gave_up,
         sum(runs) runs, coalesce(sum(run_us), 0) run_us, min(run_min) run_min, max(run_max) run_max,
         sum(waits) waits, coalesce(sum(wait_us), 0) wait_us, min(wait_min) wait_min, max(wait_max) wait_max,
         max(last_at) last_at
    from r group by 1, 2, 3),
slowest as materialized (
  select distinct on (s.template_id, s.idx, s.at) s.template_id, s.idx, s.at, s.task_uuid
    from s join m on m.template_id = s.template_id and m.idx = s.idx and m.at = s.at
   where s.run_us = m.run_max),
-- Each counts in its minute, its hour and its day, and each step also among all steps of its template. Minutes and hours
-- that prune_analytics would remove are not stored.
places as (
  select minutes, length, now() - kept since
    from (values (1, interval '1 minute', interval '2 days'), (60, '1 hour', '90 days'), (1440, '1 day', null)) p (minutes, length, kept)),
sums as (
  select p.minutes, date_bin(p.length, m.at, timestamptz '2000-01-01T00:00Z') at, m.template_id, k.idx,
         sum(completed) completed, sum(failed) failed, sum(lost) lost, sum(cancelled) cancelled, sum(resolved) resolved,
         sum(released) released, sum(retried) retried, sum(gave_up) gave_up,
         sum(runs) runs, sum(run_us) run_us, min(run_min) run_min, max(run_max) run_max,
         (array_agg(slowest.task_uuid order by run_max desc nulls last))[1] slowest,
         sum(waits) waits, sum(wait_us) wait_us, min(wait_min) wait_min, max(wait_max) wait_max, max(last_at) last_at
    from m left join slowest on slowest.template_id = m.template_id and slowest.idx = m.idx and slowest.at = m.at
   join places p on (m.at < p.since) is not true cross join lateral (select m.idx union all select ${ALL_STEPS_IDX} where m.idx >= 0) k (idx)
   group by 1, 2, 3, 4),
buckets as (
  select p.minutes, date_bin(p.length, b.at, timestamptz '2000-01-01T00:00Z') at, b.template_id, k.idx, b.what, b.bucket,
         sum(b.n) n
    from (select template_id, idx, at, 'run' what, tasker.bucket_of(run_us) bucket, count(*) n
            from s where run_us is not null group by 1, 2, 3, 5
          union all
          select template_id, idx, at, 'wait', tasker.bucket_of(wait_us), count(*)
            from s where wait_us is not null group by 1, 2, 3, 5) b
   join places p on (b.at < p.since) is not true cross join lateral (select b.idx union all select ${ALL_STEPS_IDX} where b.idx >= 0) k (idx)
   group by 1, 2, 3, 4, 5, 6),
histograms as (
  select minutes, at, template_id, idx,
         coalesce(array_agg((n * 512)::bigint + bucket order by bucket) filter (where what = 'run'), '{}') run_hist,
         coalesce(array_agg((n * 512)::bigint + bucket order by bucket) filter (where what = 'wait'), '{}') wait_hist
    from buckets group by 1, 2, 3, 4),
-- In the order of the key, so that two transactions that delete tasks never wait for each other.
written as (
  insert into tasker.analytics as o (
    minutes, at, template_id, idx, completed, failed, lost, cancelled, resolved, released, retried, gave_up,
    run_count, run_us, run_min_us, run_max_us, run_hist, slowest, wait_count, wait_us, wait_min_us, wait_max_us, wait_hist, last_at)
  select minutes, at, template_id, idx, completed, failed, lost, cancelled, resolved, released, retried, gave_up,
         runs, run_us, run_min, run_max, coalesce(run_hist, '{}'), slowest, waits, wait_us, wait_min, wait_max,
         coalesce(wait_hist, '{}'), last_at
    from sums left join histograms using (minutes, at, template_id, idx)
   order by minutes, at, template_id, idx
  on conflict (minutes, at, template_id, idx) do update set
    completed = o.completed + excluded.completed, failed = o.failed + excluded.failed, lost = o.lost + excluded.lost,
    cancelled = o.cancelled + excluded.cancelled, resolved = o.resolved + excluded.resolved,
    released = o.released + excluded.released, retried = o.retried + excluded.retried, gave_up = o.gave_up + excluded.gave_up,
    run_count = o.run_count + excluded.run_count, run_us = o.run_us + excluded.run_us,
    run_min_us = least(o.run_min_us, excluded.run_min_us), run_max_us = greatest(o.run_max_us, excluded.run_max_us),
    run_hist = case when excluded.run_count = 0 then o.run_hist else tasker.add_histograms(o.run_hist, excluded.run_hist) end,
    slowest = case when excluded.run_max_us > coalesce(o.run_max_us, -1) then excluded.slowest else o.slowest end,
    wait_count = o.wait_count + excluded.wait_count, wait_us = o.wait_us + excluded.wait_us,
    wait_min_us = least(o.wait_min_us, excluded.wait_min_us), wait_max_us = greatest(o.wait_max_us, excluded.wait_max_us),
    wait_hist = case when excluded.wait_count = 0 then o.wait_hist else tasker.add_histograms(o.wait_hist, excluded.wait_hist) end,
    last_at = greatest(o.last_at, excluded.last_at))`;

/** The CTEs that count the attempts `a`, and the ends of tasks at these attempts and at the actions `act`. */
export const COUNT = `${TASKS}${WAITS}${ENDS}${COUNTED}`;
