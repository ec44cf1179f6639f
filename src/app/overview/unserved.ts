import type { TaskFilter } from '../../engine/search/filter.ts';
import { covers } from '../../model/announced.ts';
import type { ReadyRow } from '../../store/overview/status.ts';
import type { WorkerRow } from '../../store/workers.ts';
import { WithheldHandlers } from './withheld-handlers.ts';

/** Ready steps that no live worker can run. */
export interface UnservedGroup {
  namespace: string;
  /** `no_worker`: no live worker serves the namespace. `no_handler`: its workers lack the handler. */
  reason: 'no_worker' | 'no_handler';
  /** The handlers that are missing, by name. */
  handlers: string[];
  /** The templates of the steps, as `name@version`. */
  templates: string[];
  /** Number of steps. */
  count: number;
  /** When the first of these steps became ready; null if that was not requested. */
  firstAt: string | null;
  /** The filter that finds the tasks of these steps. */
  filter: TaskFilter;
}

/**
 * Groups the ready steps that no live worker can run, largest groups first. `withheld`: the handlers that live workers did
 * not find.
 */
export function unservedSteps(
  ready: readonly ReadyRow[],
  workers: readonly WorkerRow[],
  withheld = new WithheldHandlers([]),
): UnservedGroup[] {
  const living = workers.filter((worker) => worker.living);
  const groups = new Map<string, UnservedGroup>();
  for (const row of ready) {
    const { namespace, handler, resolver, count, first } = row;
    const here = living.filter((worker) => worker.namespaces.includes(namespace));
    const isWithheld = withheld.has({ namespace, callable: handler, resolver });
    if (!isWithheld && here.some((worker) => covers(worker.callables, { callable: handler, resolver }))) continue;
    const reason = here.length === 0 ? 'no_worker' : 'no_handler';
    const key = reason === 'no_worker' ? namespace : `${namespace} ${handler}`;
    const group = groups.get(key) ?? newGroup(row, reason);
    groups.set(key, group);
    group.count += count;
    add(group.handlers, handler);
    add(group.templates, `${row.name}@${row.version}`);
    if (first !== null && (group.firstAt === null || first < group.firstAt)) group.firstAt = first;
  }
  return [...groups.values()].sort((a, b) => b.count - a.count || (a.namespace < b.namespace ? -1 : 1));
}

function newGroup({ namespace, handler }: ReadyRow, reason: UnservedGroup['reason']): UnservedGroup {
  const filter = { namespace, ...(reason === 'no_handler' && { handler }), stepState: 'enqueued' };
  return { namespace, reason, handlers: [], templates: [], count: 0, firstAt: null, filter };
}

function add(list: string[], text: string): void {
  if (!list.includes(text)) list.push(text);
}
