import type * as contract from './contract.ts';

// The names under which the types of the contract are exported.

/** The body of `POST /v1/tasks`. */
export type TaskRequestBody = contract.TaskRequest;

/** A task with its steps. In lists, `steps` is empty. */
export type TaskResponse = contract.TaskResponse;
/** How a request to create a task was answered. */
export type CreationAnswer = Pick<contract.CreatedTask, 'created' | 'outcome' | 'rule' | 'replaced_task_uuid'>;

/** A page of tasks. */
export type TaskListResponse = contract.TaskListResponse;

/** The position of a page, and the cursor of the next page. */
export type TaskPagination = contract.TaskListResponse['pagination'];

/** The filters and the page of a task list. `state` takes several states, separated by commas. */
export type TaskListQuery = NonNullable<Parameters<contract.TasksVerbs['list']>[0]>;

/** A step in a task, with its readiness. */
export type StepReadinessStatus = contract.TaskResponse['steps'][number];

/** A step with its results. */
export type StepResponse = contract.StepResponse;

/** The outcome of an attempt at a step. */
export type StepAuditResponse = contract.StepAuditResponse;

/** An action of an operator on a step. */
export type StepAction = contract.StepManualAction;

/** A task, its template and its steps without contents. */
export type TaskSummaryResponse = contract.TaskSummaryResponse;

/** The registered templates. */
export type TemplateListResponse = contract.TemplateListResponse;

/** A template. */
export type TemplateDetailResponse = contract.TemplateDetailResponse;

/** A dead letter. */
export type DlqEntry = contract.DlqEntry;

/** A change to a dead letter. */
export type DlqChange = contract.DlqInvestigationUpdate;

/** The response to a change of a dead letter. */
export type DlqChanged = contract.UpdateInvestigationResponse;

/** The dead letters with one reason. */
export type DlqStats = contract.DlqStats;

/** An open dead letter, with its priority. */
export type DlqQueueEntry = contract.DlqInvestigationQueueEntry;

/** An open task with lifecycle limits. */
export type Staleness = contract.StalenessMonitoring;

/** Counts, rates and durations. */
export type PerformanceMetrics = contract.PerformanceMetrics;

/** The slowest steps and templates. */
export type BottleneckAnalysis = contract.BottleneckAnalysis;

/** The response to a liveness check. */
export type Health = { status: 'healthy'; timestamp: string };

/** The response to a readiness check, with the state of every part. */
export type ReadyHealth = contract.ServerReady;

/** The state of every part of the server. */
export type DetailedHealth = contract.ServerDetailedHealth;

/** A dead letter, as the command line shows it. */
export type DeadLetterRow = contract.DeadLetterRow;

/** A page of dead letters. */
export type DeadLetterPage = contract.DeadLetterPage;

/** The parent and the children of a task. */
export type TaskFamily = contract.TaskFamily;

/** The results that reruns replaced, and the copies of a task. */
export type TaskRuns = contract.TaskRuns;

/**
 * The reason of an action, and its actor. With a credential, the server records the subject of the credential, and
 * keeps `by` as a remark.
 */
export type Act = contract.Act;

/** The reasons why the steps of a task are in their states. */
export type TaskExplanation = contract.TaskExplanation;

/** The steps of a task and their dependencies, with states and times. */
export type TaskGraph = contract.TaskGraph;

/** The spans of time in which each step of a task was queued, running or waiting. */
export type TaskTimeline = contract.TaskTimeline;

/** An attempt, or an action of an operator. */
export type TaskHistoryEntry = contract.HistoryEntry;

/** The last wait of a step. */
export type TaskWait = contract.TaskWait;

/** The result of activating a version of a template. */
export type ActivationInfo = contract.Activation;

/** A pause of a task, a template or a namespace. */
export type PauseInfo = contract.Pause;

/** The result of pausing or resuming. */
export type PauseOutcome = contract.PauseResult;

/** The steps that run again. */
export type RerunOutcome = contract.Rerun;

/** The copy of a task. */
export type TaskCopy = contract.TaskCopy;

/** A step after an action. */
export type ActedStep = contract.ActedStep;

/** A step that a search found. */
export type FoundStepInfo = contract.FoundStep;

/** A signal to a task. */
export type SignalRequest = contract.SignalRequest;

/** A signal to the tasks with a correlation id, or to the task with a key. */
export type TargetedSignalRequest = contract.TargetedSignalRequest;

/** The receipts of a signal. */
export type SentSignalInfo = contract.SentSignal;

/** A signal, with its outcome. */
export type SignalInfo = contract.Signal;

/** A signal of a task. */
export type TaskSignalInfo = contract.TaskSignals['signals'][number];

/** An approval, with its votes. */
export type ApprovalInfo = contract.Approval;

/** The use of a completion token. */
export type TokenUse = contract.TokenUse;

/** A schedule, with its next due times and last outcomes. */
export type ScheduleInfo = contract.Schedule;

/** A schedule to create. */
export type ScheduleRequest = contract.ScheduleRequest;

/** Settings of a schedule to change. Null removes a setting. */
export type ScheduleChanges = contract.ScheduleChange;

/** A due time of a backfill. */
export type BackfilledDue = contract.BackfilledDue;

/** A durable event. */
export type DomainEventInfo = contract.DomainEvent;

/** A group that receives events. */
export type EventGroupInfo = contract.EventGroup;

/** A delivery that was abandoned. */
export type DeadDeliveryInfo = contract.DeadDelivery;

/** A dead letter with the keys of the command line. */
export type DeadLetterInfo = contract.DeadLetterDetails;

/** A task that left the dead letters. */
export type RedriveOutcome = contract.Redrive;

/** A bulk action to begin. Pass exactly one of `filter`, `ids` and `steps`. */
export type BulkActRequest = contract.BulkActRequest;

/** A preview of a bulk action. */
export type BulkActPreview = contract.BulkActPreview;

/** A bulk action that has begun. */
export type StartedBulkAct = contract.StartedBulkAct;

/** A bulk action. */
export type BulkActInfo = contract.BulkAct;

/** A bulk action, with the items that were skipped or failed. */
export type BulkActReport = contract.BulkReport;

/** An action in the audit. */
export type AuditEntryInfo = contract.AuditEntry;

/** A worker. */
export type WorkerInfo = contract.Worker;

/** A worker with its running steps. */
export type WorkerDetails = contract.WorkerDetails;

/** A worker that was resumed. */
export type ChangedWorker = contract.ChangedWorker;

/** A worker that was asked to drain. */
export type DrainingWorker = contract.DrainedWorker;

/** The queue of a namespace. */
export type QueueInfo = contract.Queue;

/** The state of the installation. */
export type InstallationStatus = contract.Status;

/** Numbers of tasks by template and state, and groups of failures. */
export type TasksSummary = contract.Summary;

/** Rates, durations and queueing times. */
export type Statistics = contract.Statistics;

/** The last prune. */
export type PruneInfo = contract.Prune;

/** A mistake in a template. */
export type TemplateProblemInfo = contract.TemplateProblem;

/** An API key, without its secret. */
export type ApiKeyInfo = contract.ApiKey;

/** A new API key. The server cannot show it again. */
export type NewApiKey = contract.CreatedApiKey;

/** The caller and its permissions. */
export type Me = contract.Me;

/** A browser session. */
export type BrowserSession = contract.Session;

/** A browser session in a list, without the secret of its cookie. */
export type BrowserSessionInfo = contract.BrowserSessionInfo;

/** The conditions of a search for tasks or steps. */
export type SearchQuery = contract.TaskConditions;

/** The lines that the handler of a step logged in an attempt. */
export type StepLog = contract.StepLogs['logs'][number];

/** A handler that templates name. */
export type HandlerInfo = contract.HandlerList['handlers'][number];

/** The page of a dead-letter list. */
export type DlqListQuery = NonNullable<Parameters<contract.DeadLettersVerbs['list']>[0]>;

/** The conditions of a search for dead letters. */
export type DlqSearchQuery = NonNullable<Parameters<contract.DeadLettersVerbs['search']>[0]>;
