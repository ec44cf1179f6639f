import { KIND, type Recording } from '../../../src/engine/engine.ts';
import { durationMs } from '../../../src/model/duration.ts';
import type { WaitRequest } from '../../../src/model/waits.ts';
import type { StepTemplate, TaskTemplate } from '../../../src/template/task-template.ts';
import { waitsToJson } from '../../../src/template/waits/convert-waits.ts';
import { DEMO, setup, template } from '../setup.ts';
import { sharedTasker } from '../shared-tasker.ts';

const NOTHING = { freeSlots: 0, token: 0, lastRank: -101 };

/** Steps of a template, in the form that {@link template} takes. */
export type Steps = Parameters<typeof template>[0];

/** A step that waits for a signal of this name. */
export const signalStep = (name: string, more: Record<string, unknown> = {}, dependencies: readonly string[] = []) => ({
  handler: undefined,
  type: 'signal',
  dependencies,
  signal: { name, ...more },
});

/** A step that waits for the first of two signals. */
export const eitherSignal = () => ({
  handler: undefined,
  type: 'signal',
  signal: { names: ['paid', 'refused'], schemas: { paid: { type: 'object', required: ['amount'] } } },
});

/** A step that waits for people. */
export const approvalStep = (more: Record<string, unknown> = {}, dependencies: readonly string[] = []) => ({
  handler: undefined,
  type: 'approval',
  dependencies,
  approval: { title: 'Refund the order?', ...more },
});

/** Returns the outcome of a failed attempt. With a delay, the step is retried. */
export const failed = (step: Recording, delayMs: number): Recording => ({
  ...step,
  kind: delayMs > 0 ? KIND.retryable : KIND.permanent,
  delayMs,
  result: 'null',
  detail: '{"error":{"message":"broken"}}',
  expansion: undefined,
});

function requestOf(step: StepTemplate): WaitRequest {
  const json = waitsToJson(step) as Record<string, Record<string, unknown>>;
  const settings = (json['signal'] ?? json['approval'])!;
  const soonest = [settings['remind_after'], settings['escalate_after']].flatMap((text) => durationMs(text) ?? []);
  return {
    kind: step.signal ? 'signal' : 'approval',
    forMs: durationMs(settings['timeout']),
    dueMs: soonest.length > 0 ? Math.min(...soonest) : undefined,
    settings,
  };
}

/**
 * A database with a template, and a worker that the test drives by hand: `work` runs the ready steps of all tasks. Steps
 * for signals and approvals begin to wait. Other steps complete with their result in `results`, or an empty one.
 */
export async function waitingBench(steps: Steps, task: Record<string, unknown> = {}) {
  return await benchOn(await setup({ worker: false }), template(steps, task));
}

/**
 * Returns {@link waitingBench} with one database and tasker for all tests of a file, and a namespace for each test. Each
 * test starts without the tasks and workers of the tests before it. Call it where tests are declared.
 */
export function sharedWaitingBenches(): typeof waitingBench {
  const shared = sharedTasker();
  let namespaces = 0;
  return async (steps, task) =>
    await benchOn(await shared(), template(steps, { namespace: `waiting${++namespaces}`, ...task }));
}

async function benchOn(made: Awaited<ReturnType<typeof setup>>, own: TaskTemplate) {
  const { tasker } = made;
  const { engine } = tasker;
  const { namespace } = own;
  await tasker.registerTemplates(own);
  const workerId = await engine.registerWorker({
    name: 'hand',
    host: 'h',
    pid: 1,
    namespaces: [namespace],
    callables: [],
    concurrency: 9,
    leaseMs: 600_000,
  });
  const namespaceIds = await engine.namespaceIds([namespace]);
  let claims = 0;

  /** Claims ready steps, and returns their outcomes for {@link record}. */
  const claim = async (results: Record<string, unknown> = {}): Promise<Recording[]> => {
    const token = workerId * 2 ** 24 + ++claims;
    const { steps: rows } = await engine.claim({ limit: 1000, token, workerId, namespaceIds, excluded: [] });
    const snapshots = await engine.templates.byIds(rows.map((row) => row.templateId));
    return rows.map((row) => {
      const snapshot = snapshots.get(row.templateId)!;
      const step = snapshot.template.steps[row.idx]!;
      const { taskUuid, idx, templateId, rank } = row;
      const base = { taskUuid, idx, claim: token, templateId, rank, delayMs: 0, durationMs: 1, detail: 'null' };
      if (step.signal || step.approval) return { ...base, kind: KIND.waits, result: 'null', wait: requestOf(step) };
      const result = results[step.name] ?? {};
      const expansion = snapshot.expansionOf(idx, result);
      if (expansion?.kind === 'wrong') throw new Error(expansion.reason);
      return { ...base, kind: KIND.completed, result: JSON.stringify(result), expansion };
    });
  };
  const record = (batch: readonly Recording[]) => engine.record(batch, NOTHING);

  return {
    ...made,
    engine,
    namespace,
    claim,
    record,
    /** Runs ready steps until none is left. */
    work: async (results: Record<string, unknown> = {}) => {
      for (;;) {
        const batch = await claim(results);
        if (batch.length === 0) return;
        await record(batch);
      }
    },
    create: async (more: Record<string, unknown> = {}) =>
      (await tasker.createTask({ ...DEMO, namespace, ...more })).taskUuid,
    resultOf: async (taskUuid: string, step: string) => (await tasker.getStep(taskUuid, step)).results?.result,
    /** Makes all open waits older by an interval, including their limits. */
    age: (interval: string) =>
      made.sql(
        `update tasker.wait set since = since - $1::interval, until = until - $1::interval, due_at = due_at - $1::interval
          where ended_at is null`,
        [interval],
      ),
  };
}
