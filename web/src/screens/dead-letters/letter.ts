import { useQuery } from '@tanstack/react-query';
import { api } from '../../api/client.ts';
import { usePolling } from '../../api/polling.ts';

/** The conditions of the list. */
export type LetterQuery = NonNullable<Parameters<typeof api.deadLetters.search>[0]>;

export const REASONS = {
  staleness_timeout: 'Exceeded a limit',
  max_retries_exceeded: 'Out of attempts',
  dependency_cycle_detected: 'Dependency cycle',
  worker_unavailable: 'No worker',
  manual_dlq: 'Added by hand',
} as const satisfies Record<NonNullable<LetterQuery['dlq_reason']>, string>;
export const STATUSES = {
  pending: 'Open',
  manually_resolved: 'Resolved',
  permanently_failed: 'Failed permanently',
  cancelled: 'Not a problem',
  all: 'All',
} as const satisfies Record<NonNullable<LetterQuery['status']>, string>;

const LETTER_MS = 5_000;

export function useLetter(id: string) {
  return useQuery({
    queryKey: ['letter', id],
    queryFn: ({ signal }) => api.deadLetters.get(id, { signal }),
    refetchInterval: usePolling(LETTER_MS),
  });
}
