import type { Db } from '../db/statement.ts';
import { sql } from './sql.ts';

const REGISTER_WORKER = sql('register_worker')`
insert into tasker.worker (name, host, pid, namespaces, callables, concurrency, lease_until)
values ($1, $2, $3, $4::text[], $5::text[], $6, now() + $7 * interval '1 ms') returning id`;

/** A worker to register. */
export interface NewWorker {
  name: string;
  host: string;
  pid: number;
  namespaces: readonly string[];
  callables: readonly string[];
  concurrency: number;
  leaseMs: number;
}

/** Registers a new incarnation of a worker, and returns its id. */
export async function registerWorker(db: Db, worker: NewWorker): Promise<number> {
  const { name, host, pid, namespaces, callables, concurrency, leaseMs } = worker;
  const values = [name, host, pid, namespaces, callables, concurrency, leaseMs];
  return (await db.query<{ id: number }>(REGISTER_WORKER, values)).rows[0]!.id;
}

const ANNOUNCE = sql('announce_callables')`
update tasker.worker set namespaces = $2::text[], callables = $3::text[] where id = $1`;

/** The names that a worker serves. */
export interface ServedNames extends Pick<NewWorker, 'namespaces' | 'callables'> {
  id: number;
}

/** Updates the names that a worker serves, after handlers were registered or reloaded. */
export async function announceCallables(db: Db, { id, namespaces, callables }: ServedNames): Promise<void> {
  await db.query(ANNOUNCE, [id, namespaces, callables]);
}

const HEARTBEAT = sql('heartbeat')`
with beat as (
  update tasker.worker set lease_until = now() + $2 * interval '1 ms' where id = any ($1::bigint[]) and state = 'alive' returning id)
select (select coalesce(array_agg(id), '{}') from beat) alive,
       exists (select 1 from tasker.worker
                where (state = 'alive' and lease_until < now() and id <> all ($1::bigint[])) or state = 'dead') lost`;

/** The incarnations that are alive; the others were declared dead. `lost`: the lease of another worker has expired. */
export interface Heartbeat {
  alive: number[];
  lost: boolean;
}

/** Extends the leases of incarnations. */
export async function heartbeat(db: Db, ids: readonly number[], leaseMs: number): Promise<Heartbeat> {
  return (await db.query<Heartbeat>(HEARTBEAT, [`{${ids.join(',')}}`, leaseMs])).rows[0]!;
}

const STOP_WORKER = sql('stop_worker')`
update tasker.worker set state = 'stopped', lease_until = now() where id = $1 and state = 'alive'`;

/** Marks a worker as stopped when it holds no steps any more. */
export async function stopWorker(db: Db, id: number): Promise<void> {
  await db.query(STOP_WORKER, [id]);
}

/** Entries that are forms of names come first and are few. The names after them may be thousands. */
const ANNOUNCED_ELSEWHERE = sql('announced_elsewhere')`
with others as (select callables from tasker.worker
  where id <> $1 and state = 'alive' and lease_until > now() and $2 = any (namespaces))
select exists (select 1 from others where $3 = any (callables)) outright,
       array(select distinct entry from others, unnest(callables[1:64]) entry where entry like '~/%') forms`;

/** A handler that a worker lacks. */
export interface Lacked {
  workerId: number;
  namespace: string;
  entry: string;
}

/** Returns what other live workers of the namespace announced: the entry, if any has it, and the forms that they resolve. */
export async function announcedElsewhere(db: Db, { workerId, namespace, entry }: Lacked): Promise<string[]> {
  const values = [workerId, namespace, entry];
  const { rows } = await db.query<{ outright: boolean; forms: string[] }>(ANNOUNCED_ELSEWHERE, values);
  const { outright, forms } = rows[0]!;
  return outright ? [entry, ...forms] : forms;
}

const LIST_WORKERS = sql('list_workers')`
select id, name, host, pid, namespaces, callables, concurrency, state::text, tasker.iso(started_at) "startedAt",
       tasker.iso(lease_until) "leaseUntil", state = 'alive' and lease_until > now() living
  from tasker.worker where state in ('alive', 'dead') order by id`;

/** A stored worker. */
export interface WorkerRow extends Pick<NewWorker, 'name' | 'host' | 'pid' | 'concurrency'> {
  id: number;
  namespaces: string[];
  callables: string[];
  state: 'alive' | 'dead';
  startedAt: string;
  leaseUntil: string;
  living: boolean;
}

/** Returns the workers that are alive, or dead and not buried yet. */
export async function listWorkers(db: Db): Promise<WorkerRow[]> {
  return (await db.query<WorkerRow>(LIST_WORKERS)).rows;
}

const FORGET_WORKERS = sql('forget_workers')`
with gone as (
  delete from tasker.worker where id = any (array(
    select id from tasker.worker where state in ('buried', 'stopped') and lease_until < now() - interval '1 day'
     order by lease_until limit 1000 for update skip locked)) returning id, name, host)
insert into tasker.past_worker (id, name, host) select id, name, host from gone`;

/** Deletes up to a thousand workers that ended more than a day ago. Keeps only what the history shows of them. */
export async function forgetWorkers(db: Db): Promise<void> {
  await db.query(FORGET_WORKERS);
}
