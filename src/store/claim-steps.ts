import type { Db, Statement } from '../db/statement.ts';

const READY = `select q.ctid tid, s.ctid step_tid, q.rank, q.id, q.task_uuid, q.idx, q.template_id, s.retryable
      from tasker.queue q join tasker.step s on s.task_uuid = q.task_uuid and s.idx = q.idx`;
const MAY_TAKE = `exists (select 1 from w) and q.namespace_id = n.namespace_id
       and ((q.template_id::bigint << 32) | tasker.template_idx(q.idx)) <> all ($5::bigint[])`;

// The claim takes no task lock and never waits for work: queue and step rows with SKIP LOCKED. With only the queue row
// locked, the update of the step waits for a cancel that waits for another step of this claim: a deadlock.
// The worker's own row is share-locked: a row lock is checked again after the wait, so a worker that is being declared
// dead gets nothing (an advisory lock, or exists without a lock, gave it a step that nobody looked for).
// The queue is emptied by an array of ctids, not by a join with the CTE: with statistics from a moment when the queue
// was empty, that join scans it once for each row. Queue rows are never updated, so a locked row keeps its ctid.
// Steps are updated by ctid for the same reason. One that was changed since the snapshot is not found by it and stays
// unclaimed; nothing is lost by that, because whatever makes a step ready puts a queue row of its own beside it.
// An attempt starts when the statement reads the queue: the transaction may have begun before the last attempt ended.
// Once the step has ended before, its done_at is that time, and a clock that was set back must not go below it.
// A claim that takes a step which must not run twice makes itself durable: synchronous_commit is read at commit.
// One that serves several namespaces does it another way. Locking up to the limit in each of them would lock many times
// what is taken: other workers found nothing meanwhile, and each lock is written to the log. So candidates are read
// without a lock, put in order, and locked one by one until the limit is reached; the nested loop stops there. Some more
// are read than are wanted, since others may be taking the first ones right now; `seen` tells when these were not enough.
const claimText = (several: boolean) => `
with w as materialized (
  select id from tasker.worker where id = $3 and state = 'alive' for share),
${
  several
    ? `seen as materialized (
  select q.* from unnest($4::int[]) n (namespace_id) cross join lateral (
    select q.ctid tid, q.rank, q.id
      from tasker.queue q
     where ${MAY_TAKE}
     order by q.rank, q.id limit $1 + 50) q
   order by q.rank, q.id),
c as materialized (
  select q.* from seen cross join lateral (
    ${READY}
     where q.ctid = seen.tid for update of q, s skip locked) q
   limit $1),`
    : `c as materialized (
  select q.* from unnest($4::int[]) n (namespace_id) cross join lateral (
    ${READY}
     where ${MAY_TAKE}
     order by q.rank, q.id limit $1 for update of q, s skip locked) q
   order by q.rank, q.id limit $1),`
}
d as (
  delete from tasker.queue where ctid = any (array(select tid from c))),
u as (
  update tasker.step s set state = 'in_progress', attempts = s.attempts + 1, claim = $2, started_at = greatest(statement_timestamp(), s.done_at)
    from c where s.ctid = c.step_tid and s.state = 'enqueued'
  returning s.task_uuid, s.idx, s.attempts, s.spared, s.max_attempts, c.template_id, c.rank)
select u.*, t.revision, t.context, t.correlation_id, t.parent_correlation_id, t.initiator, t.source_system, t.reason, t.tags,
       t.traceparent, t.created_at::text, null::int taken,${several ? ' null::int seen,' : ''}
       (select set_config('synchronous_commit', 'on', true) from c where not retryable limit 1) durable
  from u join tasker.task t on t.task_uuid = u.task_uuid
union all
select null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, count(*)::int,${
  several ? '\n       (select count(*)::int from seen),' : ''
} null from c
 order by rank, task_uuid, idx`;

const CLAIM_STEPS: Statement = { name: 'claim_steps', text: claimText(false) };
const CLAIM_STEPS_OF_SEVERAL: Statement = { name: 'claim_steps_of_several', text: claimText(true) };

/** A step that a worker holds, with its task. */
export interface ClaimedStepRow {
  task_uuid: string;
  idx: number;
  attempts: number;
  spared: number;
  max_attempts: number;
  template_id: number;
  rank: number;
  revision: number;
  context: string;
  correlation_id: string | null;
  parent_correlation_id: string | null;
  initiator: string | null;
  source_system: string | null;
  reason: string | null;
  tags: string[] | null;
  traceparent: string | null;
  /** As the server writes it: few handlers ask for it, and making dates of all takes time. */
  created_at: string;
}

/** Who claims, and how much. */
export interface Claim {
  limit: number;
  /** The fence: a number that no crash can issue twice. */
  token: number;
  workerId: number;
  namespaceIds: readonly number[];
  /** Steps (template_id << 32 | idx) whose handler this worker does not have. */
  excluded: readonly bigint[];
}

/** What a claim took. */
export interface Claimed {
  /** The highest priority first. */
  steps: ClaimedStepRow[];
  /** Rows taken from the queue, those of steps that were cancelled meanwhile included. */
  taken: number;
  /** Rows were passed over because others hold them, and more may lie behind those. */
  passedOver: boolean;
}

/** Gives ready steps to one worker. */
export async function claimSteps(db: Db, claim: Claim): Promise<Claimed> {
  const statement = claim.namespaceIds.length > 1 ? CLAIM_STEPS_OF_SEVERAL : CLAIM_STEPS;
  const { rows } = await db.query<ClaimedStepRow & { taken: number | null; seen?: number | null }>(statement, [
    claim.limit,
    claim.token,
    claim.workerId,
    `{${claim.namespaceIds.join(',')}}`,
    `{${claim.excluded.join(',')}}`,
  ]);
  // The last row tells how much was taken: nulls sort last.
  const last = rows.pop()!;
  const taken = last.taken ?? 0;
  return { steps: rows, taken, passedOver: taken < claim.limit && (last.seen ?? 0) > taken };
}
