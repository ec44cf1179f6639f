import type { Db } from '../db/statement.ts';
import { PAUSES_OF_TASK } from './queue-id.ts';
import { shownState } from './shown-state.ts';
import { columns, lists, sql } from './sql.ts';
import { STILL_STALE } from './stale-tasks.ts';

/** The steps of the new tasks `t`, and the queue rows of their roots. */
export const STEPS_OF_NEW_TASKS = `s as (
  insert into tasker.step (task_uuid, idx, state, remaining, max_attempts, retryable)
  select t.task_uuid, ts.idx, case when ts.parents = 0 then 'enqueued'::tasker.step_state else 'pending' end, ts.parents,
         ts.max_attempts, ts.retryable
    from t cross join lateral (
      select * from tasker.template_step x where x.template_id = t.template_id and x.initial offset 0) ts),
q as (
  insert into tasker.queue (namespace_id, rank, task_uuid, idx, template_id)
  select (select queue_id from tasker.template m where m.id = t.template_id), t.rank, t.task_uuid, ts.idx, t.template_id
    from t cross join lateral (
      select idx from tasker.template_step x where x.template_id = t.template_id and x.initial and x.parents = 0 offset 0) ts
   order by t.task_uuid, ts.idx)`;

// Identities are inserted in the order of their hashes, to prevent deadlocks between two batches. A task whose identity
// already exists adds no rows. `offset 0` keeps the lookup of a template's steps by key. An unrestricted join would
// read a small table as a whole for each task.
const CREATE_TASKS = sql('create_tasks')`
with input as materialized (
  select * from rows from (
    unnest($1::uuid[], $2::int[], $3::smallint[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::text[], $11::text[], $12::text[], $13::text[],
           $14::text[], $15::text[]),
    jsonb_array_elements($4::jsonb), jsonb_array_elements($10::jsonb)
  ) d (task_uuid, template_id, rank, correlation_id, parent_correlation_id, initiator, source_system, reason, hash, traceparent, created_with,
       request_hash, digest, context, tags)),
ident as (
  insert into tasker.task_identity (hash, task_uuid, request_hash, digest)
  select decode(hash, 'hex'), task_uuid, decode(request_hash, 'hex'), decode(digest, 'hex') from input where hash is not null order by 1
  on conflict do nothing returning task_uuid),
t as (
  insert into tasker.task (task_uuid, template_id, rank, n_open, n_active, context, correlation_id, parent_correlation_id,
                           initiator, source_system, reason, traceparent, created_with, tags)
  select i.task_uuid, i.template_id, i.rank, m.initial_count, m.root_count, i.context, i.correlation_id, i.parent_correlation_id,
         i.initiator, i.source_system, i.reason, i.traceparent, i.created_with,
         case when i.tags <> 'null' then array(select jsonb_array_elements_text(i.tags)) end
    from input i join tasker.template m on m.id = i.template_id
   where i.hash is null or i.task_uuid in (select task_uuid from ident)
  returning task_uuid, template_id, rank),
${STEPS_OF_NEW_TASKS}
select task_uuid from t`;

/** The part of a request to create a task that is stored with the task. */
export interface TaskOrigin {
  /** JSON text. */
  context: string;
  correlationId: string | null;
  parentCorrelationId: string | null;
  initiator: string | null;
  sourceSystem: string | null;
  reason: string | null;
}

/** A task to create, checked and encoded. */
export interface NewTask extends TaskOrigin {
  taskUuid: string;
  templateId: number;
  rank: number;
  /** The span that created the task. */
  traceparent: string | null;
  tags: readonly string[] | null;
  /** The credential that a server creates it with. Null if a program with access to the database creates it. */
  createdWith: string | null;
  /** SHA-256 in hex, or null for a task without an identity. */
  identityHash: string | null;
  /** The hash of the header `Idempotency-Key`, or null if the request has none. */
  requestHash: string | null;
  /** The digest of the request. Null without a key. */
  digest: string | null;
  /** When it begins, in milliseconds since 1970 or from now. Undefined means immediately. */
  start?: { atMs?: number; delayMs?: number } | undefined;
}

/** Creates tasks with their steps, and queues their roots. Returns the ids of the new tasks. */
export async function createTasks(db: Db, tasks: readonly NewTask[]): Promise<Set<string>> {
  const { rows } = await db.query<{ task_uuid: string }>(CREATE_TASKS, [
    ...columns(tasks, 'taskUuid', 'templateId', 'rank'),
    `[${tasks.map((t) => t.context).join(',')}]`,
    ...lists(tasks, 'correlationId', 'parentCorrelationId', 'initiator', 'sourceSystem', 'reason'),
    JSON.stringify(tasks.map((t) => t.tags)),
    ...lists(tasks, 'identityHash', 'traceparent', 'createdWith', 'requestHash', 'digest'),
  ]);
  return new Set(rows.map((row) => row.task_uuid));
}

const FIND_IDENTITIES = sql('find_identities')`
select h hash, i.task_uuid "taskUuid", tasker.iso(i.pruned_at) "prunedAt", encode(i.digest, 'hex') digest
  from unnest($1::text[]) h
 cross join lateral (select * from tasker.task_identity x where x.hash = decode(h, 'hex') offset 0) i`;

const FIND_REQUESTS = sql('find_requests')`
select h hash, i.task_uuid "taskUuid", tasker.iso(i.pruned_at) "prunedAt", encode(i.digest, 'hex') digest
  from unnest($1::text[]) h
 cross join lateral (select * from tasker.task_identity x where x.request_hash = decode(h, 'hex') offset 0) i`;

/** The task that has an identity, or had it until it was pruned. */
export interface IdentityRow {
  hash: string;
  taskUuid: string;
  prunedAt: string | null;
  /** The digest of the request that created it. Null without a key, and for older tasks. */
  digest: string | null;
}

/** Returns the tasks with these identities, by hash. */
export async function findIdentities(db: Db, hashes: readonly string[]): Promise<Map<string, IdentityRow>> {
  const { rows } = await db.query<IdentityRow>(FIND_IDENTITIES, [hashes]);
  return new Map(rows.map((row) => [row.hash, row]));
}

// An identity is unique by two columns, and no order of insertion suits both. So two transactions could wait for each other.
const LOCK_REQUESTS = sql('lock_requests')`
select pg_advisory_xact_lock(key) from (select hashtextextended(h, 0) key from unnest($1::text[]) h order by 1 offset 0) x`;

/**
 * Locks the headers of requests until the end of the transaction. Call it before creating several tasks, of which some
 * have such a header.
 */
export async function lockRequests(db: Db, requestHashes: readonly string[]): Promise<void> {
  await db.query(LOCK_REQUESTS, [requestHashes]);
}

/** Returns the tasks that requests with these headers have created, by the hash of the header. */
export async function findRequests(db: Db, requestHashes: readonly string[]): Promise<Map<string, IdentityRow>> {
  if (requestHashes.length === 0) return new Map();
  const { rows } = await db.query<IdentityRow>(FIND_REQUESTS, [requestHashes]);
  return new Map(rows.map((row) => [row.hash, row]));
}

const PRUNED_AT = sql('pruned_at')`
select tasker.iso(pruned_at) "prunedAt" from tasker.task_identity where task_uuid = $1 and pruned_at is not null`;

/** Returns when a task was pruned. Undefined if it was not pruned, or its identity was released. */
export async function prunedAt(db: Db, taskUuid: string): Promise<string | undefined> {
  return (await db.query<{ prunedAt: string }>(PRUNED_AT, [taskUuid])).rows[0]?.prunedAt;
}

// A separate statement: in READ COMMITTED, later statements see what earlier holders of the locks have committed. If
// the lock were in a CTE of the writing statement, the snapshot would be older than the wait, and decrements would be
// lost. For the same reason, later statements take the time from `statement_timestamp()`: `now()` is the start of the
// transaction, before the wait.
const LOCK_TASKS = sql('lock_tasks')`
with locked as materialized (
  select task_uuid, revision from tasker.task where task_uuid = any ($1::uuid[]) order by task_uuid for update)
select task_uuid "taskUuid", revision from locked where revision > 0`;

/** The number of times that operators have changed results of a task. */
export interface TaskRevision {
  taskUuid: string;
  revision: number;
}

/**
 * Locks tasks in the order of their ids. Every transaction except the claim begins with this statement. Returns the
 * tasks whose results an operator has changed, so that workers drop old copies of them.
 */
export async function lockTasks(db: Db, taskUuids: readonly string[]): Promise<TaskRevision[]> {
  return (await db.query<TaskRevision>(LOCK_TASKS, [`{${taskUuids.join(',')}}`])).rows;
}

const LOCK_FREE_TASKS = sql('lock_free_tasks')`
select task_uuid from tasker.task where task_uuid = any ($1::uuid[]) order by task_uuid for update skip locked`;

/**
 * Locks the tasks that no other transaction has locked. For housekeeping, which a single locked task must not block.
 */
export async function lockFreeTasks(db: Db, taskUuids: readonly string[]): Promise<string[]> {
  const { rows } = await db.query<{ task_uuid: string }>(LOCK_FREE_TASKS, [`{${taskUuids.join(',')}}`]);
  return rows.map((row) => row.task_uuid);
}

const TASK_STATES = sql('task_states')`
select task_uuid, (${shownState('t')})::text state from tasker.task t where task_uuid = any ($1::uuid[])`;

/** Returns the states of tasks. Unknown ids are omitted. */
export async function taskStates(db: Db, taskUuids: readonly string[]): Promise<Map<string, string>> {
  const { rows } = await db.query<{ task_uuid: string; state: string }>(TASK_STATES, [`{${taskUuids.join(',')}}`]);
  return new Map(rows.map((row) => [row.task_uuid, row.state]));
}

/** A time as JSON without a zone, which takes a third of the time of `tasker.iso`. {@link isoOf} reads it. */
const jsonTime = (time: string): string => `to_json(${time} at time zone 'UTC')`;

/**
 * The columns of a {@link PackedTask}. `context`: the expression for the context, which may be large. Values that every
 * task has are packed into one column, because the driver takes 0.2 us for each column of a row. The end time comes last,
 * because `concat_ws` skips it if it is null.
 */
export const taskColumns = (context: string): string => `
  concat_ws(e'\\t', t.task_uuid, m.name, n.name, m.version, (${shownState('t')})::text, ${jsonTime('t.created_at')}, c.updated_at,
    -t.rank, c.total, c.pending, c.in_progress, c.completed, c.failed, c.ready, c.waiting, coalesce(t.reruns, 0), m.id,
    t.n_open, t.n_error, c.skipped, ${jsonTime('t.done_at')}) facts,
  ${context} context, t.created_with "createdWith", t.initiator, t.source_system "sourceSystem",
  t.reason, t.tags, t.correlation_id "correlationId", t.parent_correlation_id "parentCorrelationId",
  tasker.iso(t.rerun_at) "rerunAt", t.copy_of "copyOf", t.verdict::text, stale.note stale,
  case when t.state = 'waiting_for_dependencies' then (
    select tasker.iso(x.until) from tasker.wait x where x.task_uuid = t.task_uuid and x.idx = -1 and x.ended_at is null offset 0) end "startsAt",
  ${PAUSES_OF_TASK} paused`;
const TASK_COLUMNS = taskColumns('t.context');

export const TASK_COUNTS = `
  cross join lateral (
    select count(*)::int total,
           (count(*) filter (where s.state in ('pending', 'waiting_for_retry')))::int pending,
           (count(*) filter (where s.state = 'in_progress'))::int in_progress,
           (count(*) filter (where s.state in ('complete', 'resolved_manually')))::int completed,
           (count(*) filter (where s.state = 'error'))::int failed,
           (count(*) filter (where s.state = 'enqueued'))::int ready,
           (count(*) filter (where s.state = 'waiting'))::int waiting,
           (count(*) filter (where s.state = 'skipped'))::int skipped,
           coalesce(sum(s.attempts), 0)::int starts,
           ${jsonTime('greatest(t.created_at, t.done_at, max(s.started_at), max(s.done_at))')} updated_at
      from tasker.step s where s.task_uuid = t.task_uuid) c
  left join lateral (
    select json_build_object('rule', w.rule, 'minutes', w.minutes, 'since', tasker.iso(w.since),
                             'at', tasker.iso(w.noted_at))::text note
      from tasker.task_watch w where w.task_uuid = t.task_uuid and ${STILL_STALE} offset 0) stale on true`;

/** The fields of a {@link PackedTask} that are null for most tasks. */
type Rare = 'createdWith' | 'rerunAt' | 'copyOf' | 'verdict' | 'stale' | 'startsAt' | 'paused';

/** A task as the statements return it. */
export interface PackedTask extends TaskOrigin, Record<Rare, string | null> {
  facts: string;
  tags: string[] | null;
}

/** A task with the counts of its steps. */
export type TaskRow = ReturnType<typeof taskRow>;

function isoOf(json: string): string {
  const [seconds, fraction = ''] = json.slice(1, -1).split('.');
  return `${seconds}.${fraction.padEnd(6, '0')}Z`;
}

/** Unpacks the facts. Copies field by field, because rest and spread take microseconds. */
export function taskRow(row: PackedTask) {
  const facts = row.facts.split('\t');
  const numbers = facts.slice(7, 20).map(Number);
  return {
    taskUuid: facts[0]!,
    name: facts[1]!,
    namespace: facts[2]!,
    version: facts[3]!,
    status: facts[4]!,
    createdAt: isoOf(facts[5]!),
    updatedAt: isoOf(facts[6]!),
    priority: numbers[0]!,
    totalSteps: numbers[1]!,
    pendingSteps: numbers[2]!,
    inProgressSteps: numbers[3]!,
    completedSteps: numbers[4]!,
    failedSteps: numbers[5]!,
    readySteps: numbers[6]!,
    waitingSteps: numbers[7]!,
    reruns: numbers[8]!,
    templateId: numbers[9]!,
    /** Number of steps that have not ended. */
    openSteps: numbers[10]!,
    /** Number of steps in `error` that block the task. Excludes failures that their batch tolerates. */
    blockingSteps: numbers[11]!,
    skippedSteps: numbers[12]!,
    completedAt: facts[20] === undefined ? null : isoOf(facts[20]),
    context: row.context,
    initiator: row.initiator,
    sourceSystem: row.sourceSystem,
    createdWith: row.createdWith,
    reason: row.reason,
    tags: row.tags ?? [],
    correlationId: row.correlationId ?? facts[0]!,
    parentCorrelationId: row.parentCorrelationId,
    rerunAt: row.rerunAt,
    copyOf: row.copyOf,
    verdict: row.verdict,
    /** When a task that starts later begins. Null if it is not waiting for its start. */
    startsAt: row.startsAt,
    /** JSON text of the limit that the task exceeds. Null if it is not stale, or has no limits. */
    stale: row.stale,
    /** JSON text of the pauses in force for the task. Null if there are none, or it has ended. */
    paused: row.paused,
  };
}

const GET_TASKS = sql('get_tasks')`
select ${TASK_COLUMNS}
  from tasker.task t join tasker.template m on m.id = t.template_id join tasker.namespace n on n.id = m.namespace_id ${TASK_COUNTS}
 where t.task_uuid = any ($1::uuid[])`;

/** Returns tasks by their ids. Unknown ids are omitted. */
export async function getTasks(db: Db, taskUuids: readonly string[]): Promise<TaskRow[]> {
  return (await db.query<PackedTask>(GET_TASKS, [`{${taskUuids.join(',')}}`])).rows.map(taskRow);
}

// The page is limited before the steps are counted. Task ids grow with time, so the key order gives the newest first.
const LIST_TASKS = sql('list_tasks')`
with page as materialized (
  select t.* from tasker.task t
    join tasker.template m on m.id = t.template_id join tasker.namespace n on n.id = m.namespace_id
   where ($1::uuid is null or t.task_uuid < $1) and ($2::text is null or n.name = $2) and ($3::text is null or m.name = $3)
     and ($4::text[] is null or (${shownState('t')})::text = any ($4)) and (not $5::boolean or t.done_at is null)
   order by t.task_uuid desc limit $6)
select ${TASK_COLUMNS}
  from page t join tasker.template m on m.id = t.template_id join tasker.namespace n on n.id = m.namespace_id ${TASK_COUNTS}
 order by t.task_uuid desc`;

// Starts from the stale tasks, of which there are few, and looks up each of them.
const LIST_STALE_TASKS = sql('list_stale_tasks')`
with page as materialized (
  select t.* from tasker.task_watch w cross join lateral (select * from tasker.task x where x.task_uuid = w.task_uuid offset 0) t
   where ($1::uuid is null or w.task_uuid < $1) and ($4::text[] is null or (${shownState('t')})::text = any ($4)) and ${STILL_STALE}
     and exists (select 1 from tasker.template m join tasker.namespace n on n.id = m.namespace_id
       where m.id = t.template_id and ($2::text is null or n.name = $2) and ($3::text is null or m.name = $3) offset 0)
   order by w.task_uuid desc limit $5)
select ${TASK_COLUMNS}
  from page t join tasker.template m on m.id = t.template_id join tasker.namespace n on n.id = m.namespace_id ${TASK_COUNTS}
 order by t.task_uuid desc`;

/** Selects the tasks to list. */
export interface TaskFilter {
  /** Only tasks created before this one. */
  before: string | null;
  namespace: string | null;
  name: string | null;
  /** The states in which tasks are shown. */
  states: readonly string[] | null;
  /** Only tasks that have not ended. */
  openOnly: boolean;
  /** Only open tasks that were noted as stale. */
  stale: boolean;
  limit: number;
}

/** Returns tasks, newest first. */
export async function listTasks(db: Db, filter: TaskFilter): Promise<TaskRow[]> {
  const { before, namespace, name, openOnly, stale, limit } = filter;
  const states = filter.states && [...filter.states];
  const { rows } = stale
    ? await db.query<PackedTask>(LIST_STALE_TASKS, [before, namespace, name, states, limit])
    : await db.query<PackedTask>(LIST_TASKS, [before, namespace, name, states, openOnly, limit]);
  return rows.map(taskRow);
}

const EVENT_TASKS = sql('event_tasks')`
select t.task_uuid "taskUuid", t.template_id "templateId", -t.rank priority, t.context,
       coalesce(t.correlation_id, t.task_uuid) "correlationId", t.parent_correlation_id "parentCorrelationId", t.initiator,
       t.source_system "sourceSystem", t.reason, coalesce(t.tags, '{}') tags,
       t.done_at is not null and t.state = 'complete' complete, tasker.iso(t.created_at) "createdAt"
  from tasker.task t where t.task_uuid = any ($1::uuid[])`;

/** A task, as events describe it. */
export interface EventTaskRow
  extends TaskOrigin,
    Pick<TaskRow, 'taskUuid' | 'templateId' | 'priority' | 'tags' | 'createdAt'> {
  correlationId: string;
  complete: boolean;
}

/** Returns tasks by their ids without reading their steps, of which there may be thousands. */
export async function eventTasks(db: Db, taskUuids: readonly string[]): Promise<EventTaskRow[]> {
  return (await db.query<EventTaskRow>(EVENT_TASKS, [`{${taskUuids.join(',')}}`])).rows;
}

// An attempt belongs to the first run of its step that ended with this attempt or a later one. If there is no such run,
// it belongs to the current one. The names of removed steps come from these runs too.
const GET_HISTORY = sql('get_history')`
select x.*, tasker.step_name(coalesce(x.earlier_name, bw.name), ts.name, x.idx) name
  from (
  select h.idx, 'attempt' kind, coalesce(h.number, h.attempt) attempt, h.attempt start, h.outcome::text what, h.state::text "toState", h.started_at "startedAt",
         h.ended_at at, h.duration_ms "durationMs", h.detail,
         coalesce(w.name, p.name, 'worker ' || h.worker_id) who, null reason, coalesce(e.rerun, s.rerun, 0) rerun,
         case when h.outcome = 'completed' and e.state = 'complete' and e.attempts = h.attempt then e.result end "droppedResult",
         e.name earlier_name
    from tasker.history h left join tasker.worker w on w.id = h.worker_id left join tasker.past_worker p on p.id = h.worker_id
    left join tasker.step s on s.task_uuid = h.task_uuid and s.idx = h.idx
    left join lateral (
      select e.* from tasker.earlier_step e where e.task_uuid = h.task_uuid and e.idx = h.idx and e.attempts >= h.attempt
       order by e.rerun limit 1) e on true
   where h.task_uuid = $1
  union all
  select a.idx, 'operator', null, null, a.action, a.to_state, null, a.at, null,
         case when a.action = 'complete' then jsonb_build_object('custom', coalesce(a.details -> 'metadata', '{}')) end, a.actor, a.reason, null, null,
         (select e.name from tasker.earlier_step e where e.task_uuid = $1 and e.idx = a.idx order by e.rerun desc limit 1)
    from tasker.operator_action a where a.task_uuid = $1) x
  join tasker.task t on t.task_uuid = $1
  left join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = tasker.template_idx(x.idx)
  left join tasker.batch_worker bw on x.idx >= 131072 and bw.task_uuid = $1 and bw.idx = x.idx
 order by x.at, x.idx, x.start`;

/** An entry in the history of a task or step: the end of an attempt, or an action of an operator. */
export interface HistoryRow {
  idx: number | null;
  /** The name of the step. Null if the entry is about the whole task. */
  name: string | null;
  /** The number of the rerun that the attempt belongs to. 0 is the first run. Null if it is not an attempt. */
  rerun: number | null;
  /** JSON text of a result that a rerun has dropped. */
  droppedResult: string | null;
  kind: 'attempt' | 'operator';
  attempt: number | null;
  what: string;
  toState: string;
  startedAt: Date | null;
  at: Date;
  durationMs: number | null;
  /** JSON text. */
  detail: string | null;
  who: string;
  reason: string | null;
}

/** Returns the history of a task, oldest first. */
export async function getHistory(db: Db, taskUuid: string): Promise<HistoryRow[]> {
  return (await db.query<HistoryRow>(GET_HISTORY, [taskUuid])).rows;
}
