import type { Db, Statement } from '../db/database.ts';

const LOAD_RESULTS: Statement = {
  name: 'load_results',
  text: `
select w.task_uuid, w.idx, x.state::text, x.result
  from unnest($1::uuid[], $2::int[]) w (task_uuid, idx) cross join lateral (
    select s.state, s.result from tasker.step s
     where s.task_uuid = w.task_uuid and s.idx = w.idx and s.state in ('complete', 'resolved_manually') offset 0) x`,
};

/** A finished step's result. */
export interface ResultRow {
  task_uuid: string;
  idx: number;
  state: 'complete' | 'resolved_manually';
  /** JSON text. */
  result: string | null;
}

/** A step by its key. */
export interface StepKey {
  taskUuid: string;
  idx: number;
}

/** Results of finished steps, many at once; steps that are not finished are left out. */
export async function loadResults(db: Db, keys: readonly StepKey[]): Promise<ResultRow[]> {
  const { rows } = await db.query<ResultRow>(LOAD_RESULTS, [
    `{${keys.map((key) => key.taskUuid).join(',')}}`,
    `{${keys.map((key) => key.idx).join(',')}}`,
  ]);
  return rows;
}
