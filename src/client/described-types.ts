// The types of the client under the names that the original system uses, as the main entry point exports them.
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
