import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNamespace } from '../frame/namespace.ts';
import { api } from './client.ts';

export type SummaryQuery = Parameters<typeof api.installation.summary>[0];

interface SummaryOptions {
  /** The tasks to count. Default: those of the chosen namespace. */
  conditions?: SummaryQuery;
  interval: number | false;
  enabled?: boolean;
}

/** Reads the numbers of tasks by state, and the causes that block them. */
export function useSummary({ conditions, interval, enabled = true }: SummaryOptions) {
  const namespace = useNamespace();
  const query = conditions ?? { namespace };
  return useQuery({
    queryKey: ['summary', query],
    queryFn: ({ signal }) => api.installation.summary(query, { signal }),
    enabled,
    refetchInterval: interval,
    placeholderData: keepPreviousData,
  });
}
