import type { Db } from '../db/statement.ts';
import type { TaskLimits } from '../model/task-limits.ts';
import { lists, sql } from './sql.ts';

const ENSURE_NAMESPACE = sql('ensure_namespace')`
insert into tasker.namespace (name) values ($1) on conflict (name) do update set name = excluded.name returning id`;

/** Returns the id of a namespace. Creates it if it is new. */
export async function ensureNamespace(db: Db, name: string): Promise<number> {
  return (await db.query<{ id: number }>(ENSURE_NAMESPACE, [name])).rows[0]!.id;
}

const NAMESPACE_IDS = sql('namespace_ids')`select id, name from tasker.namespace where name = any ($1::text[])`;

/** Returns the ids of the namespaces that exist. */
export async function namespaceIds(db: Db, names: readonly string[]): Promise<number[]> {
  return (await db.query<{ id: number }>(NAMESPACE_IDS, [names])).rows.map((row) => row.id);
}

const REGISTER_TEMPLATE = sql('register_template')`
insert into tasker.template (namespace_id, name, version, digest, identity_strategy, initial_count, root_count, definition,
  stale_action, max_duration_minutes, max_waiting_for_dependencies_minutes, max_waiting_for_retry_minutes,
  max_steps_in_process_minutes, max_waiting_minutes, waits, registered_by_program, routed, undoable, limited, paused)
values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, exists (
  select 1 from tasker.pause p where p.task_uuid is null and p.namespace_id = $1 and p.resumed_at is null
     and (p.name is null or p.name = $2) and (p.version is null or p.version = $3)))
on conflict (namespace_id, name, version, digest) do update
   set registered_at = clock_timestamp(), registered_by_program = template.registered_by_program or excluded.registered_by_program
returning id, xmax = 0 as fresh, registered_by_program "byProgram"`;

/** A snapshot to register. */
export interface NewTemplate extends Omit<RegisteredVersion, 'namespace'> {
  namespaceId: number;
  identityStrategy: string;
  initialCount: number;
  rootCount: number;
  /** JSON text. */
  definition: string;
  /** Null if its tasks cannot become stale. */
  limits: TaskLimits | null;
  /** Whether it has steps of the types that wait. */
  waits: boolean;
  /** Whether a program registers it, and not a request over HTTP. Remains true once it was. */
  byProgram: boolean;
  /** Whether its steps may be skipped or end the task. */
  routed: boolean;
  /** Whether its tasks have something to undo. */
  undoable: boolean;
  /** Whether its steps have limits. */
  limited: boolean;
}

/**
 * Registers a snapshot. `fresh`: the digest is new, so its graph must be stored too. A snapshot of a paused template or
 * namespace is paused. Call it after lockPausesShared, because otherwise a pause that starts now misses the snapshot.
 */
export async function registerTemplate(
  db: Db,
  template: NewTemplate,
): Promise<{ id: number; fresh: boolean; byProgram: boolean }> {
  const {
    namespaceId,
    name,
    version,
    digest,
    identityStrategy,
    initialCount,
    rootCount,
    definition,
    limits,
    waits,
    byProgram,
    routed,
    undoable,
    limited,
  } = template;
  const { rows } = await db.query<{ id: number; fresh: boolean; byProgram: boolean }>(REGISTER_TEMPLATE, [
    ...[namespaceId, name, version, digest, identityStrategy, initialCount, rootCount, definition],
    limits?.action ?? null,
    limits?.durationMinutes ?? null,
    limits?.waitingForDependenciesMinutes ?? null,
    limits?.waitingForRetryMinutes ?? null,
    limits?.stepsInProcessMinutes ?? null,
    limits?.waitingMinutes ?? null,
    waits,
    byProgram,
    routed,
    undoable,
    limited,
  ]);
  return rows[0]!;
}

const STORE_GRAPH = sql('store_graph')`
with s as (
  insert into tasker.template_step (template_id, idx, name, callable, parents, initial, max_attempts, retryable, lost_attempts, retry_ms, resolver)
  select $1, ord - 1, name, callable, parents, initial, max_attempts, retryable, lost_attempts, retry_ms, resolver
    from unnest($2::text[], $3::text[], $4::int[], $5::boolean[], $6::int[], $7::boolean[], $8::int[], $9::bigint[], $10::text[])
         with ordinality s (name, callable, parents, initial, max_attempts, retryable, lost_attempts, retry_ms, resolver, ord))
insert into tasker.template_edge (template_id, parent, child)
select $1, parent, child from unnest($11::int[], $12::int[]) e (parent, child)`;

/** The static graph of a template, stored once per snapshot and not once per task. */
export interface StoredGraph {
  steps: readonly {
    name: string;
    callable: string;
    parents: number;
    initial: boolean;
    maxAttempts: number;
    retryable: boolean;
    /** Number of attempts after which the loss of a worker is final. Null if the policy has no rules: `maxAttempts` applies. */
    lostAttempts: number | null;
    /** Milliseconds from the start of the first attempt in which retries may start. */
    retryMs: number | null;
    /** The resolver that it names for its handler. */
    resolver: string | null;
  }[];
  edges: readonly { parent: number; child: number }[];
}

/** Stores the graph of a snapshot that was registered in the same transaction. */
export async function storeGraph(db: Db, templateId: number, { steps, edges }: StoredGraph): Promise<void> {
  await db.query(STORE_GRAPH, [
    templateId,
    ...lists(
      steps,
      'name',
      'callable',
      'parents',
      'initial',
      'maxAttempts',
      'retryable',
      'lostAttempts',
      'retryMs',
      'resolver',
    ),
    ...lists(edges, 'parent', 'child'),
  ]);
}

/** The columns of a {@link TemplateRow}. */
export const TEMPLATE_COLUMNS = `m.id, m.namespace_id "namespaceId", n.name namespace, m.name, m.version, m.digest,
   m.registered_by_program "byProgram", m.definition::text definition`;

/** A stored snapshot. */
export interface TemplateRow extends RegisteredVersion {
  id: number;
  namespaceId: number;
  /** Whether a program registered it. False if it only arrived over HTTP. */
  byProgram: boolean;
  /** JSON text. */
  definition: string;
}

const TEMPLATES_BY_ID = sql('templates_by_id')`
select ${TEMPLATE_COLUMNS} from tasker.template m join tasker.namespace n on n.id = m.namespace_id where m.id = any ($1::int[])`;

/** Returns snapshots by their ids. */
export async function templatesById(db: Db, ids: readonly number[]): Promise<TemplateRow[]> {
  return (await db.query<TemplateRow>(TEMPLATES_BY_ID, [`{${ids.join(',')}}`])).rows;
}

const NEWEST_TEMPLATE = sql('newest_template')`
select ${TEMPLATE_COLUMNS} from tasker.template m join tasker.namespace n on n.id = m.namespace_id
 where n.name = $1 and m.name = $2 and m.version = $3 order by m.registered_at desc, m.id desc limit 1`;

/** Returns the snapshot for new tasks of a name and version, which is the newest registration. */
export async function newestTemplate(
  db: Db,
  namespace: string,
  name: string,
  version: string,
): Promise<TemplateRow | undefined> {
  return (await db.query<TemplateRow>(NEWEST_TEMPLATE, [namespace, name, version])).rows[0];
}

const NEWEST_DIGESTS = sql('newest_digests')`
select distinct on (n.name, m.name, m.version) n.name namespace, m.name, m.version, m.digest, m.registered_by_program "byProgram"
  from unnest($1::text[], $2::text[], $3::text[]) w (namespace, name, version)
  join tasker.namespace n on n.name = w.namespace
  join tasker.template m on m.namespace_id = n.id and m.name = w.name and m.version = w.version
 order by n.name, m.name, m.version, m.registered_at desc, m.id desc`;

/** A version of a template. */
export interface TemplateVersion {
  namespace: string;
  name: string;
  version: string;
}

/** A version, and the digest of its contents. */
export interface RegisteredVersion extends TemplateVersion {
  digest: string;
}

/** The newest registration of a version. */
export interface NewestDigest extends RegisteredVersion {
  /** Whether a program registered it. False if it only arrived over HTTP. */
  byProgram: boolean;
}

/** Returns the newest digests of these versions. Omits versions that are not registered. */
export async function newestDigests(db: Db, versions: readonly TemplateVersion[]): Promise<NewestDigest[]> {
  return (await db.query<NewestDigest>(NEWEST_DIGESTS, lists(versions, 'namespace', 'name', 'version'))).rows;
}

const CONTENTS_OF_VERSION = sql('contents_of_version')`
select ${TEMPLATE_COLUMNS} from tasker.template m join tasker.namespace n on n.id = m.namespace_id
 where n.name = $1 and m.name = $2 and m.version = $3 order by m.registered_at desc, m.id desc`;

/** Returns all contents that a version has had, the newest registration first. */
export async function contentsOf(db: Db, { namespace, name, version }: TemplateVersion): Promise<TemplateRow[]> {
  return (await db.query<TemplateRow>(CONTENTS_OF_VERSION, [namespace, name, version])).rows;
}

const LIST_TEMPLATES = sql('list_templates')`
select distinct on (n.name, m.name, m.version) n.name namespace, m.name, m.version, m.digest, m.definition ->> 'description' description,
       tasker.iso(m.registered_at) "registeredAt", jsonb_array_length(m.definition -> 'steps') steps
  from tasker.template m join tasker.namespace n on n.id = m.namespace_id
 order by n.name, m.name, m.version, m.registered_at desc, m.id desc`;

/** One registered template. */
export interface TemplateListRow extends RegisteredVersion {
  description: string | null;
  registeredAt: string;
  steps: number;
}

/** Returns every registered name and version, with its newest snapshot. */
export async function listTemplates(db: Db): Promise<TemplateListRow[]> {
  return (await db.query<TemplateListRow>(LIST_TEMPLATES)).rows;
}

const VERSIONS_OF = sql('versions_of_template')`
select distinct m.version from tasker.template m join tasker.namespace n on n.id = m.namespace_id
 where n.name = $1 and m.name = $2`;

/** Returns the registered versions of a template. */
export async function versionsOf(db: Db, namespace: string, name: string): Promise<string[]> {
  return (await db.query<{ version: string }>(VERSIONS_OF, [namespace, name])).rows.map((row) => row.version);
}

const SENSITIVE_TEMPLATES = sql('sensitive_templates')`
select n.name namespace, m.name, m.version, coalesce(m.definition -> 'sensitive', '[]')::text paths
  from tasker.template m join tasker.namespace n on n.id = m.namespace_id
 where m.definition ? 'sensitive' or m.definition @? '$.steps[*].sensitive'`;

/** A snapshot that declares sensitive values. */
export interface SensitiveTemplateRow extends TemplateVersion {
  /** The paths in the contexts of its tasks. */
  paths: string[];
}

/** Returns every snapshot that declares sensitive values, in contexts or in results. */
export async function sensitiveTemplates(db: Db): Promise<SensitiveTemplateRow[]> {
  const { rows } = await db.query<TemplateVersion & { paths: string }>(SENSITIVE_TEMPLATES);
  return rows.map((row) => ({ ...row, paths: JSON.parse(row.paths) as string[] }));
}
