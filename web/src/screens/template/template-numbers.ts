import { useQuery } from '@tanstack/react-query';
import { api } from '../../api/client.ts';
import { useLacking } from '../../api/me.tsx';
import { usePolling } from '../../api/polling.ts';
import { useTotals } from '../../api/totals.ts';
import { useNamespace } from '../../frame/namespace.ts';
import { SEGMENTS } from '../tasks/filters.ts';

/** Days of the statistics. */
export const STATS_DAYS = 7;
const STATS_MS = 30_000;

/** The states of running tasks, and of tasks that failed, in the order of the filter of the task list. */
export const RUNNING_STATES = SEGMENTS.find(({ label }) => label === 'In progress')!.states;
export const FAILED_STATES = ['blocked_by_failures', 'error'] as const;

/** The numbers of tasks of all versions of a template. */
export interface TemplateNumbers {
  running: number;
  failed: number;
  /** Whether there may be more running and failed tasks. */
  atLeast: boolean;
}

/** The times of the tasks of all versions of a template in the last days. */
export interface TemplateStats {
  /** When a task or an attempt last ended. */
  lastAt: string | null;
  /** 95 of 100 tasks of the version with the most tasks took at most this long. */
  p95: number | null;
  /** That version. Undefined if no task ended. */
  p95Version?: string;
}

const keyOf = ({ namespace, name }: { namespace: string; name: string }) => JSON.stringify([namespace, name]);

/** Counts the tasks of templates. Undefined until they are counted. */
export function useTemplateNumbers(): ((template: { namespace: string; name: string }) => TemplateNumbers) | undefined {
  const totals = useTotals({ namespace: useNamespace() });
  if (!totals) return undefined;
  const found = new Map<string, TemplateNumbers>();
  for (const { counts, ...template } of totals.summary.templates) {
    const sum = (states: readonly string[]) => states.reduce((all, state) => all + (counts[state] ?? 0), 0);
    const before = found.get(keyOf(template));
    found.set(keyOf(template), {
      running: (before?.running ?? 0) + sum(RUNNING_STATES),
      failed: (before?.failed ?? 0) + sum(FAILED_STATES),
      atLeast: totals.isReduced,
    });
  }
  return (template) => found.get(keyOf(template)) ?? { running: 0, failed: 0, atLeast: totals.isReduced };
}

/** Reads the statistics of templates. Undefined until they are read, or if the user may not read them. */
export function useTemplateStats(): ((template: { namespace: string; name: string }) => TemplateStats) | undefined {
  const namespace = useNamespace();
  const lacking = useLacking()(api.installation.stats);
  const { data } = useQuery({
    queryKey: ['stats of templates', namespace],
    queryFn: ({ signal }) =>
      api.installation.stats({ since: `${STATS_DAYS}d`, sort: 'count', limit: 1000, namespace }, { signal }),
    enabled: lacking === undefined,
    refetchInterval: usePolling(STATS_MS),
  });
  if (!data) return undefined;
  const found = new Map<string, TemplateStats & { ended: number }>();
  for (const { tasks, steps, ...template } of data.templates) {
    const before = found.get(keyOf(template));
    const times = [before?.lastAt, tasks.last_ended_at, steps.last_ended_at].filter((at) => at != null);
    const isMost = tasks.ended > (before?.ended ?? -1);
    found.set(keyOf(template), {
      lastAt: times.sort().at(-1) ?? null,
      p95: isMost ? tasks.duration.p95_ms : before!.p95,
      p95Version: isMost ? template.version : before!.p95Version!,
      ended: isMost ? tasks.ended : before!.ended,
    });
  }
  return (template) => found.get(keyOf(template)) ?? { lastAt: null, p95: null };
}
