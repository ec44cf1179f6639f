import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { ApiError, ask } from '../../api/client.ts';
import { useMissing } from '../../api/me.tsx';
import { usePolling, usePrecaution } from '../../api/polling.ts';
import type { Status, Summary } from '../../api/types.ts';
import { useLinks, useNamespace } from '../../frame/namespace.ts';
import type { HUES } from '../../parts/state.tsx';

/** An item that needs a person's attention. */
export interface Need {
  count: number;
  /** Whether there may be more items than the count. */
  more?: boolean;
  /** The state whose shape and color the item has. */
  state: string;
  hue: keyof typeof HUES;
  text: string;
  to: string;
}

const SLOWLY_MS = 10_000;
const FORBIDDEN = 403;

type Attention = Partial<Record<string, number>>;

/**
 * Reads the items that need a person's attention. The status covers all namespaces. For a single namespace, or a
 * credential that may not see all, the numbers come from the lists.
 */
export function useNeeds(): { needs: Need[]; error: Error | null; loading: boolean } {
  const namespace = useNamespace();
  const status = useQuery({
    queryKey: ['status'],
    queryFn: ({ signal }) => ask<Status>('v1/status', { signal }),
    enabled: namespace === undefined,
    refetchInterval: usePrecaution(),
  });
  const refused = status.error instanceof ApiError && status.error.status === FORBIDDEN;
  const summary = useSummary(namespace !== undefined || refused);
  const letters = useTotal('v1/dlq/entries', 'dlq:read', namespace !== undefined || refused);
  const approvals = useApprovals();
  const some = namespace === undefined && !refused ? status.data?.attention : ofSummary(summary.data, letters);
  const needs = useNeedRows({ ...some, approvals: approvals.count }, approvals.more);
  const error = refused ? summary.error : (status.error ?? summary.error);
  return { needs, error, loading: some === undefined };
}

/** The summary of the chosen namespace. */
export function useSummary(enabled = true) {
  const namespace = useNamespace();
  return useQuery({
    queryKey: ['summary', namespace],
    queryFn: ({ signal }) => ask<Summary>('v1/summary', { query: { namespace }, signal }),
    enabled,
    refetchInterval: usePolling(SLOWLY_MS),
    placeholderData: keepPreviousData,
  });
}

function ofSummary(summary: Summary | undefined, letters: number): Attention | undefined {
  if (!summary) return undefined;
  return {
    blocked: summary.states.blocked_by_failures ?? 0,
    unserved: summary.unserved.steps,
    dead_letters: letters,
  };
}

function useTotal(path: string, permission: string, enabled: boolean): number {
  const namespace = useNamespace();
  const missing = useMissing();
  const { data } = useQuery({
    queryKey: ['total', path, namespace],
    queryFn: ({ signal }) => ask<{ total: number }>(path, { query: { namespace, limit: 1 }, signal }),
    enabled: enabled && missing(permission) === undefined,
    refetchInterval: usePolling(SLOWLY_MS),
  });
  return data?.total ?? 0;
}

/** Counts the open approvals, up to one page. */
function useApprovals(): { count: number; more: boolean } {
  const namespace = useNamespace();
  const missing = useMissing();
  const { data } = useQuery({
    queryKey: ['approvals', namespace],
    queryFn: ({ signal }) =>
      ask<{ approvals: unknown[]; next_cursor: string | null }>('v1/approvals', {
        query: { namespace, limit: 100 },
        signal,
      }),
    enabled: missing('approvals:read') === undefined,
    refetchInterval: usePolling(SLOWLY_MS),
  });
  return { count: data?.approvals.length ?? 0, more: (data?.next_cursor ?? null) !== null };
}

const plural = (count: number, one: string, many: string) => (count === 1 ? one : many);

function useNeedRows(attention: Attention, moreApprovals: boolean): Need[] {
  const link = useLinks();
  const { blocked = 0, unserved = 0, stale = 0, dead_letters: letters = 0, approvals = 0 } = attention;
  const { dead_deliveries: deliveries = 0, late_timers: timers = 0, late_schedules: schedules = 0 } = attention;
  const bad = { state: 'error', hue: 'red' } as const;
  const slow = { state: 'waiting', hue: 'amber' } as const;
  const needs: Need[] = [
    {
      ...bad,
      count: blocked,
      text: `${plural(blocked, 'task is', 'tasks are')} blocked by a failed step`,
      // Includes waiting tasks with a failed step.
      to: link('tasks', { state: 'blocked_by_failures,waiting', step_state: 'error' }),
    },
    {
      ...bad,
      count: unserved,
      text: `${plural(unserved, 'step has', 'steps have')} no worker that can run ${plural(unserved, 'it', 'them')}`,
      to: link('queues'),
    },
    {
      ...bad,
      count: letters,
      text: `${plural(letters, 'dead letter waits', 'dead letters wait')} for an investigation`,
      to: link('dead-letters'),
    },
    {
      ...bad,
      count: deliveries,
      text: `${plural(deliveries, 'event', 'events')} could not be delivered`,
      to: link('events', { view: 'dead' }),
    },
    {
      ...slow,
      count: stale,
      text: `${plural(stale, 'task exceeds', 'tasks exceed')} a limit of ${plural(stale, 'its', 'their')} lifecycle`,
      to: link('tasks', { stale: 'true' }),
    },
    {
      ...slow,
      count: timers,
      text: `${plural(timers, 'timer is', 'timers are')} late`,
      to: link('tasks', { state: 'waiting' }),
    },
    {
      ...slow,
      count: schedules,
      text: `${plural(schedules, 'schedule is', 'schedules are')} late`,
      to: link('schedules'),
    },
    {
      count: approvals,
      more: moreApprovals,
      state: 'waiting',
      hue: 'violet',
      text: `${plural(approvals, 'task waits', 'tasks wait')} for a decision`,
      to: link('approvals'),
    },
  ];
  return needs.filter(({ count }) => count > 0);
}
