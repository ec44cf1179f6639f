import type { Db } from '../db/statement.ts';
import { bornSteps } from '../model/branches.ts';
import { handledInLists, type ListDecided } from '../model/for-each.ts';
import { isWorkerIndex, templateIndex } from '../model/ids.ts';
import { type BatchNow, type Consequences, consequencesOf, routesToCreate, type StepNow } from '../model/routes.ts';
import { consequencesOfUndo, failuresBeforeUndo } from '../model/undo.ts';
import { noteAct } from '../store/audit.ts';
import { recountBatches, releaseWorkers } from '../store/batches.ts';
import { addDeadLetters } from '../store/dead-letters/add.ts';
import {
  batchesOfTasks,
  type CountedTask,
  countDecided,
  decideSteps,
  type RoutedTask,
  routedTasks,
  stopSteps,
} from '../store/decide.ts';
import { addRoutes } from '../store/expand-tasks.ts';
import { listsOfTasks, reopenElements, stepsOfFailingElements } from '../store/for-each.ts';
import type { Operator } from '../store/operator-actions.ts';
import { makerResults } from '../store/rerun.ts';
import { failTasks } from '../store/stale-tasks.ts';
import { readForUndo } from '../store/undo.ts';
import { BY_ITSELF } from './dead-letters/find-stuck.ts';
import { decideElements, saveElements, withoutStopped } from './for-each/decide-lists.ts';
import type { TemplateStore } from './template-store.ts';
import { beginLocked, undoPlan } from './undo/plan.ts';

/** A task after its steps were decided. */
export interface DecidedTask extends CountedTask {
  /** Whether a running step was stopped, because the task ended or a join has started. */
  stopped: boolean;
}

/** The changes that the decisions about tasks have made. */
export interface Decided {
  /** The tasks whose templates have conditions or routes. */
  tasks: DecidedTask[];
  /** Number of steps that became ready. */
  queued: number;
}

/** A task with the consequences of the states of its steps, and of those of its elements. */
type Decision = RoutedTask & Consequences & { lists: readonly ListDecided[] };

/** The actor of an end that a template asks for, in the history. */
const ACTOR = 'lifecycle';

/**
 * Decides every step of these tasks whose parents have ended: it becomes ready or is skipped, at any depth, in the
 * transaction that changed the states of its parents. Does nothing for templates without conditions and routes. Call it
 * after lockTasks, and after every change of a step's state. `byOperator`: whether an operator may have changed steps.
 */
export async function decideLocked(
  { tx, templates }: { tx: Db; templates: TemplateStore },
  taskUuids: readonly string[],
  { byOperator = false }: { byOperator?: boolean } = {},
): Promise<Decided> {
  if (taskUuids.length === 0) return { tasks: [], queued: 0 };
  // Only operators change the steps of failed elements.
  if (byOperator) await reopenElements(tx, taskUuids);
  const found = await readDecided({ tx, templates }, taskUuids);
  if (found.length === 0) return { tasks: [], queued: 0 };
  const feeders = found.flatMap(({ taskUuid, stopped, lists }) =>
    [...stopped, ...lists.flatMap((list) => list.stopped)].map((idx) => ({ taskUuid, idx })),
  );
  const interrupted = new Set(feeders.length > 0 ? await stopSteps(tx, feeders) : []);
  const changesOf = ({ changes, lists }: Decision) => [...changes, ...lists.flatMap((list) => list.changes)];
  const changes = found.flatMap((one) => changesOf(one).map((change) => ({ taskUuid: one.taskUuid, ...change })));
  if (changes.length > 0) await decideSteps(tx, changes);
  let queued = changes.filter(({ state }) => state === 'enqueued').length + (await saveElements(tx, found));
  const counted = await countDecided(
    tx,
    found.map((one) => {
      const ready = changesOf(one).filter(({ state }) => state === 'enqueued').length;
      return {
        taskUuid: one.taskUuid,
        open: one.lists.reduce((open, list) => open + list.open, one.open),
        blocking: one.lists.reduce((blocking, list) => blocking + list.blocking, one.blocking),
        ready,
      };
    }),
  );
  const ofBatches = [
    ...found.flatMap(({ taskUuid, changes: own }) => own.map(({ idx }) => ({ taskUuid, idx }))),
    ...feeders,
  ].filter(({ idx }) => isWorkerIndex(idx));
  const withBatches = [...new Set(ofBatches.map(({ taskUuid }) => taskUuid))];
  if (withBatches.length > 0) {
    await recountBatches(tx, withBatches);
    for (const [taskUuid, released] of await releaseWorkers(tx, withBatches)) {
      queued += released;
      const task = counted.find((one) => one.taskUuid === taskUuid)!;
      Object.assign(task, { state: 'steps_in_process', shown: 'steps_in_process' });
    }
  }
  const tasks = await withEnds({ tx, templates }, found, counted);
  for (const task of tasks) task.stopped ||= interrupted.has(task.taskUuid);
  queued += await undoBlocked({ tx, templates }, found, tasks);
  return { tasks, queued };
}

/** Ends the blocked tasks whose templates ask for it. */
async function withEnds(
  { tx, templates }: { tx: Db; templates: TemplateStore },
  found: readonly Decision[],
  counted: readonly CountedTask[],
): Promise<DecidedTask[]> {
  const templateOf = new Map(found.map(({ taskUuid, templateId }) => [taskUuid, templates.get(templateId)]));
  const undone = new Set(found.flatMap(({ taskUuid, isUndone }) => (isUndone ? [taskUuid] : [])));
  const blocked = counted.filter(({ shown }) => shown === 'blocked_by_failures');
  const halfUndone = blocked.filter(({ taskUuid }) => undone.has(taskUuid));
  if (halfUndone.length > 0) await addHalfUndone(tx, halfUndone);
  const failing = blocked.filter(
    ({ taskUuid }) => !undone.has(taskUuid) && templateOf.get(taskUuid)!.template.lifecycle?.onBlocked === 'error',
  );
  const ends = failing.map(({ taskUuid, shown }) => {
    const { steps, lists } = found.find((one) => one.taskUuid === taskUuid)!;
    const { graph } = templateOf.get(taskUuid)!;
    const failed = steps.filter(({ state }) => state === 'error').map(({ idx }) => idx);
    const ofLists = lists.filter(({ blocking }) => blocking > 0).map(({ list }) => list.idx);
    const names = [...failed, ...ofLists].map((idx) => graph.names[templateIndex(idx)]!);
    const first = [...new Set(names)].slice(0, 3).join(', ');
    return { taskUuid, state: shown, reason: `blocked by failures of ${first} (on_blocked: error)` };
  });
  const stopped = new Set(ends.length > 0 ? await failTasks(tx, ends, ACTOR) : []);
  const failed = new Set(ends.map(({ taskUuid }) => taskUuid));
  return counted.map((task) => {
    if (!failed.has(task.taskUuid)) return { ...task, stopped: false };
    return { ...task, state: 'error', shown: 'error', waits: 0, stopped: stopped.has(task.taskUuid) };
  });
}

/** Undoes the blocked tasks whose templates ask for it, and corrects their states. Returns the number of steps that became ready. */
async function undoBlocked(
  { tx, templates }: { tx: Db; templates: TemplateStore },
  found: readonly RoutedTask[],
  tasks: readonly DecidedTask[],
): Promise<number> {
  let queued = 0;
  for (const task of tasks) {
    const { taskUuid } = task;
    const { templateId, isUndone } = found.find((one) => one.taskUuid === taskUuid)!;
    const snapshot = templates.get(templateId);
    const asksForIt = snapshot.template.lifecycle?.onBlocked === 'undo';
    if (!asksForIt || isUndone || task.shown !== 'blocked_by_failures') continue;
    const { steps } = (await readForUndo(tx, taskUuid))!;
    const begun = await beginLocked(tx, { taskUuid, snapshot, plan: undoPlan(snapshot, steps) });
    await noteAct(tx, { action: 'undo', taskUuid, fromState: task.shown, toState: begun.state }, BY_LIFECYCLE);
    Object.assign(task, { state: begun.state, shown: begun.state, waits: 0 });
    queued += begun.queued;
  }
  return queued;
}

/** The actor of an undo that a template asks for. */
const BY_LIFECYCLE: Operator = { actor: ACTOR, reason: 'on_blocked: undo', door: ACTOR, bulkId: null };

/** Adds tasks whose undo has failed to the dead letters, whatever their templates ask for. */
async function addHalfUndone(tx: Db, tasks: readonly CountedTask[]): Promise<void> {
  const entries = tasks.map(({ taskUuid }) => {
    return { taskUuid, reason: 'max_retries_exceeded' as const, cause: null, rule: null, minutes: null, since: null };
  });
  await addDeadLetters(tx, entries, BY_ITSELF);
}

/** The failures of a task that are handled, or whose route has failed. */
export type Failures = Pick<Consequences, 'handled' | 'routeFailed'>;

const NONE: Failures = { handled: new Set(), routeFailed: new Set() };

/**
 * Returns the failures of a task that are handled, or were until their route failed. There are none if its template has no
 * routes, or if it was cancelled. Call it after lockTasks.
 */
export async function failuresOf(on: { tx: Db; templates: TemplateStore }, taskUuid: string): Promise<Failures> {
  return (await failuresIn(on, [taskUuid])).get(taskUuid) ?? NONE;
}

/** Returns the failures of {@link failuresOf} of several tasks, by task. Tasks whose templates have no routes are omitted. */
export async function failuresIn(
  on: { tx: Db; templates: TemplateStore },
  taskUuids: readonly string[],
): Promise<Map<string, Failures>> {
  const tasks = await withTemplates(on, await routedTasks(on.tx, taskUuids));
  const listed = withLists(on.templates, tasks);
  if (listed.length === 0) return failuresAmong(on, tasks);
  const rows = await stepsOfFailingElements(on.tx, taskUuidsOf(listed));
  const withRows = tasks.map((task) => {
    return { ...task, steps: [...task.steps, ...rows.filter(({ taskUuid }) => taskUuid === task.taskUuid)] };
  });
  return failuresAmong(on, withRows);
}

/** Returns the failures of {@link failuresIn} for steps that the caller has read, or as they were at another time. */
export async function failuresAmong(
  on: { tx: Db; templates: TemplateStore },
  tasks: readonly { taskUuid: string; templateId: number; steps: readonly StepNow[]; isUndone?: boolean }[],
): Promise<Map<string, Failures>> {
  const batches = await batchesIn(on, tasks);
  const withElements = tasks.filter(({ templateId }) => on.templates.get(templateId).graph.elementOf.size > 0);
  const lists = withElements.length > 0 ? await listsOfTasks(on.tx, taskUuidsOf(withElements)) : [];
  const consequences = ({ taskUuid, templateId, steps, isUndone = false }: (typeof tasks)[number]): Failures => {
    const { graph } = on.templates.get(templateId);
    if (isUndone) return { ...NONE, handled: failuresBeforeUndo(graph, steps) };
    const own = lists.filter((list) => list.taskUuid === taskUuid);
    const isOfTask = ({ idx }: StepNow) => !graph.elementOf.has(templateIndex(idx));
    const outer = own.length > 0 ? steps.filter(isOfTask) : steps;
    const found = consequencesOf(graph, outer, batches.get(taskUuid) ?? new Map());
    return { ...found, handled: new Set([...found.handled, ...handledInLists(graph, own, steps)]) };
  };
  return new Map(tasks.map((task) => [task.taskUuid, consequences(task)]));
}

const taskUuidsOf = (tasks: readonly { taskUuid: string }[]) => tasks.map(({ taskUuid }) => taskUuid);

/** Reads tasks, creates the routes of decisions and analyzers that created nothing, and computes the consequences. */
async function readDecided(
  on: { tx: Db; templates: TemplateStore },
  taskUuids: readonly string[],
): Promise<Decision[]> {
  const tasks = await withTemplates(on, await routedTasks(on.tx, taskUuids));
  const batches = await batchesIn(on, tasks);
  const elements = await decideElements(on.tx, withLists(on.templates, tasks));
  const done: Decision[] = [];
  const growing: string[] = [];
  for (const task of tasks) {
    const { graph } = on.templates.get(task.templateId);
    const own = batches.get(task.taskUuid) ?? new Map<number, BatchNow>();
    const { lists = [], waiting } = elements.get(task.taskUuid) ?? {};
    const found = task.isUndone
      ? consequencesOfUndo(graph, task.steps)
      : consequencesOf(graph, task.steps, own, waiting);
    if (!task.isUndone && graph.dynamic && (await createRoutes(on, task, found))) growing.push(task.taskUuid);
    else {
      const left = await withoutStopped(on.tx, task.taskUuid, { lists, stopped: found.stopped });
      done.push({ ...task, ...found, lists: left });
    }
  }
  return growing.length === 0 ? done : [...done, ...(await readDecided(on, growing))];
}

/** Returns the tasks whose templates have lists. The elements of a task that is undone are cancelled. */
function withLists(templates: TemplateStore, tasks: readonly RoutedTask[]) {
  return tasks.flatMap(({ taskUuid, templateId, isUndone, steps }) => {
    const { graph } = templates.get(templateId);
    return graph.elementOf.size > 0 && !isUndone ? [{ taskUuid, graph, steps }] : [];
  });
}

async function withTemplates(
  { tx, templates }: { tx: Db; templates: TemplateStore },
  tasks: RoutedTask[],
): Promise<RoutedTask[]> {
  const unreadable = await templates.load(
    tasks.map(({ templateId }) => templateId),
    tx,
  );
  for (const error of unreadable.values()) throw error;
  return tasks;
}

async function batchesIn(
  { tx, templates }: { tx: Db; templates: TemplateStore },
  tasks: readonly Pick<RoutedTask, 'taskUuid' | 'templateId'>[],
): Promise<Map<string, Map<number, BatchNow>>> {
  const dynamic = tasks.filter(({ templateId }) => templates.get(templateId).graph.dynamic);
  const found = new Map<string, Map<number, BatchNow>>();
  if (dynamic.length === 0) return found;
  const rows = await batchesOfTasks(
    tx,
    dynamic.map(({ taskUuid }) => taskUuid),
  );
  for (const { taskUuid, workerIdx, failureStrategy, nextIdx } of rows) {
    const own = found.get(taskUuid) ?? new Map<number, BatchNow>();
    own.set(workerIdx, { failureStrategy, nextIdx });
    found.set(taskUuid, own);
  }
  return found;
}

/** Creates the routes below decisions and analyzers that created nothing. Returns whether there are any. */
async function createRoutes(
  { tx, templates }: { tx: Db; templates: TemplateStore },
  { taskUuid, templateId, steps }: RoutedTask,
  { changes, stopped, ...found }: Consequences,
): Promise<boolean> {
  const { graph, expansionOf } = templates.get(templateId);
  const changed = new Map(changes.map(({ idx, state }) => [idx, state]));
  for (const idx of stopped) changed.set(idx, 'skipped');
  const decided = steps.map((step) => ({ ...step, state: changed.get(step.idx) ?? step.state }));
  const routes = routesToCreate(graph, decided, found);
  if (routes.size === 0) return false;
  for (const [idx, result] of await makerResults(tx, taskUuid, [...routes.keys()])) {
    const expansion = expansionOf(idx, JSON.parse(result));
    if (expansion?.kind === 'branches' && expansion.steps.length > 0) routes.delete(idx);
  }
  const wanted = [...new Set([...routes.values()].flat())];
  if (wanted.length === 0) return false;
  const existing = new Set(steps.map(({ idx }) => templateIndex(idx)));
  const born = bornSteps(graph, wanted, existing);
  // An operator's creation, too, has no claim: the lock of the task is enough.
  await addRoutes(
    tx,
    born.map((idx) => ({ taskUuid, creator: steps[0]!.idx, claim: null, templateId, idx })),
  );
  return true;
}
