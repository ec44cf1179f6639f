import type { Db } from '../db/statement.ts';
import { columns, sql } from './sql.ts';
import type { HeldKey } from './step-key.ts';

const PEEK = sql('peek')`
select exists (select 1 from tasker.queue where namespace_id = any ($1::int[])) ready,
       (select (extract(epoch from min(due_at) - now()) * 1000)::float8 from tasker.timer) "dueMs"`;

/** Whether a claim would find something, and in how many milliseconds the next retry is due. */
export interface QueuePeek {
  ready: boolean;
  dueMs: number | null;
}

/** Looks into the queue. Writes nothing. */
export async function peek(db: Db, namespaceIds: readonly number[]): Promise<QueuePeek> {
  return (await db.query<QueuePeek>(PEEK, [`{${namespaceIds.join(',')}}`])).rows[0]!;
}

/** Beyond it a queue is deep, however deep: counting all of it would take long. */
const COUNTED = 100_000;

const QUEUE_DEPTHS = sql('queue_depths')`
select n.name, x.depth
  from tasker.namespace n
 cross join lateral (
   select count(*)::int depth from (select 1 from tasker.queue q where q.namespace_id = n.id limit ${COUNTED}) y) x
 where n.name = any ($1::text[])`;

/** How many ready steps wait, by namespace; counted to 100,000. Namespaces that are not known yet are left out. */
export async function queueDepths(db: Db, namespaces: readonly string[]): Promise<Map<string, number>> {
  const { rows } = await db.query<{ name: string; depth: number }>(QUEUE_DEPTHS, [namespaces]);
  return new Map(rows.map(({ name, depth }) => [name, depth]));
}

const NOTIFY = sql('notify')`select pg_notify($1, payload) from unnest($2::text[]) payload`;

/** Wakes listeners of a channel. Never inside a recording: a commit with a notification costs three times as much. */
export async function notify(db: Db, channel: string, payloads: readonly string[]): Promise<void> {
  await db.query(NOTIFY, [channel, payloads]);
}

const HELD_STEPS = sql('held_steps')`
select w.ord::int from unnest($1::uuid[], $2::int[], $3::bigint[]) with ordinality w (task_uuid, idx, claim, ord)
  cross join lateral (
    select 1 from tasker.step s where s.task_uuid = w.task_uuid and s.idx = w.idx and s.state = 'in_progress'
       and s.claim = w.claim offset 0) x`;

/** Which of the steps that a worker believes to hold it still holds: positions in the list. */
export async function heldSteps(db: Db, held: readonly HeldKey[]): Promise<Set<number>> {
  const { rows } = await db.query<{ ord: number }>(HELD_STEPS, columns(held, 'taskUuid', 'idx', 'claim'));
  return new Set(rows.map((row) => row.ord - 1));
}
