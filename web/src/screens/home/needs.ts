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
  /** Whether the text is complete without a count. */
  isOne?: boolean;
  /** The state whose shape and color the item has. */
  state: string;
  hue: keyof typeof HUES;
  text: string;
  to: string;
}

const SLOWLY_MS = 10_000;
const FORBIDDEN = 403;

type Attention = Partial<Record<string, number>>;

/** The problems of the queue of a namespace. */
interface QueueProblems {
  workers: string[];
  draining: string[];
  lost: string[];
  hung_slots: number;
  failing_schedules: number;
}

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
  const whole = namespace === undefined && !refused;
  const queues = useQueues(!whole);
  const some = whole
    ? ofStatus(status.data)
    : summary.data && { ...ofSummary(summary.data, letters), ...ofQueues(queues) };
  // A credential with the status may not be able to list approvals.
  const waiting = Math.max(some?.approvals ?? 0, approvals.count);
  const needs = useNeedRows({ ...some, approvals: waiting }, approvals.more && waiting === approvals.count);
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

function ofStatus(status: Status | undefined): Attention | undefined {
  if (!status) return undefined;
  const { attention, workers } = status;
  const { no_worker: noWorker, ...counts } = attention;
  return { ...counts, no_worker: Number(noWorker), lost: workers.lost, hung_slots: workers.hung_slots };
}

/** The problems of the queues that the credential may see. A worker may serve several namespaces. */
function ofQueues(queues: readonly QueueProblems[]): Attention {
  const sum = (key: 'hung_slots' | 'failing_schedules') => queues.reduce((total, queue) => total + queue[key], 0);
  const served = queues.some(({ workers, draining }) => workers.length + draining.length > 0);
  return {
    no_worker: Number(queues.length > 0 && !served),
    lost: new Set(queues.flatMap(({ lost }) => lost)).size,
    hung_slots: sum('hung_slots'),
    failing_schedules: sum('failing_schedules'),
  };
}

function ofSummary(summary: Summary, letters: number): Attention {
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

/** Reads the queues that the credential may see. */
function useQueues(enabled: boolean): readonly QueueProblems[] {
  const namespace = useNamespace();
  const missing = useMissing();
  const { data } = useQuery({
    queryKey: ['queue problems', namespace],
    queryFn: ({ signal }) => ask<{ queues: QueueProblems[] }>('v1/queues', { query: { namespace }, signal }),
    enabled: enabled && missing('workers:read') === undefined,
    refetchInterval: usePolling(SLOWLY_MS),
  });
  return data?.queues ?? [];
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
  const { no_worker: noWorker = 0, lost = 0, hung_slots: hung = 0, failing_schedules: failing = 0 } = attention;
  const bad = { state: 'error', hue: 'red' } as const;
  const slow = { state: 'waiting', hue: 'amber' } as const;
  const needs: Need[] = [
    {
      ...bad,
      count: noWorker,
      isOne: true,
      text: 'No worker is alive, so no step can start',
      to: link('workers'),
    },
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
      count: hung,
      text: `${plural(hung, 'slot is', 'slots are')} held by ${plural(hung, 'a handler', 'handlers')} that did not stop when ${plural(hung, 'its', 'their')} attempt ended`,
      to: link('workers'),
    },
    {
      ...bad,
      count: lost,
      text: `${plural(lost, 'worker was', 'workers were')} lost in the last hour`,
      to: link('workers'),
    },
    {
      ...bad,
      count: failing,
      text: `${plural(failing, 'schedule fails', 'schedules fail')}: ${plural(failing, 'its', 'their')} last task failed, or could not be created`,
      to: link('schedules'),
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
