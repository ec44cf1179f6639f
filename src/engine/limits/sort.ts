import type { Db } from '../../db/statement.ts';
import { ExpressionFailed } from '../../expressions/expression-error.ts';
import { templateIndex } from '../../model/ids.ts';
import { addLines, type LimitRow, moveRows, type QueueRow, readInbox, tasksForKeys } from '../../store/limits.ts';
import { limitedPartOf, usualPartsOf } from '../../store/queue-id.ts';
import type { TaskTemplate } from '../../template/task-template.ts';
import type { TemplateStore } from '../template-store.ts';
import { type KeyValues, limitKeyOf } from './keys.ts';

/** Number of steps that are sorted into lines at once. */
const MOST_SORTED = 1_000;

/** The result of {@link sortSteps}. */
export interface Sorted {
  /** The smallest rank of the steps without limits, which can be claimed now. Null if there are none. */
  rank: number | null;
  /** Whether more steps may wait to be sorted. */
  more: boolean;
}

/**
 * Sorts the ready steps of templates with limits: into the lines of their limits, or into the part of the queue that claims
 * read, if they have none.
 */
export async function sortSteps({
  tx,
  templates,
  limits,
  nowMs,
}: {
  tx: Db;
  templates: TemplateStore;
  limits: readonly LimitRow[];
  nowMs: number;
}): Promise<Sorted> {
  const namespaces = [...new Set(limits.map(({ namespaceId }) => namespaceId))];
  const parts = namespaces.flatMap((id) => usualPartsOf(id).filter((part) => isLimited(part)));
  const rows = await readInbox(tx, parts, MOST_SORTED);
  if (rows.length === 0) return { rank: null, more: false };
  await templates.load(
    rows.map(({ templateId }) => templateId),
    tx,
  );
  const known = rows.filter(({ templateId, ready }) => !ready || templates.has(templateId));
  const ids = new Map(limits.map((limit) => [`${limit.namespaceId}/${limit.template}/${limit.name}`, limit.id]));
  const limitsOf = (row: QueueRow): number[] => {
    const { namespaceId, template, steps } = templates.get(row.templateId);
    const names = steps[templateIndex(row.idx)]?.limits ?? [];
    return names.flatMap((name) => ids.get(`${namespaceId}/${template.name}/${name}`) ?? []).sort((a, b) => a - b);
  };
  const placed = known.map((row) => ({ row, limits: row.ready ? limitsOf(row) : [] }));
  const lines = await linesOf(
    { tx, templates, byId: new Map(limits.map((limit) => [limit.id, limit])), nowMs },
    placed,
  );
  const moves = placed.map(({ row, limits: own }, i) => ({
    ...row,
    to: !row.ready ? null : own.length === 0 ? row.part - limitedPartOf(0) : lines[i]!,
  }));
  await moveRows(tx, moves);
  const free = placed.filter(({ row, limits: own }) => row.ready && own.length === 0);
  return {
    rank: free.length === 0 ? null : Math.min(...free.map(({ row }) => row.rank)),
    more: rows.length >= MOST_SORTED,
  };
}

const isLimited = (part: number) => (part & limitedPartOf(0)) !== 0;

/** Returns the line of each step, in the same order. 0 for steps without limits. */
async function linesOf(
  on: { tx: Db; templates: TemplateStore; byId: ReadonlyMap<number, LimitRow>; nowMs: number },
  placed: readonly { row: QueueRow; limits: readonly number[] }[],
): Promise<number[]> {
  const keysOf = await keysOfRows(on, placed);
  const lines = new Map<string, { limits: readonly number[]; keys: string[]; rank: number; place: number }>();
  const names = placed.map(({ row, limits }, i) => {
    if (limits.length === 0) return '';
    const keys = keysOf[i]!;
    const name = JSON.stringify([limits, keys]);
    const fair = limits.some((limit) => on.byId.get(limit)!.fair);
    // The rows are in the order of the queue, so the first one of a line has the smallest place.
    if (!lines.has(name)) {
      const place = fair ? { rank: 0, place: Math.floor(on.nowMs) * 1_000 } : { rank: row.rank, place: row.id };
      lines.set(name, { limits, keys, ...place });
    }
    return name;
  });
  if (lines.size === 0) return names.map(() => 0);
  const added = await addLines(on.tx, [...lines.values()]);
  const idOf = new Map(added.map(({ id, limits, keys }) => [JSON.stringify([limits, keys]), id]));
  return names.map((name) => idOf.get(name) ?? 0);
}

/** Returns the keys of the limits of each step. */
async function keysOfRows(
  { tx, templates, byId }: { tx: Db; templates: TemplateStore; byId: ReadonlyMap<number, LimitRow> },
  placed: readonly { row: QueueRow; limits: readonly number[] }[],
): Promise<string[][]> {
  const isKeyed = (limits: readonly number[]) => limits.some((limit) => byId.get(limit)!.keyed);
  const uuids = new Set(placed.filter(({ limits }) => isKeyed(limits)).map(({ row }) => row.taskUuid));
  const tasks = new Map((await tasksForKeys(tx, [...uuids])).map((task) => [task.taskUuid, task]));
  return placed.map(({ row, limits }) => {
    const task = tasks.get(row.taskUuid);
    return limits.map((limit) => {
      const { name, keyed } = byId.get(limit)!;
      if (!keyed || !task) return '';
      const context = JSON.parse(task.context) as Record<string, unknown>;
      return keyIn(templates.get(row.templateId).template, name, { ...task, context });
    });
  });
}

/** Returns the key of a limit for a stored task. The creation of the task has checked that it can be computed. */
function keyIn(template: TaskTemplate, name: string, values: KeyValues): string {
  try {
    return limitKeyOf(template, name, values);
  } catch (error) {
    if (error instanceof ExpressionFailed) return '(none)';
    throw error;
  }
}
