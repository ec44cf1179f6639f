import { DEFAULTS } from '../config/defaults.ts';
import { Listener } from '../db/listener.ts';
import type { CreatedTask, CreateOptions, TaskRequest } from '../engine/create-task.ts';
import {
  CHANNEL_ENDED,
  CHANNEL_EVENTS,
  CHANNEL_TAKEN,
  CHANNEL_WORK,
  type Engine,
  type StepReference,
} from '../engine/engine.ts';
import type { OperatorOptions } from '../engine/operate.ts';
import { readCreateOptions, readRequests } from '../engine/read-requests.ts';
import { type HistoryEntry, type Step, TASK_STATES, type Task } from '../engine/task-view.ts';
import type { Snapshot } from '../engine/template-store.ts';
import { messageOf, TaskerError } from '../errors.ts';
import type { EventConsumer } from '../events/delivery/event-consumer.ts';
import type { EventDeliveryOptions } from '../events/delivery/event-delivery.ts';
import { idlePublishers, unknownPublishers } from '../events/publishing/check-publishers.ts';
import type { PublisherRegistry } from '../events/publishing/publisher-registry.ts';
import { EventBus } from '../events/subscribing/event-bus.ts';
import type { SubscriberRegistry } from '../events/subscribing/subscriber-registry.ts';
import type { Logger } from '../logging/logger.ts';
import { moduleLogger } from '../logging/module-logger.ts';
import type { Metrics, MetricsReport } from '../metrics/metrics.ts';
import {
  checkHandlers,
  phraseProblems,
  type Resolve,
  resolvingOnce,
  unusedMethods,
} from '../registry/check-handlers.ts';
import type { HandlerRegistry } from '../registry/handler-registry.ts';
import { formatProblem } from '../template/parse-template.ts';
import type { TaskTemplate } from '../template/task-template.ts';
import { waitAtMost } from '../time/wait-at-most.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { checkIsolation } from '../worker/threads/isolation.ts';
import { Worker } from '../worker/worker.ts';
import type { WorkerStats } from '../worker/worker-options.ts';
import { withSpans } from './created-spans.ts';
import { unusedProcessRegistries } from './event-registries.ts';
import { meantState } from './meant-state.ts';
import { Notices } from './notices.ts';
import type { OpenDatabase } from './open-database.ts';
import { checkNamedSteps, phraseNamedSteps } from './project/check-named-steps.ts';
import { uncoveredTemplates } from './project/check-namespaces.ts';
import { loadTemplates, type TemplateSource } from './project/load-templates.ts';
import type { CheckedRequest, CheckedRequests } from './task-types.ts';
import { isResting, TaskWaiter } from './task-waiter.ts';
import { TaskerCounts } from './tasker-counts.ts';
import { TaskerDelivery } from './tasker-delivery.ts';
import { TaskerEvents } from './tasker-events.ts';
import { type Explanation, explainTask } from './why.ts';

/** What {@link Tasker.createTask} answers. */
export interface TaskHandle {
  taskUuid: string;
  name: string;
  namespace: string;
  version: string;
  priority: number;
  totalSteps: number;
  /** False: an earlier task with the same identity stands for it (`onDuplicate: 'return'`). */
  created: boolean;
}

/** Options of {@link Tasker.waitForTask}. */
export interface WaitOptions {
  /** Milliseconds; without it, as long as it takes. */
  timeoutMs?: number;
  /** Reject with `task_failed` when the task did not complete. Default false: the task tells by its status. */
  throwOnFailure?: boolean;
  signal?: AbortSignal;
}

/** What {@link Tasker.watchTask} yields: the task and its steps, whenever something changed. */
export interface TaskSnapshot {
  task: Task;
  steps: Step[];
}

/** Which tasks {@link Tasker.listTasks} gives. */
export interface ListOptions {
  namespace?: string;
  name?: string;
  /** `pending` lists with `steps_in_process`: both are work to do. */
  status?: string;
  /** Only tasks that have not ended. */
  openOnly?: boolean;
  /** Only open tasks that stand longer than their template's `lifecycle` allows. */
  stale?: boolean;
  /** 1 … 1000, default 50. */
  limit?: number;
  /** Page on: the id of the last task of the page before. */
  before?: string;
}

/** What a {@link Tasker} is made from; `createTasker` makes it. */
export interface TaskerParts {
  open: OpenDatabase;
  engine: Engine;
  registry: HandlerRegistry | undefined;
  logger: Logger;
  metrics: Metrics;
  tracing: Tracing | undefined;
  name: string;
  concurrency: number;
  leaseMs: number;
  blockedLoopBoundMs: number;
  threads: number;
  threadMemoryMb: number | undefined;
  handlerTimeoutMs: number;
  handlerMissingGraceMs: number;
  drainTimeoutMs: number;
  pollMs: number | undefined;
  namespaces: readonly string[] | undefined;
  /** Steps are handed out as events, instead of being run by the worker itself. */
  handOut: boolean;
  templates: readonly TaskTemplate[];
  /** The environment whose overrides apply to templates that are registered later. */
  environment: string;
  /** Where durable events are brought to. */
  sinks: readonly EventConsumer[];
  /** Who makes domain events. */
  publishers: PublisherRegistry;
  /** Who gets them. */
  subscribers: SubscriberRegistry;
  eventDelivery: EventDeliveryOptions;
  /** Called when it has stopped. */
  stopped: (() => void) | undefined;
}

/** What can be seen of a tasker from outside. @internal */
export interface Vitals {
  namespaces: readonly string[];
  /** Whether notifications arrive; without them work is found by looking. */
  hears: boolean;
  leaseSure: boolean;
  /** Connections at most. */
  poolSize: number;
  /** Open connections that do nothing right now. */
  poolIdle: number;
}

/** How long a stop waits for its last notifications. */
const TELL_MS = 2_000;
/** How long a stop waits for a start under way. */
const START_MS = 15_000;
/** How long a start waits for resolvers that are asked for the handlers of its templates. */
const CHECK_MS = 2_000;
const WATCH_MS = 250;
/** No timer of Node runs longer. */
const LONGEST_DRAIN_MS = 2 ** 31 - 1;

/**
 * A running tasker: creates tasks, watches them and — unless `worker: false` — runs their steps. Made by
 * {@link createTasker}; several in one process know nothing of each other.
 *
 * @example
 * const { taskUuid } = await tasker.createTask({ namespace: 'shop', name: 'order', context: { order_id: 'O-7' } });
 * const { status } = await tasker.waitForTask(taskUuid, { timeoutMs: 60_000 });
 * if (status !== 'complete') {
 *   for (const { step, why } of (await tasker.why(taskUuid)).steps) console.log(`${step}: ${why}`);
 * }
 */
export class Tasker {
  readonly #parts: TaskerParts;
  readonly #engine: Engine;
  readonly #logger: Logger;
  readonly #waiter: TaskWaiter;
  readonly #listener: Listener;
  readonly #worker: Worker | undefined;
  readonly #counts: TaskerCounts;
  readonly #delivery: TaskerDelivery;
  /** The `fast` and `broadcast` events of its worker. @internal */
  readonly eventBus: EventBus;
  /** The durable domain events, and the groups that get them. */
  readonly events: TaskerEvents;
  readonly #served = new Set<string>();
  readonly #notices: Notices;
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;
  readonly #hurry = new AbortController();
  #forgetSignal: (() => void) | undefined;

  /** @internal */
  constructor(parts: TaskerParts) {
    this.#parts = parts;
    this.#engine = parts.engine;
    this.#logger = moduleLogger(parts.logger, 'app');
    this.eventBus = new EventBus(moduleLogger(parts.logger, 'events'));
    this.#waiter = new TaskWaiter(parts.engine, this.#logger);
    this.#notices = new Notices(parts.engine, this.#logger);
    this.events = new TaskerEvents(parts.engine.events, this.#logger);
    for (const template of parts.templates) this.#served.add(template.namespace);
    this.#listener = new Listener(
      parts.open.database,
      [CHANNEL_WORK, CHANNEL_ENDED, CHANNEL_TAKEN, CHANNEL_EVENTS],
      { onNotify: (channel, payload) => this.#heard(channel, payload), onCatchUp: () => this.#catchUp() },
      moduleLogger(parts.logger, 'db'),
    );
    this.#worker = parts.registry && this.#makeWorker(parts.registry);
    this.#delivery = new TaskerDelivery({
      log: parts.engine.events,
      bus: this.eventBus,
      logger: moduleLogger(parts.logger, 'events'),
      metrics: parts.metrics,
      options: parts.eventDelivery,
      subscribers: parts.subscribers,
      sinks: parts.sinks,
    });
    this.#counts = new TaskerCounts(parts, {
      namespaces: () => (this.#worker ? this.#namespaces() : []),
      bus: this.eventBus,
    });
  }

  #makeWorker(registry: HandlerRegistry): Worker {
    const { name, concurrency, leaseMs, blockedLoopBoundMs, handlerTimeoutMs, handlerMissingGraceMs, pollMs, handOut } =
      this.#parts;
    return new Worker({
      handOut,
      engine: this.#engine,
      registry,
      logger: moduleLogger(this.#parts.logger, 'worker'),
      tracing: this.#parts.tracing,
      name,
      concurrency,
      leaseMs,
      blockedLoopBoundMs,
      threads: this.#parts.threads,
      threadMemoryMb: this.#parts.threadMemoryMb,
      handlerTimeoutMs,
      missingGraceMs: handlerMissingGraceMs,
      namespaces: () => this.#namespaces(),
      pollMs: () => pollMs ?? (this.#listener.hears ? DEFAULTS.pollMs : DEFAULTS.pollDeafMs),
      onTasksEnded: (ended) => this.#tasksEnded(ended),
      onWorkLeft: (rank) => this.#notices.work(rank),
      publishers: this.#parts.publishers,
      eventBus: this.eventBus,
      onEventsStored: () => this.#eventsStored(),
    });
  }

  #namespaces(): readonly string[] {
    return this.#parts.namespaces ?? [...this.#served].sort();
  }

  /** Starts listening and, with handlers, working. `createTasker` does it unless `autoStart: false`. */
  start(): Promise<void> {
    if (this.#stopped) return Promise.reject(new TaskerError('stopped', 'this tasker was stopped; create another one'));
    this.#started ??= this.#start();
    return this.#started;
  }

  async #start(): Promise<void> {
    const { registry, templates } = this.#parts;
    if (registry) {
      checkIsolation(
        registry,
        templates.flatMap(({ steps }) => steps.map(({ handler }) => handler)),
      );
    }
    for (const line of unusedProcessRegistries(this.#parts, { publishes: registry !== undefined })) {
      this.#logger.warn(line);
    }
    if (registry) {
      const resolve = resolvingOnce(registry);
      const checks = [this.#checkNamedSteps(registry, resolve)];
      // A subscriber that steps are handed out to may register its handlers at any time.
      if (!this.#parts.handOut) checks.push(this.#checkHandlers(registry, resolve));
      await waitAtMost(CHECK_MS, Promise.all(checks));
      this.#checkPublishers();
    }
    this.#checkNamespaces();
    if (this.#servesAll) await this.#serveAll();
    await this.#listener.start();
    await this.#delivery.start();
    await this.#worker?.start();
  }

  #checkNamespaces(): void {
    const { namespaces, templates } = this.#parts;
    if (!this.#worker || !namespaces) return;
    const warning = uncoveredTemplates(namespaces, templates);
    if (warning !== undefined) this.#logger.warn({ namespaces }, warning);
  }

  get #servesAll(): boolean {
    return this.#worker !== undefined && this.#parts.templates.length === 0 && !this.#parts.namespaces;
  }

  /** Without templates or namespaces of its own, a worker serves what is registered. */
  async #serveAll(): Promise<void> {
    for (const { namespace } of await this.#engine.templates.list()) this.#served.add(namespace);
  }

  /** Says, once, which handlers of the templates can't be had here; they may be registered later, or elsewhere. */
  async #checkHandlers(registry: HandlerRegistry, resolve: Resolve): Promise<void> {
    const { templates } = this.#parts;
    const problems = await checkHandlers(registry, templates, resolve);
    for (const line of await unusedMethods(templates, resolve)) this.#logger.warn(line);
    if (problems.length === 0) return;
    this.#logger.warn(
      { handlers: problems.map(({ callable }) => callable), problems: problems.map(({ message }) => message) },
      `${phraseProblems(problems)}; register them, or run a worker that has them`,
    );
  }

  /** Warns about steps that handlers name in their options but the templates lack. */
  async #checkNamedSteps(registry: HandlerRegistry, resolve: Resolve): Promise<void> {
    const problems = await checkNamedSteps(registry, this.#parts.templates, resolve);
    if (problems.length > 0) this.#logger.warn(phraseNamedSteps(problems));
  }

  /** A publisher that nobody has costs every one of its events. Those that steps are handed out to may register it later. */
  #checkPublishers(): void {
    const { publishers, templates, handOut } = this.#parts;
    const unknown = unknownPublishers(publishers, templates);
    if (unknown && !handOut) throw unknown;
    if (unknown) this.#logger.warn({ publishers: unknown.missingPublishers }, unknown.message);
    for (const line of idlePublishers(publishers, templates)) this.#logger.warn(line);
  }

  /** The engine under this tasker, for tools of this package. @internal */
  get engine(): Engine {
    return this.#engine;
  }

  /** Where the database is, without its password. */
  get place(): string {
    const { embedded, database } = this.#parts.open;
    return embedded ? `embedded PostgreSQL ${embedded.version}, log in ${embedded.logFile}` : database.place;
  }

  /** The worker under this tasker, for what is built on it. @internal */
  get worker(): Worker | undefined {
    return this.#worker;
  }

  /** Serves these namespaces as well, unless its namespaces were given. @internal */
  async serveToo(namespaces: readonly string[]): Promise<void> {
    const more = namespaces.filter((namespace) => !this.#served.has(namespace));
    if (more.length === 0) return;
    for (const namespace of more) this.#served.add(namespace);
    await this.refresh();
  }

  /** The namespaces that its worker serves now. @internal */
  get namespaces(): readonly string[] {
    return this.#namespaces();
  }

  /** What the worker does right now; undefined with `worker: false`. */
  get stats(): WorkerStats | undefined {
    return this.#worker?.stats;
  }

  /** What was counted so far, for Prometheus and for programs. Nothing with `metrics: false`. */
  get metrics(): MetricsReport {
    return this.#parts.metrics;
  }

  /** What looks after this tasker's health sees of it. @internal */
  get vitals(): Vitals {
    return {
      namespaces: this.#namespaces(),
      hears: this.#listener.hears,
      leaseSure: this.#worker?.leaseSure ?? false,
      poolSize: this.#parts.open.database.poolSize,
      poolIdle: this.#parts.open.database.idleConnections,
    };
  }

  /** Statements sent to the database so far. */
  get statements(): number {
    return this.#parts.open.database.statements;
  }

  /**
   * Registers more templates, or newer ones. New tasks get them at once. Accepts the same forms as `createTasker`:
   * parsed templates, plain objects with the keys of a template file, files and folders.
   * @throws TaskerError `template_invalid`
   */
  async registerTemplates(source: TemplateSource): Promise<void> {
    const { templates, problems } = await loadTemplates(source, this.#parts.environment);
    for (const problem of problems) this.#logger.warn(formatProblem(problem));
    for (const template of templates) {
      await this.#engine.templates.register(template);
      this.#served.add(template.namespace);
    }
    await this.#worker?.refresh();
  }

  /** Call it after handlers were added to the registry. */
  async refresh(): Promise<void> {
    await this.#worker?.refresh();
  }

  /**
   * Creates a task. It is committed when this resolves. With the file of `tasker generate types` in the program, name,
   * namespace, version and context are checked by their types (see `TaskTypes`), unless one of the first three has the
   * type `string`.
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

  /** Creates many tasks in one transaction, all or none; some hundreds at a time are fastest. Throws as {@link createTask}. */
  createTasks<Name extends string = string, Namespace extends string = never, Version extends string = never>(
    requests: CheckedRequests<Name, Namespace, Version>,
    options?: CreateOptions,
  ): Promise<TaskHandle[]> {
    return this.#createTasks(requests as readonly TaskRequest[], options);
  }

  async #createTasks(requests: readonly TaskRequest[], options?: CreateOptions): Promise<TaskHandle[]> {
    const { tracing } = this.#parts;
    const read = readRequests(requests);
    const how = readCreateOptions(options);
    const create = (all: readonly TaskRequest[]) => this.#waiter.creating(() => this.#engine.createTasks(all, how));
    const created = await (tracing ? withSpans(tracing, read, create) : create(read));
    this.#announceWork(created);
    return created.map(({ taskUuid, snapshot, priority, created }) => ({
      taskUuid,
      name: snapshot.template.name,
      namespace: snapshot.template.namespace,
      version: snapshot.template.version,
      priority,
      totalSteps: snapshot.graph.names.length,
      created,
    }));
  }

  /** @throws TaskerError `task_not_found`, `invalid_uuid` */
  getTask(taskUuid: string): Promise<Task> {
    return this.#engine.getTask(taskUuid);
  }

  /** The steps of a task in the order of its template. @throws TaskerError `task_not_found` */
  getSteps(taskUuid: string): Promise<Step[]> {
    return this.#engine.getSteps(taskUuid);
  }

  /** One step, by its name or id. @throws TaskerError `step_not_found` */
  getStep(taskUuid: string, step: string): Promise<Step> {
    return this.#engine.getStep({ taskUuid, step });
  }

  /** Everything that happened to a task, in order: attempts with their ends, and what operators did. */
  getHistory(taskUuid: string): Promise<HistoryEntry[]> {
    return this.#engine.getHistory(taskUuid);
  }

  /** Why each step of a task is where it is, and what it waits for. */
  why(taskUuid: string): Promise<Explanation> {
    return explainTask(this.#engine, taskUuid);
  }

  /** Tasks, the newest first. */
  async listTasks(options: ListOptions = {}): Promise<Task[]> {
    const { limit = 50, before = null, status } = options;
    if (status !== undefined && !TASK_STATES.some((state) => state === status)) {
      const near = meantState(status, TASK_STATES);
      const hint = near ? `did you mean ${near}?` : `the states are ${TASK_STATES.join(', ')}`;
      throw new TaskerError('bad_request', `${status} is not a task state; ${hint}`);
    }
    if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
      throw new TaskerError('bad_request', `limit must be a whole number from 1 to 1000, got ${limit}`);
    }
    return this.#engine.listTasks({
      before,
      namespace: options.namespace ?? null,
      name: options.name ?? null,
      state: status === 'pending' ? 'steps_in_process' : (status ?? null),
      openOnly: options.openOnly ?? false,
      stale: options.stale ?? false,
      limit,
    });
  }

  /**
   * Resolves with the task once it has ended, or rests in `blocked_by_failures` until an operator acts.
   * @throws TaskerError `timeout`, `task_not_found`, `invalid_uuid`, `stopped`; with `throwOnFailure` also `task_failed`
   */
  waitForTask(taskUuid: string, options: WaitOptions = {}): Promise<Task> {
    const ended = this.#waiter.wait(taskUuid, options);
    return options.throwOnFailure ? ended.then(onlySuccess) : ended;
  }

  /**
   * Yields the task and its steps whenever something changed, the last time when it rests; ends when `signal` fires.
   * @throws TaskerError `task_not_found`, `invalid_uuid`, `stopped`
   */
  async *watchTask(taskUuid: string, { signal }: { signal?: AbortSignal } = {}): AsyncGenerator<TaskSnapshot> {
    let shown = '';
    while (!signal?.aborted) {
      const task = await this.getTask(taskUuid);
      // After the task: of one that rests, the steps are shown as they ended.
      const steps = await this.getSteps(taskUuid);
      const now = JSON.stringify([
        task.status,
        steps.map((step) => [step.currentState, step.attempts, step.nextRetryAt]),
      ]);
      if (now !== shown) yield { task, steps };
      shown = now;
      if (isResting(task.status)) return;
      await this.#waiter.wait(taskUuid, { timeoutMs: WATCH_MS, ...(signal && { signal }) }).catch((error: unknown) => {
        if (!signal?.aborted) onlyTimeout(error);
      });
    }
  }

  /** Cancels a task; running handlers are told by their signal. False: it had ended already. */
  cancelTask(taskUuid: string, options?: OperatorOptions): Promise<boolean> {
    return this.#acting(taskUuid, () => this.#engine.cancelTask(taskUuid, options));
  }

  /** Sends a step that stands in `error` back to the queue with all its attempts; the task goes on by itself. */
  retryStep(taskUuid: string, step: string, options?: OperatorOptions): Promise<void> {
    return this.#acting(taskUuid, () => this.#engine.resetStep({ taskUuid, step }, options));
  }

  /** Declares a step done by hand, with or without a result; the task goes on by itself. */
  resolveStep(taskUuid: string, step: string, options?: OperatorOptions & { result?: unknown }): Promise<void> {
    return this.#acting(taskUuid, () => this.#engine.resolveStep({ taskUuid, step }, options));
  }

  /** Completes a step by hand with a result, or corrects the result of one that is done. */
  completeStep(taskUuid: string, step: string, options?: OperatorOptions & { result?: unknown }): Promise<void> {
    const reference: StepReference = { taskUuid, step };
    return this.#acting(taskUuid, () => this.#engine.completeStep(reference, options));
  }

  async #acting<T>(taskUuid: string, act: () => Promise<T>): Promise<T> {
    const result = await act();
    this.#worker?.taken(taskUuid.toLowerCase());
    this.#worker?.wake();
    this.#waiter.touched(taskUuid.toLowerCase());
    return result;
  }

  /**
   * Stops: takes no new steps, lets running handlers finish for `drainTimeoutMs` (30,000), then fires their signal and
   * gives their steps back. Nothing is lost; the same promise for every call.
   */
  stop({ drainTimeoutMs = this.#parts.drainTimeoutMs }: { drainTimeoutMs?: number } = {}): Promise<void> {
    this.#stopped ??= this.#stop(drainTimeoutMs);
    return this.#stopped;
  }

  async #stop(drainTimeoutMs: number): Promise<void> {
    // A start that hangs on a silent server must not hold up the stop.
    if (this.#started)
      await waitAtMost(
        START_MS,
        this.#started.catch(() => undefined),
      );
    const drainMs = Math.min(drainTimeoutMs, LONGEST_DRAIN_MS);
    const until = performance.now() + drainMs;
    try {
      await this.#worker?.stop({ drainTimeoutMs: drainMs });
      // What was given back must not wait for somebody's next look.
      await waitAtMost(TELL_MS, this.#notices.flush());
    } finally {
      this.#waiter.stop();
      this.events.stop();
      this.#forgetSignal?.();
      this.#notices.stop();
      await this.#stopDelivery(until - performance.now());
      this.#counts.stop();
      await this.#listener.stop().finally(() => this.#parts.open.close());
      this.#parts.stopped?.();
    }
  }

  /** After the worker: what its last steps publish is theirs. */
  async #stopDelivery(drainTimeoutMs: number): Promise<void> {
    await this.#delivery
      .stop({ drainTimeoutMs: Math.max(0, drainTimeoutMs), hurry: this.#hurry.signal })
      .catch((error: unknown) =>
        this.#logger.warn({ error: messageOf(error) }, 'the delivery of events did not stop cleanly'),
      );
  }

  /** Ends the drain time of a {@link stop} under way, or of the next one: running handlers and subscribers get their signal now. */
  hurry(): void {
    this.#worker?.hurry();
    this.#hurry.abort();
  }

  /** Stops when the signal fires. @internal */
  stopWith(signal: AbortSignal): void {
    const stop = () => {
      this.stop().catch((error: unknown) =>
        this.#logger.warn({ error: messageOf(error) }, 'the tasker did not stop cleanly'),
      );
    };
    signal.addEventListener('abort', stop, { once: true });
    this.#forgetSignal = () => signal.removeEventListener('abort', stop);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  // ---- who must hear of it

  #heard(channel: string, payload: string): void {
    this.#counts.heard(channel);
    if (channel === CHANNEL_WORK) this.#heardOfWork(Number(payload));
    else if (channel === CHANNEL_EVENTS) this.#heardOfEvents();
    else if (channel === CHANNEL_TAKEN) this.#worker?.taken(payload);
    else this.#waiter.ended(payload.split(','));
  }

  #heardOfWork(rank: number): void {
    this.#worker?.wake(rank);
    // A worker that serves everything began before there was anything to serve.
    if (this.#servesAll && this.#served.size === 0) {
      this.#serveAll()
        .then(() => this.#worker?.refresh())
        .catch((error: unknown) =>
          this.#logger.debug({ error: messageOf(error) }, 'the new templates are not served yet; they will be'),
        );
    }
  }

  #catchUp(): void {
    this.#worker?.wake();
    this.#waiter.catchUp();
    this.#heardOfEvents();
  }

  #heardOfEvents(): void {
    this.#delivery.heard();
    this.events.heard();
  }

  #announceWork(created: readonly CreatedTask[]): void {
    const fresh = created.filter((task) => task.created);
    if (fresh.length === 0) return;
    const rank = -Math.max(...fresh.map((task) => task.priority));
    const namespaces = this.#namespaces();
    const served = fresh.every(
      ({ snapshot }) => namespaces.includes(snapshot.template.namespace) && this.#canBegin(snapshot),
    );
    const roots = fresh.reduce((count, task) => count + task.snapshot.graph.roots.length, 0);
    // A worker of this process with room for all takes them at once; others need not be woken for that.
    const room = served && (this.#worker?.freeSlots ?? 0) >= roots;
    this.#worker?.wake(rank);
    if (!room) this.#notices.work(rank);
  }

  /** Whether the handlers of a template's first steps are here. */
  #canBegin({ graph, template }: Snapshot): boolean {
    return graph.roots.every((idx) => this.#parts.registry?.canResolve(template.steps[idx]!.handler));
  }

  #tasksEnded(ended: readonly { taskUuid: string }[]): void {
    this.#notices.ended(this.#waiter.ended(ended.map((row) => row.taskUuid)));
  }

  #eventsStored(): void {
    this.#heardOfEvents();
    this.#notices.events();
  }
}

function onlySuccess(task: Task): Task {
  const { taskUuid, status } = task;
  if (status === 'complete' || status === 'resolved_manually') return task;
  throw new TaskerError('task_failed', `task ${taskUuid} is ${status}; \`tasker task why ${taskUuid}\` tells why`, {
    details: { status },
  });
}

function onlyTimeout(error: unknown): void {
  if (!(error instanceof TaskerError && error.code === 'timeout')) throw error;
}
