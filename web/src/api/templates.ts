import { useQuery } from '@tanstack/react-query';
import { api } from './client.ts';

/** Reads all versions of all templates. `staleTime`: milliseconds for which an earlier response is used. */
export function useTemplates(staleTime: number) {
  return useQuery({
    queryKey: ['templates', undefined],
    queryFn: ({ signal }) => api.templates.list({}, { signal }),
    staleTime,
  });
}
