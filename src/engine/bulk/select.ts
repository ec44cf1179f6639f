import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import type { Db } from '../../db/statement.ts';
import type { AuditAction } from '../../model/audit-actions.ts';
import { noteAct } from '../../store/audit.ts';
import { type BulkAction, type BulkRequest, countSelected, createBulk } from '../../store/bulk/bulks.ts';
import {
  type GivenStep,
  type StepSelection,
  selectGivenSteps,
  selectGivenTasks,
  selectRedrives,
  selectSteps,
  selectTasks,
  tasksOfSteps,
} from '../../store/bulk/select-items.ts';
import type { Operator } from '../../store/operator-actions.ts';
import type { TaskSearch } from '../../store/search/conditions.ts';
import { readTaskFilter, type TaskFilter } from '../search/filter.ts';
import { pagesOf } from './pages.ts';
import { readRedriveFilter, selectFoundRedrives } from './redrives.ts';
import { actsOnSteps, indexIn, type NamedStep, type ReadTarget, stepStates, wantsEnded } from './targets.ts';

const SELECTING = opening({
  plan_cache_mode: 'force_custom_plan',
  jit: 'off',
  statement_timeout: '60s',
  idle_in_transaction_session_timeout: '60s',
});

/** The items to select for a bulk action, and its operator. */
export interface Selection {
  action: BulkAction;
  target: ReadTarget;
  /** JSON text for `step_resolve`. */
  result: string | null;
  operator: Operator;
  /** The request that begins it, if it has a key. */
  request?: BulkRequest | undefined;
}

/** The id of a bulk action, and the number of its items. */
export interface Selected {
  id: number;
  matched: number;
  /** Number of items that do not exist. */
  skipped: number;
}

/** Creates a bulk action, and stores the items that its target names, with the attempts of their failures. */
export async function selectItems(database: Database, selection: Selection): Promise<Selected> {
  const { action, target, result, operator } = selection;
  const select = await selectorOf(database, selection);
  return database.transaction(SELECTING, async (tx) => {
    const filter = target.kind === 'filter' ? JSON.stringify(target.filter) : null;
    const id = await createBulk(tx, { action, filter, result, ...operator });
    await select(tx, id);
    return { id, ...(await countSelected(tx, id)) };
  });
}

/** Reads a target before the transaction, and returns the function that selects its items. */
async function selectorOf(
  database: Database,
  { action, target }: Selection,
): Promise<(tx: Db, id: number) => Promise<void>> {
  if (target.kind === 'steps') return async (tx, id) => selectGivenSteps(tx, id, await placed(tx, target.steps));
  if (target.kind === 'tasks') {
    const { taskUuids } = target;
    if (action === 'task_redrive') return (tx, id) => selectRedrives(tx, id, taskUuids);
    return (tx, id) => selectGivenTasks(tx, id, { taskUuids, failing: action === 'task_retry' });
  }
  const { filter } = target;
  if (action === 'task_redrive') {
    const redrives = await readRedriveFilter(database, filter);
    return async (tx, id) => void (redrives && (await selectFoundRedrives(tx, id, redrives)));
  }
  const search = await searchOf(database, action, filter);
  return async (tx, id) => void (search && (await selectFound(tx, id, { action, filter, search })));
}

/**
 * Adds the conditions that the action implies to a filter. For example, an ended task cannot be cancelled. Undefined if
 * nothing can match.
 */
async function searchOf(database: Database, action: BulkAction, filter: TaskFilter): Promise<TaskSearch | undefined> {
  const search = await readTaskFilter(database, filter);
  const ended = wantsEnded(action);
  if (ended === null || !search) return search;
  if (search.ended === !ended) return undefined;
  return { ...search, ended };
}

async function selectFound(
  tx: Db,
  id: number,
  { action, filter, search }: { action: BulkAction; filter: TaskFilter; search: TaskSearch },
): Promise<void> {
  const states = stepStates(action, filter);
  // A retry of tasks covers all failing steps of the tasks that the filter finds.
  const step = action === 'task_retry' ? null : search.step;
  const steps: StepSelection | null = states && {
    states,
    name: step?.name ?? null,
    handler: step?.handler ?? null,
    errorType: step?.errorType ?? null,
    error: step?.error ?? null,
    workerIds: step?.workerIds ?? null,
  };
  for await (const taskUuids of pagesOf(tx, search)) {
    if (actsOnSteps(action)) await selectSteps(tx, id, { taskUuids, steps: steps! });
    else await selectTasks(tx, id, { taskUuids, steps });
  }
}

/**
 * Finds the tasks of steps that were named only by their ids. A step that does not exist stays in the list and is
 * skipped later.
 */
async function placed(tx: Db, steps: readonly NamedStep[]): Promise<GivenStep[]> {
  const alone = steps.filter((step) => step.taskUuid === undefined);
  const ranges = alone.map(({ name }) => ({
    low: `${name.slice(0, 28)}00000000`,
    high: `${name.slice(0, 28)}ffffffff`,
  }));
  const candidates = ranges.length > 0 ? await tasksOfSteps(tx, ranges) : [];
  const byStart = new Map<string, string[]>();
  for (const { low, taskUuid } of candidates) {
    const known = byStart.get(low);
    if (known) known.push(taskUuid);
    else byStart.set(low, [taskUuid]);
  }
  return steps.map(({ taskUuid, name }) => {
    if (taskUuid !== undefined) return { taskUuid, name, idx: indexIn(taskUuid, name) };
    const near = byStart.get(`${name.slice(0, 28)}00000000`) ?? [];
    const task = near.find((candidate) => indexIn(candidate, name) !== null);
    return { taskUuid: task ?? name, name, idx: task === undefined ? null : indexIn(task, name) };
  });
}

/** Records the start of a bulk action in the audit, in the transaction that starts it. */
export async function noteBulk(
  tx: Db,
  { id, action, matched, filter }: { id: number; action: AuditAction; matched: number; filter: string | null },
  operator: Operator,
): Promise<void> {
  const details = JSON.stringify({ matched, ...(filter !== null && { filter: JSON.parse(filter) as unknown }) });
  await noteAct(tx, { action, target: `bulk ${id}`, details }, operator);
}
