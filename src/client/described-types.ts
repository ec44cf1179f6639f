// The types of the client under the names of the described system, as the main entry exports them.
export type {
  CancelTaskResponse,
  ClientLayer,
  ClientModule,
  CreateTaskOptions,
  HealthCheckResponse,
  ListTasksOptions,
  NapiClientResult,
  NapiListTasksParams,
  NapiTaskRequest,
  PaginationInfo,
  TaskListing as TaskListResponse,
} from './tasker-client.ts';
export type { StepAuditResponse, StepReadinessStatus, StepResponse, TaskResponse } from './types.ts';
