import type { StepError, StepResponse } from '../../../src/client/contract.ts';

// The contract describes the responses of the API.
export type {
  FailureGroup,
  HistoryEntry,
  Pause,
  Rerun,
  ServerDetailedHealth as Health,
  Status,
  StepError,
  StepLogs,
  Summary,
  TaskExplanation as Explanation,
  TaskGraph,
  TaskGraphNode as GraphNode,
  TaskHistory as History,
  TaskListResponse as TaskPage,
  TaskResponse as Task,
  TaskTimeline as Timeline,
  TemplateListResponse as Templates,
  TimelineSpan,
} from '../../../src/client/contract.ts';

/** The result of a step. The contract leaves its fields open, because a handler may add its own. */
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
export type StepDetail = Omit<StepResponse, 'results'> & { results: StepResults | null };
