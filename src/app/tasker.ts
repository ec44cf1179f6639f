import { availableParallelism } from 'node:os';
import { DEFAULTS } from '../config/defaults.ts';
import { LONGEST_TIMER_MS } from '../config/value-forms.ts';
import type { CreatedTask, CreateOptions, TaskRequest } from '../engine/create-task.ts';
import type { Engine, RecordAnswer } from '../engine/engine.ts';
import { readCreateOptions, readRequests } from '../engine/read-requests.ts';
import type { CopyOptions } from '../engine/rerun/copy-task.ts';
import type { AttemptLog } from '../engine/step-logs.ts';
import type { StreamChange } from '../engine/streams/changes.ts';
import type { StreamFilter } from '../engine/streams/stream-filter.ts';
import type { HistoryEntry, Step, Task } from '../engine/task-view.ts';
import { readTaskWithSteps, type TaskSnapshot } from '../engine/task-with-steps.ts';
import { type TemplateArrival, nameOf as templateName } from '../engine/template-store.ts';
import { messageOf, TaskerError } from '../errors.ts';
import { EventBus } from '../events/subscribing/event-bus.ts';
import type { Logger } from '../logging/logger.ts';
import { moduleLogger } from '../logging/module-logger.ts';
import type { Metrics, MetricsReport } from '../metrics/metrics.ts';
import type { TaskTemplate } from '../template/task-template.ts';
import { requestedTemplate } from '../template/template-name.ts';
import { formatProblem } from '../template/template-problem.ts';
import { waitAtMost } from '../time/wait-at-most.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { HttpWorkers, HttpWorkersOptions } from '../worker/http/http-workers.ts';
import type { Worker } from '../worker/worker.ts';
import type { WorkerStats } from '../worker/worker-options.ts';
import type { ListOptions } from './list-options.ts';
import { exportTask, type TaskExport, type TaskExportOptions } from './overview/task-export.ts';
import type { TemplateSource } from './project/load-templates.ts';
import { policyOf, retentionOf } from './retention.ts';
import { ServedNamespaces, Signals } from './signals.ts';
import { onlySuccess, TaskWaiter, type WaitOptions, watchTask } from './streams/task-waiter.ts';
import { type WatchTasksOptions, watchTasks } from './streams/watch-tasks.ts';
import type { CheckedRequest, CheckedRequests } from './task-types.ts';
import { countTasker } from './tasker-counts.ts';
import type { TaskerDelivery } from './tasker-delivery.ts';
import { TaskerEvents } from './tasker-events.ts';
import { TaskerOperations } from './tasker-operations.ts';
import type { TaskerParts } from './tasker-parts.ts';

export type { AttemptLog, ListOptions, TaskSnapshot, WaitOptions };

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
export class Tasker extends TaskerOperations {
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
    super(parts.engine);
    this.#parts = parts;
    this.#engine = parts.engine;
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
   * Creates a task, which is committed when this resolves. With the file of `tasker generate types` in the program,
   * TypeScript checks name, namespace, version and context (see `TaskTypes`). If the name, namespace or version has the
   * type `string`, nothing is checked.
   *
   * @example
   * const task = await tasker.createTask({ namespace: 'shop', name: 'fulfil', version: '1.0.0', context: { order_id: 'O-7' } });
   * @throws TaskerError `template_not_found`, `bad_request`, `invalid_context`, `identity_missing`, `conflict`
   */
  async createTask<Name extends string = string, Namespace extends string = never, Version extends string = never>(
    request: CheckedRequest<Name, Namespace, Version>,
    options?: CreateOptions,
  ): Promise<TaskHandle> {
    const [handle] = await this.#createTasks([request as TaskRequest], options);
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

  async #createTasks(requests: readonly TaskRequest[], options?: CreateOptions): Promise<TaskHandle[]> {
    // During a stop, handlers and subscribers may create tasks until the connections are closed.
    if (this.#over.signal.aborted) throw stopped();
    const { tracing } = this.#parts;
    const read = readRequests(requests);
    const how = readCreateOptions(options);
    const create = (all: readonly TaskRequest[]) => this.#waiter.creating(() => this.#engine.createTasks(all, how));
    const created = await (tracing ? withSpans(tracing, read, create) : create(read));
    // The task is not visible before the caller's commit.
    if (how.client) return created.map(handleOf);
    this.#signals.created(created);
    if (read.some(({ startAt, delayMs }) => startAt != null || delayMs != null)) await this.#engine.announceSchedules();
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
    const created = await this.#waiter.creating(async () => [await this.engine.copyTask(taskUuid, this.by(options))]);
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
   * Resolves with the task when it has ended, or when it is in `blocked_by_failures` until an operator acts.
   * @throws TaskerError `timeout`, `task_not_found`, `invalid_uuid`, `stopped`; with `throwOnFailure` also `task_failed`
   */
  waitForTask(taskUuid: string, options: WaitOptions = {}): Promise<Task> {
    const ended = this.#waiter.wait(taskUuid, options);
    return options.throwOnFailure ? ended.then(onlySuccess) : ended;
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

  /** @internal */
  protected override changed(taskUuid: string): void {
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
  /** False if this is an earlier task with the same identity (`onDuplicate: 'return'`). */
  created: boolean;
}

function handleOf({ taskUuid, snapshot, priority, created }: CreatedTask): TaskHandle {
  const { name, namespace, version } = snapshot.template;
  return { taskUuid, name, namespace, version, priority, totalSteps: snapshot.graph.names.length, created };
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
