import type { Db } from '../../db/statement.ts';
import type { AdoptedStepRow } from '../doubtful.ts';
import { columns, sql } from '../sql.ts';
import type { HeldKey } from '../step-key.ts';

const GIVE = sql('give_http_steps')`
insert into tasker.http_step (claim, task_uuid, idx, timeout_ms, due_at)
select claim, task_uuid, idx, ms, now() + ms * interval '1 ms'
  from unnest($1::bigint[], $2::uuid[], $3::int[], $4::bigint[]) g (claim, task_uuid, idx, ms)`;

/** A step that a worker was given, and its timeout in milliseconds. Null if it has none. */
export interface GivenStep extends HeldKey {
  timeoutMs: number | null;
}

/** Stores the steps that a worker was given. */
export async function giveSteps(db: Db, steps: readonly GivenStep[]): Promise<void> {
  await db.query(GIVE, columns(steps, 'claim', 'taskUuid', 'idx', 'timeoutMs'));
}

const FORGET = sql('forget_http_steps')`
delete from tasker.http_step where ctid = any (array(
  select h.ctid from unnest($1::bigint[], $2::uuid[], $3::int[]) k (claim, task_uuid, idx)
   cross join lateral (select ctid from tasker.http_step x
     where x.claim = k.claim and x.task_uuid = k.task_uuid and x.idx = k.idx offset 0) h))`;

/** Deletes steps whose attempts have ended. */
export async function forgetSteps(db: Db, steps: readonly HeldKey[]): Promise<void> {
  await db.query(FORGET, columns(steps, 'claim', 'taskUuid', 'idx'));
}

const RESTART = sql('restart_http_timeout')`
update tasker.http_step set due_at = now() + timeout_ms * interval '1 ms'
 where claim = $1 and task_uuid = $2 and idx = $3 and timeout_ms is not null`;

/** Starts the timeout of a step again. */
export async function restartTimeout(db: Db, { claim, taskUuid, idx }: HeldKey): Promise<void> {
  await db.query(RESTART, [claim, taskUuid, idx]);
}

const DUE = sql('due_http_steps')`
select claim, task_uuid "taskUuid", idx, timeout_ms::float8 "timeoutMs" from tasker.http_step
 where due_at <= now() order by due_at limit 500`;

/** Returns steps whose timeout has expired, at most 500. */
export async function dueSteps(db: Db): Promise<GivenStep[]> {
  return (await db.query<GivenStep>(DUE)).rows;
}

const NEXT_DUE = sql('next_http_due')`
select (extract(epoch from min(due_at) - now()) * 1000)::float8 ms from tasker.http_step where due_at is not null`;

/** Returns the milliseconds until the next timeout. Null if there is none. */
export async function nextDueMs(db: Db): Promise<number | null> {
  return (await db.query<{ ms: number | null }>(NEXT_DUE)).rows[0]!.ms;
}

// The worker's claims are those with its id in the upper bits.
const MISSING = sql('missing_http_steps')`
with listed as materialized (select * from unnest($2::bigint[], $3::uuid[], $4::int[]) l (claim, task_uuid, idx)),
given as materialized (
  select h.ctid tid, h.claim, h.task_uuid, h.idx, h.missing_since, exists (
           select 1 from listed l where l.claim = h.claim and l.task_uuid = h.task_uuid and l.idx = h.idx) listed
    from tasker.http_step h where h.claim >= $1::bigint << 24 and h.claim < ($1::bigint + 1) << 24),
noted as (
  update tasker.http_step h set missing_since = case when not g.listed then now() end
    from given g where h.ctid = g.tid and g.listed = (g.missing_since is not null))
select claim, task_uuid "taskUuid", idx from given
 where not listed and missing_since < now() - $5 * interval '1 ms'`;

/** A heartbeat: the steps that the worker lists, and the time after which unlisted steps are treated as lost. */
export interface HeartbeatList {
  workerId: number;
  listed: readonly HeldKey[];
  graceMs: number;
}

/** Stores which steps a worker no longer lists. Returns steps that have been missing for longer than the grace time. */
export async function missingSteps(db: Db, { workerId, listed, graceMs }: HeartbeatList): Promise<HeldKey[]> {
  const values = [workerId, ...columns(listed, 'claim', 'taskUuid', 'idx'), graceMs];
  return (await db.query<HeldKey>(MISSING, values)).rows;
}

// Reads the rows of claimed steps as adopt_steps does, but each by its key.
const HELD_ROWS = sql('held_http_steps')`
select s.task_uuid "taskUuid", s.idx, s.attempts, s.spared, s.max_attempts "maxAttempts", s.rerun,
       t.template_id "templateId", t.rank, t.revision, t.context, t.correlation_id "correlationId", t.parent_correlation_id "parentCorrelationId", t.initiator,
       t.source_system "sourceSystem", t.reason, t.tags, t.traceparent, to_json(t.created_at at time zone 'UTC') "createdAt", s.claim,
       (extract(epoch from now() - s.started_at) * 1000)::float8 "ranMs"
  from unnest($1::bigint[], $2::uuid[], $3::int[]) k (claim, task_uuid, idx)
 cross join lateral (
   select * from tasker.step x where x.task_uuid = k.task_uuid and x.idx = k.idx and x.state = 'in_progress' and x.claim = k.claim offset 0) s
 cross join lateral (select * from tasker.task x where x.task_uuid = s.task_uuid offset 0) t`;

/** A held step, with the milliseconds since it was claimed. */
export interface HeldStepRow extends AdoptedStepRow {
  ranMs: number;
}

/** Returns the rows of steps that are still held. */
export async function heldRows(db: Db, steps: readonly HeldKey[]): Promise<HeldStepRow[]> {
  return (await db.query<HeldStepRow>(HELD_ROWS, columns(steps, 'claim', 'taskUuid', 'idx'))).rows;
}

const ENDS = sql('http_attempt_ends')`
select k.ord::int, h.outcome::text, h.detail -> 'error' ->> 'error_type' "errorType"
  from unnest($1::bigint[], $2::uuid[], $3::int[], $4::int[]) with ordinality k (claim, task_uuid, idx, attempt, ord)
  join tasker.history h on h.task_uuid = k.task_uuid and h.idx = k.idx and h.attempt = k.attempt
 where h.worker_id = k.claim >> 24`;

/** How an attempt ended. */
export interface AttemptEndRow {
  outcome: string;
  errorType: string | null;
}

/** Returns how these attempts ended, by their index in the list. Attempts that have not ended are omitted. */
export async function attemptEnds(
  db: Db,
  steps: readonly (HeldKey & { attempt: number })[],
): Promise<Map<number, AttemptEndRow>> {
  const values = columns(steps, 'claim', 'taskUuid', 'idx', 'attempt');
  const { rows } = await db.query<AttemptEndRow & { ord: number }>(ENDS, values);
  return new Map(rows.map(({ ord, ...row }) => [ord - 1, row]));
}

const TIDY_STEPS = sql('tidy_http_steps')`
delete from tasker.http_step h
 where not exists (select 1 from tasker.worker w where w.id = h.claim >> 24 and w.state = 'alive')`;
const TIDY_CLAIMS = sql('tidy_http_claims')`delete from tasker.http_claim where made_at < now() - interval '1 hour'`;

/** Deletes the steps of workers that ended, and claims that are too old to be repeated. */
export async function tidyHttpWorkers(db: Db): Promise<void> {
  await db.query(TIDY_STEPS);
  await db.query(TIDY_CLAIMS);
}
