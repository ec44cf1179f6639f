import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { type CreateTaskerOptions, createTasker } from '../../src/app/create-tasker.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import type { StepContext } from '../../src/handlers/step-context.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { emptyDatabase } from '../support/database.ts';
import {
  ancestorsOf,
  failureOf,
  hasNoHandler,
  laterOf,
  PLANS,
  type Plan,
  type PlannedStep,
  predict,
  randomSteps,
  signalFor,
  templateStepsOf,
} from '../support/reference-model.ts';
import { invariants, template } from '../support/setup.ts';
import { effort, PROVE } from '../support/suite/effort.ts';

const GRAPHS_AT_ONCE = 15;
const ROUNDS = effort({ test: 10, rest: 20, prove: 668 });
/** Time after which no further round starts if enough graphs have run. */
const BUDGET_MS = PROVE ? Number.POSITIVE_INFINITY : 25_000;
/** Minimum number of graphs, even on a slow machine. */
const ENOUGH_GRAPHS = 30;

/**
 * Observations of the handlers of one task. Broken rules are collected, because a handler that throws would only be
 * retried.
 */
interface Witness {
  tasker: Tasker;
  /** Steps without a handler. */
  waits: Set<string>;
  ancestors: Map<string, Set<string>>;
  parents: Map<string, string[]>;
  done: Set<string>;
  broken: string[];
}

const witnesses = new Map<string, Witness>();

function observe(context: StepContext, step: string): void {
  const seen = witnesses.get(String(context.getInput('run')))!;
  const open = seen.parents.get(step)!.filter((parent) => !seen.done.has(parent) && !seen.waits.has(parent));
  if (open.length > 0) seen.broken.push(`${step} ran before ${open.join(', ')}`);
  if (seen.done.has(step)) seen.broken.push(`${step} ran after it had succeeded`);
  const names = context.getDependencyResultKeys();
  const expected = seen.ancestors.get(step)!;
  if (names.length !== expected.size || names.some((name) => !expected.has(name))) {
    seen.broken.push(`${step} saw results of ${names.join(', ')}; its ancestors are ${[...expected].join(', ')}`);
  }
  for (const name of names) {
    const { by, fired_at } = context.getDependencyResult(name) as { by?: string; fired_at?: string };
    if (fired_at !== undefined ? !seen.waits.has(name) : by !== name)
      seen.broken.push(`${step} saw ${by}'s result as ${name}'s`);
  }
}

const act = defineHandler('act', {}, async ({ context }) => {
  const { step, plan } = context.stepConfig as { step: string; plan: Plan };
  observe(context, step);
  const failure = failureOf(plan, context.retryCount);
  if (failure === 'permanent') throw new PermanentError(`${step} fails permanently`);
  if (failure === 'retryable') throw new Error(`${step} fails`);
  const seen = witnesses.get(String(context.getInput('run')))!;
  const later = await laterOf(plan, context, (token) => {
    seen.done.add(step);
    // The token is used sometimes before the step waits, and sometimes afterwards.
    setTimeout(() => {
      seen.tasker.completeByToken(token, { by: step }).catch((error) => seen.broken.push(`${step}: ${error.message}`));
    }, step.length * 3);
  });
  if (later) return later;
  seen.done.add(step);
  return { by: step };
});

interface Case {
  steps: PlannedStep[];
  priority: number;
}

let runs = 0;
/** The kinds of steps that ended. A run in which a kind is missing fails. */
const ended = new Set<string>();

/**
 * Registers and creates all cases on one to three taskers, waits until all have ended, and compares them with the
 * model.
 */
async function runAll(taskers: readonly Tasker[], cases: readonly Case[]): Promise<void> {
  const ends = await Promise.all(
    cases.map(async ({ steps, priority }, i) => {
      const run = `r${++runs}`;
      const tasker = taskers[i % taskers.length]!;
      witnesses.set(run, {
        tasker,
        waits: new Set(steps.filter(({ plan }) => hasNoHandler(plan)).map(({ name }) => name)),
        ancestors: ancestorsOf(steps),
        parents: new Map(steps.map((step) => [step.name, step.dependencies])),
        done: new Set(),
        broken: [],
      });
      await tasker.registerTemplates([template(templateStepsOf(steps), { name: run })]);
      const request = { namespace: 'test', name: run, version: '1.0.0', context: { run }, priority };
      const { taskUuid } = await tasker.createTask(request);
      for (const { name, plan } of steps) {
        if (plan.kind === 'signal') await tasker.signal(taskUuid, signalFor(name), { by: name });
      }
      const task = await tasker.waitForTask(taskUuid, { timeoutMs: 60_000 });
      const seen = Object.fromEntries(
        (await tasker.getSteps(taskUuid)).map(({ name, currentState, attempts }) => [
          name,
          { state: currentState, attempts },
        ]),
      );
      return { broken: witnesses.get(run)!.broken, end: { status: task.status, steps: seen } };
    }),
  );
  ends.forEach(({ broken, end }, i) => {
    expect(broken).toEqual([]);
    expect(end).toEqual(predict(cases[i]!.steps));
    for (const { name, plan } of cases[i]!.steps) if (end.steps[name]!.state !== 'pending') ended.add(plan.kind);
  });
}

async function taskersOn(url: string, concurrencies: readonly number[]): Promise<Tasker[]> {
  const options: CreateTaskerOptions = { databaseUrl: url, migrate: false, handlers: [act], logger: silentLogger };
  return Promise.all(
    concurrencies.map((concurrency) => createTasker({ ...options, namespaces: ['test'], poolSize: 6, concurrency })),
  );
}

const cases = fc.array(
  fc.record({ steps: randomSteps(60, { waits: true }), priority: fc.integer({ min: -100, max: 100 }) }),
  {
    minLength: GRAPHS_AT_ONCE,
    maxLength: GRAPHS_AT_ONCE,
  },
);

it.each([
  ['one tasker with one slot', [1], 2],
  ['one tasker', [100], 3],
  ['two taskers', [4, 100], 2],
  ['three taskers', [2, 20, 100], 3],
] as const)(
  'random tasks with random outcomes end as a simple model predicts: %s',
  async (name, concurrencies, share) => {
    const { url, sql, drop } = await emptyDatabase();
    onTestFinished(drop);
    // The namespace must exist before the workers that serve it start.
    const first = await createTasker({ databaseUrl: url, migrate: false, templates: template({ a: [] }) });
    await first.stop();
    const taskers = await taskersOn(url, concurrencies);
    onTestFinished(async () => void (await Promise.all(taskers.map((tasker) => tasker.stop({ drainTimeoutMs: 0 })))));
    let graphs = 0;
    let failed = false;
    // The time limit of fast-check is not used, because it leaves the interrupted round running.
    const until = performance.now() + BUDGET_MS;
    const enough = () => performance.now() > until && (failed || graphs >= ENOUGH_GRAPHS);
    await fc.assert(
      fc.asyncProperty(cases, async (given) => {
        if (enough()) return;
        try {
          await runAll(taskers, given);
        } catch (error) {
          failed = true; // the remaining time is for finding a smaller case
          throw error;
        }
        graphs += given.length;
      }),
      { numRuns: Math.round((ROUNDS * share) / 10), endOnFailure: false },
    );
    console.log(`${name}: ${graphs} graphs`);
    expect(graphs).toBeGreaterThanOrEqual(ENOUGH_GRAPHS);
    expect([...ended].sort()).toEqual([...PLANS].sort());
    await invariants(sql);
  },
  PROVE ? 3_600_000 : 240_000,
);
