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
-- This variant is for templates with dynamic steps. A lookup in the empty table of batches for each step and each child
-- has a cost, so other templates have a variant without it.
--
-- This variant is for templates with conditions and routes. It also has kind 6: skipped, which spends no attempt. The
-- counter `remaining` of a step that would be skipped, as things are, is greater by 2^20, so it never becomes ready here.
-- `decided` lists the recordings after which the program must compute what follows (src/engine/decide.ts): the counter of a
-- child has reached 2^20, or less, because several parents of a `join: any` completed at once.
--
-- This variant stores domain events with the steps. An event that announces another attempt, or the end of the attempts,
-- is stored only if the recording had that outcome.
with done as (
  update tasker.step s set
    state = case d.kind when 0 then 'complete'::tasker.step_state when 3 then 'enqueued'
      when 6 then 'skipped'
      when 1 then case when s.retryable and s.attempts - s.spared < s.max_attempts
        then case when d.delay > 0 then 'waiting_for_retry'::tasker.step_state else 'enqueued' end else 'error' end
      else 'error' end,
    result = case when d.kind = 0 then d.result end,
    spared = s.spared + case when d.kind in (3, 6) then 1 else 0 end,
    done_at = statement_timestamp(),
    next_at = case when d.kind = 1 and d.delay > 0 then statement_timestamp() + d.delay * interval '1 ms' end
    from (
      select d.*, coalesce(b.tolerant, false) tolerant
        from rows from (
          unnest($1::uuid[], $2::int[], $3::bigint[], $4::smallint[], $5::int[], $6::int[], $7::smallint[], $8::int[]),
          jsonb_array_elements($9::jsonb), jsonb_array_elements($13::jsonb), jsonb_array_elements($14::jsonb)
        ) with ordinality d (task_uuid, idx, claim, kind, delay, template_id, rank, ms, result, detail, told, ord)
        left join lateral (
          select x.failure_strategy <> 'fail_fast' tolerant from tasker.batch x
           where d.idx >= 131072 and x.task_uuid = d.task_uuid and x.worker_idx = tasker.template_idx(d.idx) offset 0) b on true
    ) d
   where s.task_uuid = any (array[d.task_uuid]) and s.idx = d.idx
     and s.state = 'in_progress' and s.claim = d.claim
  returning s.task_uuid, s.idx, s.state, s.attempts, s.spared, s.max_attempts, s.started_at, s.next_at,
    d.claim, d.kind, d.template_id, d.rank, d.ms, d.detail, d.ord,
    d.result, d.told,
    s.state = 'complete' or (s.state = 'error' and d.tolerant) closed),
dec as (
  select x.task_uuid, x.template_id, x.rank, x.child, count(*)::int n, min(x.ord) ord,
         case when (select exists (select 1 from tasker.pause where resumed_at is null)) and (
                select m.queue_id < 0 or exists (
                  select 1 from tasker.pause p where p.task_uuid = x.task_uuid and p.resumed_at is null)
                  from tasker.template m where m.id = x.template_id) then null
           else row_number() over (order by x.rank, x.task_uuid, x.child) end r
    from (
      -- A child that is created from a batch_worker step stands for all workers of its batch.
      select d.task_uuid, d.template_id, d.rank, d.ord, coalesce(w.idx, e.child) child
        from done d
        cross join lateral (
          select child from tasker.template_edge x
           where x.template_id = d.template_id and x.parent = tasker.template_idx(d.idx) offset 0) e
        left join lateral (
          select ((x.worker_idx + 1) << 17) + g idx from tasker.batch x cross join lateral generate_series(0, x.size - 1) g
           where x.task_uuid = d.task_uuid and x.worker_idx = e.child offset 0) w on true
       where d.closed) x
   group by 1, 2, 3, 4),
k as (
  update tasker.step s set
    remaining = s.remaining - dec.n,
    state = case when s.remaining > dec.n or dec.gated then 'pending'::tasker.step_state
      when dec.r <= $10 and dec.rank <= $12 then 'in_progress' else 'enqueued' end,
    claim = case when s.remaining <= dec.n and dec.r <= $10 and dec.rank <= $12 and not dec.gated then $11::bigint end,
    attempts = s.attempts
      + case when s.remaining <= dec.n and dec.r <= $10 and dec.rank <= $12 and not dec.gated then 1 else 0 end,
    started_at = case when s.remaining <= dec.n and dec.r <= $10 and dec.rank <= $12 and not dec.gated
      then statement_timestamp() end
    from (
      select dec.*, coalesce(b.gated, false) gated
        from dec
        left join lateral (
          select dec.child >= x.next_idx gated from tasker.batch x
           where dec.child >= 131072 and x.task_uuid = dec.task_uuid and x.worker_idx = tasker.template_idx(dec.child)
          offset 0) b on true
    ) dec
   where s.task_uuid = any (array[dec.task_uuid]) and s.idx = dec.child and s.state = 'pending'
  returning s.task_uuid, s.idx, s.state, s.attempts, s.spared, s.max_attempts, s.rerun, s.remaining, dec.template_id, dec.rank,
    dec.ord),
places as (
  update tasker.batch b set n_active = b.n_active + c.n
    from (select task_uuid, tasker.template_idx(idx) worker_idx, sum(n)::int n
            from (select task_uuid, idx, -1 n from done where idx >= 131072 and state in ('complete', 'error')
                  union all select task_uuid, idx, 1 from k where idx >= 131072 and state <> 'pending') x
           group by 1, 2) c
   where b.task_uuid = any (array[c.task_uuid]) and b.worker_idx = c.worker_idx),
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
  select task_uuid, idx, attempts, nullif(attempts - spared + case when kind in (3, 6) then 1 else 0 end, attempts), claim >> 24,
    case kind when 0 then 'completed'::tasker.outcome when 3 then 'released' when 4 then 'worker_lost' when 6 then 'skipped'
      else 'failed' end,
    state, started_at, statement_timestamp(), ms, nullif(detail, 'null') from done),
ev as (
  -- If an event has no payload of its own, the result is the payload, and the execution is stored without the result.
  insert into tasker.domain_event (event_id, name, task_uuid, idx, attempt, number, publisher, payload, metadata, execution, fired_at)
  select (e.event ->> 'id')::uuid, e.event ->> 'name', d.task_uuid, d.idx, d.attempts,
    nullif(d.attempts - d.spared + case d.kind when 3 then 1 else 0 end, d.attempts), e.event ->> 'publisher',
    coalesce(e.event -> 'payload', d.result), e.event -> 'metadata',
    case when d.kind = 0 and e.event ? 'payload' then (d.told -> 'execution') || jsonb_build_object('result', d.result)
      else d.told -> 'execution' end, statement_timestamp()
    from done d cross join lateral jsonb_array_elements(d.told -> 'events') with ordinality e (event, place)
   where coalesce((e.event -> 'retried')::boolean = (d.state <> 'error'), true)
   order by d.ord, e.place),
t as (
  update tasker.task set
    n_open = n_open - c.done, n_active = n_active + c.act, n_retry = n_retry + c.ret, n_error = n_error + c.err,
    done_at = case when n_open = c.done then statement_timestamp() end
    from (
      select task_uuid, min(ord) filter (where rec) ord,
             (count(*) filter (where rec and closed))::int done,
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
               (select array_agg(distinct ord)::text
                  from (select ord from done where state = 'skipped' or (state = 'error' and not closed)
                        union all select ord from k where remaining between 524288 and 1048576) y) decided,
               tasker.iso(statement_timestamp()) "recordedAt",
               json_agg(json_build_object('ord', ord, 'state', state, 'attempts', attempts, 'spared', spared,
                                          'maxAttempts', max_attempts))
                 filter (where kind <> 0)::text uncompleted
          from done) rest
