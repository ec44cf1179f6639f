import type { Db } from '../../db/statement.ts';
import type { Operator } from '../operator-actions.ts';
import { sql } from '../sql.ts';

// An operator does not wait for the policy. The policy's run ends with its next transaction.
const TAKE_TURN = sql('take_prune_turn')`
update tasker.prune_turn set holder = $1, by_policy = $2, held_until = now() + $3 * interval '1 ms'
 where (holder is null or held_until < now() or (by_policy and not $2)) and (not $2 or due_at <= now())
returning 1`;

/** Takes the lease for pruning. False if another process has it, or the policy is not due. */
export async function takePruneTurn(
  db: Db,
  { holder, byPolicy, turnMs }: { holder: string; byPolicy: boolean; turnMs: number },
): Promise<boolean> {
  return (await db.query(TAKE_TURN, [holder, byPolicy, turnMs])).rows.length > 0;
}

const KEEP_TURN = sql('keep_prune_turn')`
update tasker.prune_turn set held_until = now() + $2 * interval '1 ms' where holder = $1 returning 1`;

/** Extends the lease, and prevents others from taking it until the transaction ends. False if it was lost. */
export async function keepPruneTurn(db: Db, holder: string, turnMs: number): Promise<boolean> {
  return (await db.query(KEEP_TURN, [holder, turnMs])).rows.length > 0;
}

const LEAVE_TURN = sql('leave_prune_turn')`
update tasker.prune_turn set holder = null, due_at = case when by_policy then now() + $2 * interval '1 ms' else due_at end
 where holder = $1`;

/** Ends the lease. The policy is due again after `dueMs`. */
export async function leavePruneTurn(db: Db, holder: string, dueMs: number): Promise<void> {
  await db.query(LEAVE_TURN, [holder, dueMs]);
}

const HOLDER = sql('prune_turn_holder')`
select r.id, tasker.iso(r.started_at) "startedAt", a.actor,
       greatest(0, extract(epoch from t.held_until - now()) * 1000)::float8 "leftMs", t.holder
  from tasker.prune_turn t
  left join lateral (select * from tasker.prune order by id desc limit 1) r on r.ended_at is null
  left join tasker.operator_action a on a.id = r.audit_id
 where t.holder is not null`;

/** The process that has the lease, and the prune that it probably runs. */
export interface PruneTurn {
  holder: string;
  leftMs: number;
  id: number | null;
  startedAt: string | null;
  actor: string | null;
}

/** Returns the holder of the lease. Undefined if it is free. */
export async function pruneTurn(db: Db): Promise<PruneTurn | undefined> {
  return (await db.query<PruneTurn>(HOLDER)).rows[0];
}

const LAST_PRUNE = sql('last_prune')`
select r.id, r.by_policy "byPolicy", r.deleted, tasker.iso(r.started_at) "startedAt", tasker.iso(r.ended_at) "endedAt",
       r.ended_at is null and coalesce(t.held_until > now() and t.holder is not null, false) "isRunning"
  from (select * from tasker.prune order by id desc limit 1) r left join tasker.prune_turn t on true`;

/** The last run of a prune. */
export interface LastPruneRow {
  id: number;
  /** Whether the policy of the configuration started it, and not an operator. */
  byPolicy: boolean;
  /** Number of tasks that it has deleted so far. */
  deleted: number;
  startedAt: string;
  /** Null if it is running, or its process died. */
  endedAt: string | null;
  isRunning: boolean;
}

/** Returns the last run of a prune; undefined if nothing was ever pruned. */
export async function lastPrune(db: Db): Promise<LastPruneRow | undefined> {
  return (await db.query<LastPruneRow>(LAST_PRUNE)).rows[0];
}

const BEGIN_PRUNE = sql('begin_prune')`
with a as (
  insert into tasker.operator_action (action, target, details, actor, reason, door)
  values ('prune', $1, $2, $3, $4, $5) returning id)
insert into tasker.prune (by_policy, archive, release_keys, audit_id)
select $6, $7, $8, id from a returning id`;

/** A run of a prune. */
export interface NewPrune {
  byPolicy: boolean;
  archive: string | null;
  releaseKeys: boolean;
  /** The description of the tasks to prune, for the audit: JSON text. */
  details: string;
  operator: Operator;
}

/** Records the start of a prune, in the audit too, and returns its id. */
export async function beginPrune(db: Db, prune: NewPrune): Promise<number> {
  const { byPolicy, archive, releaseKeys, details, operator } = prune;
  const act = ['tasks', details, operator.actor, operator.reason, operator.door];
  return (await db.query<{ id: number }>(BEGIN_PRUNE, [...act, byPolicy, archive, releaseKeys])).rows[0]!.id;
}

const NOTE_PRUNED = sql('note_pruned')`
with p as (
  update tasker.prune set deleted = deleted + $2 where id = $1 returning id, deleted, audit_id)
update tasker.operator_action a set details = a.details || jsonb_build_object('prune', p.id, 'deleted', p.deleted)
  from p where a.id = p.audit_id`;

/** Adds to the number of deleted tasks, in the transaction that deletes them. */
export async function notePruned(db: Db, id: number, deleted: number): Promise<void> {
  await db.query(NOTE_PRUNED, [id, deleted]);
}

const PRUNED_SO_FAR = sql('pruned_so_far')`select deleted from tasker.prune where id = $1`;

/** Returns how many tasks a prune has deleted. */
export async function prunedSoFar(db: Db, id: number): Promise<number> {
  return (await db.query<{ deleted: number }>(PRUNED_SO_FAR, [id])).rows[0]?.deleted ?? 0;
}

const END_PRUNE = sql('end_prune')`
with p as (
  update tasker.prune set ended_at = clock_timestamp() where id = $1 returning audit_id)
update tasker.operator_action a set details = a.details || $2::jsonb from p where a.id = p.audit_id`;

/** Records the end of a prune. `details`: JSON text, added to its entry in the audit. */
export async function endPrune(db: Db, id: number, details: string): Promise<void> {
  await db.query(END_PRUNE, [id, details]);
}
