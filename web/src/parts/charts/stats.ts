import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { ask } from '../../api/client.ts';
import { usePolling } from '../../api/polling.ts';
import { useNamespace } from '../../frame/namespace.ts';

/** The part of the response to `GET /v1/stats` that the page uses. */
export interface Durations {
  average_ms: number | null;
  max_ms: number | null;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
}

export interface TaskNumbers {
  ended: number;
  completed: number;
  failed: number;
  error_rate: number | null;
  ended_per_hour: number;
  duration: Durations;
  slowest_task_uuid: string | null;
  last_ended_at: string | null;
}

export interface StepNumbers {
  attempts: number;
  failed: number;
  error_rate: number | null;
  attempts_per_hour: number;
  duration: Durations;
  queueing: Durations;
  slowest_task_uuid: string | null;
  last_ended_at: string | null;
}

interface Named {
  namespace: string;
  name: string;
  version: string;
}

export interface Statistics {
  tasks: TaskNumbers;
  steps: StepNumbers;
  templates: (Named & { tasks: TaskNumbers; steps: StepNumbers })[];
  slow_steps: (Named & StepNumbers & { step: string })[];
  timeline: { at: string; attempts_completed: number; attempts_failed: number }[];
  recommendations: string[];
}

const STATS_MS = 10_000;

/** Reads the statistics of the last hours, in the chosen namespace. */
export function useStats({ hours, sort = 'time', limit = 1 }: { hours: number; sort?: string; limit?: number }) {
  const namespace = useNamespace();
  return useQuery({
    queryKey: ['stats', hours, namespace, sort, limit],
    queryFn: ({ signal }) =>
      ask<Statistics>('v1/stats', { query: { since: `${hours}h`, sort, limit, namespace }, signal }),
    refetchInterval: usePolling(hours === 1 ? STATS_MS : 3 * STATS_MS),
    placeholderData: keepPreviousData,
  });
}
