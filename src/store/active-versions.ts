import type { Db } from '../db/statement.ts';
import { columns, lists, sql } from './sql.ts';
import { type NewTask, STEPS_OF_NEW_TASKS } from './tasks.ts';
import { TEMPLATE_COLUMNS, type TemplateRow } from './templates.ts';

// The row of a name has the version that requests without a version mean. A registration or an activation that changes
// it locks the row exclusively, and a creation that has an identity locks it in share mode. So a change waits for
// these creations, and later ones see their tasks. See docs/decisions/0033.

/** The active version of a template, from which new tasks of requests without a version are created. */
export interface ActiveRow extends TemplateRow {
  /** Grows with each change of the row, and with each new version of the name. */
  revision: number;
  /** All registered versions of the name. */
  versions: string[];
}

const READ_ACTIVE = sql('read_active_version')`
select ${TEMPLATE_COLUMNS}, a.revision,
       array(select distinct v.version from tasker.template v where v.namespace_id = a.namespace_id and v.name = a.name) versions
  from tasker.namespace n
  join tasker.active_version a on a.namespace_id = n.id
 cross join lateral (
   select * from tasker.template x where x.namespace_id = a.namespace_id and x.name = a.name and x.version = a.version
    order by x.registered_at desc, x.id desc limit 1) m
 where n.name = $1 and a.name = $2`;

/** Returns the active version of a template. Undefined if the template has no row, or is not registered. */
export async function readActive(db: Db, namespace: string, name: string): Promise<ActiveRow | undefined> {
  return (await db.query<ActiveRow>(READ_ACTIVE, [namespace, name])).rows[0];
}

/** The row of a name. */
export interface ActiveVersion {
  version: string;
  /** Whether an activation keeps registrations from changing it. */
  pinned: boolean;
}

const ACTIVE_VERSIONS = sql('active_versions')`
select n.name namespace, a.name, a.version, a.pinned, tasker.iso(a.changed_at) "changedAt"
  from tasker.active_version a join tasker.namespace n on n.id = a.namespace_id
 where $1::text[] is null or (n.name, a.name) in (select * from unnest($1::text[], $2::text[]))`;

/** The row of a name, with the name and the time of its last change. */
export interface ListedActive extends ActiveVersion {
  namespace: string;
  name: string;
  changedAt: string;
}

/** Returns the rows of these names, or of all. */
export async function activeVersions(
  db: Db,
  of?: readonly Pick<ListedActive, 'namespace' | 'name'>[],
): Promise<ListedActive[]> {
  const names = of ? lists(of, 'namespace', 'name') : [null, null];
  return (await db.query<ListedActive>(ACTIVE_VERSIONS, names)).rows;
}

/** A template, without a version. */
export interface TemplateKey {
  namespaceId: number;
  name: string;
}

const LOCK_ACTIVE = sql('lock_active_version')`
insert into tasker.active_version as a (namespace_id, name, version) values ($1, $2, $3)
on conflict (namespace_id, name) do update set name = excluded.name
returning a.version, a.pinned, xmax = 0 fresh`;

/**
 * Locks the row of a name exclusively until the transaction ends. Creates it with `version` if there is none. Waits for
 * the creations that hold it.
 */
export async function lockActive(
  db: Db,
  { namespaceId, name }: TemplateKey,
  version: string,
): Promise<ActiveVersion & { fresh: boolean }> {
  return (await db.query<ActiveVersion & { fresh: boolean }>(LOCK_ACTIVE, [namespaceId, name, version])).rows[0]!;
}

const SET_ACTIVE = sql('set_active_version')`
update tasker.active_version a set version = $3, pinned = $4, revision = revision + 1,
       changed_at = case when a.version = $3 and a.pinned = $4 then a.changed_at else clock_timestamp() end
 where namespace_id = $1 and name = $2`;

/** Changes the row of a name. Call it after {@link lockActive}. */
export async function setActive(db: Db, { namespaceId, name }: TemplateKey, active: ActiveVersion): Promise<void> {
  await db.query(SET_ACTIVE, [namespaceId, name, active.version, active.pinned]);
}

/** The row that a request without a version was read from. */
export interface ExpectedActive extends TemplateKey {
  revision: number;
  /** Whether the creation holds the row, because its task has an identity. */
  held: boolean;
}

// Lists the rows that are unchanged since they were read. Locks those of tasks with an identity. After a wait for a
// lock, PostgreSQL compares the newest revision, so a row that changed meanwhile is not listed. The rows are locked in
// the order of the list. Rows of tasks without an identity are only compared.
const UNCHANGED = `
held as materialized (
  select 1 from unnest($16::int[], $17::text[], $18::int[], $19::boolean[]) e (namespace_id, name, revision, held)
   cross join lateral (
     select 1 from tasker.active_version a
      where e.held and a.namespace_id = e.namespace_id and a.name = e.name and a.revision = e.revision for share) x),
seen as materialized (
  select 1 from unnest($16::int[], $17::text[], $18::int[], $19::boolean[]) e (namespace_id, name, revision, held)
   cross join lateral (
     select 1 from tasker.active_version a
      where not e.held and a.namespace_id = e.namespace_id and a.name = e.name and a.revision = e.revision offset 0) x),
gate as materialized (
  select (select count(*) from held) + (select count(*) from seen) = cardinality($16::int[]) open)`;

// Like create_tasks, for tasks of requests without a version. Creates nothing if an active version has changed since it
// was read. A task whose identity exists in another version of its template adds no rows.
const CREATE_ACTIVE_TASKS = sql('create_active_tasks')`
with input as materialized (
  select * from rows from (
    unnest($1::uuid[], $2::int[], $3::smallint[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::text[], $11::text[], $12::text[], $13::text[],
           $14::text[], $15::text[]),
    jsonb_array_elements($4::jsonb), jsonb_array_elements($10::jsonb)
  ) d (task_uuid, template_id, rank, correlation_id, parent_correlation_id, initiator, source_system, reason, hash, traceparent, created_with,
       request_hash, digest, context, tags)),
${UNCHANGED},
earlier as materialized (
  select o.task_uuid from unnest($20::uuid[], $21::text[]) o (task_uuid, hash)
   cross join lateral (select 1 from tasker.task_identity x where x.hash = decode(o.hash, 'hex') offset 0) i),
ident as (
  insert into tasker.task_identity (hash, task_uuid, request_hash, digest)
  select decode(hash, 'hex'), task_uuid, decode(request_hash, 'hex'), decode(digest, 'hex') from input
   where hash is not null and (select open from gate) and task_uuid not in (select task_uuid from earlier) order by 1
  on conflict do nothing returning task_uuid),
t as (
  insert into tasker.task (task_uuid, template_id, rank, n_open, n_active, context, correlation_id, parent_correlation_id,
                           initiator, source_system, reason, traceparent, created_with, tags)
  select i.task_uuid, i.template_id, i.rank, m.initial_count, m.root_count, i.context, i.correlation_id, i.parent_correlation_id,
         i.initiator, i.source_system, i.reason, i.traceparent, i.created_with,
         case when i.tags <> 'null' then array(select jsonb_array_elements_text(i.tags)) end
    from input i join tasker.template m on m.id = i.template_id
   where (i.hash is null and (select open from gate)) or i.task_uuid in (select task_uuid from ident)
  returning task_uuid, template_id, rank),
${STEPS_OF_NEW_TASKS}
select task_uuid from t union all select null from gate where not open`;

/** A task of a request without a version, or with one. */
export interface NewActiveTask extends NewTask {
  /** Its identities in the other versions of its template, if its request has no version. */
  otherHashes?: readonly string[];
}

/**
 * Creates tasks, as `createTasks` of tasks.ts does. `expected`: the rows to compare, in the order of their keys.
 * Returns undefined, and creates nothing, if one of them has changed.
 */
export async function createActiveTasks(
  db: Db,
  tasks: readonly NewActiveTask[],
  expected: readonly ExpectedActive[],
): Promise<Set<string> | undefined> {
  const others = tasks.flatMap(({ taskUuid, otherHashes = [] }) => otherHashes.map((hash) => ({ taskUuid, hash })));
  const { rows } = await db.query<{ task_uuid: string | null }>(CREATE_ACTIVE_TASKS, [
    ...columns(tasks, 'taskUuid', 'templateId', 'rank'),
    `[${tasks.map((t) => t.context).join(',')}]`,
    ...lists(tasks, 'correlationId', 'parentCorrelationId', 'initiator', 'sourceSystem', 'reason'),
    JSON.stringify(tasks.map((t) => t.tags)),
    ...lists(tasks, 'identityHash', 'traceparent', 'createdWith', 'requestHash', 'digest'),
    ...expectedValues(expected),
    ...columns(others, 'taskUuid', 'hash'),
  ]);
  const created = new Set<string>();
  for (const { task_uuid } of rows) {
    if (task_uuid === null) return undefined;
    created.add(task_uuid);
  }
  return created;
}

const HOLD_ACTIVE = sql('hold_active_versions')`
select 1 from unnest($1::int[], $2::text[], $3::int[]) e (namespace_id, name, revision)
 cross join lateral (
   select 1 from tasker.active_version a
    where a.namespace_id = e.namespace_id and a.name = e.name and a.revision = e.revision for share) x`;

/** Locks the rows in share mode until the transaction ends. Returns false if one of them has changed. */
export async function holdActive(db: Db, expected: readonly ExpectedActive[]): Promise<boolean> {
  const { rows } = await db.query(HOLD_ACTIVE, expectedValues(expected).slice(0, 3));
  return rows.length === expected.length;
}

function expectedValues(expected: readonly ExpectedActive[]): unknown[] {
  const [namespaceIds, names, revisions, held] = lists(expected, 'namespaceId', 'name', 'revision', 'held');
  return [namespaceIds, names, revisions, held];
}
