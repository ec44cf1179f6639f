import { keepPreviousData, useQuery } from '@tanstack/react-query';
import type { Statistics } from '../../../../src/client/contract.ts';
import { ask } from '../../api/client.ts';
import { usePolling } from '../../api/polling.ts';
import { useNamespace } from '../../frame/namespace.ts';

export type { Durations, Statistics, StepNumbers, TaskNumbers } from '../../../../src/client/contract.ts';

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
