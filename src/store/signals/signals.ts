import type { Db } from '../../db/statement.ts';
import { lists, sql } from '../sql.ts';

/** A wait for a signal of this name, open or ended, with the number of signals that it holds. */
export interface SignalWaitRow {
  idx: number;
  attempt: number;
  templateId: number;
  rank: number;
  since: string;
  until: string | null;
  /** Whether its timeout has passed. */
  late: boolean;
  endedAt: string | null;
  endedBy: string | null;
  calls: number;
  settings: Record<string, unknown>;
  progress: Record<string, unknown>;
  held: number;
}

/** The state of a task for a signal that arrives. */
export interface SignalTaskRow {
  taskUuid: string;
  templateId: number;
  verdict: string | null;
  doneAt: string | null;
  /** Number of signals that no step has used, and the bytes of their payloads. */
  kept: number;
  keptBytes: number;
  /** The earlier signal with the same key. */
  earlier: EarlierSignal | null;
  waits: SignalWaitRow[];
  /** The states of the steps that could wait for it, by index. A step that does not exist yet is absent. */
  states: Record<string, string>;
}

/** An earlier signal with the same key. */
export interface EarlierSignal {
  signalId: string;
  usedBy: number | null;
  heldBy: number | null;
}

// The clock is read after the lock, because the transaction may have waited for it.
const SIGNAL_TASKS = sql('signal_tasks')`
select d.task_uuid "taskUuid", t.template_id "templateId", t.verdict::text, tasker.iso(t.done_at) "doneAt", k.kept,
       k.bytes "keptBytes", e.signal::text earlier, w.waits::text, s.states::text
  from unnest($1::uuid[]) with ordinality d (task_uuid, ord)
  cross join lateral (select * from tasker.task x where x.task_uuid = d.task_uuid offset 0) t
  cross join lateral (
    select count(*)::int kept, coalesce(sum(x.size), 0)::float8 bytes
      from tasker.signal x where x.task_uuid = d.task_uuid and x.used_at is null offset 0) k
  left join lateral (
    select json_build_object('signalId', x.signal_id, 'usedBy', x.used_by, 'heldBy', (
             select y.idx from tasker.wait y where y.task_uuid = x.task_uuid and y.idx = x.held_by and y.attempt = x.held_attempt
                and y.ended_at is null)) signal
      from tasker.signal x where x.task_uuid = d.task_uuid and x.name = $2 and x.key = $3 offset 0) e on true
  cross join lateral (
    select coalesce(json_agg(json_build_object(
             'idx', x.idx, 'attempt', x.attempt, 'templateId', x.template_id, 'rank', x.rank, 'since', tasker.iso(x.since),
             'until', tasker.iso(x.until), 'late', coalesce(x.until <= clock_timestamp(), false),
             'endedAt', tasker.iso(x.ended_at), 'endedBy', x.ended_by, 'calls', x.calls, 'settings', x.settings,
             'progress', x.progress, 'held', (
               select count(*) from tasker.signal y
                where y.task_uuid = x.task_uuid and y.held_by = x.idx and y.held_attempt = x.attempt and y.used_at is null))
             order by x.since, x.idx), '[]') waits
      from tasker.wait x
     where x.task_uuid = d.task_uuid and x.idx >= 0 and x.kind = 'signal' and (x.settings ->> 'name' = $2 or x.settings -> 'names' ? $2) offset 0) w
  cross join lateral (
    select coalesce(json_object_agg(x.idx, x.state), '{}') states
      from unnest($4::int[], $5::int[]) c (ord, idx)
     cross join lateral (
       select idx, state from tasker.step y where y.task_uuid = d.task_uuid and y.idx = c.idx offset 0) x
     where c.ord = d.ord offset 0) s
 order by d.ord`;

/** A task, and the indexes of its template's steps that wait for signals of a name. */
export interface SignalTarget {
  taskUuid: string;
  idxs: readonly number[];
}

/**
 * Returns the states of the tasks to which a signal is sent. Call it after lockTasks. Tasks that do not exist are
 * omitted.
 */
export async function signalTasks(
  db: Db,
  targets: readonly SignalTarget[],
  { name, key }: { name: string; key: string | null },
): Promise<SignalTaskRow[]> {
  const pairs = targets.flatMap(({ idxs }, i) => idxs.map((idx) => [i + 1, idx] as const));
  const { rows } = await db.query<Record<keyof SignalTaskRow, string> & { kept: number; keptBytes: number }>(
    SIGNAL_TASKS,
    [
      `{${targets.map(({ taskUuid }) => taskUuid).join(',')}}`,
      name,
      key,
      `{${pairs.map(([ord]) => ord).join(',')}}`,
      `{${pairs.map(([, idx]) => idx).join(',')}}`,
    ],
  );
  return rows.map((row) => ({
    ...row,
    templateId: Number(row.templateId),
    earlier: row.earlier === null ? null : (JSON.parse(row.earlier) as EarlierSignal),
    waits: JSON.parse(row.waits) as SignalWaitRow[],
    states: JSON.parse(row.states) as Record<string, string>,
  }));
}

const ADD_SIGNALS = sql('add_signals')`
insert into tasker.signal (task_uuid, signal_id, name, key, payload, size, sender, arrived_at, held_by, held_attempt, used_by, used_attempt, used_at)
select d.task_uuid, $1, $2, $3, $4, $5, $6, statement_timestamp(), d.held_by, case when d.held_by is not null then d.attempt end,
       d.used_by, case when d.used_by is not null then d.attempt end, case when d.used_by is not null then statement_timestamp() end
  from unnest($7::uuid[], $8::int[], $9::int[], $10::int[]) d (task_uuid, held_by, used_by, attempt)`;

/** A signal, as it is stored with each of its tasks. */
export interface NewSignal {
  signalId: string;
  name: string;
  key: string | null;
  /** JSON text. */
  payload: string;
  bytes: number;
  by: string | null;
}

/** A task that receives a signal, and the step that holds or uses it immediately. */
export interface Receipt {
  taskUuid: string;
  heldBy: number | null;
  usedBy: number | null;
  /** The attempt of that step. */
  attempt: number | null;
}

/** Stores a signal with its tasks. Call it after lockTasks. */
export async function addSignals(db: Db, signal: NewSignal, receipts: readonly Receipt[]): Promise<void> {
  const { signalId, name, key, payload, bytes, by } = signal;
  await db.query(ADD_SIGNALS, [
    signalId,
    name,
    key,
    payload,
    bytes,
    by,
    ...lists(receipts, 'taskUuid', 'heldBy', 'usedBy', 'attempt'),
  ]);
}

/** A signal that no step has used. */
export interface KeptSignalRow {
  seq: number;
  name: string;
  /** JSON text. */
  payload: string;
}

// A hold is valid only while its wait is open.
const KEPT_SIGNALS = sql('kept_signals')`
select x.seq::float8 seq, x.name, x.payload from tasker.signal x
 where x.task_uuid = $1 and x.name = any ($2::text[]) and x.used_at is null
   and (x.held_by is null or (x.held_by = $3 and x.held_attempt = $4) or not exists (
         select 1 from tasker.wait w where w.task_uuid = $1 and w.idx = x.held_by and w.attempt = x.held_attempt
            and w.ended_at is null offset 0))
 order by x.seq limit $5`;

/** Returns the signals of these names that a step may use, in the order of their arrival. Call it after lockTasks. */
export async function keptSignals(
  db: Db,
  wait: { taskUuid: string; idx: number; attempt: number },
  { names, limit }: { names: readonly string[]; limit: number },
): Promise<KeptSignalRow[]> {
  const { taskUuid, idx, attempt } = wait;
  return (await db.query<KeptSignalRow>(KEPT_SIGNALS, [taskUuid, names, idx, attempt, limit])).rows;
}

const USE_SIGNALS = sql('use_signals')`
update tasker.signal set used_by = $3, used_attempt = $4, used_at = statement_timestamp(), held_by = null, held_attempt = null
 where task_uuid = $1 and seq = any ($2::bigint[])`;

const HOLD_SIGNALS = sql('hold_signals')`
update tasker.signal set held_by = $3, held_attempt = $4 where task_uuid = $1 and seq = any ($2::bigint[])`;

/** Marks signals as used by a step, or as held by it until it has enough of them. */
export async function takeSignals(
  db: Db,
  wait: { taskUuid: string; idx: number; attempt: number },
  { seqs, used }: { seqs: readonly number[]; used: boolean },
): Promise<void> {
  const { taskUuid, idx, attempt } = wait;
  await db.query(used ? USE_SIGNALS : HOLD_SIGNALS, [taskUuid, `{${seqs.join(',')}}`, idx, attempt]);
}
