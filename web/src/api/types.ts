/** The parts of API responses that the page uses. */

export interface Step {
  workflow_step_uuid: string;
  name: string;
  current_state: string;
  dependencies_satisfied: boolean;
  ready_for_execution: boolean;
  last_failure_at: string | null;
  next_retry_at: string | null;
  attempts: number;
  max_attempts: number;
  last_attempted_at: string | null;
}

export interface Task {
  task_uuid: string;
  name: string;
  namespace: string;
  version: string;
  status: string;
  created_at: string;
  updated_at: string;
  completed_at: string | null;
  context: unknown;
  initiator: string | null;
  source_system: string | null;
  reason: string | null;
  priority: number;
  tags: string[];
  correlation_id: string;
  parent_correlation_id: string | null;
  total_steps: number;
  completed_steps: number;
  failed_steps: number;
  in_progress_steps: number;
  ready_steps: number;
  completion_percentage: number;
  steps: Step[];
  /** The start time. Null if the task is not waiting for its start. */
  starts_at: string | null;
  paused: Pause[] | null;
}

export interface TaskPage {
  tasks: Task[];
  pagination?: {
    total_count: number;
    total_is_exact?: boolean;
    next_cursor: string | null;
    previous_cursor?: string | null;
  };
}

export interface StepError {
  message: string;
  error_type?: string | null;
  backtrace?: string[] | null;
  retryable?: boolean;
  status_code?: number | null;
  context?: Record<string, unknown>;
}

export interface StepResults {
  success: boolean;
  result: unknown;
  error: StepError | null;
  metadata: {
    execution_time_ms?: number | null;
    worker_id?: string | null;
    started_at?: string | null;
    completed_at?: string | null;
    error_type?: string | null;
    [more: string]: unknown;
  };
}

/** A step with its result, from the list of the steps of a task. */
export interface StepDetail {
  step_uuid: string;
  task_uuid: string;
  name: string;
  created_at: string;
  updated_at: string;
  completed_at: string | null;
  results: StepResults | null;
  current_state: string;
  attempts: number;
  max_attempts: number;
  last_failure_at: string | null;
  next_retry_at: string | null;
  last_attempted_at: string | null;
  /** Differs from `name` for batch workers. */
  template_step_name: string;
  handler: string;
  worker: string | null;
  wait: StepWait | null;
}

/** The wait of a step in the state `waiting`. */
export interface StepWait {
  kind: 'timer' | 'signal' | 'approval' | 'completion' | 'call';
  since: string;
  until: string | null;
  settings: Record<string, unknown>;
}

/** A step in the graph of a task. */
export interface GraphNode {
  name: string;
  template_step_name: string;
  type: string;
  handler: string;
  /** Null if a decision or an analyzer may create the step. */
  state: string | null;
  attempts: number;
  max_attempts: number;
  started_at: string | null;
  completed_at: string | null;
  duration_ms: number | null;
  next_retry_at: string | null;
  wait: StepWait | null;
  error: { error_type: string | null; message: string } | null;
}

export interface TaskGraph {
  nodes: GraphNode[];
  edges: { from: string; to: string }[];
  edges_truncated: boolean;
}

export interface TimelineSpan {
  kind: 'queued' | 'running' | 'retry_wait' | 'waiting' | 'blocked';
  from: string;
  /** Null if the span has not ended. */
  to: string | null;
  attempt: number | null;
  worker: string | null;
  outcome: string | null;
  error: string | null;
}

export interface Timeline {
  created_at: string;
  completed_at: string | null;
  now: string;
  steps: { name: string; template_step_name: string; state: string; spans: TimelineSpan[] }[];
  acts: { at: string; step: string | null; what: string; who: string; why: string | null }[];
}

export interface Pause {
  scope: 'task' | 'template' | 'namespace';
  target: string;
  paused_at: string;
  paused_by: string;
  reason: string | null;
}

export interface Explanation {
  task: { paused?: Pause[] | null; starts_at: string | null };
  summary: string;
  steps: {
    step: string;
    state: string;
    why: string;
    until: string | null;
    wait: StepWait | null;
    held_by: string | null;
  }[];
}

export interface HistoryEntry {
  step: string | null;
  kind: string;
  attempt: number | null;
  rerun: number | null;
  what: string;
  to_state: string | null;
  started_at: string | null;
  at: string;
  duration_ms: number | null;
  who: string | null;
  why: string | null;
  error: StepError | null;
}

export interface History {
  entries: HistoryEntry[];
  /** Null if this is the last page. */
  next_cursor: string | null;
}

/** The steps that a rerun covers. */
export interface Rerun {
  steps: { step: string; state: string; retryable: boolean; change: 'again' | 'removed' | 'returned' }[];
}

export interface StepLogs {
  logs: {
    attempt: number;
    lines: { at: string; level: string; message: string; fields: Record<string, unknown> }[];
    /** Number of earlier lines that were dropped. */
    dropped: number;
  }[];
}

export interface FailureGroup {
  namespace: string;
  name: string;
  version: string;
  step: string;
  handler: string;
  count: number;
  error_type: string | null;
  pattern: string | null;
  error: string | null;
  task_uuid: string;
  first_at: string;
  last_at: string;
  filter: Record<string, string | boolean>;
}

export interface UnservedGroup {
  namespace: string;
  reason: string;
  handlers: string[];
  templates: string[];
  count: number;
  first_at: string;
  filter: Record<string, string>;
}

interface Groups<Group> {
  steps: number;
  more_groups: number;
  timed_out: boolean;
  groups: Group[];
}

export interface Summary {
  states: Record<string, number>;
  templates: { namespace: string; name: string; version: string; counts: Record<string, number> }[];
  failed: Groups<FailureGroup>;
  waiting_for_retry: Groups<FailureGroup>;
  unserved: Groups<UnservedGroup>;
}

export interface Status {
  at: string;
  open: Record<string, number>;
  workers: { alive: number; lost: number; slots: number; slots_used: number; hung_slots: number; at_least: string[] };
  attention: Record<string, number | boolean | string[]> & { at_least: string[] };
  pauses: Pause[];
  per_minute: { created: number; ended: number; attempts: number; failures: number; estimated: boolean };
}

export interface Templates {
  templates: { name: string; namespace: string; version: string; description: string | null; step_count: number }[];
}

export interface Health {
  status: string;
  checks: Record<string, { status: string; message?: string; duration_ms: number }>;
  info: { version: string; environment: string; schema: string; operational_state: string };
}
