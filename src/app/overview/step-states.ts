import type { Engine } from '../../engine/engine.ts';
import { countStepsByState, SAMPLED_STEPS } from '../../store/overview/step-states.ts';

/** Numbers of steps by state. */
export interface StepStateCounts {
  /** States without steps are omitted. */
  states: Readonly<Record<string, number>>;
  total: number;
  /** False if there are more than 200,000 steps, and the numbers are extrapolated from a sample of about 200,000. */
  isExact: boolean;
}

/** Counts the steps of all tasks by state, in bounded time. */
export async function countSteps(engine: Engine): Promise<StepStateCounts> {
  const rows = await countStepsByState(engine.database);
  const counted = rows.reduce((sum, { steps }) => sum + steps, 0);
  // Without any row, the sample may have missed the steps.
  const isExact = rows[0]?.sampled === false && counted < 2 * SAMPLED_STEPS;
  const total = isExact ? counted : Math.max(counted, Number(rows[0]?.allSteps ?? 0));
  return {
    states: Object.fromEntries(rows.map(({ state, steps }) => [state, Math.round((steps * total) / counted)])),
    total,
    isExact,
  };
}
