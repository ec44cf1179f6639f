import { DEFAULTS } from '../config/defaults.ts';
import type { StartingStep } from '../engine/child-tasks/start.ts';
import type { UndoingChild } from '../engine/child-tasks/undo.ts';
import type { BatchWorkerRow, ElementRow, Engine, Recording } from '../engine/engine.ts';
import { knownFor, reachedFrom } from '../engine/rerun/reached-steps.ts';
import { pathsOfStep } from '../engine/sensitive.ts';
import type { AttemptDetail } from '../engine/task-view.ts';
import type { DependencyResultParams } from '../handlers/dependency-result.ts';
import { StepExecutionError } from '../handlers/failures/handler-errors.ts';
import type { FfiStepEvent } from '../handlers/ffi-step-event.ts';
import { StepContext } from '../handlers/step-context.ts';
import type { CheckpointProgress, StepContextParams, TransactionWork } from '../handlers/step-context-params.ts';
import type { ExecutableHandler, StepHandlerResult } from '../handlers/step-handler.ts';
import type { ChildTaskStart } from '../handlers/step-wait.ts';
import type { UndoneParams } from '../handlers/undone.ts';
import type { Logger } from '../logging/logger.ts';
import { hidingLogger, SensitiveTexts } from '../logging/sensitive-texts.ts';
import { elementNumber, elementStepName, placeFor } from '../model/for-each.ts';
import { stepUuid, templateIndex } from '../model/ids.ts';
import type { Fields } from '../model/json.ts';
import { SCHEDULE_SOURCE, type TaskSchedule } from '../model/schedule/spec.ts';
import { textsAt } from '../model/sensitive.ts';
import { namesForStep, type TemplateNames } from '../model/template-names.ts';
import type { HandlerDefinition } from '../registry/handler-definition.ts';
import type { ChildConfig } from '../template/task-template.ts';
import type { RunnableTemplate } from '../template/undo-steps.ts';
import type { RunnableStep } from './run-step.ts';
import { keepingLogger, StepLog } from './step-log.ts';
import type { BatchMember, CachedTask, KnownResults } from './task-cache.ts';

/** The fields that a claimed step shares with a child that a recording claimed. */
export interface DispatchedStepRow {
  idx: number;
  attempts: number;
  spared: number;
  maxAttempts: number;
  rerun: number | null;
  rank: number;
}

/** The calls of a step's handler earlier in the same attempt, which asked to be called again. */
export interface EarlierCalls {
  count: number;
  /** When the first call ended, in ISO 8601. */
  since: string;
  /** The same, on the clock of `performance.now()`. */
  firstAt: number;
}

/** The delivery of a step as an event. */
export interface StepDelivery {
  readonly event: FfiStepEvent;
  /** Id that is stored with the result. Undefined means the name of the worker. */
  readonly runBy: string | undefined;
  /** Timeout for steps without `timeout_seconds`. Undefined means the worker's timeout. */
  readonly timeoutMs: number | undefined;
}

/** The services of a worker that a dispatched step uses. One object serves all steps of a worker. */
export interface StepHost {
  readonly logger: Logger;
  /** Whether the lines that handlers log are kept for some time. */
  readonly keepsLogs: boolean;
  /** Returns the step as an event, for handlers that read `context.event`. */
  event(step: DispatchedStep): FfiStepEvent;
  /** Loads the result of one of its ancestors from the database, as JSON text. */
  loadResult(step: DispatchedStep, idx: number): Promise<string | null>;
  /** Loads the failures of steps before it by name. Steps that have not failed are omitted. */
  loadFailures(step: DispatchedStep, names: readonly string[]): Promise<Fields>;
  saveCheckpoint(step: DispatchedStep, progress: CheckpointProgress): Promise<void>;
  transaction<T>(step: DispatchedStep, work: TransactionWork<T>): Promise<T>;
  /** Makes a token that completes the step, and stores its hash. */
  completionToken(step: DispatchedStep): Promise<string>;
  /** Starts a child task of a running handler, and returns its id. */
  startTask(step: DispatchedStep, start: ChildTaskStart): Promise<string>;
  /** Evaluates the list of a step, or computes its result once its elements have ended. */
  list(step: DispatchedStep): Promise<NonNullable<Recording['list']> | StepHandlerResult>;
  /** Prepares a child task, which is created when the wait for it begins. */
  childTask(step: StartingStep): ReturnType<Engine['prepareChild']>;
  /** Prepares the wait for the undo of a child task. */
  childUndo(step: UndoingChild): ReturnType<Engine['prepareChildUndo']>;
  /** Called before the handler is called, for the first time or again after a yield. */
  begins(step: DispatchedStep): void;
  /** Returns a handler that runs the given handler in a thread. @throws ResolutionError `handler_invalid` */
  isolated(step: DispatchedStep, handler: ExecutableHandler): ExecutableHandler;
  /** Called when the handler is called. */
  calls(step: DispatchedStep): void;
  /**
   * Called when the synchronous part of the handler has ended. `from` is when it started, on the clock of
   * `performance.now()`.
   */
  called(step: DispatchedStep, from: number): void;
  /** Calls the handler within the span of the step. Undefined if nothing is traced. */
  within: ((step: DispatchedStep, call: () => unknown) => unknown) | undefined;
}

/** An ancestor of a step. `failure` is set for a batch worker that failed without stopping its batch. */
type Place = Pick<BatchMember, 'idx' | 'failure'>;

function paramsOf(taskUuid: string, { idx, failure }: Place, text: string | null): DependencyResultParams {
  if (failure === null) {
    return { stepUuid: stepUuid(taskUuid, idx), result: text === null ? {} : (JSON.parse(text) as unknown) };
  }
  const { error = {} } = JSON.parse(failure) as AttemptDetail;
  return {
    stepUuid: stepUuid(taskUuid, idx),
    result: null,
    success: false,
    errorMessage: error.message ?? null,
    errorType: error.error_type ?? null,
    errorRetryable: error.retryable ?? null,
  };
}

/**
 * A step that this worker holds, from the claim until its outcome is acknowledged. Every phase works on this object,
 * and the handler's context reads from it. JSON is parsed separately for each step, so that handlers share no objects.
 */
export class DispatchedStep implements RunnableStep, StepContextParams {
  readonly task: CachedTask;
  readonly idx: number;
  /** Index of its step in the template. For a batch worker, the index of the step that it was created from. */
  readonly templateIdx: number;
  /** The part of a batch worker. Undefined for other steps. */
  part: BatchWorkerRow | undefined;
  /** The element that it runs for. Undefined for other steps, and before it is loaded. */
  element: ElementRow | undefined;
  /** The checkpoint as JSON text. Null if none was saved. */
  saved: string | null = null;
  /** Undefined in the first call of an attempt. */
  earlierCalls: EarlierCalls | undefined;
  /** The fence. */
  readonly claim: number;
  /** The number of the start, which no other start of the step has. */
  readonly attempt: number;
  readonly spared: number;
  readonly maxAttempts: number;
  readonly rerun: number;
  readonly rank: number;
  readonly startedAt = performance.now();
  /** When its first attempt started, on the same clock. Undefined if it is this one, or the template has no `retry.for`. */
  firstStartedAt: number | undefined;
  /**
   * Whether the results that it may read are too large to be loaded with the step. Its handler then loads them one by
   * one.
   */
  lazy = false;
  /** When its timeout expires, on the clock of `performance.now()`. */
  deadline = Number.POSITIVE_INFINITY;
  /** The reason why the worker no longer waits for the handler. A late result is then rejected. */
  over: 'timeout' | 'cancelled' | 'lease_lost' | 'given_back' | undefined;
  /** Whether a transaction of its handler is open. */
  transacting = false;
  /** Whether it was stopped before a thread was free for it, so that its handler did nothing. */
  neverBegan = false;
  /** Settles when the previous checkpoint is saved. */
  saving: Promise<unknown> | undefined;
  /** Whether its handler was called. */
  started = false;
  /** Whether its outcome is with the recorder. After that, nothing else may end it. */
  ended = false;
  /** Set when it was handed out as an event. Undefined if this worker calls its handlers itself. */
  delivery: StepDelivery | undefined;
  /** Whether its expressions were evaluated. */
  evaluated = false;
  /** The message of a step of the type `fail`. Undefined before it is evaluated. */
  message: string | undefined;
  /**
   * The values of `inputs` in the template, or of the context of its child task. Undefined if it has none, and before they are
   * evaluated.
   */
  inputs: Fields | undefined;
  /** The step that it undoes. Undefined if it undoes none, and before it is loaded. */
  undo: UndoneParams | undefined;
  /** The keys of {@link inputs} whose expressions read a sensitive value, for a child task. */
  sensitiveInputs: readonly string[] = [];
  /** The lines that its handler logged. Undefined if there are none, or they are not kept. */
  log: StepLog | undefined;
  #logger: Logger | undefined;
  #sensitive: SensitiveTexts | undefined;
  #controller: AbortController | undefined;
  #known: KnownResults;
  #ancestors: Map<string, Place> | undefined;
  #token: Promise<string> | undefined;
  /**
   * Trace context of its attempt's span. Before the attempt starts, the trace context of the span that created its
   * task.
   */
  traceparent: string | undefined;
  readonly #host: StepHost;

  constructor(task: CachedTask, row: DispatchedStepRow, claim: number, host: StepHost) {
    this.task = task;
    this.idx = row.idx;
    this.templateIdx = templateIndex(row.idx);
    this.#host = host;
    this.claim = claim;
    this.attempt = row.attempts;
    this.spared = row.spared;
    this.maxAttempts = row.maxAttempts;
    this.rerun = row.rerun ?? 0;
    this.rank = row.rank;
    this.#known = task.known;
    this.traceparent = task.row.traceparent ?? undefined;
  }

  get template(): RunnableTemplate {
    return this.task.snapshot.steps[this.templateIdx]!;
  }

  get name(): string {
    const { template } = this;
    if (template.elementOf !== null) return elementStepName(template.name, elementNumber(this.idx));
    return this.part?.name ?? template.name;
  }

  get taskUuid(): string {
    return this.task.taskUuid;
  }

  get stepUuid(): string {
    return stepUuid(this.task.taskUuid, this.idx);
  }

  /** Whether it is a batch worker whose part is not loaded yet. */
  get lacksPart(): boolean {
    if (this.template.elementOf !== null) return false;
    return this.part === undefined && this.idx !== this.templateIdx;
  }

  /** Whether it runs for an element that is not loaded yet. */
  get lacksElement(): boolean {
    return this.element === undefined && this.template.elementOf !== null;
  }

  /** Whether it belongs to a task of a schedule that is not loaded yet. */
  get lacksSchedule(): boolean {
    return this.task.row.sourceSystem === SCHEDULE_SOURCE && this.task.schedule === undefined;
  }

  get schedule(): TaskSchedule | null {
    return this.task.schedule ?? null;
  }

  /** Whether its part, its element, its checkpoint or its schedule must be loaded before it can start. */
  get lacksDetails(): boolean {
    return this.attempt > 1 || this.lacksPart || this.lacksElement || this.lacksSchedule;
  }

  get handler(): HandlerDefinition {
    return this.template.handler;
  }

  get handlerName(): string {
    return this.template.handler.callable;
  }

  get correlationId(): string {
    return this.task.row.correlationId ?? this.task.taskUuid;
  }

  /** The task's context. */
  get taskContext(): Fields {
    return JSON.parse(this.task.row.context) as Fields;
  }

  /** The inputs of its handler: the values of `inputs` in the template, otherwise the task's context. */
  get inputData(): Fields {
    return this.inputs ? structuredClone(this.inputs) : this.taskContext;
  }

  get stepConfig(): Fields {
    return structuredClone(this.template.handler.initialization);
  }

  get stepInputs(): Fields {
    const inputs = structuredClone(this.template.handler.initialization) as Fields;
    const { part, template } = this;
    if (!part) return inputs;
    return {
      ...inputs,
      cursor: JSON.parse(part.cursor) as Fields,
      batch_metadata: {
        cursor_field: template.batchConfig!.cursorField,
        failure_strategy: template.batchConfig!.failureStrategy,
      },
      is_no_op: part.noOp,
      __template_step_name: template.name,
    };
  }

  /** The number of the attempt, without starts that do not count. It does not change while the handler is called again. */
  get number(): number {
    return this.attempt - this.spared;
  }

  /** Milliseconds since its first attempt started, if the template has `retry.for`. Counts from the first call of an attempt. */
  get elapsedMs(): number {
    const { startedAt, firstStartedAt = startedAt, earlierCalls } = this;
    return performance.now() - Math.min(firstStartedAt, earlierCalls?.firstAt ?? startedAt);
  }

  get retryCount(): number {
    return this.number - 1;
  }

  get maxRetries(): number {
    return this.maxAttempts;
  }

  get checkpoint(): Fields | null {
    return this.saved === null ? null : (JSON.parse(this.saved) as Fields);
  }

  saveCheckpoint(progress: CheckpointProgress): Promise<void> {
    return this.#host.saveCheckpoint(this, progress);
  }

  transaction<T>(work: TransactionWork<T>): Promise<T> {
    return this.#host.transaction(this, work);
  }

  /** Returns the same token in every call. After an error, the next call tries again. */
  completionToken(): Promise<string> {
    this.#token ??= this.#host.completionToken(this).catch((error: unknown) => {
      this.#token = undefined;
      throw error;
    });
    return this.#token;
  }

  startTask(start: ChildTaskStart): Promise<string> {
    return this.#host.startTask(this, start);
  }

  /** Returns the keys of fields that have a sensitive value which its handler can read. */
  sensitiveKeysOf(fields: Fields): string[] {
    if (!this.task.snapshot.sensitive) return [];
    const texts = this.#texts;
    return Object.keys(fields).filter((key) => texts.occursIn(JSON.stringify(fields[key])));
  }

  /** Prepares its child task. */
  childTask(child: ChildConfig): ReturnType<Engine['prepareChild']> {
    const { name, sensitive } = this.template;
    return this.#host.childTask({
      taskUuid: this.taskUuid,
      template: { name, sensitive, child },
      namespace: this.task.snapshot.template.namespace,
      context: this.inputs ?? {},
      sensitiveKeys: this.sensitiveInputs,
      rank: this.rank,
      correlationId: this.correlationId,
      traceparent: this.traceparent,
    });
  }

  /** Prepares the wait for the undo of the child task of the step that it undoes. */
  childUndo(): ReturnType<Engine['prepareChildUndo']> {
    const { graph } = this.task.snapshot;
    const idx = graph.undoes.get(this.templateIdx)!;
    return this.#host.childUndo({
      taskUuid: this.taskUuid,
      step: this.name,
      undone: { idx, name: graph.names[idx]! },
    });
  }

  /** Evaluates its list, or computes its result once its elements have ended. */
  list(): ReturnType<StepHost['list']> {
    return this.#host.list(this);
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.over) this.#controller.abort(this.#reason());
    return this.#controller.signal;
  }

  get logger(): Logger {
    this.#logger ??= this.#newLogger();
    return this.#logger;
  }

  #newLogger(): Logger {
    const logger = this.#host.logger.child({
      task_uuid: this.taskUuid,
      step: this.name,
      attempt: this.number,
      correlation_id: this.correlationId,
    });
    if (this.#host.keepsLogs) this.log = new StepLog();
    const kept = this.log ? keepingLogger(logger, this.log) : logger;
    return this.task.snapshot.sensitive ? hidingLogger(kept, () => this.#texts) : kept;
  }

  /** Replaces the values that its template declares as sensitive in a string for the log. */
  withoutSensitive(text: string): string {
    return this.task.snapshot.sensitive ? this.#texts.hide(text) : text;
  }

  /** The sensitive values that its handler can read, apart from results that it loads by itself. */
  get #texts(): SensitiveTexts {
    if (this.#sensitive) return this.#sensitive;
    const { sensitive } = this.task.snapshot;
    const results = this.lazy ? [] : [...this.#ancestorPlaces];
    const texts = results.flatMap(([name, place]) => {
      const paths = pathsOfStep(sensitive, name);
      const text = paths && this.#known.texts.get(place.idx);
      return text ? [...textsAt(JSON.parse(text), paths)] : [];
    });
    this.#sensitive = new SensitiveTexts([...textsAt(this.taskContext, sensitive?.context), ...texts]);
    return this.#sensitive;
  }

  get event(): FfiStepEvent {
    return this.delivery?.event ?? this.#host.event(this);
  }

  dependencyNames(): string[] {
    return [...this.#ancestorPlaces.keys()];
  }

  get templateNames(): TemplateNames {
    return namesForStep(this.task.snapshot.template, this.template);
  }

  get batchSizes(): Record<string, number> {
    const { template, graph } = this.task.snapshot;
    if (graph.types[this.idx] !== 'batchable') return {};
    return Object.fromEntries(
      graph.children[this.idx]!.flatMap((child) => {
        const { name, batchConfig } = template.steps[child]!;
        return batchConfig && batchConfig.batchSize !== null ? [[name, batchConfig.batchSize]] : [];
      }),
    ) as Record<string, number>;
  }

  dependency(name: string): DependencyResultParams | undefined {
    const place = this.#ancestorPlaces.get(name);
    if (place === undefined) return undefined;
    const text = this.#known.texts.get(place.idx);
    if (this.lazy || text === undefined) throw dependencyTooLarge(this, name);
    return paramsOf(this.taskUuid, place, text);
  }

  /** Like {@link dependency}, but loads a result that is too large to be loaded with the step. */
  async loadDependency(name: string): Promise<DependencyResultParams | undefined> {
    const place = this.#ancestorPlaces.get(name);
    if (place === undefined) return undefined;
    const text = this.#known.texts.get(place.idx);
    return paramsOf(this.taskUuid, place, text === undefined ? await this.#host.loadResult(this, place.idx) : text);
  }

  /**
   * Returns the results of ancestors as JSON text, as they are now. A result that was too large to be loaded with the step is a
   * promise. Null for an ancestor that does not exist or ended without a result.
   */
  resultTexts(names: readonly string[]): (string | null | Promise<string | null>)[] {
    this.#readAgain();
    return names.map((name) => {
      const place = this.#ancestorPlaces.get(name);
      if (place === undefined || place.failure !== null) return null;
      const text = this.#known.texts.get(place.idx);
      return text === undefined ? this.#host.loadResult(this, place.idx) : text;
    });
  }

  /** Returns the failures of ancestors, as expressions read them. Steps that have not failed are omitted. */
  failures(names: readonly string[]): Promise<Fields> {
    return this.#host.loadFailures(this, names);
  }

  /** Uses the results as they are now: an operator may have corrected them since the step was claimed. */
  #readAgain(): void {
    this.#known = this.task.known;
    this.#ancestors = undefined;
  }

  /** Its finished ancestors by name. Built once, because a step may join thousands of others. */
  get #ancestorPlaces(): Map<string, Place> {
    if (this.#ancestors) return this.#ancestors;
    const { graph } = this.task.snapshot;
    const { texts, withheld, batches } = this.#known;
    const places = new Map<string, Place>();
    const { ancestors, dynamic } = graph;
    const above = dynamic
      ? [...reachedFrom(graph, this.templateIdx, knownFor(graph, this.idx, this.#known))].reverse()
      : ancestors[this.templateIdx]!;
    for (const idx of above) {
      const place = placeFor(graph, this.idx, idx);
      if (texts.has(place) || withheld.has(place)) places.set(graph.names[idx]!, { idx: place, failure: null });
      for (const member of batches.get(idx) ?? []) places.set(member.name, member);
    }
    this.#ancestors = places;
    return places;
  }

  // ---- the handler is called

  /** Called before the handler is called. From now on, the results that it reads do not change. */
  begin(): void {
    this.#host.begins(this);
    this.started = true;
    this.#readAgain();
  }

  context(): StepContext {
    this.begin();
    return new StepContext(this);
  }

  isolated(handler: ExecutableHandler): ExecutableHandler {
    return this.#host.isolated(this, handler);
  }

  calls(): void {
    this.#host.calls(this);
  }

  called(from: number): void {
    this.#host.called(this, from);
  }

  get within(): ((call: () => unknown) => unknown) | undefined {
    const { within } = this.#host;
    return within && ((call) => within(this, call));
  }

  // ---- the step has ended

  /** Called when the worker stops waiting. Fires the handler's signal. */
  end(why: NonNullable<DispatchedStep['over']>): void {
    this.over = why;
    this.#controller?.abort(this.#reason());
  }

  /** Fires the signal while the handler still has some time to settle. */
  warn(reason: string): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(new DOMException(reason, 'AbortError'));
  }

  #reason(): DOMException {
    switch (this.over) {
      case 'timeout':
        return new DOMException(`step ${this.name} took longer than its timeout`, 'TimeoutError');
      case 'cancelled':
        return new DOMException(
          `step ${this.name} is no longer held: its task was cancelled or an operator settled it`,
          'AbortError',
        );
      case 'lease_lost':
        return new DOMException(
          `step ${this.name} is no longer held: its worker's lease expired, and another worker may have it`,
          'AbortError',
        );
      case 'given_back':
      case undefined:
        return new DOMException(`step ${this.name} was released: its worker is stopping`, 'AbortError');
    }
  }
}

/** Returns the error for a result that was not loaded with its step. */
export function dependencyTooLarge(step: { name: string }, name: string): StepExecutionError {
  const message = `step ${step.name}: the result of ${name} was not loaded with the step, because the results that the step may read are larger than ${DEFAULTS.dependencyBytes / 1024 / 1024} MiB together; read it with await context.loadDependency('${name}'), or several with for await (… of context.dependencies(prefix))`;
  return new StepExecutionError(message, { errorType: 'dependency_too_large', retryable: false });
}
