import { expect, it } from 'vitest';
import type { Tasker } from '../../../src/app/tasker.ts';
import { defineHandler } from '../../../src/handlers/define-handler.ts';
import { PermanentError } from '../../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../../src/logging/logger.ts';
import { pick, randomOf } from '../../support/rest/random-requests.ts';
import { DEMO, invariants, setup, states, template, until } from '../../support/setup.ts';
import { effort, randomSeed } from '../../support/suite/effort.ts';

const LISTS = effort({ test: 30, rest: 300, prove: 3_000 });
const AT_ONCE = 15;

interface Plan {
  name: string;
  policy: 'block' | 'continue' | 'stop';
  parallelism: number;
  elements: number;
  steps: { name: string; parents: string[] }[];
  /** Names such as `s1[3]`. */
  fails: Set<string>;
  skips: Set<string>;
}

const POLICIES = ['block', 'continue', 'stop'] as const;

function randomPlan(random: () => number, place: number): Plan {
  const count = 1 + Math.floor(random() * 5);
  const elements = place % 10 === 0 ? 0 : 1 + Math.floor(random() * 25);
  const steps = Array.from({ length: count }, (_, i) => ({
    name: `s${i}`,
    parents: Array.from({ length: i }, (_, parent) => `s${parent}`).filter(() => random() < 1.2 / i),
  }));
  const share = pick(random, [0.02, 0.2]);
  const all = Array.from({ length: elements }, (_, e) => steps.map((step) => `${step.name}[${e}]`)).flat();
  return {
    name: `list_${place}`,
    policy: POLICIES[place % 3]!,
    parallelism: 1 + Math.floor(random() * 6),
    elements,
    steps,
    fails: new Set(all.filter(() => random() < share)),
    skips: new Set(all.filter(() => random() < 0.1)),
  };
}

const templateOf = ({ name, policy, parallelism, steps }: Plan) =>
  template(
    {
      each: {
        type: 'for_each',
        handler: undefined,
        elements: 'context.elements',
        parallelism,
        on_element_failure: policy,
        output: 'index',
        steps: steps.map((step) => ({
          name: step.name,
          handler: 'work',
          dependencies: step.parents,
          when: `!("${step.name}" in element.skips)`,
          inputs: { plan: `"${name}"`, step: `"${step.name}[" + string(int(index)) + "]"` },
        })),
      },
      after: ['each'],
    },
    { name },
  );

/** The states that the steps of one element end in. */
function expected({ steps, fails, skips, policy }: Plan, element: number): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { name, parents } of steps) {
    const key = `${name}[${element}]`;
    const above = parents.map((parent) => found[`${parent}[${element}]`]!);
    if (above.some((state) => state === 'error' || state === 'pending')) found[key] = 'pending';
    else if (above.includes('skipped') || skips.has(key)) found[key] = 'skipped';
    else found[key] = fails.has(key) ? 'error' : 'complete';
  }
  if (policy !== 'continue') return found;
  return Object.fromEntries(
    Object.entries(found).map(([key, state]) => [key, state === 'pending' ? 'skipped' : state]),
  );
}

const atRest = (tasker: Tasker, taskUuid: string) =>
  until(
    () => tasker.getTask(taskUuid),
    ({ status }) => status === 'complete' || status === 'blocked_by_failures',
    60_000,
  );

it(`${LISTS} random lists end as planned, and a blocked one completes once its failures are repaired`, {
  timeout: 1_200_000,
}, async () => {
  const random = randomOf(randomSeed());
  const plans = new Map<string, Plan>();
  const runs = new Map<string, number>();
  const handlers = [
    defineHandler('work', {}, async ({ context }) => {
      const { plan, step } = context.inputData as { plan: string; step: string };
      runs.set(`${plan} ${step}`, (runs.get(`${plan} ${step}`) ?? 0) + 1);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
      if (plans.get(plan)!.fails.has(step)) throw new PermanentError('planned');
      return {};
    }),
    defineHandler('after', {}, () => ({})),
  ];
  const { tasker, sql } = await setup({ logger: silentLogger, handlers });
  const seen = { blocked: 0, stopped: 0, continued: 0, repaired: 0, skipped: 0 };
  const check = async (place: number) => {
    const plan = randomPlan(random, place);
    const { name } = plan;
    plans.set(name, plan);
    await tasker.registerTemplates(templateOf(plan));
    const elements = Array.from({ length: plan.elements }, (_, e) => ({
      skips: plan.steps.flatMap((step) => (plan.skips.has(`${step.name}[${e}]`) ? [step.name] : [])),
    }));
    const { taskUuid } = await tasker.createTask({ ...DEMO, name, context: { elements } });
    const task = await atRest(tasker, taskUuid);
    const found = await states(tasker, taskUuid);
    const all = Object.assign({}, ...elements.map((_, e) => expected(plan, e))) as Record<string, string>;
    const failed = elements.filter((_, e) => Object.values(expected(plan, e)).includes('error')).length;
    seen.skipped += Object.values(found).filter((state) => state === 'skipped').length;
    if (plan.policy === 'stop' && failed > 0) {
      seen.stopped++;
      expect(found).toMatchObject({ each: 'error', after: 'pending' });
      const open = Object.entries(found).filter(([step, state]) => step.includes('[') && state === 'pending');
      expect(open).toEqual([]);
      return;
    }
    const { each, after, ...ofElements } = found;
    expect(ofElements).toEqual(all);
    if (plan.policy === 'block' && failed > 0) {
      seen.blocked++;
      expect([task.status, each, after]).toEqual(['blocked_by_failures', 'pending', 'pending']);
      plan.fails.clear();
      await tasker.retryTask(taskUuid, { actor: 'ana', reason: 'repaired' });
      expect((await atRest(tasker, taskUuid)).status).toBe('complete');
      seen.repaired++;
    } else if (failed > 0) seen.continued++;
    const result = (await tasker.getStep(taskUuid, 'each'))!.results!.result as { outputs: unknown[] };
    const tolerated = plan.policy === 'continue' ? failed : 0;
    expect(result).toMatchObject({
      total: plan.elements,
      completed: plan.elements - tolerated,
      failed: tolerated,
    });
    expect(result.outputs.filter((output) => output === null)).toHaveLength(tolerated);
  };
  for (let first = 0; first < LISTS; first += AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, LISTS - first) }, (_, i) => check(first + i)));
  await invariants(sql);
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(0);
  expect(runs.size).toBeGreaterThan(10 * LISTS);
});
