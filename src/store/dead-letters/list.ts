import type { Db } from '../../db/statement.ts';
import type { DeadLetterReason, DeadLetterStatus } from '../../model/dead-letter.ts';
import { shownState } from '../shown-state.ts';
import { sql } from '../sql.ts';
import { LAST_MOVE } from '../stale-tasks.ts';
import { HAS_MOVED_ON } from './moves.ts';

/** The conditions on the entries to list; null means any. */
export interface DeadLetterSearch {
  status: DeadLetterStatus | null;
  reason: DeadLetterReason | null;
  templateIds: readonly number[] | null;
  assignee: string | null;
  /** Only entries without an assignee. */
  unassigned: boolean;
  addedAfter: string | null;
  addedBefore: string | null;
  taskUuid: string | null;
}

/** An entry. Times are ISO 8601. */
export interface DeadLetterRow {
  dlqEntryUuid: string;
  taskUuid: string;
  originalState: string;
  dlqReason: DeadLetterReason;
  dlqTimestamp: string;
  resolutionStatus: DeadLetterStatus;
  resolutionTimestamp: string | null;
  resolutionNotes: string | null;
  resolvedBy: string | null;
  cause: string;
  assignee: string | null;
  priority: number;
  namespaceName: string;
  taskName: string;
  taskVersion: string;
  /** Null if the task was deleted. */
  currentState: string | null;
  timeInStateMinutes: number | null;
  /** Whether the next check closes this open entry. */
  hasMovedOn: boolean;
  minutesInDlq: number;
  priorityScore: number;
  entriesOfTask: number;
  /** JSON text. */
  metadata: string | null;
  createdAt: string;
  updatedAt: string;
  /** The position in the queue. */
  queueAt: string;
}

const COLUMNS = `
  d.id "dlqEntryUuid", d.task_uuid "taskUuid", d.original_state "originalState", d.reason "dlqReason",
  tasker.iso(d.created_at) "dlqTimestamp", d.status "resolutionStatus", tasker.iso(d.resolved_at) "resolutionTimestamp",
  d.resolution "resolutionNotes", d.resolved_by "resolvedBy", d.cause, d.assignee, d.priority, n.name "namespaceName",
  m.name "taskName", m.version "taskVersion", live.state::text "currentState", live.minutes "timeInStateMinutes",
  d.status = 'pending' and ${HAS_MOVED_ON} "hasMovedOn",
  greatest(0, floor(extract(epoch from coalesce(d.resolved_at, now()) - d.created_at) / 60))::int "minutesInDlq",
  greatest(0, floor(extract(epoch from coalesce(d.resolved_at, now()) - d.queue_at) / 60))::int "priorityScore",
  (select count(*)::int from (select 1 from tasker.dead_letter x where x.task_uuid = d.task_uuid limit 1000) x) "entriesOfTask",
  d.metadata::text metadata, tasker.iso(d.created_at) "createdAt", tasker.iso(d.updated_at) "updatedAt",
  tasker.iso(d.queue_at) "queueAt"`;

const JOINS = `
  join tasker.template m on m.id = d.template_id join tasker.namespace n on n.id = m.namespace_id
  left join lateral (
    select ${shownState('t')} state, floor(extract(epoch from statement_timestamp() - (select moved.at from (${LAST_MOVE}) moved)) / 60)::int minutes
      from tasker.task t where t.task_uuid = d.task_uuid offset 0) live on true`;

/**
 * The conditions of a search on entries `d`. Omitted conditions are constants, because each call is planned separately.
 */
const CONDITIONS = `
      ($1::text is null or d.reason = $1) and ($2::text is null or d.assignee = $2) and (not $3::boolean or d.assignee is null)
  and ($4::timestamptz is null or d.created_at >= $4) and ($5::timestamptz is null or d.created_at < $5)
  and ($6::uuid is null or d.task_uuid = $6)`;

/** Returns the values of {@link CONDITIONS}. */
function conditionValues({ reason, assignee, unassigned, addedAfter, addedBefore, taskUuid }: DeadLetterSearch) {
  return [reason, assignee, unassigned, addedAfter, addedBefore, taskUuid];
}

const QUEUE_ORDER = '-d.priority, d.queue_at, d.id';
const AFTER_QUEUED = `($7::int is null or (-d.priority, d.queue_at, d.id) > (-$7::int, $8::timestamptz, $9::uuid))`;

const QUEUED = sql('queued_dead_letters')`
with page as materialized (
  select * from tasker.dead_letter d
   where d.status = 'pending' and ${CONDITIONS} and ${AFTER_QUEUED}
   order by ${QUEUE_ORDER} limit $10::int offset $11::int)
select ${COLUMNS} from page d ${JOINS} order by ${QUEUE_ORDER}`;

// Each template has its own index range in the order of the queue, so a template with few entries is not searched among
// all others.
const QUEUED_OF_TEMPLATES = sql('queued_dead_letters_of_templates')`
with page as materialized (
  select d.* from unnest($12::int[]) t (id) cross join lateral (
    select * from tasker.dead_letter d
     where d.status = 'pending' and d.template_id = t.id and ${CONDITIONS} and ${AFTER_QUEUED}
     order by ${QUEUE_ORDER} limit $10::int + $11::int) d
   order by ${QUEUE_ORDER} limit $10::int offset $11::int)
select ${COLUMNS} from page d ${JOINS} order by ${QUEUE_ORDER}`;

const NEWEST = sql('newest_dead_letters')`
with page as materialized (
  select * from tasker.dead_letter d
   where ${CONDITIONS} and ($7::timestamptz is null or (d.created_at, d.id) < ($7::timestamptz, $8::uuid))
     and ($11::text is null or d.status = $11) and ($12::int[] is null or d.template_id = any ($12))
   order by d.created_at desc, d.id desc limit $9::int offset $10::int)
select ${COLUMNS} from page d ${JOINS} order by d.created_at desc, d.id desc`;

/** The last entry of a page. */
export interface DeadLetterPlace {
  dlqEntryUuid: string;
  priority: number;
  queueAt: string;
  createdAt: string;
}

/** Which part of the entries to return. */
export interface DeadLetterSlice {
  after: DeadLetterPlace | null;
  limit: number;
  offset: number;
}

/** Returns the open entries after a place, in the order of the queue. */
export async function queuedDeadLetters(
  db: Db,
  search: DeadLetterSearch,
  { after, limit, offset }: DeadLetterSlice,
): Promise<DeadLetterRow[]> {
  const { templateIds } = search;
  const place = [after?.priority ?? null, after?.queueAt ?? null, after?.dlqEntryUuid ?? null];
  const values = [...conditionValues(search), ...place, limit, offset];
  if (templateIds === null) return (await db.query<DeadLetterRow>(QUEUED, values)).rows;
  return (await db.query<DeadLetterRow>(QUEUED_OF_TEMPLATES, [...values, `{${templateIds.join(',')}}`])).rows;
}

/** Returns the entries before a place, the newest first. */
export async function newestDeadLetters(
  db: Db,
  search: DeadLetterSearch,
  { after, limit, offset }: DeadLetterSlice,
): Promise<DeadLetterRow[]> {
  const { status, templateIds } = search;
  const templates = templateIds && `{${templateIds.join(',')}}`;
  const place = [after?.createdAt ?? null, after?.dlqEntryUuid ?? null];
  const values = [...conditionValues(search), ...place, limit, offset, status, templates];
  return (await db.query<DeadLetterRow>(NEWEST, values)).rows;
}

const COUNT = sql('count_dead_letters')`
select count(*)::int n from (
  select 1 from tasker.dead_letter d
   where ${CONDITIONS} and ($7::text is null or d.status = $7) and ($8::int[] is null or d.template_id = any ($8)) limit $9::int) x`;

/** Counts the entries of a search, up to a number. */
export async function countDeadLetters(db: Db, search: DeadLetterSearch, most: number): Promise<number> {
  const templates = search.templateIds && `{${search.templateIds.join(',')}}`;
  const values = [...conditionValues(search), search.status, templates, most];
  return (await db.query<{ n: number }>(COUNT, values)).rows[0]!.n;
}

const QUEUED_TASKS = sql('tasks_of_dead_letters')`
select d.task_uuid "taskUuid" from tasker.dead_letter d
 where d.status = 'pending' and ${CONDITIONS} and ($7::int[] is null or d.template_id = any ($7)) and d.task_uuid > $8::uuid
 order by d.task_uuid limit $9::int`;

/** Returns the tasks of open entries after one of them, in the order of their ids. */
export async function tasksOfDeadLetters(
  db: Db,
  search: DeadLetterSearch,
  { after, limit }: { after: string; limit: number },
): Promise<string[]> {
  const templates = search.templateIds && `{${search.templateIds.join(',')}}`;
  const values = [...conditionValues(search), templates, after, limit];
  return (await db.query<{ taskUuid: string }>(QUEUED_TASKS, values)).rows.map((row) => row.taskUuid);
}

const GET = sql('get_dead_letter')`
with page as materialized (
  (select 1 place, d.* from tasker.dead_letter d where d.id = $1)
  union all
  (select 2, d.* from tasker.dead_letter d where d.task_uuid = $1 order by d.status = 'pending' desc, d.created_at desc limit 1)
  order by place limit 1)
select ${COLUMNS}, d.snapshot::text snapshot,
       coalesce((select json_agg(json_build_object('at', tasker.iso(x.at), 'author', x.author, 'note', x.note) order by x.id)
                   from tasker.dead_letter_note x where x.entry_id = d.id), '[]')::text notes
  from page d ${JOINS}`;

/** An entry with all details. */
export interface DeadLetterDetailsRow extends DeadLetterRow {
  /** JSON text. */
  snapshot: string;
  notes: string;
}

/** Returns an entry, by its id or the id of its task: the open entry, otherwise the newest. */
export async function getDeadLetter(db: Db, id: string): Promise<DeadLetterDetailsRow | undefined> {
  return (await db.query<DeadLetterDetailsRow>(GET, [id])).rows[0];
}

const STATS = sql('dead_letter_stats')`
select d.reason "dlqReason", count(*)::int "totalEntries", (count(*) filter (where status = 'pending'))::int pending,
       (count(*) filter (where status = 'manually_resolved'))::int "manuallyResolved",
       (count(*) filter (where status = 'permanently_failed'))::int "permanentFailures",
       (count(*) filter (where status = 'cancelled'))::int cancelled,
       (count(*) filter (where status = 'pending' and assignee is null))::int unassigned,
       tasker.iso(min(created_at)) "oldestEntry", tasker.iso(max(created_at)) "newestEntry",
       tasker.iso(min(created_at) filter (where status = 'pending')) "oldestPending",
       (avg(extract(epoch from resolved_at - created_at)) / 60)::float8 "avgResolutionTimeMinutes"
  from tasker.dead_letter d
 where ($1::timestamptz is null or d.created_at >= $1) and ($2::int[] is null or d.template_id = any ($2))
 group by 1 order by count(*) filter (where status = 'pending') desc, 1`;

/** Counts of the entries with one reason. */
export interface DeadLetterStatsRow {
  dlqReason: DeadLetterReason;
  totalEntries: number;
  pending: number;
  manuallyResolved: number;
  permanentFailures: number;
  cancelled: number;
  /** Open entries without an assignee. */
  unassigned: number;
  oldestEntry: string;
  newestEntry: string;
  /** The oldest open entry; null if there is none. */
  oldestPending: string | null;
  /** The time from the creation of an entry to its end. Null if none is closed. */
  avgResolutionTimeMinutes: number | null;
}

/** Counts entries by their reason. */
export async function deadLetterStats(
  db: Db,
  { addedAfter, templateIds }: { addedAfter: string | null; templateIds: readonly number[] | null },
): Promise<DeadLetterStatsRow[]> {
  const values = [addedAfter, templateIds && `{${templateIds.join(',')}}`];
  return (await db.query<DeadLetterStatsRow>(STATS, values)).rows;
}

const PENDING = sql('pending_dead_letters')`
select n.name namespace, c.pending, c.unassigned, tasker.iso(c.oldest) oldest
  from (select template_id, count(*)::int pending, (count(*) filter (where assignee is null))::int unassigned, min(created_at) oldest
          from (select template_id, assignee, created_at from tasker.dead_letter where status = 'pending' limit $1::int) d group by 1) c
  join tasker.template m on m.id = c.template_id join tasker.namespace n on n.id = m.namespace_id`;

/** Open entries of a template. */
export interface PendingRow {
  namespace: string;
  pending: number;
  unassigned: number;
  oldest: string;
}

/** Counts open entries by template, up to a number. */
export async function pendingDeadLetters(db: Db, most: number): Promise<PendingRow[]> {
  return (await db.query<PendingRow>(PENDING, [most])).rows;
}
