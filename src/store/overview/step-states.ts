import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

/** Steps are counted up to this number, in the order in which they are stored. */
export const MOST_STEPS_COUNTED = 200_000;

const COUNT_STEPS = sql('count_steps_by_state')`
select state::text, count(*)::int steps,
       (select greatest(reltuples, 0)::bigint::text from pg_class where oid = 'tasker.step'::regclass) "allSteps"
  from (select state from tasker.step limit ${MOST_STEPS_COUNTED}) s
 group by 1`;

/** Number of counted steps in a state. */
export interface StepStateRow {
  state: string;
  steps: number;
  /** The number of all steps, as the planner estimates it. */
  allSteps: string;
}

/** Counts steps by state. */
export async function countStepsByState(db: Db): Promise<StepStateRow[]> {
  return (await db.query<StepStateRow>(COUNT_STEPS)).rows;
}
