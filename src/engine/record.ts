import type { Db } from '../db/statement.ts';
import { bornSteps } from '../model/branches.ts';
import { isWorkerIndex, templateIndex } from '../model/ids.ts';
import type { WaitRequest } from '../model/waits.ts';
import { type CancelledRest, cancelRestOfBatches, releaseWorkers } from '../store/batches.ts';
import { addBatches, addSteps, type NewBatch, type NewStep, recountSteps } from '../store/expand-tasks.ts';
import type { BeginningList } from '../store/for-each.ts';
import type { NeededHandler } from '../store/missing-handlers.ts';
import {
  type EndedTaskRow,
  FAILED_KINDS,
  KIND,
  type OwnClaim,
  type Recorded,
  type RecordedStep,
  type RecordVariant,
  recordSteps,
} from '../store/record-steps.ts';
import { failTasks } from '../store/stale-tasks.ts';
import type { HeldKey } from '../store/step-key.ts';
import type { TaskRevision } from '../store/tasks.ts';
import type { TemplateGraph } from '../template/template-graph.ts';
import type { StartingChild } from './child-tasks/start.ts';
import { type DecidedTask, decideLocked } from './decide.ts';
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
  /** Set if the wait is for a child task: the task to create. */
  child?: StartingChild | undefined;
  /** Set if the step waits for the elements of its list. */
  list?: Omit<BeginningList, keyof HeldKey> | undefined;
  /** Set if the step ends its task in `error`: the reason. */
  failsTask?: string | undefined;
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

/** Returns whether the statements for templates without dynamic steps, conditions and routes can be used. */
export const isStatic = ({ dynamic, routed }: TemplateGraph): boolean => !dynamic && !routed;

/** Returns the statement that records a batch. If a template is unknown, the statement that works for all templates. */
export function variantOf(templates: TemplateStore, batch: readonly Recording[]): RecordVariant {
  let last = -1;
  let variant: RecordVariant = 'static';
  for (const { templateId } of batch) {
    if (templateId === last) continue;
    last = templateId;
    if (!templates.has(templateId)) return 'routed';
    const { routed, dynamic } = templates.get(templateId).graph;
    if (routed) return 'routed';
    if (dynamic) variant = 'dynamic';
  }
  return variant;
}

/**
 * Records outcomes in locked tasks, starts the next workers of their batches, and decides the steps after them. Unless the
 * variant is `routed`, all statements are sent together.
 */
export async function recordLocked(
  on: { tx: Db; templates: TemplateStore },
  batch: readonly Recording[],
  own: OwnClaim & { variant: RecordVariant },
): Promise<Omit<RecordAnswer, 'revised'>> {
  const answer = await recordAndMove(on, batch, own);
  return own.variant === 'routed' ? decideRecorded(on, batch, answer) : answer;
}

/** Decides the steps after the recorded ones, and ends the tasks that a step ends. */
async function decideRecorded(
  on: { tx: Db; templates: TemplateStore },
  batch: readonly Recording[],
  answer: Omit<RecordAnswer, 'revised'>,
): Promise<Omit<RecordAnswer, 'revised'>> {
  const blocked = answer.ended.filter(({ state }) => state === 'blocked_by_failures');
  const makers = batch.filter((step) => isMaker(on.templates, step));
  const apart = batch.filter((step) => isUndoing(on.templates, step) || isOfElement(on.templates, step));
  const reached = new Set([
    ...[...answer.decided.map((i) => batch[i]!), ...makers, ...apart, ...blocked].map(({ taskUuid }) => taskUuid),
    ...answer.takenFrom,
  ]);
  const failing = batch.filter((step, i) => step.failsTask !== undefined && !answer.refused.includes(i));
  const { tasks: decided, queued } = await decideLocked(on, [...reached]);
  const failed = await failedTasks(on.tx, failing);
  const tasks = [...decided.filter((task) => !failed.some(({ taskUuid }) => taskUuid === task.taskUuid)), ...failed];
  const isDecided = new Set(tasks.map(({ taskUuid }) => taskUuid));
  return {
    ...answer,
    ended: [...answer.ended.filter(({ taskUuid }) => !isDecided.has(taskUuid)), ...tasks.filter(hasEnded)],
    queued: answer.queued + queued,
    takenFrom: [...answer.takenFrom, ...tasks.filter(({ stopped }) => stopped).map(({ taskUuid }) => taskUuid)],
  };
}

/** Returns whether a decided task has ended or is blocked. */
export const hasEnded = (task: DecidedTask): task is DecidedTask & Pick<EndedTaskRow, 'state'> =>
  task.waits === 0 && ['complete', 'blocked_by_failures', 'error', 'undone'].includes(task.state);

/** Returns whether the step undoes another. The steps that wait for it are not in the template's edges. */
function isUndoing(templates: TemplateStore, { templateId, idx }: Recording): boolean {
  return templates.has(templateId) && templates.get(templateId).graph.undoes.has(idx);
}

/** Returns whether the step runs for an element of a list. The steps after it are not in the template's edges. */
export function isOfElement(
  templates: TemplateStore,
  { templateId, idx }: Pick<Recording, 'templateId' | 'idx'>,
): boolean {
  return templates.has(templateId) && templates.get(templateId).graph.elementOf.has(templateIndex(idx));
}

/** Returns whether a step may create others. If it created none, the routes below it may be created. */
function isMaker(templates: TemplateStore, { templateId, idx, kind }: Recording): boolean {
  if (kind !== KIND.completed || isWorkerIndex(idx) || !templates.has(templateId)) return false;
  const { types, routed } = templates.get(templateId).graph;
  return routed && (types[idx] === 'decision' || types[idx] === 'batchable');
}

/** The actor of an end by a step of the type `fail`, in the history. */
export const FAILING_STEP = 'fail';

/** Ends the tasks that a step of the type `fail` ends. */
async function failedTasks(tx: Db, failing: readonly Recording[]): Promise<DecidedTask[]> {
  const reasons = new Map<string, string>();
  // The first of several steps gives the reason.
  for (const { taskUuid, failsTask } of failing) if (!reasons.has(taskUuid)) reasons.set(taskUuid, failsTask!);
  if (reasons.size === 0) return [];
  const ends = [...reasons].map(([taskUuid, reason]) => ({ taskUuid, state: 'steps_in_process', reason }));
  const stopped = new Set(await failTasks(tx, ends, FAILING_STEP));
  return ends.map(({ taskUuid }) => {
    return { taskUuid, state: 'error', shown: 'error', waits: 0, ms: 0, stopped: stopped.has(taskUuid) };
  });
}

async function recordAndMove(
  { tx, templates }: { tx: Db; templates: TemplateStore },
  batch: readonly Recording[],
  own: OwnClaim & { variant: RecordVariant },
): Promise<Omit<RecordAnswer, 'revised'>> {
  const recording = recordSteps(tx, batch, own);
  const moving = own.variant === 'static' ? [] : batch.filter((step) => movesBatches(templates, step));
  if (moving.length === 0) return { ...(await recording), takenFrom: [] };
  const failed = moving.filter((step) => isWorkerIndex(step.idx) && FAILED_KINDS.has(step.kind));
  const [answer, rests, released] = await Promise.all([
    recording,
    failed.length > 0 ? cancelRestOfBatches(tx, failed) : [],
    releaseWorkers(tx, [...new Set(moving.map((step) => step.taskUuid))]),
  ]);
  return withBatches(answer, rests, released);
}

/**
 * Returns whether batch workers may start when a step ends. The step may be a worker that makes room for the next one.
 * Or the whole batch may have waited for this step, while an operator finished its first workers.
 */
function movesBatches(templates: TemplateStore, { idx, templateId }: Recording): boolean {
  if (!templates.has(templateId)) return true;
  const { graph } = templates.get(templateId);
  return isWorkerIndex(idx) ? graph.dynamic : graph.beforeWorkers.has(idx);
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
