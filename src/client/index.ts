export type { SearchQuery, StepLog } from './act-verbs.ts';
export type * from './api-types.ts';
export { type Client, createClient } from './client.ts';
export {
  type ClientErrorFacts,
  ConflictError,
  ConnectionError,
  ForbiddenError,
  InvalidAnswerError,
  InvalidRequestError,
  NotFoundError,
  RateLimitedError,
  RequestTimeoutError,
  ServerError,
  TaskerClientError,
  UnauthorizedError,
} from './client-errors.ts';
export type { CallOptions, ClientOptions, Secret } from './client-options.ts';
export type { CreatedTask, CreateManyOptions } from './create-many.ts';
export { getTaskerClient } from './get-client.ts';
export type { NewTask } from './new-task.ts';
export type { HandlerInfo } from './operate-verbs.ts';
export type { Query, QueryValue } from './path.ts';
export type { DlqListQuery, DlqSearchQuery, Operator } from './read-verbs.ts';
export type { Listing, PageOf, PageQuery } from './send.ts';
export type { CreateTaskCall } from './task-verbs.ts';
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
  type TaskListing,
} from './tasker-client.ts';
export type {
  BottleneckAnalysis,
  DetailedHealth,
  DlqChange,
  DlqChanged,
  DlqEntry,
  DlqQueueEntry,
  DlqStats,
  Health,
  PerformanceMetrics,
  ReadyHealth,
  Staleness,
  StepAction,
  StepAuditResponse,
  StepReadinessStatus,
  StepResponse,
  TaskListQuery,
  TaskListResponse,
  TaskPagination,
  TaskRequestBody,
  TaskResponse,
  TaskSummaryResponse,
  TemplateDetailResponse,
  TemplateListResponse,
} from './types.ts';
export type { Change, ChangesOptions, ChangesQuery } from './watch-changes.ts';
export type { FollowOptions } from './watch-task.ts';
