import { type Totals, useTotals } from '../../api/totals.ts';
import type { TaskPage } from '../../api/types.ts';
import type { TaskQuery } from './filters.ts';

/** A number of tasks. */
export interface TaskCount {
  count: number;
  /** Whether there may be more tasks. */
  atLeast: boolean;
}

/** Counts the tasks of each group of states under the other conditions of the list. */
export function useStateCounts(
  { state = '', cursor: _, sort: __, order: ___, ...conditions }: TaskQuery,
  page: TaskPage | undefined,
): (states: readonly string[]) => TaskCount | undefined {
  const totals = useTotals(conditions);
  return (states) => {
    // The list and its own number never contradict each other.
    if (page && states.join(',') === state) {
      const { total_count: count, total_is_exact: exact } = page.pagination;
      return { count, atLeast: !exact };
    }
    return totals && sumOf(totals, states);
  };
}

function sumOf({ summary, isReduced }: Totals, states: readonly string[]): TaskCount {
  const counts: Partial<Record<string, number>> = summary.states;
  const counted = states.length > 0 ? states.map((state) => counts[state] ?? 0) : Object.values(counts);
  return { count: counted.reduce<number>((sum, count = 0) => sum + count, 0), atLeast: isReduced };
}
