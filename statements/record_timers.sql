-- Written by scripts/write-statements.mjs from scripts/statements/record_steps.sql: edit it there.
--
-- Records the ends of many attempts, advances their tasks, and takes ready children for the worker that records.
--
-- kind: 0 completed, 1 failed and may be retried, 2 failed permanently, 3 released (spends no attempt), 4 failed
-- permanently because its worker was lost. The engine has locked the tasks.
--
-- No CTE is joined to a CTE, and no table to a list by its key: rows are looked up one by one (lateral, offset 0). With an
-- ordinary join, statistics from a moment when no step was running make the planner read the whole table for each batch and
-- compare all rows with all: 50,000 steps a second fell to 2,000. Rows to update are matched by key = any (array[value]),
-- a condition that the planner cannot turn into a hash or merge join. Looking them up first and then updating them by ctid
-- takes 10 % longer.
--
-- The children that become ready are claimed for this worker up to its free slots ($10), unless steps of a higher
-- priority wait ($12). The others go to the queue. While its task, its template or its namespace is paused, a child has
-- no place (r) among those to claim, and goes to the part of the queue that no claim reads. The statement reads the
-- pauses itself: it locks the queue before it takes its snapshot, so a pause that waits for the lock holders misses none.
--
-- This variant ends timers that are due, and records that their steps completed, in one change of each row. Their waits have
-- everything to record.
with done as (
  update tasker.step s set
    state = case d.kind when 0 then 'complete'::tasker.step_state when 3 then 'enqueued'
      when 1 then case when s.retryable and s.attempts - s.spared < s.max_attempts
        then case when d.delay > 0 then 'waiting_for_retry'::tasker.step_state else 'enqueued' end else 'error' end
      else 'error' end,
    result = case when d.kind = 0 then d.result end,
    spared = s.spared + case when d.kind = 3 then 1 else 0 end,
    done_at = statement_timestamp(),
    claim = 0, started_at = least(s.started_at, statement_timestamp()),
    next_at = case when d.kind = 1 and d.delay > 0 then statement_timestamp() + d.delay * interval '1 ms' end
    from (
      select *
        from (
          select *, 0 kind, 0 delay, null::int ms, '{"wait": {"kind": "timer", "ended_by": "elapsed"}}'::jsonb detail, 'elapsed' ended_by
            from unnest($1::uuid[], $2::int[]) with ordinality d (task_uuid, idx, ord)) d
        cross join lateral (
          select w.wait_tid, w.claim, w.template_id, w.rank, w.result
            from (
             select w.ctid wait_tid, w.attempt claim, w.template_id, w.rank, w.kind, w.due_at,
                    jsonb_build_object('due_at', tasker.iso(w.until), 'fired_at', tasker.iso(statement_timestamp())) result
               from tasker.wait w
              where w.task_uuid = d.task_uuid and w.idx = d.idx and w.ended_at is null offset 0) w
           cross join lateral (select t.done_at from tasker.task t where t.task_uuid = d.task_uuid offset 0) t
           -- Not in the lookup: with the statistics of an empty table, an index of due or open waits would seem as cheap as the key.
           where w.kind = 'timer' and w.due_at <= statement_timestamp() and t.done_at is null offset 0) x
    ) d
   where s.task_uuid = any (array[d.task_uuid]) and s.idx = d.idx
     and s.state = 'waiting'
  returning s.task_uuid, s.idx, s.state, s.attempts, s.spared, s.max_attempts, s.started_at, s.next_at,
    d.claim, d.kind, d.template_id, d.rank, d.ms, d.detail, d.ord,
    d.wait_tid, d.ended_by,
    s.state = 'complete' closed),
w as (
  update tasker.wait w set ended_at = greatest(statement_timestamp(), w.since), ended_by = done.ended_by
    from done where w.ctid = done.wait_tid returning done.ord, w.ended_at),
dec as (
  select x.task_uuid, x.template_id, x.rank, x.child, count(*)::int n, min(x.ord) ord,
         case when (select exists (select 1 from tasker.pause where resumed_at is null)) and (
                select m.queue_id < 0 or exists (
                  select 1 from tasker.pause p where p.task_uuid = x.task_uuid and p.resumed_at is null)
                  from tasker.template m where m.id = x.template_id) then null
           else row_number() over (order by x.rank, x.task_uuid, x.child) end r
    from (
      select d.task_uuid, d.template_id, d.rank, d.ord, e.child
        from done d
        cross join lateral (
          select child from tasker.template_edge x
           where x.template_id = d.template_id and x.parent = d.idx offset 0) e
       where d.closed) x
   group by 1, 2, 3, 4),
k as (
  update tasker.step s set
    remaining = s.remaining - dec.n,
    state = case when s.remaining > dec.n then 'pending'::tasker.step_state
      else 'enqueued' end
    from dec
   where s.task_uuid = any (array[dec.task_uuid]) and s.idx = dec.child and s.state = 'pending'
  returning s.task_uuid, s.idx, s.state, s.attempts, s.spared, s.max_attempts, s.rerun, dec.template_id, dec.rank, dec.ord),
q as (
  insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
  select (
    select case when (select exists (select 1 from tasker.pause where resumed_at is null)) and exists (
                  select 1 from tasker.pause p where p.task_uuid = y.task_uuid and p.resumed_at is null)
                then -abs(m.queue_id) else m.queue_id end
      from tasker.template m where m.id = y.template_id), rank, task_uuid, idx, template_id
    from (select template_id, rank, task_uuid, idx from k where state = 'enqueued'
          union all select template_id, rank, task_uuid, idx from done where state = 'enqueued') y),
tm as (
  insert into tasker.timer (due_at, task_uuid, idx, template_id, rank)
  select next_at, task_uuid, idx, template_id, rank from done where state = 'waiting_for_retry'),
h as (
  insert into tasker.history (task_uuid, idx, attempt, number, worker_id, outcome, state, started_at, ended_at, duration_ms, detail)
  select task_uuid, idx, attempts, nullif(attempts - spared + case kind when 3 then 1 else 0 end, attempts), claim >> 24,
    case kind when 0 then 'completed'::tasker.outcome when 3 then 'released' when 4 then 'worker_lost' else 'failed' end,
    state, started_at, statement_timestamp(), ms, nullif(detail, 'null') from done),
t as (
  update tasker.task set
    n_open = n_open - c.done, n_active = n_active + c.act + c.waited, n_wait = n_wait - c.waited,
    n_retry = n_retry + c.ret, n_error = n_error + c.err,
    done_at = case when n_open = c.done then statement_timestamp() end
    from (
      select task_uuid, min(ord) filter (where rec) ord,
             (count(*) filter (where rec and closed))::int done,
             (count(*) filter (where rec))::int waited,
             (count(*) filter (where rec and state = 'waiting_for_retry'))::int ret,
             (count(*) filter (where rec and state = 'error' and not closed))::int err,
             (count(*) filter (where not rec) - count(*) filter (where rec and state <> 'enqueued'))::int act
        from (select task_uuid, state, closed, true rec, ord from done
              union all select task_uuid, state, false, false, null from k where state <> 'pending') y
       group by 1) c
   where task.task_uuid = any (array[c.task_uuid])
  returning task.state, task.n_wait, c.ord, task.created_at)
select child.*, ended.*, rest.*
  from (select array_agg(ord)::text "childOrds", array_agg(idx)::text idxs, array_agg(attempts)::text attempts,
               array_agg(spared)::text spared, array_agg(max_attempts)::text "maxAttempts",
               case when count(rerun) > 0 then array_agg(coalesce(rerun, 0))::text end reruns
          from k where state = 'in_progress') child,
       (select array_agg(ord)::text "endedOrds", array_agg((state = 'complete')::int)::text complete,
               array_agg((extract(epoch from statement_timestamp() - created_at) * 1000)::bigint)::text ms
          from t where state in ('complete', 'blocked_by_failures') and n_wait = 0) ended,
       (select case when count(*) < cardinality($1::uuid[]) then coalesce(array_agg(ord)::text, '{}') end accepted,
               (select count(*) from k where state = 'enqueued')::int
                 + (count(*) filter (where state = 'enqueued'))::int queued,
               json_agg(json_build_object('ord', ord, 'state', state, 'attempts', attempts, 'spared', spared,
                                          'maxAttempts', max_attempts))
                 filter (where kind <> 0)::text uncompleted
          from done) rest
