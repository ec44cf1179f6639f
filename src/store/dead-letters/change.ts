import type { Db } from '../../db/statement.ts';
import type { DeadLetterStatus } from '../../model/dead-letter.ts';
import type { Operator } from '../operator-actions.ts';
import { shownState } from '../shown-state.ts';
import { sql } from '../sql.ts';

const LOCK_ENTRIES = sql('lock_dead_letters')`
select d.id, d.task_uuid "taskUuid", d.status, d.resolved_by "resolvedBy", tasker.iso(d.resolved_at) "resolvedAt",
       d.assignee, d.priority
  from tasker.dead_letter d where d.id = any ($1::uuid[]) order by d.id for update`;

/** An entry that is being changed. */
export interface LockedEntryRow {
  id: string;
  taskUuid: string;
  status: DeadLetterStatus;
  resolvedBy: string | null;
  resolvedAt: string | null;
  assignee: string | null;
  priority: number;
}

/** Locks entries in the order of their ids. */
export async function lockEntries(db: Db, ids: readonly string[]): Promise<LockedEntryRow[]> {
  return (await db.query<LockedEntryRow>(LOCK_ENTRIES, [`{${ids.join(',')}}`])).rows;
}

const ENTRY_IDS = sql('dead_letter_ids')`
select g.given, e.id from unnest($1::uuid[]) g (given) left join lateral (
  (select 1 place, d.id from tasker.dead_letter d where d.id = g.given)
  union all
  (select 2, d.id from tasker.dead_letter d where d.task_uuid = g.given order by d.status = 'pending' desc, d.created_at desc limit 1)
  order by place limit 1) e on true`;

/**
 * Returns the entries for ids of entries or tasks. For a task, this is the open entry, otherwise the newest. Null if
 * there is none.
 */
export async function entryIds(db: Db, given: readonly string[]): Promise<Map<string, string | null>> {
  const { rows } = await db.query<{ given: string; id: string | null }>(ENTRY_IDS, [`{${given.join(',')}}`]);
  return new Map(rows.map((row) => [row.given, row.id]));
}

const ENTRY_TASKS = sql('dead_letter_tasks')`
select g.given, e.task_uuid "taskUuid" from unnest($1::uuid[]) g (given) cross join lateral (
  (select d.task_uuid from tasker.dead_letter d where d.id = g.given)
  union
  (select d.task_uuid from tasker.dead_letter d where d.task_uuid = g.given limit 1)) e`;

/** Returns the tasks of the entries with these ids, and the tasks with these ids that have entries. */
export async function entryTasks(db: Db, given: readonly string[]): Promise<Map<string, string>> {
  const { rows } = await db.query<{ given: string; taskUuid: string }>(ENTRY_TASKS, [`{${given.join(',')}}`]);
  return new Map(rows.map((row) => [row.given, row.taskUuid]));
}

// The action is recorded in the history, with the current state of the task.
const CHANGE_ENTRIES = sql('change_dead_letters')`
with e as (
  update tasker.dead_letter d set
    status = coalesce($2::text, status), resolution = case when $3::text is null then resolution else $3 end,
    resolved_at = case when $2 is null then resolved_at else statement_timestamp() end,
    resolved_by = case when $2 is null then resolved_by else $4 end,
    assignee = case when $5::boolean then $6::text else assignee end, priority = coalesce($7::smallint, priority),
    metadata = coalesce($8::jsonb, metadata), updated_at = statement_timestamp()
   where d.id = any ($1::uuid[])
  returning d.id, d.task_uuid, extract(epoch from d.resolved_at - d.created_at)::float8 seconds),
t as (
  select e.id, e.task_uuid, x.state::text state from e left join lateral (
    select ${shownState('x')} state from tasker.task x where x.task_uuid = e.task_uuid offset 0) x on true),
a as (
  insert into tasker.operator_action (task_uuid, at, action, from_state, to_state, actor, reason, door, bulk_id, details)
  select task_uuid, statement_timestamp(), $9::text, state, state, $4, $10::text, $11::text, $12::bigint, $13::jsonb || jsonb_build_object('entry', id)
    from t order by task_uuid),
n as (
  insert into tasker.dead_letter_note (entry_id, at, author, note)
  select id, statement_timestamp(), $4, $14::text from t where $14::text is not null)
select seconds from e`;

/** A change of entries. Undefined fields keep their values. */
export interface EntryChange {
  status?: Exclude<DeadLetterStatus, 'pending'> | undefined;
  /** The outcome, in words. */
  resolution?: string | undefined;
  /** Null removes the assignee. */
  assignee?: string | null | undefined;
  priority?: number | undefined;
  /** JSON text. */
  metadata?: string | undefined;
  note?: string | undefined;
}

/** Changes entries, and records the action. Returns how many seconds the closed entries were open. */
export async function changeEntries(
  db: Db,
  ids: readonly string[],
  { act, change, details }: { act: string; change: EntryChange; details: Record<string, unknown> },
  { actor, reason, door, bulkId }: Operator,
): Promise<number[]> {
  const { status, resolution, assignee, priority, metadata, note } = change;
  const fields = [
    status ?? null,
    resolution ?? null,
    actor,
    assignee !== undefined,
    assignee ?? null,
    priority ?? null,
    metadata ?? null,
  ];
  const by = [act, reason, door, bulkId, JSON.stringify(details), note ?? null];
  const { rows } = await db.query<{ seconds: number | null }>(CHANGE_ENTRIES, [`{${ids.join(',')}}`, ...fields, ...by]);
  return status === undefined ? [] : rows.flatMap((row) => row.seconds ?? []);
}

const OPEN_ENTRIES = sql('open_dead_letters_of')`
select d.task_uuid "taskUuid", d.id from tasker.dead_letter d
 where d.task_uuid = any ($1::uuid[]) and d.status = 'pending' and ($2::text is null or d.reason = $2)
   and ($3::text is null or d.assignee = $3) and (not $4::boolean or d.assignee is null) order by d.id for update`;

/** The conditions on an open entry that can change. */
export interface OpenEntryConditions {
  dlqReason?: string | undefined;
  assignee?: string | undefined;
  unassigned?: boolean | undefined;
}

/** Locks the open entries of tasks that meet the conditions, and returns their ids by task. Call it after lockTasks. */
export async function openEntriesOf(
  db: Db,
  taskUuids: readonly string[],
  { dlqReason, assignee, unassigned = false }: OpenEntryConditions = {},
): Promise<Map<string, string>> {
  const values = [`{${taskUuids.join(',')}}`, dlqReason ?? null, assignee ?? null, unassigned];
  const { rows } = await db.query<{ taskUuid: string; id: string }>(OPEN_ENTRIES, values);
  return new Map(rows.map((row) => [row.taskUuid, row.id]));
}
