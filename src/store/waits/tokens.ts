import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';
import type { HeldKey, StepKey } from '../step-key.ts';

// Only the worker that runs the attempt can save a token. A crash of the server may undo a claim, and the next claim then
// has the same attempt number: its token replaces the other one.
const SAVE_TOKEN = sql('save_token')`
insert into tasker.completion_token as t (task_uuid, idx, attempt, hash)
select s.task_uuid, s.idx, s.attempts, decode($4, 'hex')
  from tasker.step s where s.task_uuid = $1 and s.idx = $2 and s.state = 'in_progress' and s.claim = $3
on conflict (task_uuid, idx, attempt) do update set hash = excluded.hash, made_at = now()
returning t.attempt`;

/**
 * Saves the hash of a token. Returns the attempt for which it is valid. Undefined if the worker does not hold the step.
 */
export async function saveToken(db: Db, { taskUuid, idx, claim }: HeldKey, hash: string): Promise<number | undefined> {
  return (await db.query<{ attempt: number }>(SAVE_TOKEN, [taskUuid, idx, claim, hash])).rows[0]?.attempt;
}

const TOKEN_HASH = sql('token_hash')`
select encode(hash, 'hex') hash from tasker.completion_token where task_uuid = $1 and idx = $2 and attempt = $3`;

/** Returns the stored hash of a token, in hex. */
export async function tokenHash(db: Db, token: TokenKey): Promise<string | undefined> {
  const { taskUuid, idx, attempt } = token;
  return (await db.query<{ hash: string }>(TOKEN_HASH, [taskUuid, idx, attempt])).rows[0]?.hash;
}

/** The attempt for which a token is valid. */
export interface TokenKey extends StepKey {
  attempt: number;
}

// An attempt has ended when it has a row in the history. Rows of releases are ignored, because the attempt continued.
const TOKEN_STATE = sql('token_state')`
select s.state::text, s.attempts, coalesce(s.earlier_attempts, 0) "earlierAttempts", coalesce(s.claim, 0) claim, t.template_id "templateId", t.rank, t.verdict::text verdict,
       tasker.iso(t.done_at) "doneAt", h.attempt "overAttempt", h.outcome::text "overOutcome", tasker.iso(h.ended_at) "overAt",
       h.detail -> 'wait' ->> 'ended_by' "overBy"
  from tasker.step s join tasker.task t on t.task_uuid = s.task_uuid
  left join lateral (
    select attempt, outcome, ended_at, detail from tasker.history x
     where x.task_uuid = $1 and x.idx = $2 and x.attempt >= $3 and x.outcome <> 'released' order by x.attempt limit 1) h on true
 where s.task_uuid = $1 and s.idx = $2`;

/** The step of a token, and the outcome of its attempt. */
export interface TokenState {
  state: string;
  attempts: number;
  /** The attempts of earlier runs of the step. */
  earlierAttempts: number;
  claim: number;
  templateId: number;
  rank: number;
  verdict: string | null;
  doneAt: string | null;
  /** The first attempt that ended, starting with the token's attempt. Null if none has ended. */
  overAttempt: number | null;
  overOutcome: string | null;
  overAt: string | null;
  /** The end of its wait, if it waited. */
  overBy: string | null;
}

/** Returns the state of a token's step. Undefined if the task has no such step. Call it after lockTasks. */
export async function tokenState(db: Db, { taskUuid, idx, attempt }: TokenKey): Promise<TokenState | undefined> {
  return (await db.query<TokenState>(TOKEN_STATE, [taskUuid, idx, attempt])).rows[0];
}

const TAKE_RUNNING = sql('take_running_step')`
update tasker.step set claim = $3, started_at = least(started_at, statement_timestamp())
 where task_uuid = $1 and idx = $2 and state = 'in_progress' and claim = $4
returning attempts - spared counted`;

/**
 * Takes a running step from its worker: its fence becomes `claim`. Returns the number of its attempt among the attempts
 * that count towards `max_attempts`. Call it after lockTasks, and record the step in the same transaction.
 */
export async function takeRunning(
  db: Db,
  { taskUuid, idx, claim: held }: HeldKey,
  claim: number,
): Promise<number | undefined> {
  const { rows } = await db.query<{ counted: number }>(TAKE_RUNNING, [taskUuid, idx, claim, held]);
  return rows[0]?.counted;
}

// The row of an earlier wait of the step is replaced.
const NOTE_TOKEN_USE = sql('note_token_use')`
insert into tasker.wait (task_uuid, idx, kind, attempt, template_id, rank, progress, since, ended_at, ended_by)
select s.task_uuid, s.idx, 'completion', s.attempts, t.template_id, t.rank, jsonb_build_object('outcome', $3::text),
       statement_timestamp(), statement_timestamp(), 'token'
  from tasker.step s join tasker.task t on t.task_uuid = s.task_uuid where s.task_uuid = $1 and s.idx = $2
on conflict (task_uuid, idx) do update set
  kind = excluded.kind, attempt = excluded.attempt, claim = null, since = excluded.since, until = null, due_at = null, calls = 0,
  settings = excluded.settings, progress = excluded.progress, ended_at = excluded.ended_at, ended_by = excluded.ended_by`;

/** Stores that a token ended an attempt that was not waiting yet. Call it after lockTasks. */
export async function noteTokenUse(db: Db, { taskUuid, idx }: StepKey, outcome: string): Promise<void> {
  await db.query(NOTE_TOKEN_USE, [taskUuid, idx, outcome]);
}

const EXTEND_WAIT = sql('extend_wait')`
update tasker.wait set until = statement_timestamp() + $3 * interval '1 ms', due_at = statement_timestamp() + $3 * interval '1 ms'
 where task_uuid = $1 and idx = $2 and ended_at is null returning tasker.iso(until) until`;

/** Changes the end of a wait, in milliseconds from now. Call it after lockTasks. */
export async function extendWait(db: Db, { taskUuid, idx }: StepKey, timeoutMs: number): Promise<string | undefined> {
  return (await db.query<{ until: string }>(EXTEND_WAIT, [taskUuid, idx, timeoutMs])).rows[0]?.until;
}

const MOVE_WAIT = sql('move_wait')`
update tasker.wait set until = $3::timestamptz, due_at = $3::timestamptz
 where task_uuid = $1 and idx = $2 and ended_at is null returning tasker.iso(until) until`;

/** Changes the time at which a wait ends. Call it after lockTasks. */
export async function moveWait(db: Db, { taskUuid, idx }: StepKey, until: string): Promise<string | undefined> {
  return (await db.query<{ until: string }>(MOVE_WAIT, [taskUuid, idx, until])).rows[0]?.until;
}
