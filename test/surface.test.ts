import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

/** The names that a file exports, in alphabetical order; `export *` would hide them. */
function exportsOf(file: string): { values: string[]; types: string[] } {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);
  const values: string[] = [];
  const types: string[] = [];
  for (const statement of source.statements) {
    if (ts.isImportDeclaration(statement) && /config\/require-node\.ts/.test(statement.moduleSpecifier.getText()))
      continue;
    if (!ts.isExportDeclaration(statement) || !statement.exportClause || !ts.isNamedExports(statement.exportClause)) {
      throw new Error(`${file} holds more than exports by name: ${statement.getText().slice(0, 80)}`);
    }
    for (const { name, isTypeOnly } of statement.exportClause.elements)
      (statement.isTypeOnly || isTypeOnly ? types : values).push(name.text);
  }
  return { values: values.sort(), types: types.sort() };
}

interface Names {
  names: string[];
  /** By reason. */
  absent: Record<string, string[]>;
}

describe('the surface', () => {
  it('of tasker-core is this list, so that every change is visible', () => {
    const { values, types } = exportsOf('src/index.ts');
    expect(values.join('\n')).toMatchInlineSnapshot(`
      "APIMixin
      ApiHandler
      ApiResponse
      AuthenticationError
      AuthorizationError
      BasePublisher
      BaseSubscriber
      BatchConfig
      BatchWorkerContext
      Batchable
      BatchableMixin
      BatchableStepHandler
      BootstrapConfig
      BusinessLogicError
      ClassLookupResolver
      ConfigurationError
      ConversionError
      CursorConfig
      Decision
      DecisionHandler
      DecisionMixin
      DecisionPointOutcome
      DecisionType
      DefaultPublisher
      DuplicatePublisherError
      ERRORS
      ErrorClassifier
      ErrorType
      EventBridge
      EventNames
      EventPoller
      EventSystem
      ExplicitMappingResolver
      FFIError
      FfiLayer
      HandlerRegistry
      HandlerSystem
      InProcessDomainEventPoller
      LogContext
      MethodDispatchError
      MethodDispatchWrapper
      MetricsEventNames
      NetworkError
      NoResolverMatchError
      NotFoundError
      PermanentError
      PollerEventNames
      PublisherNotFoundError
      PublisherRegistry
      PublisherValidationError
      RateLimitError
      RegistryFrozenError
      RegistryResolver
      ResolutionError
      ResolverChain
      ResolverNotFoundError
      ResourceContentionError
      RetryableError
      ServiceUnavailableError
      ShutdownController
      StepContext
      StepEventNames
      StepExecutionError
      StepExecutionSubscriber
      StepHandler
      StepHandlerResult
      StepTimeoutError
      StepValidationError
      SubscriberRegistry
      SubscriberResult
      TaskerError
      TaskerEventEmitter
      TimeoutError
      ValidationError
      WorkerAlreadyRunningError
      WorkerBootstrapError
      WorkerEventNames
      WorkerNotInitializedError
      WorkerServer
      aggregateBatchResults
      applyAPI
      applyBatchable
      applyDecision
      batchAnalyzerSuccess
      batchWorkerPartialFailure
      batchWorkerSuccess
      bootstrapWorker
      checkHandlers
      checkpointYield
      createBatchWorkerContext
      createBatches
      createCursorConfig
      createCursorConfigs
      createCursorRanges
      createDomainEvent
      createEventPoller
      createFfiPollAdapter
      createLogger
      createStepEventContext
      createTasker
      defineApiHandler
      defineBatchAnalyzer
      defineBatchWorker
      defineConvergence
      defineDecisionHandler
      defineHandler
      defineSubscriber
      dependencyResult
      detectAggregationScenario
      discoverHandlers
      effectiveMethod
      ffiEventToDomainEvent
      formatProblem
      fromCallable
      fromDto
      fromStepContext
      getBatchContext
      getClassifier
      getFfiLayer
      getHealthCheck
      getMetrics
      getRustVersion
      getVersion
      getWorkerConfig
      getWorkerStatus
      handleNoOpWorker
      hasResolverHint
      healthCheck
      isCreateBatches
      isNoBatches
      isPermanent
      isRetryable
      isStandardErrorType
      isStepExecutionError
      isStepHandlerResult
      isTaskerError
      isTypicallyRetryable
      isWorkerRunning
      loadConfig
      logDebug
      logError
      logInfo
      logTrace
      logWarn
      mermaidOf
      mustParseTemplate
      noBatches
      normalizeToDefinition
      parseTemplate
      rabbitmqSink
      setLogger
      silentLogger
      stopWorker
      transitionToGracefulShutdown
      usesMethodDispatch
      webhookSink
      withMixins"
    `);
    expect(types.join('\n')).toMatchInlineSnapshot(`
      "APICapable
      AnyLogger
      ApiBodyOptions
      ApiDefaults
      ApiFailureOptions
      ApiHandlerArgs
      ApiHandlerOptions
      ApiRequestOptions
      ApiResponseContent
      AttemptLog
      AuditEntry
      AuditFilter
      AuditPage
      AuditPageOptions
      BaseResolver
      BatchAggregationResult
      BatchAggregationScenario
      BatchAnalysis
      BatchAnalyzerOutcome
      BatchMetadata
      BatchProcessingOutcome
      BatchWork
      BatchWorkerConfig
      BatchWorkerOutcome
      BatchableResult
      BootstrapResult
      BridgeEventMap
      BridgeEventName
      BridgeListener
      CheckedTemplate
      Checkpoint
      CheckpointProgress
      ClassLookupOptions
      ComponentHealth
      ConfigName
      ConfigOverrides
      ConfigProblem
      ConfigSource
      CopyOptions
      CreateBatchesOutcome
      CreateOptions
      CreateStepsOptions
      CreateTaskerOptions
      DeadDelivery
      DeadReference
      DecisionCapable
      DecisionReturn
      DefineSubscriberOptions
      DeliveryContext
      DependencyResult
      DependencyResultParams
      DiscoverOptions
      DiscoveredFile
      Discovery
      DomainEvent
      DomainEventCallback
      DomainEventErrorCallback
      DomainEventInit
      DomainEventMetadata
      DomainEventModule
      DomainEventPollerConfig
      DrainOptions
      DrainedWorker
      DynamicLimits
      EarlierRun
      ErrorCallback
      ErrorClassification
      ErrorCode
      EventConsumer
      EventDeclaration
      EventDelivery
      EventEnvelope
      EventExecutionResult
      EventFilter
      EventGroup
      EventName
      EventPollerConfig
      EventPollerOptions
      EventProblem
      EventReplay
      EventReplayProgress
      EventSystemConfig
      EventSystemStats
      ExecutableHandler
      Explanation
      FFIErrorOptions
      FailureStrategy
      FfiBootstrapConfig
      FfiBootstrapResult
      FfiDispatchMetrics
      FfiDomainEvent
      FfiLayerConfig
      FfiLogFields
      FfiStepEvent
      FfiStopResult
      FfiWorkerStatus
      FieldsLogger
      FixedErrorOptions
      FromStepContextOptions
      HandlerArgs
      HandlerDefinition
      HandlerDefinitionDto
      HandlerEntry
      HandlerFactory
      HandlerFn
      HandlerIsolation
      HandlerOptions
      HandlerProblem
      HandlerRegistryOptions
      HandlerSpec
      HealthCheck
      HistoryEntry
      HookAnswer
      HttpClient
      InProcessDomainEvent
      InProcessEventSource
      ListOptions
      ListenAddress
      LoadConfigOptions
      LoadedConfig
      LogFields
      LogFilter
      LogLevel
      LoggedEvent
      Logger
      MessageLogger
      MetricValue
      MetricsCallback
      MetricsEventName
      MetricsPayload
      MetricsRegistry
      MetricsReport
      MissingHandler
      MixedClass
      Mixin
      NapiBackoffHint
      NapiCheckpointYieldData
      NapiDependencyResult
      NapiDispatchMetrics
      NapiDomainEvent
      NapiDomainEventMetadata
      NapiModule
      NapiOrchestrationMetadata
      NapiStepDefinition
      NapiStepEvent
      NapiStepExecutionError
      NapiStepExecutionMetadata
      NapiStepExecutionResult
      NapiTaskInfo
      NapiWorkflowStep
      NoBatchesOutcome
      NoBranchesOptions
      NowOrLater
      OperatorOptions
      PollerCyclePayload
      PollerEventName
      PollerState
      PollerStats
      PublishContext
      PublisherClass
      PublisherRegistryOptions
      QueueInfo
      QueueListOptions
      RabbitmqSinkOptions
      Registrable
      RegistryResolverStatic
      RequestHeaders
      RequestParams
      RerunOptions
      RerunStep
      ResolutionErrorOptions
      ResolvedHandler
      ResolverConfig
      ResolverInfo
      RunningStep
      RustBatchWorkerInputs
      RustCursorConfig
      ServerHealthCheckResult
      ServerState
      ServerStatus
      ShutdownHandler
      ShutdownOptions
      SinkOptions
      StaleNote
      Step
      StepCheckpoint
      StepCheckpointYieldSentPayload
      StepCompletionSentPayload
      StepContextParams
      StepError
      StepEventCallback
      StepEventContext
      StepEventContextInit
      StepEventName
      StepEventSource
      StepExecutionCompletedPayload
      StepExecutionErrorJson
      StepExecutionErrorOptions
      StepExecutionFailedPayload
      StepExecutionReceivedPayload
      StepExecutionResult
      StepExecutionStartedPayload
      StepExecutionSubscriberConfig
      StepExecutionSubscriberOptions
      StepExplanation
      StepHandlerClass
      StepHandlerResultParams
      StepLogLine
      StepResult
      StepResultSink
      StepState
      StepTemplate
      StopResult
      SubscriberClass
      SubscriberDelivery
      SubscriberRegistryOptions
      SubscriberStats
      SubscriberStopOptions
      Task
      TaskHandle
      TaskRequest
      TaskRequestOf
      TaskRerun
      TaskSnapshot
      TaskState
      TaskTemplate
      TaskTypes
      Tasker
      TaskerConfig
      TaskerErrorOptions
      TaskerEventMap
      TaskerEvents
      TemplateProblem
      TransactionClient
      TransactionWork
      TypedStepContext
      UnservedReason
      UnservedSteps
      WaitOptions
      WatchEventsOptions
      WebOptions
      WebhookConfig
      WebhookSinkOptions
      WorkerConfig
      WorkerDetails
      WorkerErrorPayload
      WorkerEventName
      WorkerEventPayload
      WorkerInfo
      WorkerListOptions
      WorkerMetrics
      WorkerServerConfig
      WorkerState
      WorkerStatus"
    `);
  });

  it('has each name of the existing TypeScript SDK, or docs/names.json gives the reason', () => {
    const { names, absent } = JSON.parse(readFileSync('docs/names.json', 'utf8')) as Names;
    const { values, types } = exportsOf('src/index.ts');
    const exported = new Set([...values, ...types]);
    const excused = Object.values(absent).flat();
    expect(names.filter((name) => !exported.has(name) && !excused.includes(name))).toEqual([]);
    // Exported by now: take it off the list of absent names.
    expect(excused.filter((name) => exported.has(name) || !names.includes(name))).toEqual([]);
    expect(new Set(excused).size).toBe(excused.length);
  });

  it('has every name that the page of names lists', () => {
    const page = readFileSync('docs/guide/names.md', 'utf8');
    const { values, types } = exportsOf('src/index.ts');
    const { absent } = JSON.parse(readFileSync('docs/names.json', 'utf8')) as Names;
    const known = new Set([...values, ...types, ...Object.values(absent).flat()]);
    const rows = [...page.matchAll(/^\| `([^|]+) \| (`[^|]+) \|/gm)];
    const told = rows.flatMap((row) => [...row[2]!.matchAll(/`(?:new )?(\w+)/g)].map((name) => name[1]!));
    expect(told.length).toBeGreaterThan(60);
    expect(told.filter((name) => !known.has(name))).toEqual([]);
  });

  it('is exactly what can be imported', async () => {
    expect(Object.keys(await import('../src/index.ts')).sort()).toEqual(exportsOf('src/index.ts').values);
  });
});
