import type { z } from '@hono/zod-openapi';
import type {
  ActedStepSchema,
  ActivationSchema,
  CopySchema,
  PauseResultSchema,
  RedriveSchema,
  RerunSchema,
  UseSchema,
} from '../contract/schemas/acts.ts';
import type { ApprovalSchema } from '../contract/schemas/approvals.ts';
import type { PreviewSchema, StartedSchema } from '../contract/schemas/bulk-acts.ts';
import type { DeadSchema, EventSchema, GroupSchema } from '../contract/schemas/events.ts';
import type {
  CreatedSchema,
  KeySchema,
  ListedSessionSchema,
  MeSchema,
  SessionSchema,
} from '../contract/schemas/keys.ts';
import type {
  DeadLetterDetailsSchema,
  DeadLetterPageSchema,
  DeadLetterRowSchema,
  TaskRunsSchema,
} from '../contract/schemas/operators.ts';
import type { PruneSchema, StatsSchema, StatusSchema, SummarySchema } from '../contract/schemas/overview.ts';
import type { AuditSchema, BulkReportSchema, BulkSchema } from '../contract/schemas/records.ts';
import type { BackfilledSchema, ChangeSchema, ScheduleSchema, SettingsSchema } from '../contract/schemas/schedules.ts';
import type {
  SentSchema,
  SignalBody,
  SignalSchema,
  TargetedBody,
  TaskSignalsSchema,
} from '../contract/schemas/signals.ts';
import type { FoundStepSchema } from '../contract/schemas/step-search.ts';
import type {
  ExplanationSchema,
  HistoryEntrySchema,
  PauseSchema,
  WaitSchema,
} from '../contract/schemas/task-details.ts';
import type { GraphSchema, TimelineSchema } from '../contract/schemas/task-graph.ts';
import type { ProblemSchema } from '../contract/schemas/template-changes.ts';
import type {
  ChangedSchema,
  DrainedSchema,
  QueueSchema,
  WorkerDetailsSchema,
  WorkerSchema,
} from '../contract/schemas/workers.ts';

/** A dead letter, as the command line shows it. */
export type DeadLetterRow = z.output<typeof DeadLetterRowSchema>;
/** A page of dead letters. */
export type DeadLetterPage = z.output<typeof DeadLetterPageSchema>;
/** The results that reruns replaced, and the copies of a task. */
export type TaskRuns = z.output<typeof TaskRunsSchema>;

type Json = Record<string, unknown>;

/**
 * The reason of an action, and its actor. With a credential, the server records the subject of the credential, and
 * keeps `by` as a remark.
 */
export interface Act {
  reason?: string | undefined;
  by?: string | undefined;
}

/** The reasons why the steps of a task are in their states. */
export type TaskExplanation = z.output<typeof ExplanationSchema>;
/** The steps of a task and their dependencies, with states and times. */
export type TaskGraph = z.output<typeof GraphSchema>;
/** The spans of time in which each step of a task was queued, running or waiting. */
export type TaskTimeline = z.output<typeof TimelineSchema>;
/** An attempt, or an action of an operator. */
export type TaskHistoryEntry = z.output<typeof HistoryEntrySchema>;
/** The last wait of a step. */
export type TaskWait = z.output<typeof WaitSchema>;
/** The result of activating a version of a template. */
export type ActivationInfo = z.output<typeof ActivationSchema>;
/** A pause of a task, a template or a namespace. */
export type PauseInfo = z.output<typeof PauseSchema>;
/** The result of pausing or resuming. */
export type PauseOutcome = z.output<typeof PauseResultSchema>;
/** The steps that run again. */
export type RerunOutcome = z.output<typeof RerunSchema>;
/** The copy of a task. */
export type TaskCopy = z.output<typeof CopySchema>;
/** A step after an action. */
export type ActedStep = z.output<typeof ActedStepSchema>;
/** A step that a search found. */
export type FoundStepInfo = z.output<typeof FoundStepSchema>;

/** A signal to a task. */
export type SignalRequest = z.input<typeof SignalBody>;
/** A signal to the tasks with a correlation id, or to the task with a key. */
export type TargetedSignalRequest = z.input<typeof TargetedBody>;
/** The receipts of a signal. */
export type SentSignalInfo = z.output<typeof SentSchema>;
/** A signal, with its outcome. */
export type SignalInfo = z.output<typeof SignalSchema>;
/** A signal of a task. */
export type TaskSignalInfo = z.output<typeof TaskSignalsSchema>['signals'][number];
/** An approval, with its votes. */
export type ApprovalInfo = z.output<typeof ApprovalSchema>;
/** The use of a completion token. */
export type TokenUse = z.output<typeof UseSchema>;

/** A schedule, with its next due times and last outcomes. */
export type ScheduleInfo = z.output<typeof ScheduleSchema>;
/** A schedule to create. */
export type ScheduleRequest = z.input<typeof SettingsSchema> &
  Act & { paused?: boolean | undefined; if_exists?: 'error' | 'keep' | 'update' | undefined };
/** Settings of a schedule to change. Null removes a setting. */
export type ScheduleChanges = z.input<typeof ChangeSchema> & Act;
/** A due time of a backfill. */
export type BackfilledDue = z.output<typeof BackfilledSchema>;

/** A durable event. */
export type DomainEventInfo = z.output<typeof EventSchema>;
/** A group that receives events. */
export type EventGroupInfo = z.output<typeof GroupSchema>;
/** A delivery that was abandoned. */
export type DeadDeliveryInfo = z.output<typeof DeadSchema>;

/** A dead letter with the keys of the command line. */
export type DeadLetterInfo = z.output<typeof DeadLetterDetailsSchema>;
/** A task that left the dead letters. */
export type RedriveOutcome = z.output<typeof RedriveSchema>;

/** A bulk action to begin. Pass exactly one of `filter`, `ids` and `steps`. */
export interface BulkActRequest extends Act {
  action:
    | 'task_retry'
    | 'task_cancel'
    | 'task_resolve'
    | 'task_delete'
    | 'task_redrive'
    | 'step_retry'
    | 'step_reset'
    | 'step_resolve';
  /** The conditions of a task list, such as `{ error_type: 'timeout' }`. */
  filter?: Json | undefined;
  ids?: readonly string[] | undefined;
  steps?: readonly { task_uuid: string; step: string }[] | undefined;
  /** For `step_resolve`. */
  result?: unknown;
}
/** A preview of a bulk action. */
export type BulkActPreview = z.output<typeof PreviewSchema>;
/** A bulk action that has begun. */
export type StartedBulkAct = z.output<typeof StartedSchema>;
/** A bulk action. */
export type BulkActInfo = z.output<typeof BulkSchema>;
/** A bulk action, with the items that were skipped or failed. */
export type BulkActReport = z.output<typeof BulkReportSchema>;
/** An action in the audit. */
export type AuditEntryInfo = z.output<typeof AuditSchema>;

/** A worker. */
export type WorkerInfo = z.output<typeof WorkerSchema>;
/** A worker with its running steps. */
export type WorkerDetails = z.output<typeof WorkerDetailsSchema>;
/** A worker that was resumed. */
export type ChangedWorker = z.output<typeof ChangedSchema>;
/** A worker that was asked to drain. */
export type DrainingWorker = z.output<typeof DrainedSchema>;
/** The queue of a namespace. */
export type QueueInfo = z.output<typeof QueueSchema>;
/** The state of the installation. */
export type InstallationStatus = z.output<typeof StatusSchema>;
/** Numbers of tasks by template and state, and groups of failures. */
export type TasksSummary = z.output<typeof SummarySchema>;
/** Rates, durations and queueing times. */
export type Statistics = z.output<typeof StatsSchema>;
/** The last prune. */
export type PruneInfo = z.output<typeof PruneSchema>;
/** A mistake in a template. */
export type TemplateProblemInfo = z.output<typeof ProblemSchema>;

/** An API key, without its secret. */
export type ApiKeyInfo = z.output<typeof KeySchema>;
/** A new API key. The server cannot show it again. */
export type NewApiKey = z.output<typeof CreatedSchema>;
/** The caller and its permissions. */
export type Me = z.output<typeof MeSchema>;
/** A browser session. */
export type BrowserSession = z.output<typeof SessionSchema>;
/** A browser session in a list, without the secret of its cookie. */
export type BrowserSessionInfo = z.output<typeof ListedSessionSchema>;
