import fc from 'fast-check';
import { expect, it } from 'vitest';
import { TaskerError } from '../../../src/errors.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { pick, randomOf } from '../../support/rest/random-requests.ts';
import {
  isCertain,
  predictRoutes,
  type RoutedStep,
  randomRoutes,
  routedFields,
  wrongEnds,
} from '../../support/routes-model.ts';
import { invariants, template } from '../../support/setup.ts';
import { sharedDatabase } from '../../support/shared-database.ts';
import { effort, randomSeed } from '../../support/suite/effort.ts';

const GRAPHS = effort({ test: 60, rest: 1_000, prove: 20_000 });
const AT_ONCE = 20;

const act = defineHandler('act', {}, async ({ context }) => {
  // Steps take turns to be slow, so that joins stop running steps.
  const place = Number(String(context.stepConfig['step']).slice(1));
  await new Promise((resolve) => setTimeout(resolve, place % 3 === 0 ? 15 : 0));
  if (context.stepConfig['fails'] === true) throw new PermanentError('planned');
  return { by: context.stepConfig['step'] };
});

const shared = sharedDatabase();
let runs = 0;

type Tasker = Awaited<ReturnType<typeof shared.setup>>['tasker'];

/** Runs a task of a template, and returns the differences from the model. */
async function run(tasker: Tasker, namespace: string, steps: RoutedStep[]) {
  const name = `r${++runs}`;
  const list = steps.map((step) => [
    step.name,
    {
      handler: { callable: 'act', initialization: { step: step.name, fails: step.fails } },
      ...routedFields(step),
      ...(step.when !== undefined && { when: `context.yes == ${step.when}` }),
    },
  ]);
  await tasker.registerTemplates([template(Object.fromEntries(list), { namespace, name })]);
  const { taskUuid } = await tasker.createTask({ namespace, name, version: '1.0.0', context: { yes: true } });
  const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 60_000 });
  const states = Object.fromEntries((await tasker.getSteps(taskUuid)).map((step) => [step.name, step.currentState]));
  return { taskUuid, status, states };
}

/** Acts on a task that rests, as operators do, and waits until it rests again. Returns how often an act was refused. */
async function operate(tasker: Tasker, taskUuid: string, steps: readonly RoutedStep[], random: () => number) {
  const by = { actor: 'ada', reason: 'test' };
  const from = pick(random, steps).name;
  const acts = [
    () => tasker.rerunTask(taskUuid, { from, ...by }),
    () => tasker.rerunTask(taskUuid, { from, ...by }).then(() => tasker.cancelTask(taskUuid, by)),
    () => tasker.retryTask(taskUuid, by),
    () => tasker.resetStep(taskUuid, from, by),
    () => tasker.resolveStep(taskUuid, from, by),
    () => tasker.completeStep(taskUuid, from, { result: { by: 'hand' }, ...by }),
  ];
  const refused = await pick(random, acts)().then(
    () => 0,
    (error: unknown) => {
      if (!(error instanceof TaskerError && error.code === 'illegal_transition')) throw error;
      return 1;
    },
  );
  await tasker.waitForTask(taskUuid, { timeoutMs: 60_000 });
  return refused;
}

it('random templates with conditions, failures and routes end as a simple model predicts', {
  timeout: 3_600_000,
}, async () => {
  const { tasker, demo, another } = await shared.setup({ act: [] }, { handlers: [act] });
  const taskers = [tasker, await another({ concurrency: 3 })];
  const seed = randomSeed();
  const graphs = fc.sample(randomRoutes(24), { seed, numRuns: GRAPHS });
  const seen = { complete: 0, blocked: 0, skipped: 0, joined: 0, uncertain: 0, acts: 0, refused: 0 };
  const random = randomOf(seed);
  for (let at = 0; at < graphs.length; at += AT_ONCE) {
    const given = graphs.slice(at, at + AT_ONCE);
    const ends = await Promise.all(given.map((steps, i) => run(taskers[i % 2]!, demo.namespace, steps)));
    for (const [i, end] of ends.entries()) {
      const steps = given[i]!;
      seen[end.status === 'complete' ? 'complete' : 'blocked']++;
      const { taskUuid, ...ended } = end;
      const states = Object.values(end.states);
      seen.skipped += states.filter((state) => state === 'skipped').length;
      const of = `SEED=${seed} ${JSON.stringify(steps)} ${JSON.stringify(end.states)}`;
      const isJoined = steps.some(({ join }) => join !== undefined);
      if (!isCertain(steps)) seen.uncertain++;
      else if (isJoined) {
        seen.joined++;
        expect(wrongEnds(steps, ended), of).toEqual([]);
      } else expect(ended, of).toEqual(predictRoutes(steps));
    }
    await invariants(shared.sql);
    for (let round = 0; round < 3; round++) {
      const acting = ends.map(({ taskUuid }, i) => operate(taskers[i % 2]!, taskUuid, given[i]!, random));
      for (const refused of await Promise.all(acting)) {
        seen.acts++;
        seen.refused += refused;
      }
    }
    await invariants(shared.sql);
  }
  for (const [kind, count] of Object.entries(seen)) expect(count, kind).toBeGreaterThan(0);
  await invariants(shared.sql);
});
