import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';
import type { WorkerPhase } from '../workers.ts';

const WORKER_COLUMNS = `id, coalesce(instance::text, id::text) instance, name, host, pid, version, namespaces, callables,
       concurrency, state::text, state = 'alive' and lease_until > now() living, tasker.iso(started_at) "startedAt",
       tasker.iso(lease_until) "leaseUntil", tasker.iso(seen_at) "seenAt",
       (extract(epoch from now() - seen_at) * 1000)::float8 "silentMs", running, hung, completed, failed,
       completed_rate::float8 "completedRate", failed_rate::float8 "failedRate", loop_lag_ms "loopLagMs", phase,
       tasker.iso(drain_at) "drainAt", drain_by "drainBy", drain_reason "drainReason"`;

/** Maximum number of ended workers to read, because a worker that crashes at every start leaves thousands. */
const MOST_ENDED = 500;

const RECENT_WORKERS = sql('recent_workers')`
select ${WORKER_COLUMNS} from tasker.worker where state in ('alive', 'dead')
union all
(select ${WORKER_COLUMNS} from tasker.worker
  where state in ('buried', 'stopped') and lease_until > now() - $1 * interval '1 ms'
  order by lease_until desc limit ${MOST_ENDED})`;

/** One registration of a worker, with the values from its last heartbeat. They are null before the first one. */
export interface RecentWorkerRow {
  id: number;
  /** The same in all registrations of a worker. */
  instance: string;
  name: string;
  host: string;
  pid: number;
  version: string | null;
  namespaces: string[];
  callables: string[];
  concurrency: number;
  state: 'alive' | 'dead' | 'buried' | 'stopped';
  /** Whether its lease is valid. */
  living: boolean;
  startedAt: string;
  leaseUntil: string;
  seenAt: string | null;
  /** Milliseconds since the last heartbeat. */
  silentMs: number | null;
  running: number | null;
  /** Number of taken slots whose attempt is over. */
  hung: number | null;
  completed: number | null;
  failed: number | null;
  completedRate: number | null;
  failedRate: number | null;
  loopLagMs: number | null;
  phase: WorkerPhase | null;
  drainAt: string | null;
  drainBy: string | null;
  drainReason: string | null;
}

/** Returns the live and lost workers, and up to 500 that ended in the last `endedMs` milliseconds. */
export async function recentWorkers(db: Db, endedMs: number): Promise<RecentWorkerRow[]> {
  return (await db.query<RecentWorkerRow>(RECENT_WORKERS, [endedMs])).rows;
}

const LOCK_INSTANCES = sql('lock_instances')`
select id, coalesce(instance::text, id::text) instance, name, host, pid, version, state::text,
       state = 'alive' and lease_until > now() living, drain_at is not null draining
  from tasker.worker
 where name = $1 or id = $2
    or instance = (select w.instance from tasker.worker w where w.id = $2)
 order by id for no key update`;

/** A registration of a worker that an operator acts on. */
export type InstanceRow = Pick<
  RecentWorkerRow,
  'id' | 'instance' | 'name' | 'host' | 'pid' | 'version' | 'state' | 'living'
> & {
  /** Whether an operator asked it to stop taking steps. */
  draining: boolean;
};

/** Locks all registrations of the workers with a name, or with an id, in the order of their ids. */
export async function lockInstances(db: Db, { name, id }: { name: string; id: number | null }): Promise<InstanceRow[]> {
  return (await db.query<InstanceRow>(LOCK_INSTANCES, [name, id])).rows;
}

const SET_DRAIN = sql('set_drain')`
update tasker.worker set drain_at = case when $2::text is not null then now() end, drain_by = $2, drain_reason = $3
 where id = any ($1::bigint[])`;

/** Asks workers to stop taking steps. If `by` is null, they may take steps again. Call it after lockInstances. */
export async function setDrain(
  db: Db,
  ids: readonly number[],
  { by, reason }: { by: string | null; reason: string | null },
): Promise<void> {
  await db.query(SET_DRAIN, [`{${ids.join(',')}}`, by, reason]);
}

/** Maximum number of running steps to read, oldest first. */
export const MOST_RUNNING = 10_000;

// The search tables list the running steps, and may be two seconds behind. Each row is therefore compared with the
// step.
const HELD = `from (
    select task_uuid, idx, template_id from tasker.step_search where state = 'in_progress' order by since limit ${MOST_RUNNING}) q
  cross join lateral (
    select claim >> 24 worker_id, started_at, attempts - spared attempt from tasker.step x
     where x.task_uuid = q.task_uuid and x.idx = q.idx and x.state = 'in_progress' offset 0) s`;

const COUNT_RUNNING = sql('count_running_steps')`
select s.worker_id "workerId", q.template_id "templateId", count(*)::int steps, tasker.iso(min(s.started_at)) "oldestAt",
       (extract(epoch from now() - min(s.started_at)) * 1000)::float8 "oldestMs"
  ${HELD} group by 1, 2`;

/** Running steps of a worker that belong to one template. */
export interface RunningCountRow {
  workerId: number;
  templateId: number;
  steps: number;
  oldestAt: string;
  oldestMs: number;
}

/** Counts the running steps by worker and template, up to 10,000. */
export async function countRunning(db: Db): Promise<RunningCountRow[]> {
  return (await db.query<RunningCountRow>(COUNT_RUNNING)).rows;
}

const RUNNING_STEPS = sql('running_steps')`
select s.worker_id "workerId", q.task_uuid "taskUuid", tasker.step_name(b.name, d.name, q.idx) step, n.name namespace, m.name template,
       m.version, d.callable handler, s.attempt, tasker.iso(s.started_at) "startedAt",
       (extract(epoch from now() - s.started_at) * 1000)::float8 "ageMs"
  ${HELD}
  join tasker.template m on m.id = q.template_id
  join tasker.namespace n on n.id = m.namespace_id
  join tasker.template_step d on d.template_id = q.template_id and d.idx = tasker.template_idx(q.idx)
  left join tasker.batch_worker b on q.idx >= 131072 and b.task_uuid = q.task_uuid and b.idx = q.idx
 where s.worker_id = any ($1::bigint[])
 order by s.started_at, q.task_uuid, q.idx limit $2`;

/** A step that a worker runs. */
export interface RunningStepRow {
  workerId: number;
  taskUuid: string;
  step: string;
  namespace: string;
  template: string;
  version: string;
  handler: string;
  attempt: number;
  startedAt: string;
  ageMs: number;
}

/** Returns the running steps of these registrations, oldest first. */
export async function runningSteps(db: Db, ids: readonly number[], limit: number): Promise<RunningStepRow[]> {
  return (await db.query<RunningStepRow>(RUNNING_STEPS, [`{${ids.join(',')}}`, limit])).rows;
}

const TEMPLATE_HANDLERS = sql('template_handlers')`
select n.name namespace, m.name template, m.version, s.idx, s.name step, s.callable, s.resolver
  from (select distinct on (namespace_id, name) id, namespace_id, name, version from tasker.template
         order by namespace_id, name, registered_at desc, id desc) m
  join tasker.namespace n on n.id = m.namespace_id
  join tasker.template_step s on s.template_id = m.id
 order by n.name, m.name, s.idx`;

/** The handler of a template step. */
export interface TemplateHandlerRow {
  namespace: string;
  template: string;
  version: string;
  idx: number;
  step: string;
  callable: string;
  resolver: string | null;
}

/** Returns the handlers of all steps of every template, from the snapshot that was registered last. */
export async function templateHandlers(db: Db): Promise<TemplateHandlerRow[]> {
  return (await db.query<TemplateHandlerRow>(TEMPLATE_HANDLERS)).rows;
}
