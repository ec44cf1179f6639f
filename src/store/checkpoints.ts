import type { Db } from '../db/statement.ts';
import { columns, sql } from './sql.ts';
import type { HeldKey, StepKey } from './step-key.ts';

// The step's row is locked, so that no other transaction takes the step between the fence check and the commit. The
// lock of the task is not needed, since no state changes. A transaction that waits for the row checks it again. In a
// transaction of a handler, only the commit follows. The timeout keeps a worker that freezes before the commit from
// locking the row forever.
const AND_COMMIT_SOON = `set_config('idle_in_transaction_session_timeout', '30s', true)`;

const SAVE_CHECKPOINT = sql('save_checkpoint')`
with held as materialized (
  select task_uuid, idx, attempts from tasker.step
   where task_uuid = $1 and idx = $2 and state = 'in_progress' and claim = $3 for share)
insert into tasker.checkpoint (task_uuid, idx, attempt, data)
select task_uuid, idx, attempts, $4::jsonb from held
on conflict (task_uuid, idx) do update set attempt = excluded.attempt, data = excluded.data, saved_at = now()
returning ${AND_COMMIT_SOON}`;

/** Saves a checkpoint. Returns false, and writes nothing, if the step is no longer held under this claim. */
export async function saveCheckpoint(db: Db, { taskUuid, idx, claim }: HeldKey, data: string): Promise<boolean> {
  return (await db.query(SAVE_CHECKPOINT, [taskUuid, idx, claim, data])).rows.length > 0;
}

const LOCK_HELD = sql('lock_held_step')`
select ${AND_COMMIT_SOON} from tasker.step
 where task_uuid = $1 and idx = $2 and state = 'in_progress' and claim = $3 for share`;

/** Returns whether a step is still held under its claim. If so, it stays held until the transaction ends. */
export async function lockHeldStep(db: Db, { taskUuid, idx, claim }: HeldKey): Promise<boolean> {
  return (await db.query(LOCK_HELD, [taskUuid, idx, claim])).rows.length > 0;
}

// Waits for a transaction that saves a checkpoint, because it locks the step's row until it ends.
const AWAIT_SAVES = sql('await_saves')`select 1 from tasker.step where task_uuid = $1 and idx = $2 for no key update`;

const IS_SAVED = sql('is_saved')`
select 1 from tasker.checkpoint where task_uuid = $1 and idx = $2 and data = $3::jsonb`;

/**
 * Returns whether a transaction saved this data, after the response to its commit was lost. Call it in a separate
 * transaction.
 */
export async function isSaved(db: Db, { taskUuid, idx }: StepKey, data: string): Promise<boolean> {
  await db.query(AWAIT_SAVES, [taskUuid, idx]);
  return (await db.query(IS_SAVED, [taskUuid, idx, data])).rows.length > 0;
}

// As in begin_waits, calls are counted until an attempt ends, because a reset can repeat the number of the attempt.
const LOAD_CHECKPOINTS = sql('load_checkpoints')`
select d.task_uuid "taskUuid", d.idx, c.data, w.calls
  from unnest($1::uuid[], $2::int[]) d (task_uuid, idx)
  left join lateral (
    select x.data::text data from tasker.checkpoint x where x.task_uuid = d.task_uuid and x.idx = d.idx offset 0) c on true
  left join lateral (
    select json_build_object('count', x.calls, 'since', tasker.iso(x.since), 'number', x.settings -> 'number',
                             'forMs', extract(epoch from now() - x.since) * 1000)::text calls
      from tasker.wait x
     where x.task_uuid = d.task_uuid and x.idx = d.idx and x.kind = 'call'
       and not exists (select 1 from tasker.history h
                        where h.task_uuid = d.task_uuid and h.idx = d.idx and h.attempt >= x.attempt and h.outcome <> 'released')
    offset 0) w on true
 where c.data is not null or w.calls is not null`;

/** The progress of a step: its checkpoint, and the calls of its handler. */
export interface CheckpointRow extends StepKey {
  /** JSON text. Null if none was saved. */
  data: string | null;
  /** JSON text of {@link EarlierCallsRow}. Null if its handler has never asked to be called again. */
  calls: string | null;
}

/** How often, and since when, a handler has asked to be called again. */
export interface EarlierCallsRow {
  count: number;
  /** ISO 8601. */
  since: string;
  /** Milliseconds since then. */
  forMs: number;
  /** The number of the attempt that these calls belong to. */
  number: number;
}

/** Returns the checkpoints of these steps, and the calls of their handlers. Steps without either are omitted. */
export async function loadCheckpoints(db: Db, steps: readonly StepKey[]): Promise<CheckpointRow[]> {
  return (await db.query<CheckpointRow>(LOAD_CHECKPOINTS, columns(steps, 'taskUuid', 'idx'))).rows;
}
