import './config/require-node.ts';

export { type CreateTaskerOptions, createTasker } from './app/create-tasker.ts';
export type * from './app/operator-types.ts';
export type { DrainedWorker, DrainOptions } from './app/overview/drain.ts';
export type { QueueFlow } from './app/overview/queue-flow.ts';
export type { QueueCount, QueueInfo, QueueListOptions, UnservedReason, UnservedSteps } from './app/overview/queues.ts';
export type { AttentionCount, NamespaceQueue, TaskerStatus } from './app/overview/status.ts';
export type {
  ExportedStep,
  OmittedPart,
  TaskExport,
  TaskExportOptions,
  TaskExportPart,
} from './app/overview/task-export.ts';
export type {
  FailureGroup,
  StateCounts,
  StepGroups,
  SummaryOptions,
  TaskSummary,
  TemplateCounts,
} from './app/overview/task-summary.ts';
export type { UnservedGroup } from './app/overview/unserved.ts';
export type { UnservedHandler } from './app/overview/unserved-handlers.ts';
export type {
  MissingHandler,
  RunningStep,
  WorkerDetails,
  WorkerInfo,
  WorkerListOptions,
  WorkerState,
} from './app/overview/workers.ts';
export {
  bootstrapWorker,
  getRustVersion,
  getVersion,
  getWorkerStatus,
  healthCheck,
  isWorkerRunning,
  stopWorker,
  transitionToGracefulShutdown,
  type WorkerStatus,
} from './app/process/bootstrap-worker.ts';
export { getTaskerClient } from './app/process/process-client.ts';
export { FfiLayer, type FfiLayerConfig, getFfiLayer } from './app/process/process-module.ts';
export { ShutdownController, type ShutdownHandler } from './app/process/shutdown-controller.ts';
export type { BootstrapResult, StopResult } from './app/process/worker-system.ts';
export { HandlerSystem } from './app/project/handler-system.ts';
export { type PruneOptions, readArchive } from './app/retention.ts';
export type { WebOptions, WorkerServerConfig } from './app/server/server-config.ts';
export {
  type ComponentHealth,
  getHealthCheck,
  getMetrics,
  getWorkerConfig,
  type HealthCheck,
  type WorkerConfig,
  type WorkerMetrics,
} from './app/server/worker-reports.ts';
export {
  type ServerHealthCheckResult,
  type ServerState,
  type ServerStatus,
  type ShutdownOptions,
  WorkerServer,
} from './app/server/worker-server.ts';
export type * from './app/streams/stream-types.ts';
export type { TaskRequestOf, TaskTypes } from './app/task-types.ts';
export type {
  ListOptions,
  RunOptions,
  Tasker,
  TaskHandle,
  TaskSnapshot,
  WaitOptions,
  WorkflowTaskOptions,
} from './app/tasker.ts';
export type { BulkOptions, TaskerBulk } from './app/tasker-bulk.ts';
export type { TaskerEvents, WatchEventsOptions } from './app/tasker-events.ts';
export type { Explanation, StepExplanation } from './app/why.ts';
export { TaskerClientError } from './client/client-errors.ts';
export type * from './client/described-types.ts';
export { TaskerClient } from './client/tasker-client.ts';
export { BootstrapConfig } from './config/bootstrap-config.ts';
export type { ConfigName, TaskerConfig } from './config/config-keys.ts';
export type { ConfigProblem } from './config/config-problem.ts';
export {
  type ConfigOverrides,
  type ConfigSource,
  type LoadConfigOptions,
  type LoadedConfig,
  loadConfig,
} from './config/load-config.ts';
export type { LogFilter, LogLevel } from './config/log-filter.ts';
export type { RetentionRuleConfig } from './config/retention-config.ts';
export type { ListenAddress } from './config/value-forms.ts';
export type { WebhookConfig } from './config/webhook-config.ts';
export type { UserClient } from './db/user-client.ts';
export type {
  Analytics,
  AnalyticsOptions,
  AnalyticsPoint,
  AnalyticsSort,
  Durations,
  OpenTasks,
  StepAnalytics,
  StepNumbers,
  TaskNumbers,
  TemplateAnalytics,
} from './engine/analytics/statistics.ts';
export type { AuditEntry, AuditFilter, AuditPage, AuditPageOptions } from './engine/audit.ts';
export type { BulkAct, BulkPreview, BulkProgress, BulkSample } from './engine/bulk/bulk-act.ts';
export type { BulkReport, BulkSummary } from './engine/bulk/bulks.ts';
export type { BulkStep, BulkTarget } from './engine/bulk/targets.ts';
export type { CreateOptions, CreationOutcome, TaskRequest } from './engine/create-task.ts';
export type { EventEnvelope } from './engine/events/envelope.ts';
export type {
  DeadDelivery,
  DeadReference,
  EventGroup,
  EventReplay,
  EventReplayProgress,
} from './engine/events/groups.ts';
export type { LoggedEvent } from './engine/events/logged-event.ts';
export type { EventFilter } from './engine/events/search.ts';
export type { DynamicLimits } from './engine/expansion.ts';
export type { OperatorOptions } from './engine/operator-actions.ts';
export type { CopyOptions } from './engine/rerun/copy-task.ts';
export type { EarlierRun, RerunOptions, RerunStep, TaskRerun } from './engine/rerun/rerun.ts';
export type { ArchiveDamage } from './engine/retention/archive-format.ts';
export type { ArchivedRow, ArchivedTask } from './engine/retention/archived-task.ts';
export type { SkipReason } from './engine/retention/chunk.ts';
export type { PruneFilter } from './engine/retention/plan.ts';
export type {
  PruneAct,
  PruneGroup,
  PrunePreview,
  PruneProgress,
  PruneReport,
} from './engine/retention/prune-act.ts';
export type { RestoreAct, RestoreOptions, RestoreProgress, RestoreReport } from './engine/retention/restore.ts';
export type { AttemptLog, StepLogLine } from './engine/step-logs.ts';
export type {
  AttemptCalls,
  EventProblem,
  HistoryEntry,
  StaleNote,
  Step,
  StepError,
  StepExecutionResult,
  StepState,
  Task,
  TaskState,
} from './engine/task-view.ts';
export type { UndoStep } from './engine/undo/plan.ts';
export type { TaskUndo, UndoOptions } from './engine/undo/undo.ts';
export {
  ERRORS,
  type ErrorCode,
  FFIError,
  type FFIErrorOptions,
  isTaskerError,
  TaskerError,
  type TaskerErrorOptions,
  WorkerAlreadyRunningError,
  WorkerBootstrapError,
  WorkerNotInitializedError,
} from './errors.ts';
export type {
  DeliveryContext,
  EventConsumer,
  StopOptions as SubscriberStopOptions,
} from './events/delivery/event-consumer.ts';
export type { HookAnswer, NowOrLater } from './events/delivery/in-order.ts';
export { BasePublisher, type PublisherClass } from './events/publishing/base-publisher.ts';
export { DefaultPublisher } from './events/publishing/default-publisher.ts';
export type { EventDeclaration } from './events/publishing/event-declaration.ts';
export type { PublishContext } from './events/publishing/publish-by-hand.ts';
export {
  DuplicatePublisherError,
  PublisherNotFoundError,
  PublisherValidationError,
  RegistryFrozenError,
} from './events/publishing/publisher-errors.ts';
export { PublisherRegistry, type PublisherRegistryOptions } from './events/publishing/publisher-registry.ts';
export {
  createStepEventContext,
  type FromStepContextOptions,
  fromStepContext,
  type StepEventContext,
  type StepEventContextInit,
  type StepResult,
} from './events/publishing/step-event-context.ts';
export { type RabbitmqSinkOptions, rabbitmqSink } from './events/sinks/rabbitmq-sink.ts';
export type { SinkOptions } from './events/sinks/sink-options.ts';
export { type WebhookSinkOptions, webhookSink } from './events/sinks/webhook-sink.ts';
export { BaseSubscriber, type SubscriberClass } from './events/subscribing/base-subscriber.ts';
export { type DefineSubscriberOptions, defineSubscriber } from './events/subscribing/define-subscriber.ts';
export {
  createDomainEvent,
  type DomainEvent,
  type DomainEventInit,
  type DomainEventMetadata,
  type EventExecutionResult,
  type InProcessDomainEvent,
} from './events/subscribing/domain-event.ts';
export {
  createFfiPollAdapter,
  type DomainEventModule,
  ffiEventToDomainEvent,
  type NapiDomainEvent,
  type NapiDomainEvent as FfiDomainEvent,
  type NapiDomainEventMetadata,
} from './events/subscribing/ffi-domain-event.ts';
export {
  type DomainEventErrorCallback,
  type DomainEventPollerConfig,
  InProcessDomainEventPoller,
  type PollerStats,
} from './events/subscribing/in-process-poller.ts';
export type {
  DomainEventCallback,
  EventDelivery,
  InProcessEventSource,
  SubscriberDelivery,
} from './events/subscribing/subscriber.ts';
export {
  SubscriberRegistry,
  type SubscriberRegistryOptions,
  type SubscriberStats,
} from './events/subscribing/subscriber-registry.ts';
export { SubscriberResult } from './events/subscribing/subscriber-result.ts';
export { type APICapable, APIMixin, type ApiDefaults, ApiHandler, applyAPI } from './handlers/api/api-mixin.ts';
export type { HttpClient } from './handlers/api/api-request.ts';
export { ApiResponse, type ApiResponseContent } from './handlers/api/api-response.ts';
export type { ApiFailureOptions } from './handlers/api/api-results.ts';
export { type ApiHandlerArgs, type ApiHandlerOptions, defineApiHandler } from './handlers/api/define-api-handler.ts';
export type {
  ApiBodyOptions,
  ApiRequestOptions,
  RequestHeaders,
  RequestParams,
} from './handlers/api/request-options.ts';
export type { BatchAggregationResult, BatchAggregationScenario } from './handlers/batch/aggregation.ts';
export { aggregateBatchResults, detectAggregationScenario } from './handlers/batch/aggregation.ts';
export {
  type BatchAnalysis,
  type BatchAnalyzerOutcome,
  batchAnalyzerSuccess,
} from './handlers/batch/analyzer-result.ts';
export {
  type BatchProcessingOutcome,
  type CreateBatchesOutcome,
  createBatches,
  isCreateBatches,
  isNoBatches,
  type NoBatchesOutcome,
  noBatches,
} from './handlers/batch/batch-processing-outcome.ts';
export {
  type BatchMetadata,
  BatchWorkerContext,
  createBatchWorkerContext,
  type FailureStrategy,
  getBatchContext,
  handleNoOpWorker,
  type RustBatchWorkerInputs,
} from './handlers/batch/batch-worker-context.ts';
export type { BatchableResult } from './handlers/batch/batchable-mixin.ts';
export { applyBatchable, Batchable, BatchableMixin, BatchableStepHandler } from './handlers/batch/batchable-mixin.ts';
export { type Checkpoint, checkpointYield } from './handlers/batch/checkpoint-yield.ts';
export type { BatchWorkerConfig, RustCursorConfig } from './handlers/batch/cursor-config.ts';
export {
  CursorConfig,
  createCursorConfig,
  createCursorConfigs,
  createCursorRanges,
} from './handlers/batch/cursor-config.ts';
export { BatchConfig, defineBatchAnalyzer } from './handlers/batch/define-batch-analyzer.ts';
export { defineBatchWorker } from './handlers/batch/define-batch-worker.ts';
export { defineConvergence } from './handlers/batch/define-convergence.ts';
export {
  type BatchWork,
  type BatchWorkerOutcome,
  batchWorkerPartialFailure,
  batchWorkerSuccess,
} from './handlers/batch/worker-result.ts';
export {
  type CreateStepsOptions,
  Decision,
  DecisionPointOutcome,
  DecisionType,
  type NoBranchesOptions,
} from './handlers/decision/decision.ts';
export {
  applyDecision,
  type DecisionCapable,
  DecisionHandler,
  DecisionMixin,
} from './handlers/decision/decision-mixin.ts';
export { type DecisionReturn, defineDecisionHandler } from './handlers/decision/define-decision-handler.ts';
export { defineHandler } from './handlers/define-handler.ts';
export { type DependencyResult, type DependencyResultParams, dependencyResult } from './handlers/dependency-result.ts';
export {
  type ErrorClassification,
  ErrorClassifier,
  getClassifier,
  isPermanent,
  isRetryable,
} from './handlers/failures/error-classifier.ts';
export {
  AuthenticationError,
  AuthorizationError,
  BusinessLogicError,
  ConfigurationError,
  ConversionError,
  ErrorType,
  type FixedErrorOptions,
  isStandardErrorType,
  isStepExecutionError,
  isTypicallyRetryable,
  NetworkError,
  NotFoundError,
  PermanentError,
  RateLimitError,
  ResourceContentionError,
  RetryableError,
  ServiceUnavailableError,
  StepExecutionError,
  type StepExecutionErrorJson,
  type StepExecutionErrorOptions,
  StepTimeoutError,
  StepTimeoutError as TimeoutError,
  StepValidationError,
  StepValidationError as ValidationError,
} from './handlers/failures/handler-errors.ts';
export type {
  FfiDependencyResult as NapiDependencyResult,
  FfiStepDefinition as NapiStepDefinition,
  FfiStepEvent,
  FfiStepEvent as NapiStepEvent,
  FfiTaskInfo as NapiTaskInfo,
  FfiWorkflowStep as NapiWorkflowStep,
} from './handlers/ffi-step-event.ts';
export type { HandlerArgs, HandlerFn } from './handlers/handler-arguments.ts';
export type { HandlerOptions } from './handlers/handler-of-function.ts';
export { completeLater, notYet, untilTasksEnd } from './handlers/later.ts';
export type {
  BackoffHint as NapiBackoffHint,
  OrchestrationMetadata as NapiOrchestrationMetadata,
} from './handlers/orchestration-metadata.ts';
export { type StepCheckpoint, StepContext, type TypedStepContext } from './handlers/step-context.ts';
export type {
  CheckpointProgress,
  StepContextParams,
  TransactionClient,
  TransactionWork,
} from './handlers/step-context-params.ts';
export {
  type ExecutableHandler,
  type HandlerIsolation,
  isStepHandlerResult,
  StepHandler,
  type StepHandlerClass,
  StepHandlerResult,
  type StepHandlerResultParams,
  type TypedHandlerClass,
} from './handlers/step-handler.ts';
export type {
  ChildTaskContext,
  ChildTaskStart,
  CompleteLaterOptions,
  NotYetOptions,
  StartedTask,
  StartTaskOptions,
  StepWait,
  TemplateReference,
  UntilTasksEndOptions,
} from './handlers/step-wait.ts';
export type { Undone, UndoneError, UndoneParams } from './handlers/undone.ts';
export { type MixedClass, type Mixin, withMixins } from './handlers/with-mixins.ts';
export type { AnyLogger, MessageLogger } from './logging/any-logger.ts';
export {
  createLogger,
  type FieldsLogger,
  type LogFields,
  type LogFields as FfiLogFields,
  logDebug,
  logError,
  logInfo,
  logTrace,
  logWarn,
  setLogger,
} from './logging/log.ts';
export { LogContext } from './logging/log-context.ts';
export { type Logger, silentLogger } from './logging/logger.ts';
export type { MetricsRegistry, MetricsReport, MetricValue } from './metrics/metrics.ts';
export type { BaseResolver, Registrable, ResolvedHandler, ResolverConfig } from './registry/base-resolver.ts';
export { type CheckedTemplate, checkHandlers, type HandlerProblem } from './registry/check-handlers.ts';
export { type ClassLookupOptions, ClassLookupResolver } from './registry/class-lookup-resolver.ts';
export {
  type DiscoveredFile,
  type DiscoverOptions,
  type Discovery,
  discoverHandlers,
} from './registry/discover-handlers.ts';
export {
  ExplicitMappingResolver,
  type HandlerEntry,
  type HandlerFactory,
} from './registry/explicit-mapping-resolver.ts';
export {
  effectiveMethod,
  fromCallable,
  fromDto,
  type HandlerDefinition,
  type HandlerDefinitionDto,
  type HandlerSpec,
  hasResolverHint,
  normalizeToDefinition,
  usesMethodDispatch,
} from './registry/handler-definition.ts';
export { HandlerRegistry, type HandlerRegistryOptions, type RegistryInfo } from './registry/handler-registry.ts';
export { MethodDispatchWrapper } from './registry/method-dispatch.ts';
export { RegistryResolver, type RegistryResolverStatic } from './registry/registry-resolver.ts';
export {
  MethodDispatchError,
  NoResolverMatchError,
  ResolutionError,
  type ResolutionErrorOptions,
  ResolverNotFoundError,
} from './registry/resolution-errors.ts';
export { ResolverChain, type ResolverInfo } from './registry/resolver-chain.ts';
export { mermaidOf } from './template/mermaid.ts';
export { formatProblem, mustParseTemplate, parseTemplate, type TemplateProblem } from './template/parse-template.ts';
export type { StepTemplate, TaskTemplate } from './template/task-template.ts';
export { type BridgeEventName, type BridgeListener, EventBridge } from './worker/bridge/event-bridge.ts';
export { TaskerEventEmitter } from './worker/bridge/event-emitter.ts';
export {
  type EventName,
  EventNames,
  type MetricsEventName,
  MetricsEventNames,
  type PollerEventName,
  PollerEventNames,
  type StepEventName,
  StepEventNames,
  type WorkerEventName,
  WorkerEventNames,
} from './worker/bridge/event-names.ts';
export type {
  BridgeEventMap,
  MetricsPayload,
  PollerCyclePayload,
  StepCheckpointYieldSentPayload,
  StepCompletionSentPayload,
  StepExecutionCompletedPayload,
  StepExecutionFailedPayload,
  StepExecutionReceivedPayload,
  StepExecutionStartedPayload,
  TaskerEventMap,
  WorkerErrorPayload,
  WorkerEventPayload,
} from './worker/bridge/event-payloads.ts';
export {
  createEventPoller,
  type ErrorCallback,
  EventPoller,
  type EventPollerConfig,
  type EventPollerOptions,
  type MetricsCallback,
  type PollerState,
  type StepEventCallback,
} from './worker/bridge/event-poller.ts';
export { EventSystem, type EventSystemConfig, type EventSystemStats } from './worker/bridge/event-system.ts';
export type {
  NapiCheckpointYieldData,
  NapiStepExecutionError,
  NapiStepExecutionMetadata,
  NapiStepExecutionResult,
} from './worker/bridge/execution-result.ts';
export type {
  FfiBootstrapConfig,
  FfiBootstrapResult,
  FfiWorkerStatus,
  FfiWorkerStatus as FfiStopResult,
  NapiModule,
  StepEventSource,
  StepResultSink,
} from './worker/bridge/napi-module.ts';
export {
  StepExecutionSubscriber,
  type StepExecutionSubscriberConfig,
  type StepExecutionSubscriberOptions,
} from './worker/bridge/step-execution-subscriber.ts';
export type {
  FfiDispatchMetrics,
  FfiDispatchMetrics as NapiDispatchMetrics,
} from './worker/dispatch-channel.ts';
export type { ElementSteps } from './workflow/element-steps.ts';
export { type AnyWorkflow, Workflow, workflow } from './workflow/workflow.ts';
export type {
  Above,
  AddedStep,
  ChildContext,
  ChildOptions,
  ChildResult,
  Deciding,
  ElementArguments,
  ForEachOptions,
  HandledBy,
  InputOf,
  IsOptional,
  Json,
  ListResult,
  OutputOf as WorkflowOutput,
  PayloadSchema,
  PayloadSchemas,
  ResultOf,
  Results,
  RunArguments,
  SignalResult,
  SignalSettings,
  StepInfo,
  StepInfos,
  StepOptions,
  SureAt,
  SureInOutput,
  UndoArguments,
  UndoSettings,
  UniqueSettings,
  WorkflowOptions,
} from './workflow/workflow-types.ts';
