import { expect, it } from 'vitest';
import { countSteps } from '../../../src/app/overview/step-states.ts';
import { setup } from '../../support/setup.ts';

/** Adds steps of tasks that do not exist, each task with 1,000 steps. */
const ADD = `
  insert into tasker.step (task_uuid, idx, state, remaining, max_attempts, retryable)
  select gen_random_uuid(), idx, $1::tasker.step_state, 0, 3, true
    from generate_series(1, $2::int / 1000) t cross join lateral (select generate_series(1, 1000) idx offset 0) i`;

it("counts the steps exactly if there are few, even if the planner's statistics are outdated", async () => {
  const { tasker, sql } = await setup({ worker: false });
  expect(await countSteps(tasker.engine)).toMatchObject({ states: {}, total: 0 });
  await sql('analyze tasker.step');
  await sql(ADD, ['pending', 2_000]);
  await sql(ADD, ['complete', 3_000]);
  const few = { states: { pending: 2_000, complete: 3_000 }, total: 5_000, isExact: true };
  expect(await countSteps(tasker.engine)).toEqual(few);
  await sql('vacuum analyze tasker.step');
  expect(await countSteps(tasker.engine)).toEqual(few);
});

it('estimates the states of many steps from a sample of the table, even if the oldest were deleted', async () => {
  const { tasker, sql } = await setup({ worker: false });
  await sql(ADD, ['cancelled', 20_000]);
  await sql(ADD, ['complete', 200_000]);
  await sql(ADD, ['pending', 100_000]);
  await sql(`delete from tasker.step where state = 'cancelled'`);
  await sql('vacuum analyze tasker.step');
  const { states, total, isExact } = await countSteps(tasker.engine);
  expect(isExact).toBe(false);
  expect(total).toBeGreaterThan(250_000);
  expect(total).toBeLessThan(350_000);
  // The steps are stored in the order of their insertion, so the first 200,000 are all complete.
  expect(Object.keys(states).sort()).toEqual(['complete', 'pending']);
  expect(states.complete! / total).toBeGreaterThan(0.55);
  expect(states.complete! / total).toBeLessThan(0.8);
});
