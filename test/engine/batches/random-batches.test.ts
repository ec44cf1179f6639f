import fc from 'fast-check';
import { expect, it } from 'vitest';
import { TaskerError } from '../../../src/errors.ts';
import { choosing, handBench, handWorker, partsFor, workers } from '../../support/hand-worker.ts';
import { invariants } from '../../support/setup.ts';
import { effort, PROVE } from '../../support/suite/effort.ts';

const ROUNDS = effort({ test: 2, rest: 5, prove: 300 });
const RETRY = { retry: { max_attempts: 2, backoff: 'none' } };

const decision = (...dependencies: string[]) => ({ type: 'decision', dependencies, ...RETRY });
const batchable = (...dependencies: string[]) => ({ type: 'batchable', dependencies, ...RETRY });
const convergence = (...dependencies: string[]) => ({ type: 'deferred_convergence', dependencies, ...RETRY });
const standard = (...dependencies: string[]) => ({ dependencies, ...RETRY });

interface Config {
  failure_strategy: string;
  parallelism: number;
}

/** A batch below a decision, a batch that waits for other steps, a step that joins both, and a decision below that. */
const stepsOf = ({ one, other, retryable }: { one: Config; other: Config; retryable: boolean }) => ({
  first: standard(),
  slow: standard(),
  pick: decision('first'),
  left: standard('pick'),
  right: standard('pick'),
  analyze: batchable('left'),
  work: { ...workers(['analyze', 'right'], { ...one }), retry: { ...RETRY.retry, retryable } },
  count: batchable('first'),
  counter: { ...workers(['count', 'slow'], { ...other }), ...RETRY },
  join: convergence('work', 'counter', 'right'),
  again: decision('join'),
  late: standard('again'),
  last: convergence('late', 'right'),
});

const KINDS = ['completed', 'completed', 'failed', 'retryable', 'released'] as const;
type Act =
  | { verb: 'claim' | 'die' }
  | { verb: 'record'; which: number[]; kinds: (typeof KINDS)[number][] }
  | { verb: 'resolve' | 'complete' | 'reset'; step: number };

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ verb: fc.constant('claim' as const) }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('die' as const) }) },
  {
    weight: 10,
    arbitrary: fc.record({
      verb: fc.constant('record' as const),
      which: fc.array(fc.nat(99), { minLength: 1, maxLength: 5 }),
      kinds: fc.array(fc.constantFrom(...KINDS), { minLength: 5, maxLength: 5 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ verb: fc.constantFrom('resolve', 'complete', 'reset', 'reset' as const), step: fc.nat(99) }),
  },
);
const config = fc.record({
  failure_strategy: fc.constantFrom('continue_on_failure', 'fail_fast', 'isolate'),
  parallelism: fc.integer({ min: 1, max: 4 }),
});
const round = fc.record({
  one: config,
  other: config,
  retryable: fc.boolean(),
  sizes: fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 })),
  branches: fc.constantFrom(['left'], ['right'], ['left', 'right'], []),
  later: fc.boolean(),
  acts: fc.array(act, { minLength: 30, maxLength: 60, size: 'max' }),
});
type Bench = Awaited<ReturnType<typeof handBench>>;
type Round = typeof round extends fc.Arbitrary<infer R> ? R : never;

const ids = (count: number) => Array.from({ length: count }, (_, i) => String(i));

async function runRound(bench: Bench, { sizes, branches, later, acts, ...given }: Round, seen: Map<string, number>) {
  const hand = await handWorker(stepsOf(given), bench);
  const { tasker, taskUuid, sql, held } = hand;
  const results: Record<string, unknown> = {
    pick: choosing(...branches),
    again: choosing(...(later ? ['late'] : [])),
    analyze: partsFor('work', ...ids(sizes[0])),
    count: partsFor('counter', ...ids(sizes[1])),
  };
  const record = async (which: readonly number[], kinds: readonly (typeof KINDS)[number][]) => {
    const names = [...new Set(which.map((n) => [...held.keys()][n % Math.max(1, held.size)]))];
    const batch = names.flatMap((name, i) => {
      if (name === undefined) return [];
      const kind = kinds[i % kinds.length]!;
      if (kind === 'completed') return [hand.completed(name, results[name])];
      return [kind === 'failed' ? hand.failed(name) : hand.ended(name, kind)];
    });
    for (const name of names) if (name !== undefined) held.delete(name);
    if (batch.length > 0) await hand.record(...batch);
  };
  const operate = async (verb: 'resolve' | 'complete' | 'reset', step: number) => {
    const steps = await tasker.getSteps(taskUuid);
    const failed = steps.filter(({ currentState }) => currentState === 'error');
    const of = verb === 'reset' && failed.length > 0 ? failed : steps;
    const { name } = of[step % of.length]!;
    try {
      if (verb === 'reset') await tasker.retryStep(taskUuid, name);
      else if (verb === 'resolve') await tasker.resolveStep(taskUuid, name);
      else await tasker.completeStep(taskUuid, name, { result: results[name] ?? {} });
    } catch (error) {
      if (!(error instanceof TaskerError && error.code === 'illegal_transition')) throw error;
      return 'refused';
    }
    return 'done';
  };
  const perform = async (one: Act) => {
    if ('step' in one) return `${one.verb} ${await operate(one.verb, one.step)}`;
    if ('which' in one) await record(one.which, one.kinds);
    else if (one.verb === 'claim') await hand.claim();
    else await hand.die();
    return one.verb;
  };
  for (const one of acts) {
    const what = await perform(one);
    seen.set(what, (seen.get(what) ?? 0) + 1);
    await invariants(sql);
  }
  // From here on, every step succeeds and an operator settles the failed steps, so the task ends.
  for (let i = 0; ; i++) {
    const { status } = await tasker.getTask(taskUuid);
    if (status === 'complete') break;
    if (i > 100) throw new Error(`the task does not end: ${JSON.stringify(await hand.states())}`);
    const claimed = await hand.claim();
    await record(
      [...held.keys()].map((_, at) => at),
      ['completed'],
    );
    if (claimed.length > 0) continue;
    const failed = (await tasker.getSteps(taskUuid)).find(({ currentState }) => currentState === 'error');
    if (failed) await tasker.resolveStep(taskUuid, failed.name);
  }
  await invariants(sql);
  const left = await sql(
    `select idx, state::text from tasker.step
      where task_uuid = $1 and state not in ('complete', 'resolved_manually', 'cancelled', 'error')`,
    [taskUuid],
  );
  expect(left).toEqual([]);
  const short = await sql(
    `select b.* from tasker.batch b where size <> (
       select count(*) from tasker.step s where s.task_uuid = b.task_uuid and s.idx >= 131072
          and tasker.template_idx(s.idx) = b.worker_idx)`,
  );
  expect(short).toEqual([]);
}

it(
  'with random batches, decisions and operators, every counter is always right and every task can be completed',
  async () => {
    const bench = await handBench();
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(round, (given) => runRound(bench, given, seen)),
      { numRuns: ROUNDS, endOnFailure: !PROVE },
    );
    console.log(`${ROUNDS} rounds: ${JSON.stringify(Object.fromEntries(seen))}`);
    for (const verb of ['claim', 'die', 'record', 'resolve done', 'complete done']) {
      expect(seen.get(verb) ?? 0, verb).toBeGreaterThan(0);
    }
  },
  PROVE ? 3_600_000 : 240_000,
);
