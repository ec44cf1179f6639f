-- Written by scripts/write-statements.mjs from scripts/statements/claim_steps.sql: edit it there.
--
-- Gives ready steps to one worker.
--
-- The claim takes no task lock and never waits for work: it locks queue and step rows with SKIP LOCKED. If only the queue
-- row was locked, the update of the step would wait for a cancel that waits for another step of this claim: a deadlock.
--
-- The worker's own row is share-locked. A row lock is checked again after the wait, so a worker that is being declared
-- dead gets nothing. With an advisory lock, or `exists` without a lock, it could get a step that no sweep looks for.
--
-- The queue is emptied by an array of ctids, not by a join with the CTE: with statistics from a moment when the queue was
-- empty, that join scans it once for each row. Queue rows are never updated, so a locked row keeps its ctid. Steps are
-- looked up by key = any (array[value]), so that the planner cannot scan the whole index for each row, and then updated by
-- ctid. A step that was changed since the snapshot is not found by its ctid and stays unclaimed. It is not lost, because
-- every change that makes a step ready adds a queue row.
--
-- An attempt starts when the statement reads the queue, because the transaction may have begun before the last attempt
-- ended. If the step has ended before, its done_at is that time, and the start must not be earlier if the clock was set
-- back.
--
-- A claim that takes a step which must not run twice makes itself durable: synchronous_commit is read at commit.
--
-- This variant serves several namespaces. If it locked up to the limit in each of them, it would lock many times what it
-- takes: other workers would find nothing meanwhile, and each lock is written to the log. Instead, candidates are read
-- without a lock, sorted, and locked one by one until the limit is reached, where the nested loop stops. A few more
-- candidates than the limit are read, because other workers may be taking the first ones right now. `seen` shows when
-- they were not enough.
with w as materialized (
  select id from tasker.worker where id = $3 and state = 'alive' for share),
seen as materialized (
  select q.* from unnest($4::int[]) n (namespace_id) cross join lateral (
    select q.ctid tid, q.rank, q.id
      from tasker.queue q
     where exists (select 1 from w) and q.namespace_id = n.namespace_id
       and ((q.template_id::bigint << 32) | tasker.template_idx(q.idx)) <> all ($5::bigint[])
     order by q.rank, q.id limit $1 + 50) q
   order by q.rank, q.id),
c as materialized (
  select q.* from seen cross join lateral (
    select q.ctid tid, s.ctid step_tid, q.rank, q.id, q.task_uuid, q.idx, q.template_id, s.retryable
      from tasker.queue q join tasker.step s on s.task_uuid = any (array[q.task_uuid]) and s.idx = q.idx
     where q.ctid = seen.tid for update of q, s skip locked) q
   limit $1),
d as (
  delete from tasker.queue where ctid = any (array(select tid from c))),
u as (
  update tasker.step s set
    state = 'in_progress', attempts = s.attempts + 1, claim = $2, started_at = greatest(statement_timestamp(), s.done_at)
    from c where s.ctid = c.step_tid and s.state = 'enqueued'
  returning s.task_uuid, s.idx, s.attempts, s.spared, s.max_attempts, s.rerun, c.template_id, c.rank)
select u.task_uuid "taskUuid", u.idx, u.attempts, u.spared, u.max_attempts "maxAttempts", u.rerun,
       u.template_id "templateId", u.rank,
       t.revision, t.context, t.correlation_id "correlationId", t.parent_correlation_id "parentCorrelationId", t.initiator,
       t.source_system "sourceSystem", t.reason, t.tags, t.traceparent, to_json(t.created_at at time zone 'UTC') "createdAt",
       null::int taken, null::int seen,
       (select set_config('synchronous_commit', 'on', true) from c where not retryable limit 1) durable
  from u cross join lateral (select * from tasker.task t where t.task_uuid = u.task_uuid offset 0) t
union all
-- The last row: how many rows were taken from the queue.
select null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
       count(*)::int, (select count(*)::int from seen),
       null
  from c
 order by rank, "taskUuid", idx
