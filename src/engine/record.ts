import type { Db } from '../db/statement.ts';
import { bornSteps } from '../model/branches.ts';
import { isWorkerIndex } from '../model/ids.ts';
import type { WaitRequest } from '../model/waits.ts';
import { type CancelledRest, cancelRestOfBatches, releaseWorkers } from '../store/batches.ts';
import { addBatches, addSteps, type NewBatch, type NewStep, recountSteps } from '../store/expand-tasks.ts';
import type { NeededHandler } from '../store/missing-handlers.ts';
import { KIND, type OwnClaim, type Recorded, type RecordedStep, recordSteps } from '../store/record-steps.ts';
import type { TaskRevision } from '../store/tasks.ts';
import type { Expansion } from './expansion.ts';
import type { TemplateStore } from './template-store.ts';

/** The handler that the worker of a step misses. */
export interface Missed extends NeededHandler {
  workerId: number;
  /** Milliseconds since the worker first missed it. */
  missedMs: number;
  /** Whether a resolver of the worker accepts the name, but does not find the handler. */
  hasTried: boolean;
}

/** The outcome of an attempt, with the steps that it creates or the wait that it begins. */
export interface Recording extends RecordedStep {
  expansion?: Expansion | undefined;
  /** Set if the kind is {@link KIND}.waits. */
  wait?: WaitRequest | undefined;
  /** Set if the step is released because its worker lacks the handler. */
  missed?: Missed | undefined;
}

/** The result of the statement, and changes in the tasks. */
export interface RecordAnswer extends Recorded {
  /** Tasks whose results were changed by an operator. */
  revised: TaskRevision[];
  /** Tasks in which running batch workers were cancelled. */
  takenFrom: string[];
}

/**
 * Returns whether a template may have dynamic steps. True if that is unknown, because the statement for dynamic steps
 * works for all templates.
 */
export function isDynamic(templates: TemplateStore, batch: readonly Recording[]): boolean {
  let last = -1;
  return batch.some(({ templateId }) => {
    if (templateId === last) return false;
    last = templateId;
    return !templates.has(templateId) || templates.get(templateId).graph.dynamic;
  });
}

/** Records outcomes in locked tasks, and starts the next workers of their batches. All statements are sent together. */
export async function recordLocked(
  { tx, templates }: { tx: Db; templates: TemplateStore },
  batch: readonly Recording[],
  own: OwnClaim & { dynamic: boolean },
): Promise<Omit<RecordAnswer, 'revised'>> {
  const recording = recordSteps(tx, batch, own);
  const moving = own.dynamic ? batch.filter((step) => movesBatches(templates, step)) : [];
  if (moving.length === 0) return { ...(await recording), takenFrom: [] };
  const failed = moving.filter((step) => isWorkerIndex(step.idx) && FAILURES.has(step.kind));
  const [answer, rests, released] = await Promise.all([
    recording,
    failed.length > 0 ? cancelRestOfBatches(tx, failed) : [],
    releaseWorkers(tx, [...new Set(moving.map((step) => step.taskUuid))]),
  ]);
  return withBatches(answer, rests, released);
}

const FAILURES: ReadonlySet<RecordedStep['kind']> = new Set([KIND.retryable, KIND.permanent, KIND.lost]);

/**
 * Returns whether batch workers may start when a step ends. The step may be a worker that makes room for the next one.
 * Or the whole batch may have waited for this step, while an operator finished its first workers.
 */
function movesBatches(templates: TemplateStore, { idx, templateId }: Recording): boolean {
  if (isWorkerIndex(idx) || !templates.has(templateId)) return true;
  return templates.get(templateId).graph.beforeWorkers.has(idx);
}

/** Corrects the result of the recording for tasks whose batch workers were queued or cancelled after it. */
function withBatches(answer: Recorded, rests: readonly CancelledRest[], released: ReadonlyMap<string, number>) {
  const stopped = rests.filter((rest) => rest.state === 'blocked_by_failures' && !released.has(rest.taskUuid));
  const moved = new Set([...released.keys(), ...rests.map((rest) => rest.taskUuid)]);
  return {
    ...answer,
    ended: [
      ...answer.ended.filter((task) => !moved.has(task.taskUuid)),
      ...stopped.map(({ taskUuid, ms }) => ({ taskUuid, state: 'blocked_by_failures' as const, ms })),
    ],
    queued: [...released.values()].reduce((sum, count) => sum + count, answer.queued),
    takenFrom: rests.filter((rest) => rest.running > 0).map((rest) => rest.taskUuid),
  };
}

/** Steps and batches to add. */
export interface Growth {
  taskUuids: string[];
  steps: NewStep[];
  batches: NewBatch[];
}

/** Adds the steps and batches. The statements are sent together, and the caller awaits their results. */
export function grow(tx: Db, { taskUuids, steps, batches }: Growth): Promise<void>[] {
  return [
    ...(steps.length > 0 ? [addSteps(tx, steps)] : []),
    ...(batches.length > 0 ? [addBatches(tx, batches)] : []),
    recountSteps(tx, taskUuids),
  ];
}

/** A result that creates steps, in the form that {@link growthOf} needs. */
export type Making = Pick<Recording, 'taskUuid' | 'idx' | 'templateId' | 'expansion'> & { claim: number | null };

/**
 * Returns the steps that these results create in tasks with the `existing` template steps. Later results see the steps
 * of earlier ones.
 */
export function growthOf(
  templates: TemplateStore,
  making: readonly Making[],
  existing: ReadonlyMap<string, Set<number>>,
): Growth {
  const steps: NewStep[] = [];
  const batches: NewBatch[] = [];
  for (const { taskUuid, idx: creator, claim, templateId, expansion } of making) {
    const { graph } = templates.get(templateId);
    const there = existing.get(taskUuid)!;
    let named: readonly number[] = [];
    if (expansion!.kind === 'branches') named = expansion!.steps;
    else {
      const { worker, parts, parallelism, failureStrategy, noOp } = expansion!;
      const name = graph.names[worker]!;
      batches.push({
        taskUuid,
        creator,
        claim,
        workerIdx: worker,
        parallelism,
        failureStrategy,
        noOp,
        parts: parts.map((part) => ({ name: `${name}_${part.batchId}`, cursor: part.cursor })),
      });
      there.add(worker);
    }
    for (const idx of bornSteps(graph, named, there)) {
      there.add(idx);
      steps.push({ taskUuid, creator, claim, templateId, idx });
    }
  }
  return { taskUuids: [...new Set(making.map((step) => step.taskUuid))], steps, batches };
}
