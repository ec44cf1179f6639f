// The client under the names of the described system, as the main entry exports it.
export { TaskerClientError } from './client-errors.ts';
export {
  type CancelTaskResponse,
  type ClientLayer,
  type ClientModule,
  type CreateTaskOptions,
  type HealthCheckResponse,
  type ListTasksOptions,
  type NapiClientResult,
  type NapiListTasksParams,
  type NapiTaskRequest,
  type PaginationInfo,
  TaskerClient,
  type TaskListing as TaskListResponse,
} from './tasker-client.ts';
export type { StepAuditResponse, StepReadinessStatus, StepResponse, TaskResponse } from './types.ts';
