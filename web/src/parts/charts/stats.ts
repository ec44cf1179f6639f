import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { api } from '../../api/client.ts';
import { usePolling } from '../../api/polling.ts';
import { useNamespace } from '../../frame/namespace.ts';

const STATS_MS = 10_000;

export type StatsQuery = NonNullable<Parameters<typeof api.installation.stats>[0]>;
type StatsOptions = Pick<StatsQuery, 'sort' | 'limit'> & { hours: number };

/** Reads the statistics of the last hours, in the chosen namespace. */
export function useStats({ hours, sort = 'time', limit = 1 }: StatsOptions) {
  const namespace = useNamespace();
  return useQuery({
    queryKey: ['stats', hours, namespace, sort, limit],
    queryFn: ({ signal }) => api.installation.stats({ since: `${hours}h`, sort, limit, namespace }, { signal }),
    refetchInterval: usePolling(hours === 1 ? STATS_MS : 3 * STATS_MS),
    placeholderData: keepPreviousData,
  });
}
