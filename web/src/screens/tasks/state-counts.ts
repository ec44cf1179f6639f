import { useState } from 'react';
import { usePolling } from '../../api/polling.ts';
import { useSummary } from '../../api/summary.ts';
import type { Summary, TaskPage } from '../../api/types.ts';
import type { TaskQuery } from './filters.ts';

const COUNTS_MS = 10_000;
/** Before the first task. The list has no limit on the end of tasks either. */
const ALWAYS = new Date(0).toISOString();
/** Counted again and again if counting all ended tasks takes too long. */
const RECENT = '24h';

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
  const [tooMany, setTooMany] = useState<string>();
  const filter = JSON.stringify(conditions);
  const { data, isPlaceholderData } = useSummary({
    conditions: { ...conditions, ended_since: tooMany === filter ? RECENT : ALWAYS, limit: 1 },
    interval: usePolling(COUNTS_MS),
  });
  if (data && !isPlaceholderData && tooMany !== filter && isReduced(data)) setTooMany(filter);
  return (states) => {
    // The list and its own number never contradict each other.
    if (page && states.join(',') === state) {
      const { total_count: count, total_is_exact: exact } = page.pagination;
      return { count, atLeast: !exact };
    }
    return data && !isPlaceholderData ? sumOf(data, states) : undefined;
  };
}

/** Returns whether not all tasks were counted, because that takes too long. */
function isReduced({ open_since: open, ended_since: ended }: Summary): boolean {
  return open !== null || (ended !== null && Date.parse(ended) > Date.parse(ALWAYS));
}

function sumOf(summary: Summary, states: readonly string[]): TaskCount {
  const counts: Partial<Record<string, number>> = summary.states;
  const counted = states.length > 0 ? states.map((state) => counts[state] ?? 0) : Object.values(counts);
  return { count: counted.reduce<number>((sum, count = 0) => sum + count, 0), atLeast: isReduced(summary) };
}
