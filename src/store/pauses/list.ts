import type { Db } from '../../db/statement.ts';
import { partsOf, pausedPartsOf } from '../queue-id.ts';
import { sql } from '../sql.ts';
import type { PauseObject } from './pauses.ts';

const PAUSE_COLUMNS = `
  case when p.task_uuid is not null then 'task' when p.name is null then 'namespace' else 'template' end scope,
  coalesce(p.task_uuid::text, concat(n.name, '/' || p.name, '@' || p.version)) target,
  tasker.iso(p.paused_at) "pausedAt", p.paused_by "pausedBy", p.reason`;

/** A pause in force. */
export interface PauseRow {
  scope: 'task' | 'template' | 'namespace';
  target: string;
  pausedAt: string;
  pausedBy: string;
  reason: string | null;
}

const LIST_PAUSES = sql('list_pauses')`
select x.scope, x.target, x."pausedAt", x."pausedBy", x.reason
  from (select ${PAUSE_COLUMNS}, p.task_uuid is not null of_task, p.paused_at
          from tasker.pause p left join tasker.namespace n on n.id = p.namespace_id
         where p.resumed_at is null) x
 where $2::text is null or (x.of_task, x.paused_at, x.target) > ($2 = 'task', $3::timestamptz, $4::text)
 order by x.of_task, x.paused_at, x.target limit $1`;

/** The place of a pause in the list. */
export type PausePlace = Pick<PauseRow, 'scope' | 'target' | 'pausedAt'>;

/**
 * Returns the pauses in force: first those of namespaces and templates, then those of tasks, each oldest first. `after`:
 * only pauses after this one in the order of the list.
 */
export async function listPauses(db: Db, limit: number, after?: PausePlace): Promise<PauseRow[]> {
  const { scope = null, target = null, pausedAt = null } = after ?? {};
  return (await db.query<PauseRow>(LIST_PAUSES, [limit, scope, pausedAt, target])).rows;
}

// A task is related to its own pause and to the pauses of its template and its namespace. A template is related to the
// pauses of its versions and its namespace, and a namespace to the pauses of its templates.
const RELATED_PAUSES = sql('related_pauses')`
with place as materialized (
  select t.task_uuid, coalesce(m.namespace_id, $2) namespace_id, coalesce(m.name, $3) name, coalesce(m.version, $4) version
    from (select 1) x left join tasker.task t on t.task_uuid = $1 left join tasker.template m on m.id = t.template_id)
select ${PAUSE_COLUMNS},
       p.task_uuid is not distinct from $1 and ($1 is not null or (
         p.name is not distinct from $3 and p.version is not distinct from $4)) own
  from place cross join lateral (
    select * from tasker.pause p where p.task_uuid = place.task_uuid and p.resumed_at is null
    union all
    select * from tasker.pause p
     where p.task_uuid is null and p.namespace_id = place.namespace_id and p.resumed_at is null
       and (p.name is null or place.name is null or p.name = place.name)
       and (p.version is null or place.version is null or p.version = place.version)) p
  left join tasker.namespace n on n.id = p.namespace_id
 order by p.paused_at, p.id limit 100`;

/** Returns the pauses in force for an object or a part of it. `own`: the pause of the object itself. */
export async function relatedPauses(db: Db, object: PauseObject): Promise<(PauseRow & { own: boolean })[]> {
  const { taskUuid, namespaceId, name, version } = object;
  return (await db.query<PauseRow & { own: boolean }>(RELATED_PAUSES, [taskUuid, namespaceId, name, version])).rows;
}

/** Rows are counted up to this number, because counting all of a long queue takes too long. */
const COUNTED = 100_000;

const LIST_NAMESPACES = sql('list_namespaces')`
select n.name, t.templates, ready.n "readySteps", held.n "pausedSteps"
  from tasker.namespace n
 cross join lateral (
   select count(distinct m.name)::int templates from tasker.template m where m.namespace_id = n.id) t
 cross join lateral (
   select count(*)::int n from (select 1 from tasker.queue q where q.namespace_id = any (${partsOf('n.id')}) limit ${COUNTED}) x) ready
 cross join lateral (
   select count(*)::int n from (select 1 from tasker.queue q where q.namespace_id = any (${pausedPartsOf('n.id')}) limit ${COUNTED}) x) held
 order by n.name`;

/** A namespace, and the number of steps in its queue. */
export interface NamespaceRow {
  name: string;
  templates: number;
  /** Ready steps that workers can claim, counted up to 100,000. */
  readySteps: number;
  /** Ready steps that wait because of a pause, counted up to 100,000. */
  pausedSteps: number;
}

/** Returns every namespace. */
export async function listNamespaces(db: Db): Promise<NamespaceRow[]> {
  return (await db.query<NamespaceRow>(LIST_NAMESPACES)).rows;
}
