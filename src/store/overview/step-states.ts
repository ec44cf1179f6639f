import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';

/**
 * If there are more steps than this, a sample of about this size is counted. If the planner's statistics are outdated, the
 * sample can be larger, but at most twice this size.
 */
export const SAMPLED_STEPS = 200_000;

// Reads random pages. The first pages have the oldest steps, most of which have ended, or are empty after a prune.
const COUNT_STEPS = sql('count_steps_by_state')`
with size as materialized (
  select greatest(reltuples, 0) / greatest(relpages, 1) * pg_relation_size(oid) / current_setting('block_size')::int n
    from pg_class where oid = 'tasker.step'::regclass)
select state::text, count(*)::int steps, (select n::bigint::text from size) "allSteps", (select n > ${SAMPLED_STEPS} from size) sampled
  from (select state from tasker.step tablesample system ((select 100 * ${SAMPLED_STEPS} / greatest(n, ${SAMPLED_STEPS}) from size))
         limit ${2 * SAMPLED_STEPS}) s
 group by 1`;

/** Number of counted steps in a state. */
export interface StepStateRow {
  state: string;
  steps: number;
  /** The number of all steps, as the planner estimates it. */
  allSteps: string;
  /** Whether only a sample of the steps was counted. */
  sampled: boolean;
}

/** Counts steps by state. */
export async function countStepsByState(db: Db): Promise<StepStateRow[]> {
  return (await db.query<StepStateRow>(COUNT_STEPS)).rows;
}
