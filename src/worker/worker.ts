import { DEFAULTS } from '../config/defaults.ts';
import {
  type AdoptedStepRow,
  type Claimed,
  type ClaimedStepRow,
  type Engine,
  isConnectionError,
  KIND,
  type RecordAnswer,
} from '../engine/engine.ts';
import { messageOf } from '../errors.ts';
import type { PublisherSource } from '../events/publishing/ask-publishers.ts';
import type { EventBus } from '../events/subscribing/event-bus.ts';
import { StepContext } from '../handlers/step-context.ts';
import type { StepHandlerResult } from '../handlers/step-handler-result.ts';
import { outsideLogScopes } from '../logging/log-scope.ts';
import type { Logger } from '../logging/logger.ts';
import { moduleLogger } from '../logging/module-logger.ts';
import { isWorkerIndex } from '../model/step-index.ts';
import { announcementOf } from '../registry/announcement.ts';
import type { HandlerRegistry } from '../registry/handler-registry.ts';
import { backOff } from '../time/back-off.ts';
import { waitAtMost } from '../time/wait-at-most.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { type AttemptEnd, attemptEnd, givenBack } from './attempt-end.ts';
import { Deadlines } from './deadlines.ts';
import { DispatchChannel } from './dispatch-channel.ts';
import { servedElsewhere, whyMissing } from './handler-elsewhere.ts';
import { HeldStep, type HeldStepRow, type StepPort } from './held-step.ts';
import { Housekeeping } from './lease/housekeeping.ts';
import { Incarnation, incarnationOf } from './lease/incarnation.ts';
import { type LoopStats, LoopWatch } from './lease/loop-watch.ts';
import { SharedLoopState } from './lease/shared-loop-state.ts';
import { UnansweredClaims } from './lease/unanswered-claims.ts';
import { MissingHandlers } from './missing-handlers.ts';
import { OutageReport } from './outage-report.ts';
import { Publishing } from './publishing.ts';
import { QueuePoller } from './queue-poller.ts';
import { Recorder, type Reserved } from './recorder.ts';
import {
  logCompleted,
  logEnded,
  logHeld,
  logRefused,
  logSettledLate,
  logTimedOut,
  logUncompleted,
  logUnsettled,
} from './step-log.ts';
import { lacksDetails, loadDetails, saveYield, stepPort } from './step-progress.ts';
import { StepRunner } from './step-runner.ts';
import { StepTraces } from './step-traces.ts';
import { type CachedTask, TaskCache } from './task-cache.ts';
import { Isolation, neverBegan } from './threads/isolation.ts';
import type { ThreadStats } from './threads/thread-pool.ts';
import { UnreadableTemplates } from './unreadable-templates.ts';
import { WorkerCounts } from './worker-counts.ts';
import { abandoned, forgotten, handlerNotFound, timedOut } from './worker-failures.ts';

/** How a worker works. Times in milliseconds. */
export interface WorkerOptions {
  engine: Engine;
  registry: HandlerRegistry;
  logger: Logger;
  /** Undefined: nobody traces. */
  tracing?: Tracing | undefined;
  name: string;
  /** Handlers that run at once. */
  concurrency: number;
  /** A worker that gives no sign of life for so long is taken for dead. */
  leaseMs: number;
  /** For how long a lease outlives an event loop that is blocked; 0: it does not. */
  blockedLoopBoundMs: number;
  /** Threads for steps with `isolation: thread`, at most. */
  threads: number;
  /** Memory of each, in MB; undefined: as Node does it. */
  threadMemoryMb: number | undefined;
  /** Namespaces to serve. */
  namespaces(): readonly string[];
  /** For steps without `timeout_seconds`; 0: none. */
  handlerTimeoutMs: number;
  /** How long a step waits for a handler that nobody has. */
  missingGraceMs: number;
  /** How long to wait before looking when no notification came; longer while they do arrive. */
  pollMs(): number;
  /** Tasks that ended, or can't go on, by what this worker recorded. */
  onTasksEnded(ended: RecordAnswer['ended']): void;
  /** Work lies in the queue that this worker has no slot for. */
  onWorkLeft(rank: number): void;
  /** Where the publishers of domain events are; undefined: the ordinary one makes all. */
  publishers?: PublisherSource | undefined;
  /** Where the domain events of this process go that are `fast` or `broadcast`. */
  eventBus: EventBus;
  /** Domain events were stored, by what this worker recorded. */
  onEventsStored(): void;
  /** Steps are handed out through {@link Worker.channel}, to be read as events; otherwise the worker runs them. */
  handOut?: boolean;
}

/** What a worker does right now. */
export interface WorkerStats {
  running: number;
  /** Outcomes that are not acknowledged yet. */
  unrecorded: number;
  processed: number;
  failed: number;
  refused: number;
  workerId: number;
  /** How well the event loop turns, and the handler that kept it from that. */
  loop: LoopStats;
  /** Threads for steps with `isolation: thread`. */
  threads: ThreadStats;
}

/** Smaller claims cost more where many tasks wait: each reads past what the ones before it took. */
const CLAIM_LIMIT = 1_000;
/** Steps that may wait to be recorded beside those that run: enough to keep the recorder's lanes full. */
const HELD_AHEAD = 1_500;
/** Contexts and results that are held in memory at most, before fewer steps are taken at once. */
const MEMORY_BOUND = 256 * 1024 * 1024;
const ALL_RANKS = 100;
/** Of the drain time, what is left for handlers to settle after their signal. */
const LAST_MOMENT_MS = 500;
/** Maximum poll interval when steps are handed out, because readers learn of an outage within 5 s. */
const HANDED_OUT_POLL_MS = 2_000;
const COUNTS_AS_LONG_MS = 2_000;
/** After the drain time, what is left for recording and leaving when the database does not answer. */
const GRACE_MS = 5_000;
/** How long a stop waits for threads to end: code that is not JavaScript may not listen. */
const THREADS_END_MS = 2_000;
/** What each part of a stop gets even when that time is over. */
const LAST_WORD_MS = 500;

/**
 * Runs steps: claims as many as it has free slots, calls their handlers, records what came of them and takes the
 * children that became ready, until it is stopped. A step's life is told in this file in order: claim, hydrate,
 * resolve, run, record.
 */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #engine: Engine;
  readonly #logger: Logger;
  /** For lines of handlers. */
  readonly #handlerLogger: Logger;
  readonly #cache = new TaskCache();
  readonly #port: StepPort;
  readonly #held = new Set<HeldStep>();
  readonly #recorder: Recorder;
  readonly #incarnation: Incarnation;
  readonly #queuePoller: QueuePoller;
  readonly #unanswered: UnansweredClaims;
  readonly #deadlines: Deadlines;
  readonly #missing: MissingHandlers;
  readonly #unreadable: UnreadableTemplates;
  readonly #housekeeping: Housekeeping;
  readonly #outage = new OutageReport((error) => this.channel.failed(error));
  readonly #runner: StepRunner<HeldStep>;
  /** Where steps go that may start, and whence comes what they came to. */
  readonly channel: DispatchChannel;
  /** The handlers that count here. */
  #registries: readonly HandlerRegistry[];
  #slots: number;
  readonly #counts: WorkerCounts;
  readonly #traces: StepTraces | undefined;
  readonly #loop: LoopWatch;
  readonly #isolation: Isolation;
  readonly #publishing: Publishing;
  #namespaceIds: readonly number[] = [];
  #namespaceKey = '';
  #running = 0;
  #reserved = 0;
  #claiming: Promise<void> | undefined;
  #wantClaim = false;
  #failedClaims = 0;
  /** Claims in a row that found rows which others hold. */
  #passedOver = 0;
  #lastRank = ALL_RANKS;
  #stopping = false;
  readonly #halt = new AbortController();
  #leftBehind = false;
  #aborting = false;
  #idle: (() => void) | undefined;
  #cutDrain: (() => void) | undefined;
  #hurried = false;
  #processed = 0;
  #failed = 0;
  #refused = 0;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#engine = options.engine;
    this.#logger = options.logger;
    this.#handlerLogger = moduleLogger(options.logger, 'handlers');
    this.#registries = [options.registry];
    this.#traces = options.tracing && new StepTraces(options.tracing);
    this.#runner = this.#makeRunner();
    this.channel = this.#makeChannel();
    this.#slots = Math.min(options.concurrency, this.channel.slots);
    const { engine, logger, leaseMs, blockedLoopBoundMs } = options;
    const memory = new SharedLoopState();
    this.#loop = new LoopWatch({
      leaseMs,
      memory,
      running: () => this.#held,
      blocked: (step) => this.#counts.blocked(step),
      logger,
    });
    this.#counts = new WorkerCounts(engine.database.metrics, () => this.#load());
    this.#isolation = new Isolation(
      {
        waits: (step) => this.#deadlines.delete(step),
        begins: (step) => this.#restartClock(step),
      },
      { threads: options.threads, memoryMb: options.threadMemoryMb },
    );
    this.#publishing = new Publishing({
      worker: options.name,
      publishers: options.publishers,
      bus: options.eventBus,
      metrics: engine.database.metrics,
      logger: moduleLogger(logger, 'events'),
    });
    this.#port = stepPort(engine, { saved: (step) => this.#restartClock(step) });
    this.#housekeeping = new Housekeeping(engine, { leaseMs, workerIds: () => this.#incarnation.ids }, logger);
    this.#recorder = new Recorder(
      engine,
      {
        reserve: (batch) => this.#reserve(batch),
        recorded: (batch, accepted, answer, own) => this.#recorded(batch, accepted, answer, own),
        doubt: (own) => {
          this.#release(own);
          this.#unanswered.add(own.token);
        },
        release: (own) => this.#release(own),
        withoutEvents: (end, refusal) => this.#publishing.withoutStored(end, refusal),
      },
      logger,
    );
    this.#incarnation = new Incarnation(
      engine,
      {
        name: options.name,
        concurrency: options.concurrency,
        leaseMs,
        blockedLoopBoundMs,
        memory,
        namespaces: () => options.namespaces(),
        callables: () => announcementOf(...this.#registries),
      },
      {
        lost: (ids) => this.#leaseLost(ids),
        othersLost: () => void this.#sweep(),
        inDoubt: (id) => this.#unanswered.anyOf(id),
      },
      logger,
    );
    this.#queuePoller = new QueuePoller(
      engine,
      {
        namespaceIds: () => this.#namespaceIds,
        everyMs: () => (this.channel.outside ? Math.min(options.pollMs(), HANDED_OUT_POLL_MS) : options.pollMs()),
        timeoutMs: options.leaseMs / 3,
        outage: this.channel.outside ? this.#outage : undefined,
        ready: () => {
          this.wake();
          // Without room here, others must hear of it.
          if (this.#free() <= 0) options.onWorkLeft(ALL_RANKS);
        },
        looked: () => {
          void this.#findNamespaces().catch((error: unknown) =>
            this.#logger.debug({ error: messageOf(error) }, 'namespaces could not be read'),
          );
          void this.#lookAfterLongSteps();
          void this.#housekeeping.look();
        },
      },
      logger,
    );
    this.#unanswered = new UnansweredClaims(engine, (rows) => void this.#adopt(rows), logger);
    this.#unreadable = new UnreadableTemplates(engine, () => options.onWorkLeft(0), logger);
    this.#deadlines = new Deadlines(
      () => this.#held,
      (step) => this.#timedOut(step),
    );
    this.#missing = new MissingHandlers(
      {
        graceMs: options.missingGraceMs,
        excludeForMs: options.leaseMs,
        servedElsewhere: (step) =>
          servedElsewhere({ engine, registry: this.#registryFor(step), workerId: this.#incarnation.id, step }),
        mayRun: ({ template }) => this.#registries.some((one) => !one.lacks(template.handler)),
        whyMissing: (step) => whyMissing(this.#registryFor(step), step.template.handler),
        // They held no slot while they waited; those that find none now go back to the queue.
        run: (step) => (this.#free() > 0 ? this.channel.offer(step) : this.#push(givenBack(step))),
        giveBack: (step) => this.#push(givenBack(step)),
        fail: (step, message) => this.#push(handlerNotFound(step, message)),
      },
      logger,
    );
  }

  async start(): Promise<void> {
    this.#loop.start();
    await this.#incarnation.start();
    await this.#findNamespaces();
    this.#queuePoller.start();
    this.wake();
    void this.#sweep();
  }

  get stats(): WorkerStats {
    return {
      running: this.#running,
      unrecorded: this.#publishing.pending + this.#recorder.pending,
      processed: this.#processed,
      failed: this.#failed,
      refused: this.#refused,
      workerId: this.#incarnation.id,
      loop: this.#loop.stats,
      threads: this.#isolation.stats,
    };
  }

  #load() {
    const tasks = new Set([...this.#held].map((step) => step.task));
    const { running, unrecorded, loop, threads } = this.stats;
    return { tasks: tasks.size, running, unrecorded, slots: this.#slots, lagMs: loop.lagMs, threads };
  }

  /** Whether this worker is registered and its lease stands for certain. */
  get leaseSure(): boolean {
    return this.#incarnation.id > 0 && this.#incarnation.sure;
  }

  /** Takes nothing new from now on; what runs goes on, until {@link stop}. */
  quiesce(): void {
    this.channel.halt();
  }

  /** How many steps would find a slot at once. */
  get freeSlots(): number {
    return Math.max(0, this.#free());
  }

  /** Something may be in the queue, of this rank (minus the priority) or a greater one. */
  wake(rank = ALL_RANKS): void {
    // Without a free slot, steps of a higher priority must not wait behind the children of what runs.
    if (rank < this.#lastRank && this.#free() <= 0) this.#lastRank = rank;
    this.#wantClaim = true;
    // A handler that creates a task calls this.
    outsideLogScopes(() => this.#claim());
  }

  /** Handlers or templates were added or replaced. */
  async refresh(): Promise<void> {
    for (const registry of this.#registries) registry.refresh();
    await this.#incarnation.announce();
    await this.#findNamespaces();
    this.#missing.refresh();
    this.wake();
  }

  /** An operator acted on a task: find out which of its steps are still ours. */
  taken(taskUuid: string): void {
    const steps = [...this.#held].filter((step) => step.taskUuid === taskUuid);
    if (steps.length > 0) void this.#checkHeld(steps);
  }

  // ---- claim

  #free(): number {
    if (this.#stopping) return 0;
    if (this.#cache.bytes > MEMORY_BOUND && this.#running > 0) return 0;
    return this.#slots - this.#running - this.#reserved;
  }

  /**
   * Of what is not recorded yet, the children need slots soon: a claim that takes those sends them to the queue, from
   * where they come back without the results that were at hand here.
   */
  #roomToHold(): number {
    const ended = this.#publishing.pending + this.#recorder.pending;
    return this.#options.concurrency + HELD_AHEAD - this.#running - this.#reserved - ended;
  }

  #claim(): void {
    if (this.#claiming || !this.#wantClaim || this.#namespaceIds.length === 0) return;
    const limit = Math.min(this.#free(), this.#roomToHold(), CLAIM_LIMIT);
    if (limit <= 0) return;
    this.#wantClaim = false;
    this.#reserved += limit;
    this.#claiming = this.#claimNow(limit).finally(() => {
      this.#claiming = undefined;
      this.#claim();
    });
  }

  async #claimNow(limit: number): Promise<void> {
    const token = this.#incarnation.token();
    let claimed: Claimed = { steps: [], taken: 0, passedOver: false };
    try {
      claimed = await this.#engine.claim(
        {
          limit,
          token,
          workerId: this.#incarnation.id,
          namespaceIds: this.#namespaceIds,
          excluded: [...this.#missing.excluded(), ...this.#unreadable.excluded()],
        },
        { timeoutMs: this.#options.leaseMs / 3 },
      );
      this.#failedClaims = 0;
      this.#outage.answered('claim');
      if (claimed.taken > 0) this.#housekeeping.claimed();
    } catch (error) {
      if (isConnectionError(error)) this.#unanswered.add(token);
      if (this.#failedClaims === 0)
        this.#logger.warn({ error: messageOf(error) }, 'no steps can be claimed; trying again');
      this.#outage.failed('claim', error);
      this.#wantClaim = true;
      await backOff(this.#failedClaims++, this.#halt.signal);
    } finally {
      this.#reserved -= limit - claimed.steps.length;
    }
    const { steps: rows, taken, passedOver } = claimed;
    if (!passedOver) this.#passedOver = 0;
    else void backOff(this.#passedOver++).then(() => this.wake());
    if (taken === limit) this.#wantClaim = true;
    if (taken < limit || (rows.at(-1)?.rank ?? ALL_RANKS) > this.#lastRank) this.#lastRank = ALL_RANKS;
    if (rows.length > 0) await this.#takeOwn(rows, () => token);
  }

  // ---- hydrate

  /** An answer may come when its worker was declared dead: then others look after these steps. */
  async #takeOwn(rows: readonly ClaimedStepRow[], tokenOf: (row: ClaimedStepRow) => number): Promise<void> {
    const own = rows.filter((row) => this.#incarnation.owns(tokenOf(row)));
    this.#reserved -= rows.length - own.length;
    if (own.length > 0) await this.#take(own, tokenOf);
  }

  /** Steps that are ours now. Each has a slot reserved, which it gives back when it starts. */
  async #take(rows: readonly ClaimedStepRow[], tokenOf: (row: ClaimedStepRow) => number): Promise<void> {
    const readable = await this.#readable(rows, tokenOf);
    if (!readable) return this.#leaveBehind(rows.length);
    const steps = readable.map((row) => {
      const task = this.#cache.take(row, this.#engine.templates.get(row.template_id));
      return this.#hold(task, row, tokenOf(row));
    });
    await this.#hydrate(steps);
  }

  /** Those whose templates can be read here; the others go back. Undefined: the worker stops before it knows. */
  async #readable(
    rows: readonly ClaimedStepRow[],
    tokenOf: (row: ClaimedStepRow) => number,
  ): Promise<readonly ClaimedStepRow[] | undefined> {
    if (rows.every((row) => this.#engine.templates.has(row.template_id))) return rows;
    for (let tries = 0; ; tries++) {
      try {
        const reasons = await this.#engine.templates.load(rows.map((row) => row.template_id));
        const others = rows.filter((row) => reasons.has(row.template_id));
        this.#reserved -= others.length;
        this.#unreadable.giveBack(
          others.map((row) => ({ ...row, claim: tokenOf(row) })),
          reasons,
        );
        return rows.filter((row) => !reasons.has(row.template_id));
      } catch (error) {
        if (tries === 0)
          this.#logger.warn({ error: messageOf(error) }, "templates of claimed steps can't be read; trying again");
        if (this.#stopping) return undefined;
        await backOff(tries);
      }
    }
  }

  /** Steps that are ours in the database and that nobody here can start: others find them when the lease is over. */
  #leaveBehind(count: number): void {
    this.#reserved -= count;
    this.#leftBehind = true;
  }

  #hold(task: CachedTask, row: HeldStepRow, claim: number): HeldStep {
    const step = new HeldStep(task, row, { claim, logger: this.#handlerLogger, port: this.#port });
    this.#cache.hold(task);
    this.#incarnation.hold(claim);
    this.#held.add(step);
    return step;
  }

  async #hydrate(steps: readonly HeldStep[]): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        await Promise.all([
          loadDetails(this.#engine, steps),
          this.#cache.load(this.#engine, steps, DEFAULTS.dependencyBytes),
        ]);
        break;
      } catch (error) {
        if (tries === 0)
          this.#logger.warn({ error: messageOf(error) }, "results of earlier steps can't be read; trying again");
        if (this.#stopping) break;
        await backOff(tries);
      }
    }
    const later = new Set(steps.filter((step) => this.#mustWait(step)));
    if (later.size > 0) void this.#hydrateLater([...later]);
    this.#startAll(steps.filter((step) => !later.has(step)));
  }

  /** What it may read did not fit beside what the steps before it may read; alone it does. */
  #mustWait(step: HeldStep): boolean {
    if (step.over || this.#stopping || !this.#cache.lacks(step)) return false;
    return this.#cache.sizeFor(step) <= DEFAULTS.dependencyBytes;
  }

  /** Once there is memory again, or nothing runs that could free some. */
  async #hydrateLater(steps: readonly HeldStep[]): Promise<void> {
    while (this.#cache.bytes > MEMORY_BOUND && this.#running > 0 && !this.#stopping) await backOff(0);
    await this.#hydrate(steps);
  }

  #startAll(steps: readonly HeldStep[]): void {
    if (steps.length > 0 && !this.#incarnation.sure) void this.#startWhatIsOurs(steps);
    else this.#startNow(steps);
  }

  /** No proof of life got through for a lease: others may have been given these steps before they came to start. */
  async #startWhatIsOurs(steps: readonly HeldStep[]): Promise<void> {
    for (let tries = 0; !(await this.#checkHeld(steps)) && !this.#stopping; tries++) await backOff(tries);
    this.#startNow(steps);
  }

  #startNow(steps: readonly HeldStep[]): void {
    this.#reserved -= steps.length;
    logHeld(this.#logger, steps);
    for (const step of steps) {
      if (step.over) continue;
      if (this.#stopping) this.#push(givenBack(step));
      else this.channel.offer(step);
    }
    this.#claim();
  }

  async #adopt(rows: readonly AdoptedStepRow[]): Promise<void> {
    this.#reserved += rows.length;
    await this.#takeOwn(rows, (row) => (row as AdoptedStepRow).claim);
  }

  // ---- resolve, run

  #makeRunner(): StepRunner<HeldStep> {
    return new StepRunner<HeldStep>(this.#options.registry, {
      starts: (step) => this.#occupy(step),
      contextOf: (step) => this.#begin(step),
      within: this.#traces && ((step, call) => this.#traces?.run(step, call)),
      isolated: (step, handler) => this.#isolation.handlerFor(step, handler),
      calls: (step) => this.#loop.calls(step),
      called: (step, from) => this.#loop.called(step, from),
      settled: (step, result, version) => this.#settled(step, result, version),
      yielded: (step, handler, result) => {
        void this.#saveYield(step, result).then((again) => again && this.#runner.call(step, handler));
      },
      broken: (step, result) => this.#push(attemptEnd(step, result, '1.0.0')),
      unknown: (step) => this.#missing.add(step),
      unresolved: (step) => this.#unresolved(step),
    });
  }

  #makeChannel(): DispatchChannel {
    const { handOut = false, name, leaseMs, logger } = this.#options;
    return new DispatchChannel(
      {
        run: (step) => this.#runner.run(step),
        occupy: () => {
          this.#running++;
        },
        begin: (step) => {
          this.#restartClock(step);
          this.#begin(step);
        },
        restart: (step) => this.#restartClock(step),
        pause: (step) => this.#deadlines.delete(step),
        settle: (step, result, { version, stopping }) => this.#settled(step, result, version, stopping),
        saveYield: (step, result) => this.#saveYield(step, result),
        giveBack: (step) => this.#settledAs(step, givenBack(step)),
        missing: (step) => this.#unresolved(step),
        free: (step) => this.#freeSlot(step),
        forgotten: (step, afterMs) => this.#settledAs(step, forgotten(step, afterMs)),
        isolated: (step, handler) => this.#isolation.handlerFor(step, handler),
        within: (step, call) => (this.#traces ? this.#traces.run(step, call) : call()),
        calls: (step) => this.#loop.calls(step),
        called: (step, from) => this.#loop.called(step, from),
        changed: () => this.#usersChanged(),
        refresh: () => this.#refreshSoon(),
      },
      { outside: handOut, name, leaseMs, logger },
    );
  }

  /** More or fewer steps may be held, or other handlers are called. */
  #usersChanged(): void {
    const before = this.#registries;
    const { registries } = this.channel;
    this.#registries = registries.length > 0 ? registries : [this.#options.registry];
    this.#slots = Math.min(this.#options.concurrency, this.channel.slots);
    const same = this.#registries.length === before.length && this.#registries.every((one, i) => one === before[i]);
    if (!same) this.#refreshSoon();
    this.wake();
  }

  /** The one that knows most of a step's handler. */
  #registryFor({ template }: HeldStep): HandlerRegistry {
    const registries = this.#registries;
    return registries.find((one) => one.canResolve(template.handler)) ?? registries.at(-1)!;
  }

  #refreshSoon(): void {
    this.refresh().catch((error: unknown) =>
      this.#logger.debug({ error: messageOf(error) }, 'others were not told which handlers are here; they will be'),
    );
  }

  #occupy(step: HeldStep): void {
    this.#running++;
    this.#deadlines.add(step, this.#timeoutMs(step));
  }

  /** Nobody knows its handler, or it was taken away while they were asked. */
  #unresolved(step: HeldStep): void {
    this.#running--;
    this.#deadlines.delete(step);
    if (!step.over && !step.ended) {
      if (this.#stopping) this.#push(givenBack(step));
      else this.#missing.add(step);
    }
    this.#claim();
    if (this.#running === 0) this.#idle?.();
  }

  /** A step is over, whatever its handler still does. */
  #nobodyWaits(step: HeldStep): void {
    this.#isolation.over(step);
    this.channel.over(step);
  }

  #freeSlot(step: HeldStep): void {
    this.#running--;
    this.#deadlines.delete(step);
    this.#claim();
    if (this.#running === 0) this.#idle?.();
  }

  #begin(step: HeldStep): StepContext {
    const most = DEFAULTS.dependencyBytes;
    if (!step.started) this.#counts.begun(step);
    step.begin();
    this.#traces?.begun(step);
    step.lazy = !this.#cache.surelyWithin(step, most) && this.#cache.sizeFor(step) > most;
    return new StepContext(step);
  }

  /**
   * A step that yields with a checkpoint is called again, as long as it does: it stays held, and no attempt is spent.
   * True: it is to be called again.
   */
  async #saveYield(step: HeldStep, result: StepHandlerResult): Promise<boolean> {
    const failure = await saveYield(step, result);
    if (step.over || failure) this.#settled(step, failure ?? result, '1.0.0');
    else if (this.#stopping) this.#settledAs(step, givenBack(step));
    else return true;
    return false;
  }

  /** A step that saved how far it came has its whole time again. */
  #restartClock(step: HeldStep): void {
    if (step.over || step.ended) return;
    this.#deadlines.delete(step);
    this.#deadlines.add(step, this.#timeoutMs(step));
  }

  #timeoutMs({ template: { timeoutSeconds }, handout }: HeldStep): number {
    return timeoutSeconds === null ? (handout?.timeoutMs ?? this.#options.handlerTimeoutMs) : timeoutSeconds * 1000;
  }

  #settled(step: HeldStep, result: StepHandlerResult, version: string, stopping = false): void {
    if (step.over) this.#settledAs(step, undefined);
    else if (neverBegan(result)) this.#settledAs(step, givenBack(step));
    else if ((stopping || this.#aborting) && !result.success && step.template.retry.retryable)
      this.#settledAs(step, givenBack(step));
    else this.#settledAs(step, attemptEnd(step, result, version));
  }

  /** Its slot is free; undefined: what it came to is nobody's business any more. */
  #settledAs(step: HeldStep, end: AttemptEnd | undefined): void {
    this.#running--;
    this.#deadlines.delete(step);
    if (end) this.#push(end);
    else {
      this.#counts.settledLate(step);
      logSettledLate(this.#logger, step);
      this.#claim();
    }
    if (this.#running === 0) this.#idle?.();
  }

  #timedOut(step: HeldStep): void {
    step.end('timeout');
    this.#counts.timedOut(step);
    logTimedOut(this.#logger, step);
    this.#push(timedOut(step, this.#timeoutMs(step)));
    this.#nobodyWaits(step);
  }

  // ---- record

  #push(end: AttemptEnd): void {
    const { step } = end;
    step.ended = true;
    const publishes = step.task.snapshot.events[step.templateIdx] !== undefined;
    const prepared = publishes ? this.#publishing.prepare(end) : end;
    if (prepared instanceof Promise) void prepared.then((ready) => this.#record(ready));
    else this.#record(prepared);
  }

  #record(end: AttemptEnd): void {
    this.#counts.pushed();
    this.#traces?.settled(end);
    this.#recorder.push(end);
  }

  /** Slots for children: what is free, and no more than could become ready. */
  #reserve(batch: readonly AttemptEnd[]): Reserved {
    const free = this.#free();
    let children = 0;
    if (free > 0) {
      for (const { step, kind, expansion } of batch) if (kind === 0) children += this.#childCount(step, expansion);
    }
    const freeSlots = Math.max(0, Math.min(free, children));
    this.#reserved += freeSlots;
    return { freeSlots, token: this.#incarnation.token(), lastRank: this.#lastRank };
  }

  /** How many children a completed step may make ready: those of the template, and the workers of its batch. */
  #childCount({ task, templateIdx }: HeldStep, expansion: AttemptEnd['expansion']): number {
    const children = task.snapshot.graph.children[templateIdx]!.length;
    return expansion?.kind === 'batch' ? children + Math.min(expansion.parts.length, expansion.parallelism) : children;
  }

  #release(own: Reserved): void {
    this.#reserved -= own.freeSlots;
    this.#claim();
  }

  #recorded(batch: readonly AttemptEnd[], accepted: readonly AttemptEnd[], answer: RecordAnswer, own: Reserved): void {
    this.#reserved -= own.freeSlots;
    this.#keepResults(accepted, answer);
    const children = this.#childrenOf(batch, answer, own);
    this.channel.recorded(batch, accepted);
    for (const end of batch) this.#letGo(end.step);
    this.#count(batch, accepted, answer);
    this.#advance(children);
    this.#publishing.recorded(batch, accepted);
    if (accepted.some(({ events }) => events !== undefined)) this.#options.onEventsStored();
    if (answer.ended.length > 0) {
      logEnded(this.#logger, batch, answer.ended);
      this.#options.onTasksEnded(answer.ended);
    }
    if (answer.queued > 0) this.#workLeft(answer.queued);
    // What was given back may be for others only: this worker's free slots do not help it.
    if (accepted.some((end) => end.kind === KIND.released)) this.#options.onWorkLeft(0);
    this.#claim();
  }

  /**
   * Keeps results for later steps, unless an operator may have corrected them since they were recorded. Those are
   * loaded when they are needed. Answers can arrive in a different order than the recordings were committed.
   */
  #keepResults(accepted: readonly AttemptEnd[], { revised }: RecordAnswer): void {
    const revisions = new Map<string, number>();
    for (const { task_uuid, revision } of revised) {
      revisions.set(task_uuid, revision);
      const task = this.#cache.get(task_uuid);
      if (task) this.#cache.revise(task, revision);
    }
    for (const { kind, idx, step, result, recordedBefore } of accepted) {
      // An aggregator loads the results of its workers itself, up to its limit. Thousands are not kept here.
      if (kind !== KIND.completed || isWorkerIndex(idx) || recordedBefore) continue;
      const { task } = step;
      if (task.revision > 0 && task.revision !== revisions.get(task.taskUuid)) continue;
      this.#cache.keep(task, idx, result);
    }
  }

  /** The children that are ours now. None, if this worker was declared dead before the answer came: they are with others. */
  #childrenOf(batch: readonly AttemptEnd[], { children }: RecordAnswer, { token }: Reserved): HeldStep[] {
    if (children.length === 0 || !this.#incarnation.owns(token)) return [];
    return children.map((row) => {
      // A parent that was let go while its recording was under way may have been the last that was held of its task.
      const task = this.#cache.get(row.task_uuid) ?? batch.find((end) => end.taskUuid === row.task_uuid)!.step.task;
      return this.#hold(task, row, token);
    });
  }

  /** Children whose ancestors ran elsewhere read those results first; the others start at once. */
  #advance(children: readonly HeldStep[]): void {
    this.#reserved += children.length;
    const waiting = children.filter((step) => !this.#cache.ready(step) || lacksDetails(step));
    if (waiting.length > 0) void this.#hydrate(waiting);
    const missing = new Set(waiting);
    this.#startAll(children.filter((step) => !missing.has(step)));
  }

  #workLeft(queued: number): void {
    this.#wantClaim = true;
    if (this.#free() < queued) this.#options.onWorkLeft(0);
  }

  #letGo(step: HeldStep): void {
    if (!this.#held.delete(step)) return;
    this.#traces?.letGo(step);
    this.#incarnation.letGo(step.claim);
    this.#cache.letGo(step.task);
  }

  #count(batch: readonly AttemptEnd[], accepted: readonly AttemptEnd[], answer: RecordAnswer): void {
    this.#processed += accepted.length;
    this.#counts.recorded(accepted);
    logCompleted(this.#logger, accepted);
    if (accepted.length < batch.length) {
      const taken = new Set(accepted);
      const refused = batch.filter((end) => !taken.has(end));
      this.#refused += refused.length;
      logRefused(this.#logger, refused);
    }
    if (answer.uncompleted.length > 0) this.#countUncompleted(accepted, answer);
  }

  #countUncompleted(accepted: readonly AttemptEnd[], { uncompleted }: RecordAnswer): void {
    const ends = new Map(accepted.map((end) => [`${end.taskUuid}:${end.idx}`, end]));
    for (const row of uncompleted) {
      const end = ends.get(`${row.task_uuid}:${row.idx}`);
      if (!end) continue;
      logUncompleted(this.#logger, row, end);
      if (row.state === 'error') this.#failed++;
      if (row.state === 'waiting_for_retry') this.#queuePoller.retryIn(end.delayMs);
    }
  }

  // ---- steps that are not ours any more

  #leaseLost(ids: readonly number[]): void {
    this.#unanswered.forget(ids);
    for (const step of this.#held) {
      if (!ids.includes(incarnationOf(step.claim)) || step.over) continue;
      step.end('lease_lost');
      this.#deadlines.delete(step);
      this.#missing.delete(step);
      this.#letGo(step);
      this.#nobodyWaits(step);
    }
  }

  /** A notification may be lost: steps that run for long are asked after. */
  async #lookAfterLongSteps(): Promise<void> {
    const before = performance.now() - COUNTS_AS_LONG_MS;
    const steps = [...this.#held].filter((step) => step.startedAt < before && !step.over && !step.ended);
    if (steps.length > 0) await this.#checkHeld(steps);
  }

  /** What is with the recorder is left to it: it may be recorded already, and its children ours. False: no answer. */
  async #checkHeld(steps: readonly HeldStep[]): Promise<boolean> {
    try {
      const held = await this.#engine.held(steps);
      steps.forEach((step, i) => {
        if (held.has(i) || step.over || step.ended || !this.#held.has(step)) return;
        // After a while without a proof of life, it was rather the lease.
        step.end(this.#incarnation.sure ? 'cancelled' : 'lease_lost');
        this.#deadlines.delete(step);
        this.#missing.delete(step);
        this.#letGo(step);
        this.#nobodyWaits(step);
      });
      return true;
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'asking after held steps did not get through');
      return false;
    }
  }

  async #sweep(): Promise<void> {
    if (await this.#housekeeping.sweep()) this.wake();
  }

  async #findNamespaces(): Promise<void> {
    const names = this.#options.namespaces();
    const key = names.join();
    // A namespace that is served before its first template is registered has no id yet.
    if (key === this.#namespaceKey && this.#namespaceIds.length === names.length) return;
    this.#namespaceIds = await this.#engine.namespaceIds(names);
    this.#namespaceKey = key;
  }

  // ---- stop

  /**
   * Takes nothing new, lets running handlers finish, then fires their signal, then gives their steps back. Safe to call
   * while the database is away or silent: some seconds after the drain time it ends, and what could not be recorded is
   * found by others when the lease is over.
   */
  async stop({ drainTimeoutMs }: { drainTimeoutMs: number }): Promise<void> {
    const until = performance.now() + drainTimeoutMs + GRACE_MS;
    const left = () => Math.max(LAST_WORD_MS, until - performance.now());
    this.#stopping = true;
    this.#housekeeping.stop();
    this.#halt.abort();
    this.#missing.stop();
    this.channel.halt();
    // Not awaited yet: a server that does not answer must not keep the handlers from their signal.
    const lookedLast = this.#queuePoller.stop();
    const lastMoment = Math.min(LAST_MOMENT_MS, drainTimeoutMs / 4);
    const finished = await this.#idleWithin(this.#hurried ? 0 : drainTimeoutMs - lastMoment);
    if (!finished) await this.#abortRunning(lastMoment);
    // What still runs in a thread is ended before its step is given back.
    await waitAtMost(Math.min(left(), THREADS_END_MS), this.#isolation.stop());
    const recorded = await this.#nothingHeldWithin(left());
    const unreadable = this.#unreadable.stop(lastMoment).then((count) => {
      if (count > 0) this.#leftBehind = true;
    });
    if (!(await waitAtMost(left(), unreadable))) this.#leftBehind = true;
    this.#deadlines.stop();
    await waitAtMost(left(), Promise.all([lookedLast, this.#unanswered.stop()]));
    this.#recorder.stop();
    this.channel.stop();
    this.#counts.stop();
    const clean = recorded && this.#held.size === 0 && !this.#unanswered.any && !this.#leftBehind;
    if (clean) this.#options.onWorkLeft(0);
    await waitAtMost(left(), this.#leave(clean));
    this.#loop.stop();
  }

  async #leave(clean: boolean): Promise<void> {
    try {
      await this.#incarnation.stop(clean);
    } catch (error) {
      this.#logger.warn({ error: messageOf(error) }, 'the worker could not say that it stopped; its lease runs out');
    }
  }

  /** Ends the drain time of a stop that is under way, or of the next one: running handlers get their signal now. */
  hurry(): void {
    this.#hurried = true;
    this.#cutDrain?.();
  }

  #idleWithin(ms: number): Promise<boolean> {
    if (this.#running === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), Math.max(0, ms));
      const end = (idle: boolean) => {
        clearTimeout(timer);
        resolve(idle);
      };
      this.#idle = () => end(true);
      this.#cutDrain = () => end(false);
    });
  }

  async #abortRunning(lastMomentMs: number): Promise<void> {
    this.#aborting = true;
    for (const step of this.#held) if (!step.over) step.warn('the worker stops');
    await this.#idleWithin(lastMomentMs);
  }

  /** Steps whose handlers did not settle, or that still wait for results of others; not those that wait to be recorded. */
  #giveBackTheRest(): void {
    for (const step of this.#held) {
      if (step.over || step.ended) continue;
      if (step.started) logUnsettled(this.#logger, step);
      this.#push(step.started ? abandoned(step) : givenBack(step));
      step.end('given_back');
      this.#nobodyWaits(step);
    }
  }

  /** Gives back what is held, children of late recordings and steps of a late claim too, until all of it is recorded. */
  async #nothingHeldWithin(ms: number): Promise<boolean> {
    const until = performance.now() + ms;
    for (;;) {
      this.#giveBackTheRest();
      const rest = this.#claiming !== undefined || this.#recorder.pending > 0 || this.#held.size > 0;
      if (!rest || performance.now() > until) return !rest;
      await backOff(0);
    }
  }
}
