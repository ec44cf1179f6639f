import type { Db } from '../db/statement.ts';
import { columns, sql } from './sql.ts';
import type { StepKey } from './step-key.ts';

// A size is exact where it matters: small results that are not compressed are measured without reading them. The running
// sum goes by the order of the list, without a sort; what is withheld is never read from where large values are kept.
const LOAD_RESULTS = sql('load_results')`
select task_uuid "taskUuid", idx, state, size, case when total <= $3 then result end result, total > $3 withheld
  from (
    select w.task_uuid, w.idx, x.state::text, x.size, x.result, sum(x.size) over (rows unbounded preceding) total
      from unnest($1::uuid[], $2::int[]) w (task_uuid, idx) cross join lateral (
        select s.state, s.result,
               case when s.result is null then 0
                 when pg_column_size(s.result) <= 2048 and pg_column_compression(s.result) is null then pg_column_size(s.result)
                 else length(s.result::text) end size
          from tasker.step s
         where s.task_uuid = w.task_uuid and s.idx = w.idx and s.state in ('complete', 'resolved_manually') offset 0) x) y`;

/** A finished step's result. */
export interface ResultRow extends StepKey {
  state: 'complete' | 'resolved_manually';
  /** Characters of the result's text, about. */
  size: number;
  /** JSON text. */
  result: string | null;
  /** It did not fit any more; `result` is null for that reason. */
  withheld: boolean;
}

/**
 * Results of finished steps, many at once; steps that are not finished are left out. In the order of `keys`, results are
 * given up to `maxSize` characters altogether; of the others only the size.
 */
export async function loadResults(db: Db, keys: readonly StepKey[], maxSize: number): Promise<ResultRow[]> {
  return (await db.query<ResultRow>(LOAD_RESULTS, [...columns(keys, 'taskUuid', 'idx'), maxSize])).rows;
}
