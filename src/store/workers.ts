import type { Db } from '../db/statement.ts';
import { abilityOf, announcedAs, type Candidate, type WantedHandler } from '../model/announced.ts';
import { sql } from './sql.ts';

const REGISTER_WORKER = sql('register_worker')`
insert into tasker.worker (name, host, pid, namespaces, callables, concurrency, lease_until, instance, version, announces_all,
                           seen_at, drain_at, drain_by, drain_reason)
select $1, $2, $3, $4::text[], $5::text[], $6, now() + $7 * interval '1 ms', $8::uuid, $9, $10, now(), d.drain_at, d.drain_by,
       d.drain_reason
  from (select 1) one left join lateral (
    select drain_at, drain_by, drain_reason from tasker.worker w where w.instance = $8::uuid order by id desc limit 1) d on true
returning id`;

/** A worker to register. */
export interface NewWorker {
  name: string;
  host: string;
  pid: number;
  namespaces: readonly string[];
  callables: readonly string[];
  concurrency: number;
  leaseMs: number;
  /** The same for all incarnations of a worker. */
  instance?: string;
  /** The version of the package. */
  version?: string;
  /** Whether it starts only handlers that `callables` covers. */
  announcesAll?: boolean;
}

/**
 * Registers a new incarnation of a worker, and returns its id. The new incarnation keeps an operator's request to
 * drain.
 */
export async function registerWorker(db: Db, worker: NewWorker): Promise<number> {
  const { name, host, pid, namespaces, callables, concurrency, leaseMs } = worker;
  const { instance, version, announcesAll = false } = worker;
  const identity = [name, host, pid, namespaces, callables, concurrency, leaseMs];
  const values = [...identity, instance ?? null, version ?? null, announcesAll];
  return (await db.query<{ id: number }>(REGISTER_WORKER, values)).rows[0]!.id;
}

const ANNOUNCE = sql('announce_callables')`
update tasker.worker set namespaces = $2::text[], callables = $3::text[], announces_all = $4
 where id = $1 and state = 'alive' returning id`;

/** The namespaces and handlers that a worker serves. */
export interface ServedNames extends Pick<NewWorker, 'namespaces' | 'callables' | 'announcesAll'> {
  id: number;
}

/**
 * Updates the names that a worker serves, after handlers were registered or reloaded. Returns false if the worker was
 * declared dead.
 */
export async function announceCallables(
  db: Db,
  { id, namespaces, callables, announcesAll = false }: ServedNames,
): Promise<boolean> {
  return (await db.query(ANNOUNCE, [id, namespaces, callables, announcesAll])).rows.length > 0;
}

const HEARTBEAT = sql('heartbeat')`
with beat as (
  update tasker.worker w set
    lease_until = now() + $2 * interval '1 ms', seen_at = now(),
    running = coalesce($3, running), completed = coalesce($4, completed), failed = coalesce($5, failed),
    completed_rate = coalesce($6, completed_rate), failed_rate = coalesce($7, failed_rate),
    loop_lag_ms = coalesce($8, loop_lag_ms), phase = coalesce($9, phase), hung = coalesce($10, hung)
   where id = any ($1::bigint[]) and state = 'alive' returning id, drain_at)
select (select coalesce(array_agg(id), '{}') from beat) alive,
       (select coalesce(bool_or(drain_at is not null), false) from beat) drain,
       exists (select 1 from tasker.worker
                where (state = 'alive' and lease_until < now() and id <> all ($1::bigint[])) or state = 'dead') lost`;

/** The load of a worker, reported with a heartbeat. A missing value keeps the one that was reported before. */
export interface WorkerReport {
  /** Number of taken slots. */
  running?: number;
  /** Number of slots whose attempt has ended while the handler has not settled. */
  hung?: number;
  /** Number of recorded attempts since the worker started. */
  completed?: number;
  failed?: number;
  /** Recorded attempts per second over the last minute. */
  completedRate?: number;
  failedRate?: number;
  /** The longest delay of the event loop since the last heartbeat, in milliseconds. */
  loopLagMs?: number;
  phase?: WorkerPhase;
}

/** Whether a worker takes steps. `draining`: it takes none and still holds some. `drained`: it no longer holds any. */
export type WorkerPhase = 'running' | 'draining' | 'drained';

/** The result of a heartbeat. Incarnations that are not in `alive` were declared dead. */
export interface Heartbeat {
  alive: number[];
  /** Whether an operator wants the worker to stop taking steps. */
  drain: boolean;
  /** Whether the lease of another worker has expired. */
  lost: boolean;
}

/** Extends the leases of incarnations. */
export async function heartbeat(
  db: Db,
  ids: readonly number[],
  leaseMs: number,
  report: WorkerReport = {},
): Promise<Heartbeat> {
  const { running, completed, failed, completedRate, failedRate, loopLagMs, phase, hung } = report;
  const reported = [running, completed, failed, completedRate, failedRate, loopLagMs, phase, hung].map(
    (one) => one ?? null,
  );
  return (await db.query<Heartbeat>(HEARTBEAT, [`{${ids.join(',')}}`, leaseMs, ...reported])).rows[0]!;
}

const STOP_WORKER = sql('stop_worker')`
update tasker.worker set state = 'stopped', lease_until = now() where id = $1 and state = 'alive'`;

/** Marks a worker as stopped. Call it once the worker holds no steps. */
export async function stopWorker(db: Db, id: number): Promise<void> {
  await db.query(STOP_WORKER, [id]);
}

// The few entries that are patterns come first, before possibly thousands of names. The incarnations of the asking worker
// are left out.
const ANNOUNCED_ELSEWHERE = sql('announced_elsewhere')`
with own as (select coalesce(instance::text, id::text) instance from tasker.worker where id = $1),
known as (
  select h.tried from tasker.missing_handler h join tasker.namespace n on n.id = h.namespace_id
   where n.name = $2 and h.callable = $4 and h.resolver is not distinct from $5)
select (select instance from own) own, coalesce((select tried from known), '{}') tried,
       coalesce((select jsonb_agg(jsonb_build_object(
         'instance', coalesce(w.instance::text, w.id::text), 'outright', $3 = any (w.callables),
         'forms', array(select entry from unnest(w.callables[1:64]) entry where entry like '~/%')))
         from tasker.worker w
        where w.state = 'alive' and w.lease_until > now() and $2 = any (w.namespaces)
          and coalesce(w.instance::text, w.id::text) is distinct from (select instance from own)), '[]')::text workers`;

/** A handler that a worker lacks. */
export interface Lacked extends WantedHandler {
  workerId: number;
  namespace: string;
}

/** The other live workers of a namespace, and which workers have tried to find a handler through their resolvers. */
export interface AnnouncedElsewhere {
  /** The instance of the asking worker. */
  own: string | null;
  workers: Candidate[];
  tried: string[];
}

/** Returns how the other live workers of the namespace can run a handler. */
export async function announcedElsewhere(
  db: Db,
  { workerId, namespace, callable, resolver = null }: Lacked,
): Promise<AnnouncedElsewhere> {
  const wanted = { callable, resolver };
  const entry = announcedAs(wanted);
  const { rows } = await db.query<{ own: string | null; tried: string[]; workers: string }>(ANNOUNCED_ELSEWHERE, [
    workerId,
    namespace,
    entry,
    callable,
    resolver,
  ]);
  const { own, tried, workers } = rows[0]!;
  const all = JSON.parse(workers) as { instance: string; outright: boolean; forms: string[] }[];
  const candidates = all.map(({ instance, outright, forms }) => ({
    instance,
    ability: abilityOf(outright ? [entry, ...forms] : forms, wanted),
  }));
  return { own, tried, workers: candidates };
}

const LIST_WORKERS = sql('list_workers')`
select id, coalesce(instance::text, id::text) instance, name, host, pid, namespaces, callables, concurrency, hung, state::text,
       tasker.iso(started_at) "startedAt", tasker.iso(lease_until) "leaseUntil", state = 'alive' and lease_until > now() living,
       drain_at is not null or coalesce(phase, 'running') <> 'running' draining
  from tasker.worker where state in ('alive', 'dead') order by id`;

/** A stored worker. */
export interface WorkerRow extends Pick<NewWorker, 'name' | 'host' | 'pid' | 'concurrency'> {
  id: number;
  /** The same in all registrations of a worker. */
  instance: string;
  namespaces: string[];
  callables: string[];
  /** Number of slots whose attempt has ended while the handler has not settled. Null if it was not reported. */
  hung: number | null;
  state: 'alive' | 'dead';
  startedAt: string;
  leaseUntil: string;
  living: boolean;
  /** Whether it has stopped taking steps, or was asked to. */
  draining: boolean;
}

/** Returns the workers that are alive, or dead and not yet buried. */
export async function listWorkers(db: Db): Promise<WorkerRow[]> {
  return (await db.query<WorkerRow>(LIST_WORKERS)).rows;
}

const FORGET_WORKERS = sql('forget_workers')`
with gone as (
  delete from tasker.worker where id = any (array(
    select id from tasker.worker where state in ('buried', 'stopped') and lease_until < now() - interval '1 day'
     order by lease_until limit 1000 for update skip locked)) returning id, name, host)
insert into tasker.past_worker (id, name, host) select id, name, host from gone`;

/**
 * Deletes up to a thousand workers that ended more than a day ago. Keeps their ids, names and hosts for the history.
 */
export async function forgetWorkers(db: Db): Promise<void> {
  await db.query(FORGET_WORKERS);
}

/** Maximum number of workers that ended to examine, because a worker that crashes at every start leaves thousands. */
/** Workers that ended are read up to this number. */
export const MOST_ENDED = 500;

const LOST_WORKERS = sql('lost_workers')`
select w.id, w.name, w.host, w.namespaces, tasker.iso(w.lease_until) "lostAt"
  from (
    select distinct on (coalesce(instance::text, id::text)) *
      from (select * from tasker.worker where state in ('alive', 'dead')
            union all
            (select * from tasker.worker
              where state in ('buried', 'stopped') and lease_until > now() - $1 * interval '1 ms'
              order by lease_until desc limit ${MOST_ENDED})) x
     order by coalesce(instance::text, id::text), id desc) w
 where w.state in ('dead', 'buried') or w.state = 'alive' and w.lease_until <= now()
 order by w.lease_until desc`;

/** A worker that ended without signing off. */
export interface LostWorkerRow extends Pick<NewWorker, 'name' | 'host'> {
  id: number;
  namespaces: string[];
  /** When its lease expired. */
  lostAt: string;
}

/** Returns the workers whose lease expired in the last `ms` milliseconds and that did not register again, latest first. */
export async function lostWorkers(db: Db, ms: number): Promise<LostWorkerRow[]> {
  return (await db.query<LostWorkerRow>(LOST_WORKERS, [ms])).rows;
}
