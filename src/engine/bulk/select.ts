import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import type { Db } from '../../db/statement.ts';
import { noteAct } from '../../store/acts/audit.ts';
import type { Operator } from '../../store/acts/operate.ts';
import { type BulkAction, countSelected, createBulk } from '../../store/bulk/bulks.ts';
import {
  type GivenStep,
  type StepSelection,
  selectGivenSteps,
  selectGivenTasks,
  selectSteps,
  selectTasks,
  tasksOfSteps,
} from '../../store/bulk/select-items.ts';
import type { TaskSearch } from '../../store/search/conditions.ts';
import { stretchOfTasks } from '../../store/search/search-tasks.ts';
import type { SearchPlace } from '../../store/search/task-source.ts';
import { readTaskFilter, type TaskFilter } from '../search/filter.ts';
import { actsOnSteps, indexIn, type NamedStep, type ReadTarget, stepStates, wantsEnded } from './targets.ts';

/** Maximum number of tasks that one statement selects. */
const PAGE = 10_000;
/** Maximum number of index entries that one statement reads. */
const LOOKED_AT = 20_000;
const SELECTING = opening({
  plan_cache_mode: 'force_custom_plan',
  jit: 'off',
  statement_timeout: '60s',
  idle_in_transaction_session_timeout: '60s',
});

/** The items to select for a bulk act, and its operator. */
export interface Selection {
  action: BulkAction;
  target: ReadTarget;
  /** JSON text for `step_resolve`. */
  result: string | null;
  operator: Operator;
}

/** The id of a bulk act, and the number of its items. */
export interface Selected {
  id: number;
  matched: number;
  /** Number of items that do not exist. */
  skipped: number;
}

/** Creates a bulk act, and stores the items that its target names, with the attempts of their failures. */
export async function selectItems(database: Database, selection: Selection): Promise<Selected> {
  const { action, target, result, operator } = selection;
  const search = target.kind === 'filter' ? await searchOf(database, action, target.filter) : undefined;
  return database.transaction(SELECTING, async (tx) => {
    const filter = target.kind === 'filter' ? JSON.stringify(target.filter) : null;
    const id = await createBulk(tx, { action, filter, result, ...operator });
    if (target.kind === 'tasks') {
      await selectGivenTasks(tx, id, { taskUuids: target.taskUuids, failing: action === 'task_retry' });
    } else if (target.kind === 'steps') await selectGivenSteps(tx, id, await placed(tx, target.steps));
    else if (search) await selectFound(tx, id, { action, filter: target.filter, search });
    return { id, ...(await countSelected(tx, id)) };
  });
}

/**
 * Adds the condition that the action implies: for example, only open tasks can be cancelled. Undefined if nothing can
 * match.
 */
async function searchOf(database: Database, action: BulkAction, filter: TaskFilter): Promise<TaskSearch | undefined> {
  const search = await readTaskFilter(database, filter);
  const ended = wantsEnded(action);
  if (!search || search.ended === !ended) return undefined;
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

/** Yields the tasks found, in pages. */
async function* pagesOf(tx: Db, search: TaskSearch): AsyncGenerator<string[]> {
  let after: SearchPlace | null = null;
  for (;;) {
    const slice = { sort: 'created', descending: false, after, limit: PAGE } as const;
    const found: { places: SearchPlace[]; reached: SearchPlace | undefined } = await stretchOfTasks(tx, search, {
      slice,
      among: LOOKED_AT,
    });
    if (found.places.length > 0) yield found.places.map((place) => place.taskUuid);
    const next = found.places.length === PAGE ? found.places.at(-1) : found.reached;
    if (!next) return;
    after = next;
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

/** Records the start of a bulk act in the audit, in the transaction that starts it. */
export async function noteBulk(
  tx: Db,
  { id, action, matched, filter }: { id: number; action: string; matched: number; filter: string | null },
  operator: Operator,
): Promise<void> {
  const details = JSON.stringify({ matched, ...(filter !== null && { filter: JSON.parse(filter) as unknown }) });
  await noteAct(tx, { action, target: `bulk ${id}`, details }, operator);
}
