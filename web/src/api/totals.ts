import { useState } from 'react';
import { usePolling } from './polling.ts';
import { type SummaryQuery, useSummary } from './summary.ts';
import type { Summary } from './types.ts';

const COUNTS_MS = 10_000;
/** Before the first task. */
const ALWAYS = new Date(0).toISOString();
/** Counted again and again if counting all ended tasks takes too long. */
const RECENT = '24h';

/** The numbers of all tasks by template and state. */
export interface Totals {
  summary: Summary;
  /** Whether only the newest tasks were counted, because counting all of them takes too long. */
  isReduced: boolean;
}

/** Counts tasks, whenever they ended. Undefined while the numbers for these conditions are not known. */
export function useTotals(conditions: SummaryQuery): Totals | undefined {
  const [tooMany, setTooMany] = useState<string>();
  const filter = JSON.stringify(conditions);
  const { data, isPlaceholderData } = useSummary({
    conditions: { ...conditions, ended_since: tooMany === filter ? RECENT : ALWAYS, limit: 1 },
    interval: usePolling(COUNTS_MS),
  });
  if (!data || isPlaceholderData) return undefined;
  const reduced = isReduced(data);
  if (reduced && tooMany !== filter) setTooMany(filter);
  return { summary: data, isReduced: reduced };
}

/** Returns whether not all tasks were counted, because that takes too long. */
function isReduced({ open_since: open, ended_since: ended }: Summary): boolean {
  return open !== null || (ended !== null && Date.parse(ended) > Date.parse(ALWAYS));
}
