import { useQuery } from '@tanstack/react-query';
import type { DeadLetterRow as Letter } from '../../../../src/client/contract.ts';
import { ask, pathOf } from '../../api/client.ts';
import { usePolling } from '../../api/polling.ts';

export type { Letter };

export interface LetterDetails extends Letter {
  task_snapshot: {
    time_in_state_minutes?: number;
    threshold_minutes?: number | null;
    steps?: {
      name: string;
      state: string;
      attempts: number;
      max_attempts: number;
      error?: string;
      error_type?: string;
    }[];
  };
  notes: { at: string; author: string; note: string }[];
}

export const REASONS: Readonly<Record<string, string>> = {
  staleness_timeout: 'Exceeded a limit',
  max_retries_exceeded: 'Out of attempts',
  dependency_cycle_detected: 'Dependency cycle',
  worker_unavailable: 'No worker',
  manual_dlq: 'Added by hand',
};
export const STATUSES: Readonly<Record<string, string>> = {
  pending: 'Open',
  manually_resolved: 'Resolved',
  permanently_failed: 'Failed permanently',
  cancelled: 'Not a problem',
  all: 'All',
};

const LETTER_MS = 5_000;

export function useLetter(id: string) {
  return useQuery({
    queryKey: ['letter', id],
    queryFn: ({ signal }) => ask<LetterDetails>(pathOf`v1/dlq/entry/${id}`, { signal }),
    refetchInterval: usePolling(LETTER_MS),
  });
}

/** Actions on an entry: `assign`, `note`, `resolve`, `redrive`. */
export function actOnLetter(id: string, act: string, body: object): Promise<unknown> {
  return ask(`${pathOf`v1/dlq/entry/${id}`}/${act}`, { method: 'POST', body });
}
