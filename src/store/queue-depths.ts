import type { Db } from '../db/statement.ts';
import { sql } from './sql.ts';

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
