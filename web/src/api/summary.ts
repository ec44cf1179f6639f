import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNamespace } from '../frame/namespace.ts';
import { api } from './client.ts';

/** Reads the numbers of tasks by state, and the causes that block them, in the chosen namespace. */
export function useSummary({ interval, enabled = true }: { interval: number | false; enabled?: boolean }) {
  const namespace = useNamespace();
  return useQuery({
    queryKey: ['summary', namespace],
    queryFn: ({ signal }) => api.installation.summary({ namespace }, { signal }),
    enabled,
    refetchInterval: interval,
    placeholderData: keepPreviousData,
  });
}
