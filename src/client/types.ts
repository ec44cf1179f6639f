import type { z } from '@hono/zod-openapi';
import type { BottlenecksSchema, PerformanceSchema } from '../contract/schemas/analytics.ts';
import type {
  DlqChangedSchema,
  DlqChangeSchema,
  DlqEntrySchema,
  DlqStatsSchema,
  QueueEntrySchema,
  StalenessSchema,
} from '../contract/schemas/dead-letters.ts';
import type { DetailedHealthSchema, HealthSchema, ReadySchema } from '../contract/schemas/health.ts';
import type { TaskListQuery as TaskListQuerySchema } from '../contract/schemas/task-filter.ts';
import type {
  StepActionSchema,
  StepAuditSchema,
  StepResponseSchema,
  TaskListSchema,
  TaskRequestSchema,
  TaskResponseSchema,
  TaskSummarySchema,
} from '../contract/schemas/tasks.ts';
import type { TemplateDetailSchema, TemplateListSchema } from '../contract/schemas/templates.ts';

/** The body of `POST /v1/tasks`. */
export type TaskRequestBody = z.input<typeof TaskRequestSchema>;

/** A task with its steps. In lists, `steps` is empty. */
export type TaskResponse = z.output<typeof TaskResponseSchema>;

/** A page of tasks. */
export type TaskListResponse = z.output<typeof TaskListSchema>;

/** The position of a page, and the cursor of the next page. */
export type TaskPagination = TaskListResponse['pagination'];

/** The filters and the page of a task list. `state` takes several states, separated by commas. */
export type TaskListQuery = QueryOf<z.input<typeof TaskListQuerySchema>, z.output<typeof TaskListQuerySchema>>;

/** The input and the output of a query schema. All parts are optional. */
type QueryOf<Input, Output> = {
  [Key in keyof Output]?:
    | Output[Key]
    | (Key extends keyof Input ? (unknown extends Input[Key] ? never : Input[Key]) : never);
};

/** A step in a task, with its readiness. */
export type StepReadinessStatus = TaskResponse['steps'][number];

/** A step with its results. */
export type StepResponse = z.output<typeof StepResponseSchema>;

/** The outcome of an attempt at a step. */
export type StepAuditResponse = z.output<typeof StepAuditSchema>;

/** An action of an operator on a step. */
export type StepAction = z.input<typeof StepActionSchema>;

/** A task, its template and its steps without contents. */
export type TaskSummaryResponse = z.output<typeof TaskSummarySchema>;

/** The registered templates. */
export type TemplateListResponse = z.output<typeof TemplateListSchema>;

/** A template. */
export type TemplateDetailResponse = z.output<typeof TemplateDetailSchema>;

/** A dead letter. */
export type DlqEntry = z.output<typeof DlqEntrySchema>;

/** A change to a dead letter. */
export type DlqChange = z.input<typeof DlqChangeSchema>;

/** The response to a change of a dead letter. */
export type DlqChanged = z.output<typeof DlqChangedSchema>;

/** The dead letters with one reason. */
export type DlqStats = z.output<typeof DlqStatsSchema>;

/** An open dead letter, with its priority. */
export type DlqQueueEntry = z.output<typeof QueueEntrySchema>;

/** An open task with lifecycle limits. */
export type Staleness = z.output<typeof StalenessSchema>;

/** Counts, rates and durations. */
export type PerformanceMetrics = z.output<typeof PerformanceSchema>;

/** The slowest steps and templates. */
export type BottleneckAnalysis = z.output<typeof BottlenecksSchema>;

/** The response to a liveness check. */
export type Health = z.output<typeof HealthSchema>;

/** The response to a readiness check, with the state of every part. */
export type ReadyHealth = z.output<typeof ReadySchema>;

/** The state of every part of the server. */
export type DetailedHealth = z.output<typeof DetailedHealthSchema>;
