import { useQuery } from '@tanstack/react-query';
import { ask, pathOf } from '../../api/client.ts';
import { usePolling } from '../../api/polling.ts';

/** An entry in the dead-letter queue. */
export interface Letter {
  dlq_entry_uuid: string;
  task_uuid: string;
  original_state: string;
  dlq_reason: string;
  dlq_timestamp: string;
  resolution_status: string;
  resolution_timestamp: string | null;
  resolution_notes: string | null;
  resolved_by: string | null;
  cause: string;
  assignee: string | null;
  priority: number;
  namespace_name: string;
  task_name: string;
  task_version: string;
  current_state: string | null;
  has_moved_on: boolean;
  minutes_in_dlq: number;
  priority_score: number;
  entries_of_task: number;
}

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
