export interface Firing {
  due_at: string;
  cause: string;
  outcome: string;
  task_uuid: string | null;
  task_state: string | null;
  reason: string | null;
  at: string;
}

export interface Schedule {
  id: string;
  name: string;
  description: string | null;
  template: string;
  context: unknown;
  tags: string[];
  priority: number | null;
  cron: string | null;
  every_ms: number | null;
  timezone: string;
  jitter_ms: number;
  start: string | null;
  end: string | null;
  catch_up: string;
  overlap: string;
  on_failure: string;
  words: string;
  state: 'active' | 'paused' | 'over';
  next: string[];
  next_firing_at: string | null;
  last: Firing[];
  source: string | null;
  paused_by: string | null;
  pause_reason: string | null;
}
