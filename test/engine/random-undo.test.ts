import { expect, it } from 'vitest';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { pick, randomOf } from '../support/rest/random-requests.ts';
import { invariants, setup, template } from '../support/setup.ts';
import { effort, randomSeed } from '../support/suite/effort.ts';

const GRAPHS = effort({ test: 40, rest: 300, prove: 3_000 });
const AT_ONCE = 20;

interface Plan {
  name: string;
  parents: string[];
  fails: boolean;
  include: 'completed' | 'attempted' | null;
}

function randomPlan(random: () => number): Plan[] {
  const size = 1 + Math.floor(random() * 20);
  return Array.from({ length: size }, (_, i): Plan => {
    const parents = Array.from({ length: i }, (_, parent) => `s${parent}`).filter(() => random() < 1.3 / i);
    return {
      name: `s${i}`,
      parents,
      fails: random() < 0.1,
      include: pick(random, ['completed', 'attempted', null, null] as const),
    };
  });
}

const work = defineHandler('work', {}, async ({ context }) => {
  await new Promise((resolve) => setTimeout(resolve, Number(context.stepConfig['ms'])));
  if (context.stepConfig['fails'] === true) throw new PermanentError('planned');
  return {};
});

function templateOf(plan: readonly Plan[], name: string, random: () => number) {
  const steps = plan.map(({ name: step, parents, fails, include }) => [
    step,
    {
      dependencies: parents,
      handler: { callable: 'work', initialization: { fails, ms: Math.floor(random() * 8) } },
      ...(include && {
        undo: { handler: { callable: 'work', initialization: { ms: Math.floor(random() * 5) } }, include },
      }),
    },
  ]);
  return template(Object.fromEntries(steps), { name });
}

/** The steps before each step, directly or through others. */
function above(plan: readonly Plan[]): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const { name, parents } of plan) {
    found.set(name, new Set(parents.flatMap((parent) => [parent, ...found.get(parent)!])));
  }
  return found;
}

it('in random graphs, an undo at a random moment covers the right steps, once and in the reverse order', {
  timeout: 600_000,
}, async () => {
  const random = randomOf(randomSeed());
  /** The pairs of undone steps that follow each other, and the pairs among them with only other steps between. */
  let [pairs, across] = [0, 0];
  const { tasker, sql } = await setup({ handlers: [work], logger: silentLogger });
  for (let round = 0; round < GRAPHS / AT_ONCE; round++) {
    await Promise.all(
      Array.from({ length: AT_ONCE }, async (_, i) => {
        const plan = randomPlan(random);
        const [name, delay] = [`g${round}_${i}`, random() * 150];
        await tasker.registerTemplates([templateOf(plan, name, random)]);
        const { taskUuid } = await tasker.createTask({ namespace: 'test', name, version: '1.0.0' });
        if (!plan.some(({ include }) => include)) return;
        // Most tasks have come to rest before, and some are still running.
        if (i % 3 > 0) await tasker.waitForTask(taskUuid, { timeoutMs: 60_000 });
        else await new Promise((resolve) => setTimeout(resolve, delay));
        await tasker.undoTask(taskUuid);
        expect((await tasker.waitForTask(taskUuid, { timeoutMs: 60_000 })).status).toBe('undone');
        const steps = await tasker.getSteps(taskUuid);
        const history = await tasker.getHistory(taskUuid);
        const began = (step: string) =>
          history.filter((entry) => entry.step === step && entry.kind === 'attempt' && entry.startedAt);
        const covered = plan.filter(({ name: step, include }) => {
          const state = steps.find((one) => one.name === step)!.currentState;
          return include !== null && (state === 'complete' || (include === 'attempted' && began(step).length > 0));
        });
        const undone = steps.filter((one) => one.name.startsWith('undo:'));
        expect(undone.map((one) => one.name).sort()).toEqual(covered.map((one) => `undo:${one.name}`).sort());
        for (const { name: step } of covered) expect(began(`undo:${step}`)).toHaveLength(1);
        const before = above(plan);
        for (const { name: later } of covered) {
          for (const { name: earlier } of covered) {
            if (!before.get(later)!.has(earlier)) continue;
            pairs++;
            const isBetween = ({ name: mid }: Plan) => before.get(later)!.has(mid) && before.get(mid)!.has(earlier);
            const isDirect = plan.find((one) => one.name === later)!.parents.includes(earlier);
            if (!isDirect && !covered.some(isBetween)) across++;
            expect(Date.parse(began(`undo:${later}`)[0]!.at)).toBeLessThanOrEqual(
              Date.parse(began(`undo:${earlier}`)[0]!.startedAt!),
            );
          }
        }
      }),
    );
  }
  // Otherwise, the graphs would test no order.
  expect(pairs).toBeGreaterThan(GRAPHS / 4);
  expect(across).toBeGreaterThan(GRAPHS / 8);
  await invariants(sql);
});
