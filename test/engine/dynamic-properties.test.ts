import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import type { StepContext } from '../../src/handlers/step-context.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { type DynamicEnd, predictDynamic } from '../support/crash/dynamic-model.ts';
import {
  type DynamicConfig,
  type DynamicStep,
  describeStep,
  dynamicTemplateSteps,
  randomDynamicSteps,
  smallerThan,
} from '../support/crash/dynamic-templates.ts';
import { emptyDatabase } from '../support/database.ts';
import {
  ancestorsOf,
  failureOf,
  hasNoHandler,
  laterOf,
  PLANS,
  type Plan,
  signalFor,
} from '../support/reference-model.ts';
import { invariants, template } from '../support/setup.ts';
import { effort, PROVE, randomSeed } from '../support/suite/effort.ts';

const AT_ONCE = 20;
const ROUNDS = effort({ test: 1, rest: 4, prove: 100 });
/** Time after which no further round starts if enough templates have run. */
const BUDGET_MS = PROVE ? Number.POSITIVE_INFINITY : 10_000;
/** Minimum number of templates, even on a slow machine. */
const ENOUGH = effort({ test: AT_ONCE, rest: 2 * AT_ONCE, prove: ROUNDS * AT_ONCE });
/** Number of templates from which those with missing kinds of steps are selected after the last round. */
const MOST_DRAWN = Math.max(ROUNDS * AT_ONCE, 4_000);
const WAITS: readonly Plan['kind'][] = PLANS.slice(PLANS.indexOf('poll'));
/** The waits that must also occur below a decision. The others are too rare there. */
const BELOW: readonly Plan['kind'][] = ['timer', 'signal', 'poll'];
/** The kinds of steps that are counted. A run proves nothing about a kind of step that did not end. */
const KINDS = [
  ...['templates', 'steps', 'decisions', 'workers', 'joins', 'chance', 'complete'],
  ...WAITS,
  ...BELOW.map((kind) => `${kind} below a decision`),
];

/**
 * Observations of the handlers of one task. Broken rules are collected, because a handler that throws would only be
 * retried.
 */
interface Witness {
  tasker: Tasker;
  end: DynamicEnd;
  /** Steps without a handler, which nothing observes. */
  waits: Set<string>;
  limits: Map<string, number>;
  over: Set<string>;
  /** Number of running workers of a batch. */
  running: Map<string, number>;
  broken: string[];
}

const witnesses = new Map<string, Witness>();

function observe(context: StepContext, name: string, { end, waits, over, broken }: Witness): void {
  const open = [...(end.before.get(name) ?? [])].filter((other) => !over.has(other) && !waits.has(other));
  if (open.length > 0) broken.push(`${name} ran before ${open.join(', ')}`);
  if (over.has(name)) broken.push(`${name} ran after it was over`);
  const names = context.getDependencyResultKeys();
  const visible = end.visible.get(name);
  if (!visible) return void broken.push(`${name} ran, and should not exist`);
  if (names.length !== visible.size || names.some((other) => !visible.has(other)))
    broken.push(`${name} saw results of ${names.join(', ')}; it should see ${[...visible].join(', ')}`);
  for (const other of names) {
    const { success, result } = context.dependencyResults[other]!;
    const { by, fired_at } = (result ?? {}) as { by?: string; fired_at?: string };
    const failed = end.steps[other]?.state === 'error';
    const own = fired_at === undefined ? by === other : waits.has(other);
    if (success === failed || (success && !own)) broken.push(`${name} saw ${by}'s result as ${other}'s`);
  }
}

const act = defineHandler('act', {}, async ({ context }) => {
  const { step, plan: own, result, plans } = context.stepInputs as unknown as DynamicConfig;
  const { batch_id } = (context.stepInputs.cursor ?? {}) as { batch_id?: string };
  const name = batch_id === undefined ? step : `${step}_${batch_id}`;
  const plan = plans[name] ?? own;
  const witness = witnesses.get(String(context.getInput('run')))!;
  observe(context, name, witness);
  const running = (by: number) => witness.running.set(step, (witness.running.get(step) ?? 0) + by).get(step)!;
  try {
    if (running(1) > (witness.limits.get(step) ?? 1))
      witness.broken.push(`${step} ran ${running(0)} times at the same time`);
    for (let turn = context.retryCount; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  } finally {
    running(-1);
  }
  const failure = failureOf(plan, context.retryCount);
  const attempts = witness.end.steps[name]?.attempts ?? 0;
  const last = (failure !== undefined || plan.kind === 'no_call_back') && context.attempt >= attempts;
  if (failure === 'permanent' || last) witness.over.add(name);
  if (failure === 'permanent') throw new PermanentError(`${name} fails permanently`);
  if (failure === 'retryable') throw new Error(`${name} fails`);
  const later = await laterOf(plan, context, (token) => useSoon(token, { name, result, witness }));
  if (later) return later;
  witness.over.add(name);
  return { ...result, by: name };
});

/** Completes a step with its token, sometimes before it waits. Only a batch that fails fast may cancel it first. */
function useSoon(
  token: string,
  { name, result, witness }: { name: string; result: Record<string, unknown>; witness: Witness },
): void {
  witness.over.add(name);
  setTimeout(() => {
    witness.tasker.completeByToken(token, { ...result, by: name }).catch((error: Error) => {
      if (!witness.end.chance.has(name)) witness.broken.push(`${name}: ${error.message}`);
    });
  }, name.length * 2);
}

let runs = 0;

/** Creates a task of a template, waits until it ends, and returns the differences from the model. */
async function run(tasker: Tasker, steps: readonly DynamicStep[], timeoutMs = 45_000): Promise<string[]> {
  const name = `r${++runs}`;
  const end = predictDynamic(steps);
  const limits = steps
    .filter(({ type }) => type === 'batch_worker')
    .map((step) => [step.name, step.parallelism] as const);
  const witness: Witness = {
    tasker,
    end,
    waits: new Set(steps.filter(({ plan }) => hasNoHandler(plan)).map((step) => step.name)),
    limits: new Map(limits),
    over: new Set(),
    running: new Map(),
    broken: [],
  };
  witnesses.set(name, witness);
  await tasker.registerTemplates([template(dynamicTemplateSteps(steps), { name })]);
  const { taskUuid } = await tasker.createTask({ namespace: 'test', name, version: '1.0.0', context: { run: name } });
  for (const { name: step, plan } of steps) {
    if (plan.kind !== 'signal') continue;
    const sent = tasker.signal(taskUuid, signalFor(step), { by: step });
    // No step can use the signal if a decision has already run without creating the step.
    if (end.steps[step]) await sent;
    else await sent.catch((error: Error) => expect(error).toMatchObject({ code: 'signal_refused' }));
  }
  const task = await tasker.waitForTask(taskUuid, { timeoutMs }).catch(() => tasker.getTask(taskUuid));
  const seen = Object.fromEntries(
    (await tasker.getSteps(taskUuid)).map((step) => [step.name, { state: step.currentState, attempts: step.attempts }]),
  );
  witnesses.delete(name);
  return [...witness.broken, ...differences(end, { status: task.status, steps: seen })];
}

function differences(
  { status, steps, chance }: DynamicEnd,
  seen: { status: string; steps: Record<string, { state: string; attempts: number }> },
): string[] {
  const found = seen.status === status ? [] : [`the task is ${seen.status}, and should be ${status}`];
  for (const name of new Set([...Object.keys(steps), ...Object.keys(seen.steps)])) {
    const [is, should] = [seen.steps[name], steps[name]];
    if (is?.state === should?.state && is?.attempts === should?.attempts) continue;
    if (is && should && chance.has(name) && (is.state === 'cancelled' || is.state === should.state)) continue;
    found.push(`${name} is ${JSON.stringify(is)}, and should be ${JSON.stringify(should)}`);
  }
  return found;
}

async function taskersOn(url: string, concurrencies: readonly number[]): Promise<Tasker[]> {
  const options = { databaseUrl: url, migrate: false, handlers: [act], logger: silentLogger, namespaces: ['test'] };
  const taskers = await Promise.all(
    concurrencies.map((concurrency) => createTasker({ ...options, poolSize: 6, concurrency })),
  );
  onTestFinished(async () => void (await Promise.all(taskers.map((tasker) => tasker.stop({ drainTimeoutMs: 0 })))));
  return taskers;
}

async function database() {
  const { url, sql, drop } = await emptyDatabase();
  onTestFinished(drop);
  // The namespace must exist before the workers that serve it start.
  const first = await createTasker({ databaseUrl: url, migrate: false, templates: template({ a: [] }) });
  await first.stop();
  return { url, sql };
}

/** Shrinks a failing template while it still fails, for at most 30 seconds. */
async function shrunk(tasker: Tasker, steps: readonly DynamicStep[]): Promise<string> {
  const end = performance.now() + 30_000;
  let [smallest, broken] = [steps, [] as string[]];
  const candidates = () => smallerThan(smallest);
  for (let left = candidates(); left.length > 0 && performance.now() < end; ) {
    const candidate = left.pop()!;
    const found = await run(tasker, candidate, 3_000);
    if (found.length === 0) continue;
    [smallest, broken] = [candidate, found];
    left = candidates();
  }
  return [...smallest.map(describeStep), ...broken].join('\n');
}

describe('random templates with decisions, batches and convergences end as a simple model predicts', () => {
  it.each([
    ['one worker with one slot', [1]],
    ['two workers', [3, 100]],
    ['three workers', [2, 20, 100]],
  ] as const)(
    'random templates end as the model predicts with %s',
    async (name, concurrencies) => {
      const { url, sql } = await database();
      const taskers = await taskersOn(url, concurrencies);
      const kinds = noneOfAnyKind();
      // Chance decides whether a fail_fast batch still cancels workers, so a few templates may have no cancelled one.
      const missing = () => KINDS.filter((kind) => kind !== 'chance' && kinds[kind] === 0);
      const seed = randomSeed();
      const end = performance.now() + BUDGET_MS;
      const drawn = fc.sample(randomDynamicSteps(24), { seed, numRuns: ROUNDS * AT_ONCE });
      const more = (round: number) => kinds['templates']! < ENOUGH || (round < ROUNDS && performance.now() < end);
      const others = () => fc.sample(randomDynamicSteps(24), { seed: seed + 1, numRuns: MOST_DRAWN });
      for (let round = 0; more(round) || missing().length > 0; round++) {
        const given = more(round) ? drawn.slice(round * AT_ONCE, (round + 1) * AT_ONCE) : having(missing(), others());
        expect(given, `no template has ${missing().join(', ')}`).not.toEqual([]);
        const broken = await Promise.all(given.map((steps, i) => run(taskers[i % taskers.length]!, steps)));
        const worst = broken.findIndex((of) => of.length > 0);
        if (worst >= 0) {
          const smaller = await shrunk(taskers[0]!, given[worst]!);
          throw new Error(`SEED=${seed}: ${broken[worst]!.join('; ')}\n${smaller}`);
        }
        for (const steps of given) count(kinds, steps);
      }
      console.log(`${name}, SEED=${seed}: ${JSON.stringify(kinds)}`);
      expect(kinds['templates']).toBeGreaterThanOrEqual(ENOUGH);
      expect(missing()).toEqual([]);
      await invariants(sql);
    },
    PROVE ? 3_600_000 : 240_000,
  );
});

const STEP: Omit<DynamicStep, 'name' | 'dependencies'> = {
  type: 'standard',
  plan: { kind: 'succeed' },
  maxAttempts: 3,
  retryable: true,
  names: [],
  parts: [],
  wrong: undefined,
  parallelism: 4,
  strategy: 'isolate',
};
const step = (name: string, dependencies: string[], more: Partial<DynamicStep> = {}): DynamicStep => ({
  ...STEP,
  name,
  dependencies,
  ...more,
});
const names = (...chosen: string[]) => ({ type: 'decision' as const, names: chosen });
const late = { plan: { kind: 'fail_first' as const, times: 2 } };
const cutFor = (worker: string) => ({ type: 'batchable' as const, names: [worker] });
const JOIN = { type: 'deferred_convergence' as const };
const WORKER = { type: 'batch_worker' as const };

describe('minimal forms of random templates that once failed', () => {
  it.each<[string, DynamicStep[]]>([
    [
      'a step that a decision names runs even if its only parent was not chosen',
      [step('s0', []), step('s1', ['s0'], names('s3')), step('s2', ['s1']), step('s3', ['s2'])],
    ],
    [
      'a convergence without a branch does not see results that only that branch depends on',
      [
        step('s0', []),
        step('s1', ['s0'], names('s3')),
        step('s2', [], late),
        step('s3', ['s1']),
        step('s4', ['s1', 's2']),
        step('s5', ['s3', 's4'], JOIN),
      ],
    ],
    [
      'a step after a batch and a branch exists if the analyzer is recorded last',
      [
        step('s0', [], { ...cutFor('s1'), ...late }),
        step('s1', ['s0'], WORKER),
        step('s2', []),
        step('s3', ['s2'], names('s4')),
        step('s4', ['s3']),
        step('s5', ['s3']),
        step('s6', ['s1', 's4']),
        step('s7', ['s6', 's5']),
      ],
    ],
    [
      'a step after a batch and a branch exists if the decision is recorded last',
      [
        step('s0', [], cutFor('s1')),
        step('s1', ['s0'], WORKER),
        step('s2', []),
        step('s3', ['s2'], { ...names('s4'), ...late }),
        step('s4', ['s3']),
        step('s5', ['s3']),
        step('s6', ['s1', 's4']),
        step('s7', ['s6', 's5']),
      ],
    ],
    [
      'a branch of a decision that does not exist yet is created only by that decision',
      [
        step('s0', []),
        step('s1', ['s0'], names('s3')),
        step('s2', ['s0'], { ...names('s4'), ...late }),
        step('s3', ['s1']),
        step('s4', ['s2'], names()),
        step('s5', ['s3', 's4']),
      ],
    ],
    [
      'a join of a batch sees the whole batch, although an earlier step follows the batch only through a step that was not created',
      [
        step('s0', [], { ...cutFor('s1'), parts: [STEP.plan, late.plan, late.plan, late.plan] }),
        step('s1', ['s0'], { ...WORKER, parallelism: 1 }),
        step('s2', ['s1'], JOIN),
        step('s3', []),
        step('s4', ['s3'], names('s5')),
        step('s5', ['s4']),
        step('s6', ['s4']),
        step('s7', ['s2', 's6']),
        step('s8', ['s5', 's7'], JOIN),
        step('s9', ['s1'], JOIN),
      ],
    ],
  ])('%s', async (_, steps) => {
    const { url, sql } = await database();
    const [tasker] = await taskersOn(url, [10]);
    expect(await run(tasker!, steps)).toEqual([]);
    await invariants(sql);
  });
});

/** Returns for each kind of step a template in which such a step ends. */
function having(wanted: readonly string[], templates: readonly (readonly DynamicStep[])[]): (readonly DynamicStep[])[] {
  const left = new Set(wanted);
  return templates.filter((steps) => {
    if (left.size === 0) return false;
    const kinds = noneOfAnyKind();
    count(kinds, steps);
    const found = [...left].filter((kind) => kinds[kind]! > 0);
    for (const kind of found) left.delete(kind);
    return found.length > 0;
  });
}

/** Counts the created steps by kind, and the steps that ended by their waits. */
function count(kinds: Record<string, number>, steps: readonly DynamicStep[]): void {
  const end = predictDynamic(steps);
  const made = Object.keys(end.steps);
  const add = (kind: string, by = 1) => {
    kinds[kind] = kinds[kind]! + by;
  };
  add('templates');
  add('steps', made.length);
  const ofType = (type: DynamicStep['type']) => steps.filter((step) => step.type === type && made.includes(step.name));
  add('decisions', ofType('decision').length);
  add('workers', made.filter((name) => name.includes('_')).length);
  add('joins', ofType('deferred_convergence').length);
  add('chance', end.chance.size);
  if (end.status === 'complete') add('complete');
  const ancestors = ancestorsOf(steps);
  for (const { name, type, plan } of steps) {
    if (!WAITS.includes(plan.kind) || type === 'batch_worker' || !ended(end, name)) continue;
    add(plan.kind);
    const isBelow = steps.some((other) => other.type === 'decision' && ancestors.get(name)!.has(other.name));
    if (isBelow && BELOW.includes(plan.kind)) add(`${plan.kind} below a decision`);
  }
}

const noneOfAnyKind = (): Record<string, number> => Object.fromEntries(KINDS.map((kind) => [kind, 0]));

const ended = ({ steps }: DynamicEnd, name: string) => steps[name] !== undefined && steps[name].state !== 'pending';
