import type { Db } from '../../db/statement.ts';
import { abandonList, decideList, isListOver, type ListDecided, type ListNow } from '../../model/for-each.ts';
import type { StepNow } from '../../model/routes.ts';
import {
  type ElementStepRow,
  type ListRow,
  listsOfTasks,
  openStepsOfElements,
  saveLists,
  stepsOfOpenElements,
} from '../../store/for-each.ts';
import type { TemplateGraph } from '../../template/template-graph.ts';

/** A task with lists, and the states of its other steps. */
interface TaskWithLists {
  taskUuid: string;
  graph: TemplateGraph;
  steps: readonly StepNow[];
}

/** The consequences of the elements of a task. */
export interface ElementsDecided {
  lists: ListDecided[];
  /** The steps that still wait for their elements. */
  waiting: ReadonlySet<number>;
}

/** Returns the consequences of the elements of tasks, by task. Call it after lockTasks. */
export async function decideElements(tx: Db, tasks: readonly TaskWithLists[]): Promise<Map<string, ElementsDecided>> {
  const found = new Map<string, ElementsDecided>();
  if (tasks.length === 0) return found;
  const ids = tasks.map(({ taskUuid }) => taskUuid);
  const [lists, rows] = await Promise.all([listsOfTasks(tx, ids), stepsOfOpenElements(tx, ids)]);
  const rowsOf = new Map<string, ElementStepRow[]>();
  for (const row of rows) {
    const key = `${row.taskUuid}:${row.list}`;
    const own = rowsOf.get(key);
    if (own) own.push(row);
    else rowsOf.set(key, [row]);
  }
  const taskOf = new Map(tasks.map((task) => [task.taskUuid, task]));
  for (const list of lists) {
    const { taskUuid, idx } = list;
    const { graph, steps } = taskOf.get(taskUuid)!;
    const decided = found.get(taskUuid) ?? { lists: [], waiting: new Set<number>() };
    found.set(taskUuid, decided);
    if (steps.find((step) => step.idx === idx)?.state === 'pending') {
      const one = decideList(graph, list, rowsOf.get(`${taskUuid}:${idx}`) ?? []);
      decided.lists.push(one);
      if (!isListOver(one.list)) (decided.waiting as Set<number>).add(idx);
    } else if (list.open.length > 0 || list.failedOpen > 0) decided.lists.push(await abandoned(tx, list));
  }
  return found;
}

/** Ends the elements of a list whose step an operator has finished, or that nothing needs any more. */
async function abandoned(tx: Db, list: ListRow): Promise<ListDecided> {
  return abandonList(list, await openStepsOfElements(tx, list));
}

/**
 * Returns the consequences of a task's elements once these of its steps have ended. The elements of their lists end, too.
 */
export async function withoutStopped(
  tx: Db,
  taskUuid: string,
  { lists, stopped }: { lists: readonly ListDecided[]; stopped: readonly number[] },
): Promise<ListDecided[]> {
  const ended = new Set(stopped);
  if (!lists.some(({ list }) => ended.has(list.idx))) return [...lists];
  const rows = await listsOfTasks(tx, [taskUuid]);
  return Promise.all(
    lists.map(async (one) => {
      const isEnded = ended.has(one.list.idx);
      return isEnded ? await abandoned(tx, rows.find(({ idx }) => idx === one.list.idx)!) : one;
    }),
  );
}

/** Writes the consequences of elements, and starts elements. Returns the number of steps that became ready. */
export async function saveElements(
  tx: Db,
  tasks: readonly { taskUuid: string; lists: readonly ListDecided[] }[],
): Promise<number> {
  const all = tasks.flatMap(({ taskUuid, lists }) => lists.map((one) => ({ taskUuid, ...one })));
  if (all.length === 0) return 0;
  const starting = all.flatMap(({ taskUuid, starting: steps }) => steps.map((step) => ({ taskUuid, ...step })));
  await saveLists(tx, {
    lists: all.map(({ taskUuid, list }) => ({ ...(list satisfies ListNow), taskUuid })),
    failed: all.flatMap(({ taskUuid, list, failed }) => failed.map((one) => ({ taskUuid, idx: list.idx, ...one }))),
    starting,
  });
  return starting.filter(({ state }) => state === 'enqueued').length;
}
