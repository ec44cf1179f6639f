import type { Db } from '../../db/statement.ts';
import { BUILT_IN_HANDLERS, sql } from '../sql.ts';

const MARK_HTTP = sql('mark_http_worker')`update tasker.worker set protocol = $2 where id = $1`;

/** Stores that a worker uses this version of the HTTP protocol. */
export async function markHttpWorker(db: Db, id: number, protocol: number): Promise<void> {
  await db.query(MARK_HTTP, [id, protocol]);
}

const ROW = `id, name, namespaces, callables, concurrency, instance::text, state = 'alive' living, drain_at is not null drain`;

const HTTP_WORKER = sql('http_worker')`
select ${ROW} from tasker.worker where id = $1 and protocol is not null`;

const LIVING_INSTANCE = sql('living_http_instance')`
select ${ROW} from tasker.worker
 where instance = $1::uuid and protocol is not null and state = 'alive' and lease_until > now() order by id desc limit 1`;

/** A registered worker that uses HTTP. */
export interface HttpWorkerRow {
  id: number;
  name: string;
  namespaces: string[];
  callables: string[];
  concurrency: number;
  instance: string;
  /** False once it was declared dead or signed off. */
  living: boolean;
  /** Whether an operator asked it to stop taking steps. */
  drain: boolean;
}

/** Returns a worker that uses HTTP. Undefined if there is none with this id. */
export async function httpWorker(db: Db, id: number): Promise<HttpWorkerRow | undefined> {
  return (await db.query<HttpWorkerRow>(HTTP_WORKER, [id])).rows[0];
}

/** Returns the live registration of a worker process. Undefined if there is none. */
export async function livingInstance(db: Db, instance: string): Promise<HttpWorkerRow | undefined> {
  return (await db.query<HttpWorkerRow>(LIVING_INSTANCE, [instance])).rows[0];
}

const ANY_HTTP = sql('any_http_worker')`
select exists (select 1 from tasker.worker where protocol is not null and state in ('alive', 'dead')) there`;

/** Returns whether any worker that uses HTTP may hold steps. */
export async function anyHttpWorker(db: Db): Promise<boolean> {
  return (await db.query<{ there: boolean }>(ANY_HTTP)).rows[0]!.there;
}

const NOTE_CLAIM = sql('note_http_claim')`
insert into tasker.http_claim (worker_id, request)
select id, $2 from tasker.worker where id = $1 and state = 'alive' and drain_at is null returning 1`;

/**
 * Stores a claim, so that a repeated request claims nothing more. False if the worker may not claim. A repeated request
 * waits for the previous request, and fails with 23505.
 */
export async function noteClaim(db: Db, workerId: number, request: number): Promise<boolean> {
  return (await db.query(NOTE_CLAIM, [workerId, request])).rows.length > 0;
}

// Steps of waiting types have built-in handlers, which every server runs.
const UNSERVED = sql('unserved_steps')`
select ((x.template_id::bigint << 32) | x.idx)::text key
  from tasker.template t join tasker.template_step x on x.template_id = t.id
 where t.namespace_id = any ($1::int[]) and x.callable <> all ($2::text[])
   and x.callable not in (${BUILT_IN_HANDLERS})`;

/** Returns the steps of templates, as claims name them, whose handlers are not in a list. */
export async function unservedSteps(
  db: Db,
  namespaceIds: readonly number[],
  callables: readonly string[],
): Promise<bigint[]> {
  const { rows } = await db.query<{ key: string }>(UNSERVED, [`{${namespaceIds.join(',')}}`, callables]);
  return rows.map(({ key }) => BigInt(key));
}

const SIGN_OFF = sql('sign_off_http_worker')`
update tasker.worker set state = 'dead' where id = $1 and protocol is not null and state = 'alive'`;
const STOPPED = sql('http_worker_stopped')`
update tasker.worker set state = 'stopped', lease_until = now()
 where id = $1 and state = 'dead' and not exists (
   select 1 from tasker.http_step where claim >= $1::bigint << 24 and claim < ($1::bigint + 1) << 24)`;

/**
 * Ends the lease of a worker now. After the first statement, none of its claims can commit. If it may hold steps, it stays
 * dead, so that a sweep takes them.
 */
export async function signOff(db: Db, id: number): Promise<void> {
  await db.query(SIGN_OFF, [id]);
  await db.query(STOPPED, [id]);
}
