import fc from 'fast-check';
import { expect, it } from 'vitest';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { isCertain, predictRoutes, type RoutedStep, randomRoutes } from '../../support/routes-model.ts';
import { invariants, template } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';
import { effort, randomSeed } from '../../support/suite/effort.ts';

const GRAPHS = effort({ test: 60, rest: 1_000, prove: 20_000 });
const AT_ONCE = 20;

const act = defineHandler('act', {}, async ({ context }) => {
  await new Promise((resolve) => setImmediate(resolve));
  if (context.stepConfig['fails'] === true) throw new PermanentError('planned');
  return { by: context.stepConfig['step'] };
});

const shared = sharedDatabase();
let runs = 0;

/** Runs a task of a template, and returns the differences from the model. */
async function run(tasker: Awaited<ReturnType<typeof shared.setup>>['tasker'], namespace: string, steps: RoutedStep[]) {
  const name = `r${++runs}`;
  const list = steps.map(({ name: step, dependencies, runIf, when, fails }) => [
    step,
    {
      handler: { callable: 'act', initialization: { step, fails } },
      dependencies,
      ...(dependencies.length > 0 && runIf !== 'complete' && { run_if: runIf }),
      ...(when !== undefined && { when: `context.yes == ${when}` }),
    },
  ]);
  await tasker.registerTemplates([template(Object.fromEntries(list), { namespace, name })]);
  const { taskUuid } = await tasker.createTask({ namespace, name, version: '1.0.0', context: { yes: true } });
  const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 60_000 });
  const states = Object.fromEntries((await tasker.getSteps(taskUuid)).map((step) => [step.name, step.currentState]));
  return { status, states };
}

it('random templates with conditions, failures and routes end as a simple model predicts', {
  timeout: 3_600_000,
}, async () => {
  const { tasker, demo, another } = await shared.setup({ act: [] }, { handlers: [act] });
  const taskers = [tasker, await another({ concurrency: 3 })];
  const seed = randomSeed();
  const graphs = fc.sample(randomRoutes(24), { seed, numRuns: GRAPHS });
  const seen = { complete: 0, blocked: 0, skipped: 0, uncertain: 0 };
  for (let at = 0; at < graphs.length; at += AT_ONCE) {
    const given = graphs.slice(at, at + AT_ONCE);
    const ends = await Promise.all(given.map((steps, i) => run(taskers[i % 2]!, demo.namespace, steps)));
    for (const [i, end] of ends.entries()) {
      const steps = given[i]!;
      seen[end.status === 'complete' ? 'complete' : 'blocked']++;
      seen.skipped += Object.values(end.states).filter((state) => state === 'skipped').length;
      if (isCertain(steps)) expect(end, `SEED=${seed} ${JSON.stringify(steps)}`).toEqual(predictRoutes(steps));
      else seen.uncertain++;
    }
  }
  for (const [kind, count] of Object.entries(seen)) expect(count, kind).toBeGreaterThan(0);
  await invariants(shared.sql);
});
