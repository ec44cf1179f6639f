import { grouped } from '../../model/grouped.ts';
import type { RunningCountRow } from '../../store/overview/workers.ts';
import type { WorkerRow } from '../../store/workers.ts';
import type { Announcing } from './announced.ts';

/** A live worker, and how many of its slots are taken. */
export interface LiveWorker extends Announcing {
  name: string;
  concurrency: number;
  draining: boolean;
  /** Number of taken slots: those of running steps, and `hung`. */
  taken: number;
  /** Number of slots whose attempt has ended while the handler has not settled, at the last heartbeat. */
  hung: number;
}

/**
 * Returns the live workers. A worker that registered again, because its lease was lost, is listed once, with the steps of
 * all its registrations.
 */
export function liveWorkers(rows: readonly WorkerRow[], counts: readonly RunningCountRow[]): LiveWorker[] {
  const living = rows.filter((row) => row.living);
  return [...grouped(living, (row) => row.instance).values()].map((registrations) => {
    const ids = registrations.map(({ id }) => id);
    const { name, namespaces, callables, concurrency, draining, hung: reported } = registrations.at(-1)!;
    const steps = counts.reduce((sum, count) => sum + (ids.includes(count.workerId) ? count.steps : 0), 0);
    const hung = reported ?? 0;
    return { name, namespaces, callables, concurrency, draining, taken: steps + hung, hung };
  });
}
