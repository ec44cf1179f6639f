import type { Db } from '../db/statement.ts';
import { columns, sql } from './sql.ts';
import type { StepKey } from './step-key.ts';

/**
 * The start of the first attempt of a step's current run, from which the time for its attempts (`retry.for`) counts. It
 * is the last attempt with the number 1, because a reset, a rerun, and a start that did not count lead to another attempt with
 * that number. All calls of a handler in an attempt count from the first call.
 * @param step the alias of a row of `tasker.step` that is running
 */
export const firstStartOf = (step: string) => `case when ${step}.attempts - ${step}.spared > 1 then coalesce((
  select least(h.started_at, (h.detail #>> '{calls,first}')::timestamptz) from tasker.history h
   where h.task_uuid = ${step}.task_uuid and h.idx = ${step}.idx and coalesce(h.number, h.attempt) = 1
   order by h.attempt desc limit 1), ${step}.started_at) else ${step}.started_at end`;

const FIRST_STARTS = sql('first_starts')`
select d.ord::int, (extract(epoch from statement_timestamp() - ${firstStartOf('s')}) * 1000)::float8 "agoMs"
  from unnest($1::uuid[], $2::int[]) with ordinality d (task_uuid, idx, ord)
 cross join lateral (
   select * from tasker.step x where x.task_uuid = d.task_uuid and x.idx = d.idx and x.state = 'in_progress' offset 0) s`;

/** Returns the milliseconds since the first attempts of running steps started, by their index in the list. */
export async function firstStarts(db: Db, steps: readonly StepKey[]): Promise<Map<number, number>> {
  const { rows } = await db.query<{ ord: number; agoMs: number }>(FIRST_STARTS, columns(steps, 'taskUuid', 'idx'));
  return new Map(rows.map(({ ord, agoMs }) => [ord - 1, agoMs]));
}
