import { availableParallelism } from 'node:os';
import { DEFAULTS } from '../config/defaults.ts';
import { LONGEST_TIMER_MS } from '../config/value-forms.ts';
import type { Activation } from '../engine/activate-template.ts';
import type { Analytics, AnalyticsOptions } from '../engine/analytics/statistics.ts';
import { type AuditFilter, type AuditPage, type AuditPageOptions, findActs } from '../engine/audit.ts';
import type { TaskFamily } from '../engine/child-tasks/family.ts';
import type { CreatedTask, CreateOptions, CreationOutcome, TaskRequest } from '../engine/create-task.ts';
import type { CreationConflict } from '../engine/creation-conflict.ts';
import type { Engine, RecordAnswer } from '../engine/engine.ts';
import type { Door, OperatorOptions } from '../engine/operator-actions.ts';
import type { PauseResult, PauseTarget } from '../engine/pause.ts';
import { readCreateOptions, readRequests } from '../engine/read-requests.ts';
import type { CopyOptions } from '../engine/rerun/copy-task.ts';
import type { EarlierRun, RerunOptions, TaskRerun } from '../engine/rerun/rerun.ts';
import type { PruneFilter } from '../engine/retention/plan.ts';
import type { PruneAct } from '../engine/retention/prune-act.ts';
import { RestoreAct, type RestoreOptions } from '../engine/retention/restore.ts';
import type { TaskFilter } from '../engine/search/filter.ts';
import { type Histogram, type HistogramOptions, histogramOf } from '../engine/search/histogram.ts';
import type { StepPage, StepPageOptions, TaskPage, TaskPageOptions } from '../engine/search/search.ts';
import { type AttemptLog, type StepLogLine, taskLogsOf } from '../engine/step-logs.ts';
import type { StreamChange } from '../engine/streams/changes.ts';
import type { StreamFilter } from '../engine/streams/stream-filter.ts';
import type { HistoryEntry, Pause, Step, Task } from '../engine/task-view.ts';
import { readTaskWithSteps, type TaskSnapshot } from '../engine/task-with-steps.ts';
import { type TemplateArrival, nameOf as templateName } from '../engine/template-store.ts';
import type { TaskUndo, UndoOptions } from '../engine/undo/undo.ts';
import type { SignalOptions, SignalTarget } from '../engine/waits/signal-request.ts';
import {
  getSignal,
  type Signal,
  type SignalListOptions,
  type SignalPage,
  signalsOfTask,
} from '../engine/waits/signal-view.ts';
import { type SentSignal, sendSignal } from '../engine/waits/signals.ts';
import type { TimerTime } from '../engine/waits/timers.ts';
import type { TokenError, TokenUse } from '../engine/waits/tokens.ts';
import { messageOf, TaskerError } from '../errors.ts';
import { EventBus } from '../events/subscribing/event-bus.ts';
import type { Logger } from '../logging/logger.ts';
import { moduleLogger } from '../logging/module-logger.ts';
import type { Metrics, MetricsReport } from '../metrics/metrics.ts';
import type { PausePlace } from '../store/pauses/list.ts';
import type { TaskTemplate } from '../template/task-template.ts';
import { requestedTemplate } from '../template/template-name.ts';
import { formatProblem } from '../template/template-problem.ts';
import { waitAtMost } from '../time/wait-at-most.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { HttpWorkers, HttpWorkersOptions } from '../worker/http/http-workers.ts';
import type { Worker } from '../worker/worker.ts';
import type { WorkerStats } from '../worker/worker-options.ts';
import type { Workflow } from '../workflow/workflow.ts';
import type { StepInfos } from '../workflow/workflow-types.ts';
import { type ListOptions, readListOptions } from './list-options.ts';
import { type DrainedWorker, type DrainOptions, drainWorker, resumeWorker } from './overview/drain.ts';
import { listQueues, type QueueInfo, type QueueListOptions } from './overview/queues.ts';
import { statusOf, type TaskerStatus } from './overview/status.ts';
import { exportTask, type TaskExport, type TaskExportOptions } from './overview/task-export.ts';
import { type SummaryOptions, summarizeTasks, type TaskSummary } from './overview/task-summary.ts';
import { type TaskWait, waitsOfTask } from './overview/task-waits.ts';
import {
  getWorker,
  listWorkers,
  type WorkerDetails,
  type WorkerInfo,
  type WorkerListOptions,
} from './overview/workers.ts';
import type { TemplateSource } from './project/load-templates.ts';
import { type PruneOptions, policyOf, retentionOf, startPrune } from './retention.ts';
import {
  type CreateArguments,
  type RunOptions,
  requestOf,
  runWorkflow,
  type WorkflowTaskOptions,
} from './run-workflow.ts';
import { TaskerSchedules } from './schedules/tasker-schedules.ts';
import { ServedNamespaces, Signals } from './signals.ts';
import { withReason } from './streams/late-task.ts';
import { onlySuccess, TaskWaiter, type WaitOptions, watchTask } from './streams/task-waiter.ts';
import { type WatchTasksOptions, watchTasks } from './streams/watch-tasks.ts';
import type { CheckedRequest, CheckedRequests } from './task-types.ts';
import { TaskerApprovals } from './tasker-approvals.ts';
import { TaskerBulk } from './tasker-bulk.ts';
import { countTasker } from './tasker-counts.ts';
import { TaskerDeadLetters } from './tasker-dead-letters.ts';
import type { TaskerDelivery } from './tasker-delivery.ts';
import { TaskerEvents } from './tasker-events.ts';
import type { TaskerParts } from './tasker-parts.ts';
import { type Explanation, explainTask } from './why.ts';

export type { AttemptLog, ListOptions, RunOptions, TaskSnapshot, WaitOptions, WorkflowTaskOptions };

/** How long a stop waits for each of its last actions, for example for the last notifications to be sent. */
const FLUSH_MS = 2_000;
/** How long a stop waits for a startup in progress. */
const START_MS = 15_000;

/**
 * Creates tasks, watches them and, unless `worker: false`, runs their steps. Use {@link createTasker} to create one.
 * Several taskers in one process are independent of each other.
 *
 * @example
 * const { taskUuid } = await tasker.createTask({ namespace: 'shop', name: 'order', context: { order_id: 'O-7' } });
 * const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 60_000 });
 * if (status !== 'complete') {
 *   for (const { step, why } of (await tasker.why(taskUuid)).steps) console.log(`${step}: ${why}`);
 * }
 */
export class Tasker {
  /** The origin of this tasker's actions, for the audit. @internal */
  door: Door = 'library';
  /** Acts on many tasks or steps together. */
  readonly bulk: TaskerBulk;
  /** The tasks that need a person's attention. */
  readonly deadLetters: TaskerDeadLetters;
  /** The schedules, which create tasks at their due times. */
  readonly schedules: TaskerSchedules;
  /** The approvals that steps wait for. */
  readonly approvals: TaskerApprovals;
  readonly #parts: TaskerParts;
  readonly #engine: Engine;
  readonly #logger: Logger;
  readonly #waiter: TaskWaiter;
  readonly #signals: Signals;
  readonly #worker: Worker | undefined;
  #httpWorkers: HttpWorkers | undefined;
  readonly #stopCounting: () => void;
  #delivery: TaskerDelivery | undefined;
  /** The `fast` and `broadcast` events of its worker. @internal */
  readonly eventBus: EventBus;
  /** The durable domain events and the groups that receive them. */
  readonly events: TaskerEvents;
  readonly #served: ServedNamespaces;
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  readonly #hurry = new AbortController();
  readonly #over = new AbortController();

  /** @internal */
  constructor(parts: TaskerParts) {
    this.#parts = parts;
    this.#engine = parts.engine;
    const acting = {
      engine: parts.engine,
      by: (options: OperatorOptions) => this.#by(options),
      changed: (taskUuid: string) => this.#changed(taskUuid),
    };
    this.bulk = new TaskerBulk(acting);
    this.deadLetters = new TaskerDeadLetters(acting);
    this.schedules = new TaskerSchedules(acting);
    this.approvals = new TaskerApprovals(acting);
    this.#logger = moduleLogger(parts.logger, 'app');
    this.eventBus = new EventBus(moduleLogger(parts.logger, 'events'));
    this.#waiter = new TaskWaiter(parts.engine, this.#logger);
    this.events = new TaskerEvents(parts.engine.events, this.#logger, () => this.door);
    this.#served = new ServedNamespaces(parts);
    this.#stopCounting = countTasker(parts, this.eventBus);
    this.#signals = new Signals(parts, {
      worker: () => this.#worker,
      httpWorkers: () => this.#httpWorkers,
      served: this.#served,
      waiter: this.#waiter,
      delivery: () => this.#delivery,
      events: this.events,
    });
    parts.engine.changes.isNotified = () => this.#signals.isListening;
    if (!parts.registry) return;
    this.#worker = new parts.Worker!({
      ...this.#workerOptions(),
      registry: parts.registry,
      threads: parts.config.threads ?? availableParallelism(),
      namespaces: () => this.namespaces,
    });
  }

  /** Returns the workers that use the HTTP API. The first call creates them; see `httpWorkersOf`. @internal */
  httpWorkers(make: (options: HttpWorkersOptions) => HttpWorkers): HttpWorkers {
    this.#httpWorkers ??= make(this.#workerOptions());
    return this.#httpWorkers;
  }

  #workerOptions() {
    const { config } = this.#parts;
    return {
      ...config,
      ...this.#parts,
      retention: policyOf(config),
      logger: moduleLogger(this.#parts.logger, 'worker'),
      pollMs: () => config.pollMs ?? (this.#signals.isListening ? DEFAULTS.pollMs : DEFAULTS.pollWithoutNotifyMs),
      onTasksEnded: (ended: RecordAnswer['ended']) => this.#signals.tasksEnded(ended),
      onWorkLeft: (rank: number) => this.#signals.work(rank),
      eventBus: this.eventBus,
      onEventsStored: () => this.#signals.eventsStored(),
    };
  }

  /** Starts listening and, with handlers, running steps. `createTasker` calls it unless `autoStart: false`. */
  start(): Promise<void> {
    if (this.#stopped) return Promise.reject(stopped());
    this.#started ??= this.#start();
    return this.#started;
  }

  async #start(): Promise<void> {
    // Imported only here, because most commands do not start their tasker.
    const [{ checkStart }, { TaskerDelivery: Delivery }] = await Promise.all([
      import('./start-checks.ts'),
      import('./tasker-delivery.ts'),
    ]);
    this.#delivery = new Delivery(this.#parts, this.eventBus);
    await checkStart(this.#parts);
    if (this.#worker) await this.#served.read(this.#engine);
    this.#engine.search.start();
    this.#engine.analytics.start();
    await this.#signals.start();
    await this.#delivery.start();
    await this.#worker?.start();
  }

  /** The address of the database, without the password. */
  get place(): string {
    const { embedded, database } = this.#parts.open;
    return embedded ? `embedded PostgreSQL ${embedded.version}, log in ${embedded.logFile}` : database.place;
  }

  /** The worker of this tasker, for other code of this package. @internal */
  get worker(): Worker | undefined {
    return this.#worker;
  }

  /** Also serves these namespaces, unless the namespaces are configured. @internal */
  async serveToo(namespaces: readonly string[]): Promise<void> {
    if (this.#served.add(namespaces)) await this.refresh();
  }

  /** The namespaces that the worker serves now. @internal */
  get namespaces(): readonly string[] {
    return this.#served.names;
  }

  /** Current statistics of the worker; undefined with `worker: false`. */
  get stats(): WorkerStats | undefined {
    return this.#worker?.stats;
  }

  /** The instruments, for the parts of this package that record metrics. @internal */
  get instruments(): Metrics['instruments'] {
    return this.#parts.metrics.instruments;
  }

  /** The metrics, for Prometheus and for programs. Empty with `metrics: false`. */
  get metrics(): MetricsReport {
    return this.#parts.metrics;
  }

  /**
   * The state that the health checks read. `isListening`: whether notifications arrive; without them, only polling finds
   * work. `poolSize`: the maximum number of connections. @internal
   */
  get vitals() {
    return {
      namespaces: this.namespaces,
      isListening: this.#signals.isListening,
      leaseSure: this.#worker?.leaseSure ?? false,
      poolSize: this.#parts.open.database.poolSize,
      poolIdle: this.#parts.open.database.idleConnections,
    };
  }

  /** The retention settings of this process: which data is deleted, and when. @internal */
  get retention() {
    return retentionOf(this.#parts.config);
  }

  /** Number of statements sent to the database so far. */
  get statements(): number {
    return this.#parts.open.database.statements;
  }

  /**
   * Registers new templates or newer versions. New tasks use them immediately. Accepts the same forms as
   * `createTasker`: parsed templates, plain objects with the keys of a template file, files and folders.
   * In production, a registered version keeps its content, unless `replace` or the setting `replaceTemplates` is true.
   * @throws TaskerError `template_invalid`; in production also `template_changed`, if a version has different content
   */
  async registerTemplates(source: TemplateSource, { replace = false }: { replace?: boolean } = {}): Promise<void> {
    const { checkFolders, loadTemplates } = await import('./project/load-templates.ts');
    const loaded = await loadTemplates(source, this.#parts.environment);
    checkFolders(loaded);
    const { templates, problems } = loaded;
    for (const problem of problems) this.#logger.warn(formatProblem(problem));
    await this.#register(templates, { arrival: 'program', keepContent: this.#parts.keepContent && !replace });
  }

  /**
   * Registers a template that arrived over HTTP, also with changed content: the caller asked for it, and the response
   * reports the change. In production, its handlers are not loaded from files. @internal
   */
  async registerHttpTemplate(template: TaskTemplate): Promise<void> {
    await this.#register([template], { arrival: 'http', keepContent: false });
  }

  async #register(
    templates: readonly TaskTemplate[],
    how: { arrival: TemplateArrival; keepContent: boolean },
  ): Promise<void> {
    for (const template of templates) {
      await this.#engine.templates.register(template, how);
      this.#served.add([template.namespace]);
    }
    await this.#worker?.refresh();
  }

  /** Makes the worker use handlers that were added to the registry. Call this method after adding handlers. */
  async refresh(): Promise<void> {
    await this.#worker?.refresh();
  }

  /**
   * Creates a task of a workflow in TypeScript, which is committed when this resolves.
   *
   * @example
   * const task = await tasker.createTask(fulfil, { id: 'A-1', total: 12 }, { priority: 10 });
   * @throws TaskerError `template_not_found`, `bad_request`, `invalid_context`, `identity_missing`, `conflict`
   */
  createTask<Input>(
    workflow: Workflow<Input, StepInfos, unknown>,
    input: Input,
    options?: WorkflowTaskOptions,
  ): Promise<TaskHandle>;
  /**
   * Creates a task, which is committed when this resolves. With the file of `tasker generate types` in the program,
   * TypeScript checks name, namespace, version and context (see `TaskTypes`). If the name, namespace or version has the
   * type `string`, nothing is checked.
   *
   * @example
   * const task = await tasker.createTask({ namespace: 'shop', name: 'fulfil', version: '1.0.0', context: { order_id: 'O-7' } });
   * @throws TaskerError `template_not_found`, `bad_request`, `invalid_context`, `identity_missing`, `conflict`
   */
  createTask<Name extends string = string, Namespace extends string = never, Version extends string = never>(
    request: CheckedRequest<Name, Namespace, Version> & { request?: never },
    options?: CreateOptions,
  ): Promise<TaskHandle>;
  async createTask(...given: CreateArguments): Promise<TaskHandle> {
    const { request, options } = requestOf(given);
    const [handle] = await this.#createTasks([request], options);
    return handle!;
  }

  /**
   * Creates many tasks in one transaction, all or none. A few hundred at a time are fastest. Throws the same errors as
   * {@link createTask}.
   */
  createTasks<Name extends string = string, Namespace extends string = never, Version extends string = never>(
    requests: CheckedRequests<Name, Namespace, Version>,
    options?: CreateOptions,
  ): Promise<TaskHandle[]> {
    return this.#createTasks(requests as readonly TaskRequest[], options);
  }

  /**
   * Creates many tasks in one transaction, as {@link createTasks} does with `onDuplicate: 'return'`. Requests that `unique`
   * rejects are put into `rejections` by their position, and the others are created. @internal
   */
  createEach(requests: readonly TaskRequest[], rejections: Map<number, CreationConflict>): Promise<TaskHandle[]> {
    return this.#createTasks(requests, { onDuplicate: 'return' }, rejections);
  }

  async #createTasks(
    requests: readonly TaskRequest[],
    options?: CreateOptions,
    rejections?: Map<number, CreationConflict>,
  ): Promise<TaskHandle[]> {
    // During a stop, handlers and subscribers may create tasks until the connections are closed.
    if (this.#over.signal.aborted) throw stopped();
    const { tracing } = this.#parts;
    const read = readRequests(requests);
    const how = { ...readCreateOptions(options), ...(rejections && { rejections }) };
    const create = (all: readonly TaskRequest[]) => this.#waiter.creating(() => this.#engine.createTasks(all, how));
    const created = await (tracing ? withSpans(tracing, read, create) : create(read));
    // The task is not visible before the caller's commit.
    if (how.client) return created.map(handleOf);
    this.#signals.created(created);
    if (read.some(({ startAt, delayMs }) => startAt != null || delayMs != null))
      await this.#engine.announce.schedules();
    return created.map(handleOf);
  }

  /**
   * Creates a copy of a task, with the same or a new context, and with its priority, tags, initiator and correlation
   * id. Like any new task, it uses the newest registration of the same name and version. The copy has its own identity.
   * Its `copyOf` is the original task, and {@link getCopies} returns the copies of a task.
   *
   * @example
   * const copy = await tasker.copyTask(taskUuid, { context: { order_id: 'O-8' }, actor: 'ana', reason: 'wrong order' });
   * @throws TaskerError `task_not_found`, `invalid_uuid`, `bad_request`, `invalid_context`, `conflict`
   */
  async copyTask(taskUuid: string, options: CopyOptions = {}): Promise<TaskHandle> {
    if (this.#over.signal.aborted) throw stopped();
    const created = await this.#waiter.creating(async () => [await this.engine.copyTask(taskUuid, this.#by(options))]);
    this.#signals.created(created);
    return handleOf(created[0]!);
  }

  /** Returns a task. @throws TaskerError `task_not_found`, `invalid_uuid` */
  getTask(taskUuid: string): Promise<Task> {
    return this.#engine.getTask(taskUuid);
  }

  /** Returns a task with its steps, which one transaction reads. @internal */
  getTaskWithSteps(taskUuid: string): Promise<TaskSnapshot> {
    return readTaskWithSteps(this.#engine, taskUuid);
  }

  /** Whether spans are recorded. @internal */
  get isTracing(): boolean {
    return this.#parts.tracing !== undefined;
  }

  /** Returns the steps of a task in the order of its template. @throws TaskerError `task_not_found` */
  getSteps(taskUuid: string): Promise<Step[]> {
    return this.#engine.getSteps(taskUuid);
  }

  /** Returns one step, by its name or id. @throws TaskerError `step_not_found` */
  getStep(taskUuid: string, step: string): Promise<Step> {
    return this.#engine.getStep({ taskUuid, step });
  }

  /** Returns the history of a task in order: attempts with their outcomes, and actions of operators. */
  getHistory(taskUuid: string): Promise<HistoryEntry[]> {
    return this.#engine.getHistory(taskUuid);
  }

  /**
   * Returns a task with its steps, history, waits, signals, events and audit as one document, for a bug report. It is
   * read in several statements, so a running task may change between them.
   *
   * @example
   * await writeFile('task.json', JSON.stringify(await tasker.exportTask(taskUuid), null, 2));
   * @throws TaskerError `task_not_found`, `invalid_uuid`
   */
  exportTask(taskUuid: string, options?: TaskExportOptions): Promise<TaskExport> {
    return exportTask(this, taskUuid, options);
  }

  /**
   * Returns the lines that the handler of a step logged, by attempt. By default, the last 200 lines of failed attempts
   * are kept (`stepLogs`). They are written shortly after the attempt is recorded, and may be lost in a crash.
   *
   * @example
   * for (const { attempt, lines } of await tasker.getStepLogs(taskUuid, 'charge')) console.log(attempt, lines);
   * @throws TaskerError `task_not_found`, `step_not_found`, `invalid_uuid`
   */
  getStepLogs(taskUuid: string, step: string): Promise<AttemptLog[]> {
    return this.engine.getStepLogs({ taskUuid, step });
  }

  /**
   * Returns the lines that the handlers of all steps of a task logged, oldest first: the newest 1,000 that are kept. See
   * {@link getStepLogs}. `contains`: only lines whose message or fields contain this text, in upper or lower case.
   *
   * @example
   * const { lines } = await tasker.getTaskLogs(taskUuid, { contains: 'refused' });
   * @throws TaskerError `task_not_found`, `invalid_uuid`
   */
  getTaskLogs(
    taskUuid: string,
    { contains }: { contains?: string | undefined } = {},
  ): Promise<{ lines: (StepLogLine & { step: string; attempt: number })[]; hasEarlier: boolean }> {
    return taskLogsOf(this.#engine, taskUuid, contains);
  }

  /**
   * Resolves with the task when it has ended, or when it is in `blocked_by_failures` until an operator acts. With `until:
   * 'waiting'`, also when it waits for something outside, such as an approval or a signal.
   *
   * @example
   * const task = await tasker.waitForTask(taskUuid, { until: 'waiting', timeoutMs: 10_000 });
   * if (task.status === 'waiting') await tasker.approvals.vote(taskUuid, 'sign_off', { decision: 'approve', by: 'ana' });
   * @throws TaskerError `timeout`, whose message names up to three waits of the task and how to end them,
   * `task_not_found`, `invalid_uuid`, `bad_request`, `stopped`; with `throwOnFailure` also `task_failed`
   */
  waitForTask(taskUuid: string, options: WaitOptions = {}): Promise<Task> {
    const over = this.#waiter.wait(taskUuid, options).catch(async (error: unknown) => {
      throw await withReason(this.#engine, taskUuid, error);
    });
    return options.throwOnFailure ? over.then(onlySuccess) : over;
  }

  /**
   * Creates a task of a workflow, waits until it is complete, and returns its output. Undefined if the workflow has no
   * output. The task continues if the caller stops waiting.
   *
   * @example
   * const { tracking } = await tasker.run(fulfil, { id: 'A-1', total: 12 }, { timeoutMs: 60_000 });
   * @throws TaskerError `task_failed` if the task did not complete or its output cannot be computed, `timeout`, and the
   * errors of {@link createTask}
   */
  run<Input, Output>(
    workflow: Workflow<Input, StepInfos, Output>,
    input: Input,
    options: RunOptions = {},
  ): Promise<Output> {
    const create = async (request: TaskRequest) => (await this.#createTasks([request]))[0]!;
    const wait = (taskUuid: string, how: WaitOptions) => this.waitForTask(taskUuid, how);
    return runWorkflow({ create, wait }, workflow, { ...options, input });
  }

  /**
   * Yields the task and its steps after each change, for the last time when the task has ended or is blocked. Ends when
   * `signal` fires.
   * @throws TaskerError `task_not_found`, `invalid_uuid`, `stopped`
   */
  watchTask(taskUuid: string, { signal }: { signal?: AbortSignal } = {}): AsyncGenerator<TaskSnapshot> {
    return watchTask(taskUuid, { engine: this.#engine, waiter: this.#waiter, signal });
  }

  /**
   * Yields the changes of all tasks that match a filter, until `signal` fires: the newest state of each changed task,
   * without its context. Intermediate states may be skipped, and a state may be repeated; a greater `revision` is
   * newer. After a `reset`, read the tasks again. All watches of a process share one reader.
   *
   * @example
   * for await (const change of tasker.watchTasks({ namespace: 'shop', state: ['error', 'blocked_by_failures'] })) {
   *   if (change.kind === 'task') console.log(change.task.taskUuid, change.task.status);
   * }
   * @throws TaskerError `bad_request`, `invalid_uuid`, `stopped`
   */
  watchTasks(filter: StreamFilter = {}, options: WatchTasksOptions = {}): AsyncGenerator<StreamChange> {
    return watchTasks(this.#engine.changes, filter, options);
  }

  /** The engine of this tasker, for tools of this package. @internal */
  get engine(): Engine {
    return this.#engine;
  }

  /** Explains why each step of a task is in its state, including its wait. */
  why(taskUuid: string): Promise<Explanation> {
    return explainTask(this.#engine, taskUuid);
  }

  /**
   * Finds tasks by many conditions and returns a page of them. Reads tables that are written after the commit, so
   * changes from the last second or two may be missing. The page contains the age of the oldest missing change.
   *
   * @example
   * const page = await tasker.listTasks({ status: 'blocked_by_failures', errorType: 'timeout', createdAfter: '2h' }, { limit: 20 });
   * console.log(page.total, page.tasks.map((task) => task.firstError?.message));
   * @throws TaskerError `bad_request`, `invalid_uuid`
   */
  listTasks(filter: TaskFilter, page: TaskPageOptions): Promise<TaskPage>;
  /** Returns tasks, newest first. */
  listTasks(options?: ListOptions): Promise<Task[]>;
  async listTasks(filter: ListOptions | TaskFilter = {}, page?: TaskPageOptions): Promise<Task[] | TaskPage> {
    if (page) return this.#engine.findTasks(filter as TaskFilter, page);
    return this.#engine.listTasks(readListOptions(filter as ListOptions));
  }

  /**
   * Finds steps that are ready, running, waiting for a retry, failed or resolved by hand, in all tasks. The conditions on
   * steps apply to the step itself, and all others to its task.
   *
   * @example
   * const { steps } = await tasker.listSteps({ stepState: 'in_progress', handler: 'charge' }, { limit: 20 });
   * console.log(steps.map((step) => `${step.taskUuid} ${step.name} on ${step.worker} since ${step.since}`));
   * @throws TaskerError `bad_request`, `invalid_uuid`
   */
  listSteps(filter: TaskFilter = {}, page: StepPageOptions = {}): Promise<StepPage> {
    return this.#engine.findSteps(filter, page);
  }

  /**
   * Counts tasks by template and state, and groups the causes that block them. Failed steps and steps that wait for a
   * retry are grouped by template, step, error type and message pattern. Ready steps that no live worker can run are
   * another group. Each group has a filter that finds its tasks. A part that takes longer than a second is reduced or
   * omitted, and reported.
   *
   * @example
   * const { failed } = await tasker.summarizeTasks({ namespace: 'shop' }, { endedSince: '24h' });
   * for (const { count, step, errorType, pattern, filter } of failed.groups) {
   *   console.log(`${count} × ${step}: ${errorType} ${pattern}`, (await tasker.listTasks(filter, {})).total);
   * }
   * @throws TaskerError `bad_request`, `invalid_uuid`
   */
  summarizeTasks(filter: TaskFilter = {}, options?: SummaryOptions): Promise<TaskSummary> {
    return summarizeTasks(this.#engine, filter, options);
  }

  /** Counts tasks or failed steps by time. @internal */
  taskHistogram(filter: TaskFilter, options: HistogramOptions): Promise<Histogram> {
    return histogramOf(this.#engine.database, filter, options);
  }

  /**
   * Returns the state of the installation: workers, the queue of each namespace, open tasks, counts of problems that
   * need a person, and rates over the last minutes. Large numbers are counted only up to a limit, so the time is
   * bounded.
   *
   * @example
   * const { attention, queues } = await tasker.status();
   * if (attention.unserved > 0) console.log(queues.filter((queue) => queue.unserved > 0));
   */
  status(): Promise<TaskerStatus> {
    return statusOf(this.#engine);
  }

  /**
   * Returns statistics: the tasks and attempts that ended in a window of time, by template and step, with their success
   * rates, durations and queueing times. Counts, sums, minima and maxima are exact; percentiles are off by at most 5 %.
   * The duration does not depend on the number of tasks.
   *
   * @example
   * const { tasks, slowSteps } = await tasker.analytics({ namespace: 'shop', since: '24h' });
   * console.log(`${tasks.ended} tasks ended, ${tasks.failed} in error`);
   * for (const { step, queueing, duration } of slowSteps) console.log(step, queueing.p95Ms, duration.p95Ms);
   * @throws TaskerError `bad_request`; `template_not_found` or `step_not_found` if nothing with that name is registered
   */
  analytics(options: AnalyticsOptions = {}): Promise<Analytics> {
    return this.#engine.readAnalytics(options);
  }

  /** Cancels a task, and fires the signal of its running handlers. Returns false if the task had already ended. */
  cancelTask(taskUuid: string, options?: OperatorOptions): Promise<boolean> {
    return this.#acting(taskUuid, () => this.#engine.cancelTask(taskUuid, this.#by(options)));
  }

  /**
   * Ends a task by hand as `resolved_manually`: its work was done elsewhere. Its open steps are cancelled, and the signal
   * of its running handlers fires. Returns false if the task had already ended.
   */
  resolveTask(taskUuid: string, options?: OperatorOptions): Promise<boolean> {
    return this.#acting(taskUuid, () => this.#engine.resolveTask(taskUuid, this.#by(options)));
  }

  /**
   * Deletes a task that has ended, with its steps, results, history and identity. Its entries in the audit stay, and
   * its domain events stay until `events.retention_days`, because they may still have to be delivered. If the task was
   * pruned, releases the identity that is still reserved.
   * @throws TaskerError `illegal_transition` if the task has not ended or is in the dead letters, `task_not_found`,
   * `invalid_uuid`
   */
  deleteTask(taskUuid: string, options?: OperatorOptions): Promise<void> {
    return this.#acting(taskUuid, () => this.#engine.deleteTask(taskUuid, this.#by(options)));
  }

  /**
   * Retries the failed steps of a task, and its steps that wait for a retry, like {@link retryStep}. Returns their
   * names.
   *
   * @example
   * const steps = await tasker.retryTask(taskUuid, { actor: 'anna', reason: 'the bank is back' });
   * console.log(`runs again: ${steps.join(', ')}`);
   *
   * @throws TaskerError `illegal_transition` if no step failed or waits for a retry; `task_not_found`, `invalid_uuid`
   */
  retryTask(taskUuid: string, options?: OperatorOptions): Promise<string[]> {
    return this.#acting(taskUuid, () => this.#engine.retryTask(taskUuid, this.#by(options)));
  }

  /**
   * Retries a step. A step in `error` returns to the queue with its full number of attempts. A step that waits for a
   * retry becomes ready immediately, with its remaining attempts.
   * @throws TaskerError `illegal_transition` if the step is in another state
   */
  retryStep(taskUuid: string, step: string, options?: OperatorOptions): Promise<void> {
    return this.#acting(taskUuid, () => this.#engine.retryStep({ taskUuid, step }, this.#by(options)));
  }

  /** Like {@link retryStep}, for steps in `error` only. */
  resetStep(taskUuid: string, step: string, options?: OperatorOptions): Promise<void> {
    return this.#acting(taskUuid, () => this.#engine.resetStep({ taskUuid, step }, this.#by(options)));
  }

  /** Resolves a step by hand, with or without a result. The task continues. */
  resolveStep(taskUuid: string, step: string, options?: OperatorOptions & { result?: unknown }): Promise<void> {
    return this.#acting(taskUuid, () => this.#engine.resolveStep({ taskUuid, step }, this.#by(options)));
  }

  /**
   * Completes a step by hand with a result, or corrects the result of a completed step. `metadata` is kept in the history
   * and the audit.
   */
  completeStep(
    taskUuid: string,
    step: string,
    options?: OperatorOptions & { result?: unknown; metadata?: Record<string, unknown> },
  ): Promise<void> {
    return this.#acting(taskUuid, () => this.#engine.completeStep({ taskUuid, step }, this.#by(options)));
  }

  /**
   * Returns the actions of operators and lifecycles on tasks and other objects: who acted, when, why, on what, and how
   * the state changed. Newest first. The entries outlive their tasks (`audit.retention_days`).
   *
   * @example
   * const { entries } = await tasker.audit({ actor: 'anna', action: 'cancel', after: '24h' }, { limit: 100 });
   * for (const { at, taskUuid, reason } of entries) console.log(at, taskUuid, reason);
   * @throws TaskerError `bad_request`, `invalid_uuid`
   */
  audit(filter: AuditFilter = {}, page: AuditPageOptions = {}): Promise<AuditPage> {
    return findActs(this.#engine.database, filter, page);
  }

  /** Returns the options of an action, with its origin (`door`). */
  #by<Options extends OperatorOptions>(options?: Options): Options & OperatorOptions {
    return { door: this.door, ...options } as Options & OperatorOptions;
  }

  /**
   * Runs a task again from a step: that step and everything that waited for it. The results of the steps before it are
   * kept. The replaced results stay readable (see {@link getEarlierRuns}). A task that has ended is reopened, and steps
   * that were cancelled with it continue.
   *
   * If these steps include decisions and analyzers, the steps that they created are removed, and created again
   * according to the new outcomes. The signal of running handlers fires, and their results are rejected.
   * `context.rerun` is the number of the run.
   *
   * @example
   * const { steps } = await tasker.rerunTask(taskUuid, { from: 'charge', dryRun: true });
   * if (steps.every((step) => step.retryable)) await tasker.rerunTask(taskUuid, { from: 'charge', actor: 'ana' });
   * @throws TaskerError `task_not_found`, `step_not_found`, `bad_request`; `illegal_transition` if a step before `from`
   * is not done
   */
  rerunTask(taskUuid: string, options: RerunOptions): Promise<TaskRerun> {
    return this.#acting(taskUuid, () => this.#engine.rerunTask(taskUuid, { ...options, ...this.#by(options) }));
  }

  /**
   * Undoes a task: cancels its open steps, and then runs the `undo` of each step that completed, in the reverse order of the
   * task and in parallel where the task was parallel. Until then the task is `undoing`, and afterwards `undone`. A failed
   * undo blocks the task. A task whose undo was cancelled can be undone again.
   *
   * @example
   * const { steps } = await tasker.undoTask(taskUuid, { dryRun: true });
   * console.log(steps.filter((step) => step.undone).map((step) => step.step)); // in this order
   * await tasker.undoTask(taskUuid, { actor: 'ana', reason: 'the customer cancelled the trip' });
   * @throws TaskerError `task_not_found`, `invalid_uuid`, `bad_request`; `illegal_transition` if its template has no
   * `undo`, or if it is already undone
   */
  undoTask(taskUuid: string, options: UndoOptions = {}): Promise<TaskUndo> {
    return this.#acting(taskUuid, () => this.#engine.undoTask(taskUuid, { ...options, ...this.#by(options) }));
  }

  /**
   * Returns the earlier runs of a task's steps, with the results that reruns have dropped. Sorted by step, and then by
   * run, oldest first. Empty if the task never ran again.
   *
   * @example
   * const [first] = (await tasker.getEarlierRuns(taskUuid)).filter((run) => run.step === 'charge');
   * console.log(first?.result);
   * @throws TaskerError `task_not_found`, `invalid_uuid`
   */
  getEarlierRuns(taskUuid: string): Promise<EarlierRun[]> {
    return this.#engine.getEarlierRuns(taskUuid);
  }

  /**
   * Returns the ids of a task's copies, newest first, at most 100. The original is in `copyOf` of the copy.
   *
   * @example
   * const [newest] = await tasker.getCopies(taskUuid);
   * @throws TaskerError `invalid_uuid`
   */
  getCopies(taskUuid: string): Promise<string[]> {
    return this.#engine.copiesOf(taskUuid);
  }

  /**
   * Returns the parent task of a task, its child tasks, newest first, at most 100, and how many of them have not ended.
   * Steps of the type `task` start child tasks.
   *
   * @example
   * const { children } = await tasker.getChildTasks(taskUuid);
   * for (const { step, status } of children) console.log(step, status);
   * @throws TaskerError `task_not_found`, `invalid_uuid`
   */
  getChildTasks(taskUuid: string): Promise<TaskFamily> {
    return this.#engine.getChildTasks(taskUuid);
  }

  /**
   * Returns the live and the recently ended workers of all processes, by name.
   *
   * @example
   * for (const { name, state, running, concurrency } of await tasker.listWorkers({ namespace: 'shop' })) {
   *   console.log(`${name} ${state}: ${running} of ${concurrency} slots`);
   * }
   * @throws TaskerError `bad_request`
   */
  listWorkers(options?: WorkerListOptions): Promise<WorkerInfo[]> {
    return listWorkers(this.#engine, options);
  }

  /**
   * Returns a worker, by its name or id, with its running steps. If no live worker has the name, returns the last
   * worker that had it, until a day after it ended.
   * @throws TaskerError `worker_not_found`; `bad_request` if several live workers have the name
   */
  getWorker(worker: string | number): Promise<WorkerDetails> {
    return getWorker(this.#engine, worker);
  }

  /**
   * Asks a worker of any process on any machine to stop taking steps. Its running steps finish. Their children and all
   * other steps are left to other workers. The process stays alive, and the worker keeps draining until the process
   * ends or {@link resumeWorker} is called. With `wait`, resolves when the worker no longer holds steps, has stopped or
   * was lost.
   *
   * @example
   * const { worker, left } = await tasker.drainWorker('worker-7', { wait: true, timeoutMs: 60_000, reason: 'new kernel' });
   * if (left.length > 0) console.warn(`no other worker serves ${left.join(', ')}`);
   * @throws TaskerError `worker_not_found`; `bad_request` if several live workers have the name; `illegal_transition`
   * if it has ended; `timeout`
   */
  drainWorker(worker: string | number, options?: DrainOptions): Promise<DrainedWorker> {
    return drainWorker(this.#engine, worker, this.#by(options));
  }

  /** Lets a worker that was drained take steps again. Throws the same errors as {@link drainWorker}. */
  resumeWorker(worker: string | number, options?: OperatorOptions): Promise<{ worker: WorkerInfo; changed: boolean }> {
    return resumeWorker(this.#engine, worker, this.#by(options));
  }

  /**
   * Returns the queue of every namespace, served or not, by name: ready and running steps, waiting retries, and the
   * ready steps that no live worker can run.
   *
   * @example
   * for (const { namespace, ready, unservedSteps } of await tasker.queues()) console.log(namespace, ready, unservedSteps);
   * @throws TaskerError `bad_request` if the namespace does not exist
   */
  queues(options?: QueueListOptions): Promise<QueueInfo[]> {
    return listQueues(this.#engine, options);
  }

  /**
   * Makes a version of a template the active version, which requests without a version mean. The version is pinned:
   * registering a higher version does not replace it, until the next activation. `namespace/name@latest` makes the
   * highest registered version active, and ends the pin. Running tasks keep their template. Activating the active
   * version again changes nothing.
   *
   * @example
   * // After 1.1.0 was deployed and fails: new tasks use 1.0.0 again.
   * await tasker.activateTemplate('shop/fulfil@1.0.0', { actor: 'ann', reason: 'charges twice' });
   * @throws TaskerError `bad_request`, `template_not_found`, `timeout` if a transaction that creates a task of the
   * template stays open for ten seconds
   */
  activateTemplate(template: string, options?: OperatorOptions): Promise<Activation> {
    return this.#engine.activateTemplate(template, this.#by(options));
  }

  /**
   * Pauses a task, a template or a namespace. Running steps finish and are recorded. Once the call has returned, no
   * process starts a step that the pause covers. New tasks are accepted, and their steps wait. Retries become due and
   * wait. Only the limits of a template's `lifecycle` exclude the paused time. Pauses of a task, its template and its
   * namespace are independent: a step starts once none is in force. Pausing a paused target changes nothing.
   *
   * @example
   * await tasker.pause({ template: 'shop/fulfil' }, { actor: 'ann', reason: 'the carrier is down' });
   * await tasker.resume({ template: 'shop/fulfil' }, { actor: 'ann' });
   * @throws TaskerError `task_not_found`, `template_not_found`, `namespace_not_found`, `illegal_transition` for a task
   * that has ended, `timeout` if an open transaction keeps the queue locked for 90 seconds; the pause is stored
   * nevertheless
   */
  pause(target: PauseTarget, options?: OperatorOptions): Promise<PauseResult> {
    return this.#engine.pause(target, this.#by(options));
  }

  /**
   * Ends the pause of a task, a template or a namespace. Its steps can start, unless another pause covers them: see
   * `others` of the result. Resuming a target that is not paused changes nothing.
   *
   * @throws TaskerError `task_not_found`, `template_not_found`, `namespace_not_found`, `timeout`
   */
  resume(target: PauseTarget, options?: OperatorOptions): Promise<PauseResult> {
    return this.#engine.resume(target, this.#by(options));
  }

  /**
   * Returns the pauses in force: first pauses of namespaces and templates, then pauses of tasks. `limit`: default 1000.
   * `after`: the last pause of the previous page.
   */
  pauses({ limit = 1000, after }: { limit?: number; after?: PausePlace | undefined } = {}): Promise<Pause[]> {
    return this.#engine.listPauses(limit, after);
  }

  /**
   * Deletes tasks that ended long enough ago, with their steps, results and history, in small transactions while
   * workers run. By default, the prune works a tenth of the time and sleeps for the rest. Nothing is deleted before the
   * result is awaited or iterated over. Tasks are skipped while a subscriber group has not received all their events.
   *
   * With `archive`, tasks are written to files in this folder first: see {@link restoreArchive}. The identities stay
   * reserved, so a repeated request is a `conflict`, unless `releaseKeys` is set. Another prune with the same filter
   * continues a prune that was killed.
   *
   * @example
   * const prune = tasker.prune({ olderThan: '90d', status: 'complete' }, { archive: '/var/archive', reason: 'disk' });
   * for await (const { deleted } of prune) console.log(deleted);
   * const { files, reasons } = await prune.result();
   * @throws TaskerError `bad_request`; on iteration: `illegal_transition` if another prune is running,
   * `folder_not_writable`
   */
  prune(filter: PruneFilter, options?: PruneOptions): PruneAct {
    return startPrune(this.#engine, filter, this.#by(options));
  }

  /**
   * Restores the tasks of an archive file, or some of them, under their ids, with their steps, results, history and
   * events. Existing tasks are not changed. No group of subscribers receives the events again. A retention policy
   * counts the age of a restored task from the restore. The templates of the tasks must be registered.
   *
   * @example
   * const { restored } = await tasker.restoreArchive(file, { tasks: [taskUuid], reason: 'audit' }).result();
   * @throws TaskerError `invalid_uuid`; on iteration: `bad_request` if the file is not an archive
   */
  restoreArchive(file: string, options?: RestoreOptions): RestoreAct {
    return new RestoreAct(this.#engine, file, this.#by(options));
  }

  async #acting<T>(taskUuid: string, act: () => Promise<T>): Promise<T> {
    const result = await act();
    this.#changed(taskUuid.toLowerCase());
    return result;
  }

  /**
   * Sends a signal to a task, by its id or its idempotency key. With a correlation id, sends the signal to all open
   * tasks that have a step for it. A step that waits for the signal is completed in the same transaction, with the
   * payload as its result: at most 1 MB of JSON. A signal that arrives before its step waits is kept for the step.
   *
   * The payload must match the `schema` of the step. With an `idempotencyKey`, the call can be repeated safely. With a
   * `client` in your own transaction, the signal is delivered within a second after that transaction commits; see
   * {@link getSignal}.
   *
   * @example
   * const { tasks } = await tasker.signal(taskUuid, 'payment_received', { amount: 12 }, { idempotencyKey: event.id });
   * console.log(tasks[0]!.status); // used, held or kept
   * await tasker.signal({ correlationId: orderId }, 'shipped');
   * await tasker.signal({ namespace: 'shop', name: 'order', idempotencyKey: 'O-7' }, 'shipped');
   * @throws TaskerError `signal_refused` if no step can use the signal or the payload does not match; `wait_over` if
   * the signal arrived too late; `task_not_found`, `invalid_uuid`, `bad_request`
   */
  async signal(
    task: SignalTarget,
    name: string,
    payload: unknown = null,
    options: SignalOptions = {},
  ): Promise<SentSignal> {
    const sent = await sendSignal(this.#engine, { target: task, name, payload }, options);
    for (const { taskUuid, status } of sent.tasks) if (status === 'used') this.#changed(taskUuid);
    return sent;
  }

  /**
   * Returns a signal and its outcome by its `signalId`. Returns undefined if the signal does not exist or its task was
   * deleted. Also returns undefined for a signal that was sent with a `client` and rejected more than 30 days ago.
   *
   * @example
   * const { status, error, tasks } = (await tasker.getSignal(signalId))!;
   * if (status === 'refused') console.warn(error!.message);
   * @throws TaskerError `invalid_uuid`
   */
  getSignal(signalId: string): Promise<Signal | undefined> {
    return getSignal(this.#engine.database, signalId);
  }

  /**
   * Returns the signals that a task has received, in order of arrival.
   *
   * @example
   * const { signals } = await tasker.listSignals(taskUuid, { kept: true });
   * @throws TaskerError `task_not_found`, `invalid_uuid`, `bad_request`
   */
  listSignals(taskUuid: string, options: SignalListOptions = {}): Promise<SignalPage> {
    return signalsOfTask(this.#engine.database, taskUuid, options);
  }

  /** Returns the last wait of each step in a task, including ended waits. @internal */
  getWaits(taskUuid: string): Promise<TaskWait[]> {
    return waitsOfTask(this.#engine, taskUuid);
  }

  /**
   * Completes a timer step now, as if its time had come.
   *
   * @example
   * await tasker.fireTimer(taskUuid, 'cooling_off', { actor: 'ann', reason: 'the customer agreed' });
   * @throws TaskerError `illegal_transition` if the step does not wait for a time; `task_not_found`, `step_not_found`,
   * `invalid_uuid`
   */
  async fireTimer(taskUuid: string, step: string, options?: OperatorOptions): Promise<void> {
    await this.#engine.fireTimer({ taskUuid, step }, this.#by(options));
    this.#changed(taskUuid.toLowerCase());
  }

  /**
   * Changes the time of a timer step: ISO 8601 with a zone, milliseconds since 1970, a date, or `{ delayMs }` from now
   * by the clock of the database. A time in the past ends the wait immediately. Returns the time in ISO 8601.
   *
   * @example
   * await tasker.moveTimer(taskUuid, 'trial', '2027-01-15T09:00:00+01:00', { actor: 'ann' });
   * @throws TaskerError `bad_request` if the time is malformed; `illegal_transition` if the step does not wait for a
   * time; `task_not_found`, `step_not_found`, `invalid_uuid`
   */
  moveTimer(taskUuid: string, step: string, until: TimerTime, options?: OperatorOptions): Promise<string> {
    return this.#engine.moveTimer({ taskUuid, step }, until, this.#by(options));
  }

  /**
   * Starts a task now that was created with `startAt` or `delayMs`.
   *
   * @example
   * await tasker.startTaskNow(taskUuid, { actor: 'ann' });
   * @throws TaskerError `illegal_transition` if the task has started or ended, `task_not_found`, `invalid_uuid`
   */
  async startTaskNow(taskUuid: string, options?: OperatorOptions): Promise<void> {
    await this.#engine.startTaskNow(taskUuid, this.#by(options));
    this.#changed(taskUuid.toLowerCase());
  }

  /**
   * Changes the start of a task that was created with `startAt` or `delayMs`: ISO 8601 with a zone, milliseconds since
   * 1970, a date, or `{ delayMs }` from now by the clock of the database. A time in the past starts the task
   * immediately. Returns the time in ISO 8601.
   *
   * @example
   * await tasker.rescheduleTask(taskUuid, { delayMs: 3_600_000 }, { actor: 'ann' });
   * @throws TaskerError `bad_request` if the time is malformed; `illegal_transition` if the task has started or ended;
   * `task_not_found`, `invalid_uuid`
   */
  rescheduleTask(taskUuid: string, at: TimerTime, options?: OperatorOptions): Promise<string> {
    return this.#engine.rescheduleTask(taskUuid, at, this.#by(options));
  }

  /**
   * Completes a step from outside, with the token that its handler got from `context.completionToken()`. The result is
   * checked against the step's `result_schema`. A repeated call changes nothing and returns `repeated: true`.
   *
   * If the attempt is still running, the step completes immediately: the handler's signal fires, and its return value
   * is dropped. If its worker was lost, the token stays valid until the next attempt starts.
   *
   * @example
   * app.post('/callback', async (request, response) => {
   *   await tasker.completeByToken(request.query.token, { paid: request.body.amount });
   *   response.sendStatus(204);
   * });
   * @throws TaskerError `token_invalid`; `wait_over` if the call comes too late; `bad_request` or `result_not_storable`
   * if the result is rejected, and the step continues to wait
   */
  async completeByToken(token: string, result?: unknown): Promise<TokenUse> {
    return this.#used(await this.#engine.completeByToken(token, result));
  }

  /**
   * Fails the attempt of a token. The retry policy of the step applies, unless the error is not `retryable`. A repeated
   * call changes nothing.
   *
   * @example
   * await tasker.failByToken(token, { message: 'the card was refused', errorType: 'card_refused', retryable: false });
   * @throws TaskerError `token_invalid`, `wait_over`, `bad_request`
   */
  async failByToken(token: string, error: string | TokenError): Promise<TokenUse> {
    return this.#used(await this.#engine.failByToken(token, error));
  }

  /**
   * Sets the timeout of the wait for a completion to `timeoutMs` milliseconds from now, by the database clock. A system
   * that works for a long time can call it repeatedly. Returns the new end of the wait in ISO 8601.
   *
   * @example
   * await tasker.extendByToken(token, { timeoutMs: 60_000 });
   * @throws TaskerError `token_invalid`; `wait_over` if the wait has ended or timed out;
   * `illegal_transition` if the attempt does not wait yet; `bad_request`
   */
  extendByToken(token: string, { timeoutMs }: { timeoutMs: number }): Promise<string> {
    return this.#engine.extendByToken(token, timeoutMs);
  }

  #used(use: TokenUse): TokenUse {
    this.#changed(use.taskUuid);
    return use;
  }

  /** Wakes the worker, and the callers in this process that wait for this task. */
  #changed(taskUuid: string): void {
    this.#worker?.taken(taskUuid);
    this.#worker?.wake();
    this.#waiter.touched(taskUuid);
  }

  /**
   * Stops the tasker. Claims no new steps, and waits up to `drainTimeoutMs` (default 30,000) for running handlers. Then
   * fires their signal and releases their steps. Nothing is lost. Returns the same promise for every call.
   */
  stop({ drainTimeoutMs = this.#parts.config.drainTimeoutMs }: { drainTimeoutMs?: number } = {}): Promise<void> {
    this.#stopped ??= this.#stop(drainTimeoutMs);
    return this.#stopped;
  }

  async #stop(drainTimeoutMs: number): Promise<void> {
    // A startup that hangs on a silent server must not block the stop.
    if (this.#started)
      await waitAtMost(
        START_MS,
        this.#started.catch(() => undefined),
      );
    const drainMs = Math.min(drainTimeoutMs, LONGEST_TIMER_MS);
    const until = performance.now() + drainMs;
    this.#engine.changes.close();
    try {
      await waitAtMost(FLUSH_MS, this.bulk.stopAll());
      await this.#httpWorkers?.stop();
      await this.#worker?.stop({ drainTimeoutMs: drainMs });
      // Released steps must not wait for the next poll of another worker.
      await waitAtMost(FLUSH_MS, this.#signals.flush());
    } finally {
      this.#waiter.stop();
      this.events.stop();
      this.#signals.discardPending();
      await this.#stopDelivery(until - performance.now());
      this.#stopCounting();
      const { search, analytics, signalInbox } = this.#engine;
      const countLast = drainMs >= FLUSH_MS;
      await waitAtMost(FLUSH_MS, Promise.all([search.stop(), analytics.stop({ countLast }), signalInbox.stop()]));
      await this.#signals.stop().finally(() => {
        this.#over.abort();
        return this.#parts.open.close();
      });
      this.#parts.stopped?.();
    }
  }

  /** Runs after the worker has stopped, so that the events of its last steps are delivered. */
  async #stopDelivery(drainTimeoutMs: number): Promise<void> {
    await this.#delivery
      ?.stop({ drainTimeoutMs: Math.max(0, drainTimeoutMs), hurry: this.#hurry.signal })
      .catch((error: unknown) => this.#logger.warn({ error: messageOf(error) }, 'event delivery did not stop cleanly'));
  }

  /**
   * Ends the drain time of a {@link stop} in progress, or of the next one, and fires the signal of running handlers and
   * subscribers.
   */
  hurry(): void {
    this.#worker?.hurry();
    this.#hurry.abort();
  }

  /** Stops when the signal fires. @internal */
  stopWith(signal: AbortSignal): void {
    const stop = () => {
      this.stop().catch((error: unknown) =>
        this.#logger.warn({ error: messageOf(error) }, 'tasker did not stop cleanly'),
      );
    };
    signal.addEventListener('abort', stop, { once: true, signal: this.#over.signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function stopped(): TaskerError {
  return new TaskerError('stopped', 'this tasker was stopped; create another one');
}

/** The result of {@link Tasker.createTask}. */
export interface TaskHandle {
  taskUuid: string;
  name: string;
  namespace: string;
  version: string;
  priority: number;
  totalSteps: number;
  /** False if this is an existing task: the first one with the same identity (`onDuplicate: 'return'`), or the open one of the key. */
  created: boolean;
  /**
   * `created`: this is a new task. `replaced`: it is a new task, for which the open task of its key was cancelled. `returned`:
   * it is an existing task.
   */
  outcome: CreationOutcome;
  /** The rule that returned or replaced a task: the identity of the request, or `unique` of the template. Null if neither did. */
  rule: 'identity' | 'unique' | null;
  /** The task that was cancelled for this one. Null if none was. */
  replacedTaskUuid: string | null;
}

function handleOf({ taskUuid, snapshot, priority, created, outcome, rule, replaced }: CreatedTask): TaskHandle {
  const { name, namespace, version } = snapshot.template;
  const totalSteps = snapshot.graph.names.length;
  const answer = { created, outcome, rule, replacedTaskUuid: replaced?.taskUuid ?? null };
  return { taskUuid, name, namespace, version, priority, totalSteps, ...answer };
}

/**
 * Creates tasks with one span each. The span is the parent of the spans of the task's steps, even in other processes. A
 * request with its own `traceparent` keeps it and gets no span.
 */
async function withSpans<Created extends Pick<CreatedTask, 'taskUuid' | 'snapshot'>>(
  tracing: Tracing,
  requests: readonly TaskRequest[],
  create: (requests: readonly TaskRequest[]) => Promise<Created[]>,
): Promise<Created[]> {
  const spans = requests.map((request) => {
    if (request.traceparent !== undefined) return undefined;
    const { namespace = 'default', name } = request;
    const template = requestedTemplate(request);
    return tracing.start(`task ${namespace}/${name}`, {
      kind: 'PRODUCER',
      attributes: { 'tasker.template': template },
    });
  });
  try {
    const created = await create(
      requests.map((request, i) => (spans[i] ? { ...request, traceparent: tracing.traceparentOf(spans[i]) } : request)),
    );
    created.forEach(({ taskUuid, snapshot }, i) => {
      const attributes = { 'tasker.task_uuid': taskUuid, 'tasker.template': templateName(snapshot.template) };
      if (spans[i]) tracing.end(spans[i], { attributes });
    });
    return created;
  } catch (error) {
    for (const span of spans) if (span) tracing.end(span, { error: { message: messageOf(error) } });
    throw error;
  }
}
