import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { createTasker } from '../../src/app/create-tasker.ts';
import type { Tasker } from '../../src/app/tasker.ts';
import { isTaskerError } from '../../src/errors.ts';
import { defineHandler } from '../../src/handlers/define-handler.ts';
import { PermanentError } from '../../src/handlers/failures/handler-errors.ts';
import { silentLogger } from '../../src/logging/logger.ts';
import { type DynamicEnd, predictDynamic } from '../support/crash/dynamic-model.ts';
import {
  type DynamicConfig,
  type DynamicStep,
  describeStep,
  dynamicTemplateSteps,
  randomDynamicSteps,
} from '../support/crash/dynamic-templates.ts';
import { freshDatabase, type Sql } from '../support/database.ts';
import { failureOf, hasNoHandler, laterOf } from '../support/reference-model.ts';
import { invariants, repeat, template, until } from '../support/setup.ts';
import { PROVE, randomSeed } from '../support/suite/effort.ts';

const ROUNDS = PROVE ? 100 : 4;
const TASKS = 12;
/** Runs rounds until each kind of act has occurred. */
const MOST_ROUNDS = Math.max(ROUNDS, 20);
const KINDS = [
  ...['again', 'removed', 'returned', 'was running', 'was waiting', 'cancel', 'rerun of a task in complete'],
  ...['timer', 'signal', 'signal_default', 'poll', 'call_back'].map((kind) => `again: ${kind}`),
];
const BUDGET_MS = PROVE ? Number.POSITIVE_INFINITY : 12_000;

/** Ends as planned for the step, in every run, and returns its observations. */
const act = defineHandler('act', {}, async ({ context }) => {
  const { step, plan: own, result, plans } = context.stepInputs as unknown as DynamicConfig;
  const { batch_id } = (context.stepInputs.cursor ?? {}) as { batch_id?: string };
  const name = batch_id === undefined ? step : `${step}_${batch_id}`;
  for (let turn = context.retryCount; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  const failure = failureOf(plans[name] ?? own, context.retryCount);
  if (failure === 'permanent') throw new PermanentError(`${name} fails for good`);
  if (failure === 'retryable') throw new Error(`${name} fails`);
  const end = { ...result, by: name, rerun: context.rerun, saw: context.getDependencyResultKeys().sort() };
  return (await laterOf(plans[name] ?? own, context, (token) => callBacks.push(callBack(token, end)))) ?? end;
});

/** The tasker that uses tokens, and its pending calls in this round. */
let answering: Tasker | undefined;
const callBacks: Promise<void>[] = [];

/** Uses a token, which is late if its step was rerun or its task was cancelled. */
async function callBack(token: string, result: object): Promise<void> {
  try {
    await answering!.completeByToken(token, result);
  } catch (error) {
    if (!isTaskerError(error) || !['wait_over', 'token_invalid'].includes(error.code)) throw error;
    count('late token');
  }
}

/** Sends signals to steps that wait for one without a default, until it is stopped: each run of a step waits again. */
function keepSignalling(tasker: Tasker, sql: Sql): { stop(): Promise<void> } {
  const send = async ({ id, name }: { id: string; name: string }) => {
    try {
      await tasker.signal(id, name, { by: 'signal' });
    } catch (error) {
      if (!isTaskerError(error) || !['wait_over', 'signal_refused'].includes(error.code)) throw error;
    }
  };
  return repeat(async () => {
    const rows = await sql<{ id: string; name: string }>(
      `select task_uuid id, settings ->> 'name' "name" from tasker.wait
        where kind = 'signal' and ended_at is null and until > now() + interval '1 minute'`,
    );
    await Promise.all(rows.map(send));
  });
}

interface Running {
  taskUuid: string;
  end: DynamicEnd;
  steps: readonly DynamicStep[];
}

const counts: Record<string, number> = {};
const count = (what: string) => {
  counts[what] = (counts[what] ?? 0) + 1;
};

/** Reruns a task from a random step, whatever its state. Returns whether the rerun was accepted. */
async function rerunSomewhere(tasker: Tasker, { taskUuid, steps: planned }: Running, pick: number): Promise<boolean> {
  const steps = await tasker.getSteps(taskUuid);
  const from = steps[pick % steps.length]!;
  try {
    const { statusBefore, steps: covered } = await tasker.rerunTask(taskUuid, { from: from.name });
    count(`rerun of a task in ${statusBefore}`);
    for (const { step: name, change, state } of covered) {
      count(change);
      if (state === 'in_progress') count('was running');
      if (state === 'waiting') count('was waiting');
      const plan = planned.find((step) => step.name === name)?.plan;
      if (plan && change === 'again' && state !== 'pending') count(`again: ${plan.kind}`);
    }
    return true;
  } catch (error) {
    if (!isTaskerError(error) || !['illegal_transition', 'step_not_found'].includes(error.code)) throw error;
    count('refused');
    return false;
  }
}

/** Returns how the final state of a task differs from the final state of a task that ran once. */
async function differences(tasker: Tasker, { taskUuid, end, steps: planned }: Running): Promise<string[]> {
  const [task, steps] = [await tasker.getTask(taskUuid), await tasker.getSteps(taskUuid)];
  const unobserved = new Set(planned.filter(({ plan }) => hasNoHandler(plan)).map(({ name }) => name));
  const seen = new Map(steps.map((step) => [step.name, step]));
  const found = task.status === end.status ? [] : [`the task is ${task.status}, and should be ${end.status}`];
  for (const name of new Set([...Object.keys(end.steps), ...seen.keys()])) {
    const [is, should] = [seen.get(name), end.steps[name]];
    if (is && should && end.chance.has(name) && (is.currentState === 'cancelled' || is.currentState === should.state))
      continue;
    if (is?.currentState !== should?.state || is?.attempts !== should?.attempts) {
      found.push(`${name} is ${is?.currentState} ${is?.attempts}, and should be ${JSON.stringify(should)}`);
    } else if (is?.currentState === 'complete' && !unobserved.has(name)) {
      const { saw, rerun } = is.results!.result as { saw: string[]; rerun: number };
      const visible = [...(end.visible.get(name) ?? [])].sort();
      if (saw.join() !== visible.join()) found.push(`${name} saw ${saw.join()}, and should see ${visible.join()}`);
      if (rerun !== is.rerun) found.push(`${name} completed in run ${rerun}, and its row says ${is.rerun}`);
    }
  }
  return found;
}

/** Whether the handler of a step, or of one of its batch workers, polls. */
function mayPoll({ plan, type, dependencies }: DynamicStep, steps: readonly DynamicStep[]): boolean {
  const parts = steps
    .filter(({ name }) => type === 'batch_worker' && dependencies.includes(name))
    .flatMap((of) => of.parts);
  return [plan, ...parts].some(({ kind }) => kind === 'poll');
}

/** Checks that the history is consistent: each attempt once, and one accepted result per run. */
async function historyAddsUp(sql: Sql, tasks: readonly Running[]): Promise<void> {
  const polls = tasks.flatMap(({ taskUuid, steps }) =>
    steps.filter((step) => mayPoll(step, steps)).map(({ name }) => `${taskUuid} ${name}`),
  );
  const twice = await sql(
    `select h.task_uuid, h.idx, e.rerun from tasker.history h
       left join lateral (select rerun from tasker.earlier_step e where e.task_uuid = h.task_uuid and e.idx = h.idx
                             and e.attempts >= h.attempt order by rerun limit 1) e on true
      where h.outcome = 'completed' group by 1, 2, 3 having count(*) > 1`,
  );
  expect(twice).toEqual([]);
  // A call of a handler that polls has no row of its own.
  const gaps = await sql(
    `select s.task_uuid, s.idx, s.attempts, h.* from tasker.step s join tasker.task t using (task_uuid)
       join tasker.template_step m on m.template_id = t.template_id and m.idx = tasker.template_idx(s.idx)
       cross join lateral (
         select count(*)::int n, coalesce(max(attempt), 0) last from tasker.history h where h.task_uuid = s.task_uuid and h.idx = s.idx) h
      where s.state <> 'in_progress' and case when $1::jsonb @> to_jsonb(s.task_uuid || ' ' || m.name)
              then h.n > s.attempts or h.last > s.attempts else h.n <> s.attempts or h.last <> s.attempts end`,
    [JSON.stringify(polls)],
  );
  expect(gaps).toEqual([]);
  const early = await sql(
    `select s.task_uuid, s.idx, p.idx parent from tasker.step s join tasker.task t using (task_uuid)
       join tasker.template_edge e on e.template_id = t.template_id and e.child = tasker.template_idx(s.idx)
       join tasker.step p on p.task_uuid = s.task_uuid and p.idx = e.parent
      where s.attempts > s.spared and p.state not in ('complete', 'resolved_manually')`,
  );
  expect(early).toEqual([]);
  const left = await sql(
    `select 'batch' what, b.task_uuid, b.worker_idx idx from tasker.batch b where not exists (
       select 1 from tasker.step s where s.task_uuid = b.task_uuid and s.idx = (b.worker_idx + 1) << 17)
     union all
     select 'part', w.task_uuid, w.idx from tasker.batch_worker w where not exists (
       select 1 from tasker.step s where s.task_uuid = w.task_uuid and s.idx = w.idx)
     union all
     select 'checkpoint', c.task_uuid, c.idx from tasker.checkpoint c where not exists (
       select 1 from tasker.step s where s.task_uuid = c.task_uuid and s.idx = c.idx)`,
  );
  expect(left).toEqual([]);
}

it(
  'tasks that are rerun, cancelled and lose workers at random end as if they had run once',
  async () => {
    const { url, sql, drop } = await freshDatabase();
    onTestFinished(drop);
    const first = await createTasker({ databaseUrl: url, migrate: false, templates: template({ a: [] }) });
    await first.stop();
    const make = (concurrency: number) =>
      createTasker({
        databaseUrl: url,
        migrate: false,
        handlers: [act],
        logger: silentLogger,
        namespaces: ['test'],
        poolSize: 6,
        concurrency,
      });
    const taskers = [await make(3), await make(100)];
    onTestFinished(async () => void (await Promise.all(taskers.map((tasker) => tasker.stop({ drainTimeoutMs: 0 })))));
    const seed = randomSeed();
    const until_ = performance.now() + BUDGET_MS;
    answering = taskers[1];
    const signals = keepSignalling(taskers[0]!, sql);
    onTestFinished(() => signals.stop());
    const all: Running[] = [];
    let round = 0;
    const missing = () => KINDS.filter((kind) => counts[kind] === undefined);
    for (; (round < ROUNDS && performance.now() < until_) || (round < MOST_ROUNDS && missing().length > 0); round++) {
      const tasks: Running[] = [];
      for (const [i, steps] of fc.sample(randomDynamicSteps(16), { seed: seed + round, numRuns: TASKS }).entries()) {
        const name = `r${round}-${i}`;
        const registered = template(dynamicTemplateSteps(steps), { name });
        await Promise.all(taskers.map((tasker) => tasker.registerTemplates([registered])));
        const { taskUuid } = await taskers[0]!.createTask({ namespace: 'test', name, version: '1.0.0' });
        tasks.push({ taskUuid, end: predictDynamic(steps), steps });
        all.push(tasks.at(-1)!);
      }
      const acts = fc.record({ task: fc.nat(TASKS - 1), pick: fc.nat(60), cancels: fc.nat(9) });
      const left = fc.sample(acts, { seed: seed + round, numRuns: 60 });
      const operator = async (tasker: Tasker) => {
        for (let next = left.shift(); next; next = left.shift()) {
          const task = tasks[next.task]!;
          if (next.cancels === 0 && (await tasker.cancelTask(task.taskUuid))) count('cancel');
          else await rerunSomewhere(tasker, task, next.pick);
        }
      };
      await Promise.all(taskers.flatMap((tasker) => [operator(tasker), operator(tasker)]));
      await Promise.all(
        tasks.map(async (task) => {
          for (;;) {
            const { status } = await taskers[0]!.waitForTask(task.taskUuid, { timeoutMs: 30_000 });
            if (status !== 'cancelled') return;
            // A root can always run again.
            const [root] = await taskers[0]!.getSteps(task.taskUuid);
            await taskers[0]!.rerunTask(task.taskUuid, { from: root!.name });
          }
        }),
      );
      await until(
        () => taskers.map((tasker) => tasker.stats!),
        (stats) => stats.every(({ running, unrecorded }) => running === 0 && unrecorded === 0),
      );
      await Promise.all(callBacks.splice(0));
      await invariants(sql);
      await historyAddsUp(sql, all);
      for (const task of tasks) {
        const found = await differences(taskers[0]!, task);
        const shown = () =>
          `SEED=${seed}, ${task.taskUuid}\n${task.steps.map(describeStep).join('\n')}\n${found.join('\n')}`;
        if (found.length > 0) throw new Error(shown());
      }
    }
    await signals.stop();
    console.log(`${round} rounds, SEED=${seed}: ${JSON.stringify(counts)}`);
    expect(missing()).toEqual([]);
    const [server] = await sql(`select deadlocks::int from pg_stat_database where datname = current_database()`);
    expect(server).toEqual({ deadlocks: 0 });
  },
  PROVE ? 3_600_000 : 300_000,
);
