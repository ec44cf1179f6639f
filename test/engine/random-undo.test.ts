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
  const size = 1 + Math.floor(random() * 12);
  return Array.from({ length: size }, (_, i): Plan => {
    const parents = Array.from({ length: i }, (_, parent) => `s${parent}`).filter(() => random() < 0.3);
    return {
      name: `s${i}`,
      parents,
      fails: random() < 0.15,
      include: pick(random, ['completed', 'attempted', null] as const),
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
  const { tasker, sql } = await setup({ handlers: [work], logger: silentLogger });
  for (let round = 0; round < GRAPHS / AT_ONCE; round++) {
    await Promise.all(
      Array.from({ length: AT_ONCE }, async (_, i) => {
        const plan = randomPlan(random);
        const [name, delay] = [`g${round}_${i}`, random() * 40];
        await tasker.registerTemplates([templateOf(plan, name, random)]);
        const { taskUuid } = await tasker.createTask({ namespace: 'test', name, version: '1.0.0' });
        if (!plan.some(({ include }) => include)) return;
        await new Promise((resolve) => setTimeout(resolve, delay));
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
            expect(Date.parse(began(`undo:${later}`)[0]!.at)).toBeLessThanOrEqual(
              Date.parse(began(`undo:${earlier}`)[0]!.startedAt!),
            );
          }
        }
      }),
    );
  }
  await invariants(sql);
});
