import { opening } from '../../db/opening.ts';
import type { Db } from '../../db/statement.ts';
import { isWorkerIndex } from '../../model/ids.ts';
import { type BulkAction, lockBulk } from '../../store/bulk/bulks.ts';
import {
  type BulkCounts,
  type BulkItemRow,
  type ItemOutcome,
  type LiveStepRow,
  liveSteps,
  liveTasks,
  lockReadySteps,
  markItems,
  nextItems,
  staleAmong,
} from '../../store/bulk/items.ts';
import { changedAmong, withStepAmong } from '../../store/bulk/live-conditions.ts';
import { openEntriesOf } from '../../store/dead-letters/change.ts';
import { closeEntriesOf } from '../../store/dead-letters/checks.ts';
import { deleteTasks } from '../../store/delete-tasks.ts';
import { ENDINGS, endTask, type Operator } from '../../store/operator-actions.ts';
import { PINNED_PLANS } from '../../store/planner.ts';
import { type FailingStepRow, resetPlainSteps } from '../../store/retry-steps.ts';
import type { StepKey } from '../../store/step-key.ts';
import { lockFreeTasks, taskStates } from '../../store/tasks.ts';
import { closeRedriven } from '../dead-letters/redrive.ts';
import { decideLocked, type Failures, failuresIn } from '../decide.ts';
import type { ActEffects } from '../engine.ts';
import { type Expanding, retryLocked, settleLocked } from '../operator-actions.ts';
import { reopenLocked } from '../rerun/rerun.ts';
import type { LiveConditions, TaskFilter } from '../search/filter.ts';
import type { TaskState } from '../task-view.ts';
import { undoInstead } from '../undo/instead.ts';
import { undoLocked } from '../undo/undo.ts';
import { lockReopeningKeys, type ReopeningKeys } from '../unique/reopening.ts';
import { failing, judge, type LiveRows, seenOf, stepKey, type Verdict, WHOLE_TASK } from './judge.ts';
import type { RedriveFilter } from './redrives.ts';
import { actsOnSteps, verbOf } from './targets.ts';

/** A bulk action in progress. */
export interface Running {
  id: number;
  action: BulkAction;
  /** Null if the items were listed individually. */
  filter: TaskFilter | null;
  /** The conditions of the filter that are checked again under the locks. Null if there is no filter. */
  conditions: LiveConditions | null;
  /** JSON text for `step_resolve`. */
  result: string | null;
  operator: Operator;
  /** The fencing token. Each process that works on the action has a different one. */
  runner: string;
}

/** The items that a chunk takes. */
export interface Portion {
  after: StepKey;
  limit: number;
  /** If true, items of locked tasks fail. If false, they are retried later. */
  lastChance: boolean;
}

/** The outcome of a chunk. */
export type ChunkAnswer =
  | { kind: 'stopped' | 'taken_over' | 'empty' }
  | {
      kind: 'worked';
      /** The last item of the chunk. */
      last: StepKey;
      counts: BulkCounts;
      /** Number of items skipped because another transaction had locked their task. */
      locked: number;
      effects: Required<ActEffects>;
    };

/** Maximum number of steps that a chunk acts on, because it holds the locks of its tasks. */
const STEPS_AT_ONCE = 500;
export const CHUNK = opening({
  ...PINNED_PLANS,
  lock_timeout: '5s',
  statement_timeout: '30s',
  idle_in_transaction_session_timeout: '30s',
});

/**
 * Processes the next items, in the order of their tasks, in a transaction that locks the tasks and marks the items.
 * Does not wait for tasks that another transaction has locked.
 */
export async function workOnChunk(
  tx: Db,
  { engine, running }: { engine: Expanding; running: Running },
  portion: Portion,
): Promise<ChunkAnswer> {
  const { id, runner } = running;
  const [state, found] = await Promise.all([lockBulk(tx, id, runner), nextItems(tx, id, portion)]);
  if (!state?.mine) return { kind: 'taken_over' };
  if (state.state !== 'running') return { kind: 'stopped' };
  const items = limited(found);
  if (items.length === 0) return { kind: 'empty' };

  const taskUuids = [...new Set(items.map((item) => item.taskUuid))];
  const reopens = /redrive|undo/.test(running.action);
  const keys = reopens ? await lockReopeningKeys({ tx, templates: engine.templates }, taskUuids) : undefined;
  const free = new Set(await lockFreeTasks(tx, taskUuids));
  if (endsWithClaim(running.filter)) await lockReadySteps(tx, [...free]);
  const live = await readLive(tx, { engine, running }, { items, taskUuids });
  const [ready, locked] = [items, items].map((all, i) =>
    all.filter(({ taskUuid }) => (free.has(taskUuid) || !live.tasks.has(taskUuid)) === (i === 0)),
  ) as [BulkItemRow[], BulkItemRow[]];
  const effects = {
    tasks: [] as string[],
    ended: {} as Record<string, string[]>,
    taken: [] as string[],
    queued: false,
  };
  const verdicts = ready.map((item) => ({ item, verdict: judge(item, running, live) }));
  const outcomes = await act(
    tx,
    { engine, running },
    { verdicts, effects, live, keys, reset: new Set(), reopened: new Set() },
  );
  if (portion.lastChance) outcomes.push(...locked.map(lockedOut));
  effects.tasks = [...new Set(outcomes.filter(({ outcome }) => outcome === 'done').map(({ taskUuid }) => taskUuid))];
  const counts = await markItems(tx, id, outcomes);
  return { kind: 'worked', last: items.at(-1)!, counts, locked: portion.lastChance ? 0 : locked.length, effects };
}

/** Returns whether a task may no longer meet the filter once a worker claims a step of it. */
function endsWithClaim(filter: TaskFilter | null): boolean {
  const states = [filter?.status ?? []].flat();
  if (states.includes('pending') && !states.includes('steps_in_process')) return true;
  return filter?.stepState === 'enqueued' || filter?.updatedBefore !== undefined;
}

/** Returns as many items as one transaction may act on, but at least one. */
function limited(items: readonly BulkItemRow[]): readonly BulkItemRow[] {
  let steps = 0;
  const end = items.findIndex((item, i) => {
    steps += seenOf(item).length;
    return i > 0 && steps > STEPS_AT_ONCE;
  });
  return end === -1 ? items : items.slice(0, end);
}

/**
 * Reads the tasks and steps under the locks, so that every change that earlier holders of the locks committed is
 * visible.
 */
async function readLive(
  tx: Db,
  { engine, running: { id, filter, conditions, action } }: On,
  { items, taskUuids }: { items: readonly BulkItemRow[]; taskUuids: readonly string[] },
): Promise<LiveRows> {
  if (action === 'task_delete') await closeEntriesOf(tx, taskUuids, 'lifecycle');
  const seen = items.flatMap(seenOf).filter(({ idx }) => idx !== WHOLE_TASK);
  const isOfChange = (conditions?.updatedAfter ?? conditions?.updatedBefore ?? null) !== null;
  const step = actsOnSteps(action) ? null : conditions?.step;
  const [tasks, steps, stale, changed, withStep, deadLetters, failures] = await Promise.all([
    liveTasks(tx, id, taskUuids),
    seen.length > 0 ? liveSteps(tx, seen) : [],
    filter?.stale ? staleAmong(tx, taskUuids) : undefined,
    isOfChange ? changedAmong(tx, taskUuids, conditions!) : undefined,
    step ? withStepAmong(tx, taskUuids, step) : undefined,
    openDeadLetters(tx, { action, filter }, taskUuids),
    seen.length > 0 ? failuresIn({ tx, templates: engine.templates }, taskUuids) : new Map<string, Failures>(),
  ]);
  return {
    tasks: new Map(tasks.map((task) => [task.taskUuid, task])),
    steps: new Map(steps.map((step) => [stepKey(step), step])),
    stale,
    changed,
    withStep,
    deadLetters,
    failures,
  };
}

/** Returns the open dead letters of tasks, for a redrive only the entries that still meet its filter. */
function openDeadLetters(
  tx: Db,
  { action, filter }: Pick<Running, 'action' | 'filter'>,
  taskUuids: readonly string[],
): Promise<Map<string, string>> {
  if (action === 'task_redrive') return openEntriesOf(tx, taskUuids, (filter ?? {}) as RedriveFilter);
  return action === 'task_delete' ? openEntriesOf(tx, taskUuids) : Promise.resolve(new Map());
}

function lockedOut({ taskUuid, idx }: BulkItemRow): ItemOutcome {
  return { taskUuid, idx, outcome: 'failed', why: 'the task is locked by another transaction and was not changed' };
}

interface Judged {
  live: LiveRows;
  /** The keys of the tasks, if the action may reopen tasks. */
  keys: ReopeningKeys | undefined;
  /** The ended tasks that a redrive has reopened. */
  reopened: Set<string>;
  /** The steps that were reset together, by {@link stepKey}. */
  reset: Set<string>;
  verdicts: { item: BulkItemRow; verdict: Verdict }[];
  effects: { ended: Record<string, string[]>; taken: string[]; queued: boolean };
}

type On = { engine: Expanding; running: Running };

/** Acts on the items, and returns the outcome of each. */
async function act(tx: Db, on: On, judged: Judged): Promise<ItemOutcome[]> {
  const { running } = on;
  if (running.action === 'task_delete') await deleteAll(tx, running.operator, judged);
  if (/retry|reset|redrive/.test(running.action)) await resetPlain(tx, running.operator, judged);
  const outcomes: Promise<ItemOutcome>[] = [];
  const undone = running.action === 'task_cancel' ? await undoCancelled(tx, on, judged) : new Set<string>();
  for (const { item, verdict } of judged.verdicts) {
    const { taskUuid, idx } = item;
    const isSkipped = 'skip' in verdict;
    const acting = isSkipped
      ? Promise.resolve(verdict.skip)
      : undone.has(taskUuid)
        ? Promise.resolve(null)
        : actOn(tx, on, { item, verdict, judged });
    const outcome = acting.then((why) => ({ taskUuid, idx, outcome: why === null ? 'done' : 'skipped', why }) as const);
    outcomes.push(outcome);
    // Resolving, redriving or undoing takes several statements, each of which depends on the results of the earlier ones.
    if (/step_resolve|task_redrive|task_undo/.test(running.action)) await outcome;
  }
  const all = await Promise.all(outcomes);
  // Other actions end the task, or have already decided the steps after the one that they changed.
  if (/retry|reset|redrive/.test(running.action)) {
    const done = all.filter(({ outcome }) => outcome === 'done').map(({ taskUuid }) => taskUuid);
    await decideLocked({ tx, templates: on.engine.templates }, [...new Set(done)], { byOperator: true });
  }
  if (running.action === 'task_redrive') await closeAll(tx, on, { outcomes: all, judged });
  return all;
}

/** Undoes the tasks whose templates ask for that when they are cancelled. Returns them. */
async function undoCancelled(tx: Db, { engine, running }: On, { verdicts, effects }: Judged): Promise<Set<string>> {
  const taskUuids = verdicts.flatMap(({ item, verdict }) => ('skip' in verdict ? [] : [item.taskUuid]));
  const begun = await undoInstead({ tx, templates: engine.templates }, taskUuids, running.operator);
  for (const [taskUuid, undo] of begun) {
    effects.queued ||= undo.queued > 0;
    if (undo.running > 0) effects.taken.push(taskUuid);
    if (undo.state === 'undone') note(effects, undo.state, taskUuid);
  }
  return new Set(begun.keys());
}

/** Closes the dead letters of the tasks that run again. */
async function closeAll(
  tx: Db,
  { running }: On,
  { outcomes, judged }: { outcomes: readonly ItemOutcome[]; judged: Judged },
): Promise<void> {
  const done = outcomes.filter(({ outcome }) => outcome === 'done').map(({ taskUuid }) => taskUuid);
  if (done.length === 0) return;
  const states = await taskStates(tx, done);
  const redriven = done.map((taskUuid) => ({
    taskUuid,
    dlqEntryUuid: judged.live.deadLetters.get(taskUuid)!,
    how: judged.reopened.has(taskUuid) ? ('reopened' as const) : ('retried' as const),
    statusBefore: judged.live.tasks.get(taskUuid)!.state as TaskState,
    status: states.get(taskUuid) as TaskState,
  }));
  await closeRedriven(tx, redriven, running.operator);
}

/** Resets the failed steps that are not batch workers, in one statement. Batch workers are retried individually. */
async function resetPlain(tx: Db, operator: Operator, { verdicts, reset }: Judged): Promise<void> {
  const steps = verdicts.flatMap(({ verdict }) => ('skip' in verdict ? [] : verdict.steps.filter(isPlain)));
  if (steps.length === 0) return;
  for (const step of await resetPlainSteps(tx, steps, operator)) reset.add(stepKey(step));
}

function isPlain({ state, idx }: LiveStepRow): boolean {
  return state === 'error' && !isWorkerIndex(idx);
}

async function deleteAll(tx: Db, operator: Operator, { verdicts }: Judged): Promise<void> {
  const gone = verdicts.filter(({ verdict }) => !('skip' in verdict)).map(({ item }) => item.taskUuid);
  if (gone.length > 0) await deleteTasks(tx, gone, operator);
}

/** Acts on one item. Returns the reason if nothing was done, otherwise null. */
async function actOn(
  tx: Db,
  { engine, running }: On,
  {
    item: { taskUuid, idx },
    verdict,
    judged,
  }: { item: BulkItemRow; verdict: { steps: LiveStepRow[] }; judged: Judged },
): Promise<string | null> {
  const { action, operator, result } = running;
  const { effects } = judged;
  switch (action) {
    case 'task_delete':
      return null;
    case 'task_cancel':
    case 'task_resolve': {
      const how = verbOf(action) as keyof typeof ENDINGS;
      const ended = await endTask(tx, { taskUuid, action: how }, operator);
      if (!ended) return 'it has already ended';
      note(effects, ENDINGS[how], taskUuid);
      if (ended.running > 0) effects.taken.push(taskUuid);
      return null;
    }
    case 'task_undo': {
      const undo = await undoLocked({ tx, templates: engine.templates, keys: judged.keys! }, taskUuid, operator);
      if (typeof undo === 'string') return undo;
      effects.queued ||= undo.queued > 0;
      if (undo.running > 0) effects.taken.push(taskUuid);
      if (undo.state === 'undone') note(effects, undo.state, taskUuid);
      return null;
    }
    case 'task_redrive':
    case 'task_retry':
    case 'step_retry':
    case 'step_reset': {
      if (judged.live.tasks.get(taskUuid)!.ended) {
        const reopened = await reopenLocked({ tx, engine, keys: judged.keys! }, taskUuid);
        if (!reopened) return 'no step was cancelled with it';
        if ('reason' in reopened) return reopened.reason;
        judged.reopened.add(taskUuid);
        effects.queued = true;
        return null;
      }
      const retry = async (step: FailingStepRow): Promise<boolean> =>
        isPlain(step) ? judged.reset.has(stepKey(step)) : await retryLocked(tx, step, operator);
      const done = await Promise.all(failing(verdict.steps).map(retry));
      if (!done.includes(true)) return 'its batch continued without it, and a step that joins the batch has started';
      effects.queued = true;
      return null;
    }
    case 'step_resolve': {
      const step = { taskUuid, idx };
      const state = await settleLocked(tx, { engine, step, action: 'resolve', result }, operator);
      if (state === 'steps_in_process' || state === 'undoing') effects.queued = true;
      else if (state !== 'waiting_for_retry' && state !== 'waiting') note(effects, state, taskUuid);
      effects.taken.push(taskUuid);
      return null;
    }
  }
}

function note({ ended }: Judged['effects'], state: string, taskUuid: string): void {
  const known = ended[state];
  if (known) known.push(taskUuid);
  else ended[state] = [taskUuid];
}
