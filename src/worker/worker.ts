import { type AdoptedStepRow, type ClaimedStepRow, KIND, type RecordAnswer } from '../engine/engine.ts';
import { messageOf } from '../errors.ts';
import { waitIn } from '../handlers/outcome.ts';
import type { ExecutableHandler, StepHandlerResult } from '../handlers/step-handler.ts';
import { outsideLogScopes } from '../logging/logger.ts';
import { waitsByType } from '../model/waits.ts';
import { backOff } from '../time/back-off.ts';
import { type AttemptEnd, attemptEnd, possibleChildren, released, skipped, timedOut } from './attempt-end.ts';
import { ClaimLoop } from './claim-loop.ts';
import type { DispatchChannel } from './dispatch-channel.ts';
import type { DispatchedStep } from './dispatched-step.ts';
import type { Reserved } from './recorder.ts';
import { DEFAULT_VERSION, StepRunner } from './run-step.ts';
import { shutDown } from './shutdown.ts';
import { type BeforeStart, evaluateStart, hasExpressions } from './step-expressions.ts';
import { saveYield } from './step-progress.ts';
import { beginWait } from './waits/built-in-waits.ts';
import { actsIn, saveBeforeCall } from './waits/handler-waits.ts';
import type { WorkerOptions, WorkerStats } from './worker-options.ts';
import { LOWEST_RANK, type WorkerHooks, type WorkerParts, workerParts } from './worker-parts.ts';

/**
 * Runs steps until it is stopped: claims as many as it has free slots, calls their handlers, records the outcomes and
 * takes the children that became ready. The methods follow the phases of a step.
 */
export class Worker implements WorkerHooks {
  readonly #options: WorkerOptions;
  readonly #parts: WorkerParts;
  readonly #runner: StepRunner<DispatchedStep>;
  readonly #claims: ClaimLoop;
  /** Ids of the namespaces that are served and have a template. */
  namespaceIds: readonly number[] = [];
  #namespaceKey = '';

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#parts = workerParts(options, this);
    this.#claims = new ClaimLoop({
      ...options,
      parts: this.#parts,
      namespaceIds: () => this.namespaceIds,
      take: (rows, token) => this.#takeOwn(rows, () => token),
    });
    this.#runner = new StepRunner<DispatchedStep>(options.registry, {
      starts: (step) => this.#start(step),
      settled: (step, result, version) => this.settled(step, result, version),
      yielded: (step, result, handler) => void this.#callAgain(step, result, handler),
      broken: (step, result) => this.push(attemptEnd(step, result, DEFAULT_VERSION)),
      unknown: (step) => this.#lacksHandler(step),
      unresolved: (step) => this.unresolved(step),
    });
  }

  /** The channel through which steps are handed out as events. Only for a worker with `handOut`. */
  get channel(): DispatchChannel {
    return this.#parts.channel!;
  }

  get stats(): WorkerStats {
    const { slots, publishing, recorder, reports, lease, isolation, draining } = this.#parts;
    return {
      running: slots.running,
      unrecorded: publishing.pending + recorder.pending,
      processed: reports.processed,
      failed: reports.failed,
      refused: reports.refused,
      workerId: lease.incarnation.id,
      phase: draining.phase,
      loop: lease.loop.stats,
      threads: isolation.stats,
    };
  }

  /** Whether this worker is registered and its lease has certainly not expired. */
  get leaseSure(): boolean {
    const { incarnation } = this.#parts.lease;
    return incarnation.id > 0 && incarnation.sure;
  }

  /** Number of free slots. */
  get freeSlots(): number {
    return Math.max(0, this.#parts.slots.free);
  }

  async start(): Promise<void> {
    const { lease, queuePoller } = this.#parts;
    await lease.start();
    await this.#findNamespaces();
    queuePoller.start();
    this.wake();
    void lease.sweep();
  }

  /** Stops taking steps. Running steps continue until {@link stop}. */
  quiesce(): void {
    this.#parts.slots.close();
    this.#parts.channel?.halt();
  }

  /** Called when the queue may hold steps of this rank (minus the priority) or a greater one. */
  wake(rank = LOWEST_RANK): void {
    this.#claims.want(rank);
    // A handler that creates a task may call this. The claim must not run in the log scope of the handler's step.
    outsideLogScopes(() => this.#claims.next());
  }

  /** Called when a wait will be due in `delayMs`. Undefined means that the wait has no limit. */
  dueIn(delayMs: number | undefined): void {
    if (delayMs !== undefined) this.#parts.queuePoller.dueIn(delayMs);
  }

  /** Called when handlers or templates were added or replaced. */
  async refresh(): Promise<void> {
    const { registries, lease, missing } = this.#parts;
    registries.refresh();
    await lease.incarnation.announce();
    await this.#findNamespaces();
    missing.refresh();
    this.wake();
  }

  /** Called when an operator acted on a task. Verifies which of its steps are still held here. */
  taken(taskUuid: string): void {
    this.#parts.held.checkTask(taskUuid);
  }

  /** Called when an operator may have a request for the workers with these ids. */
  asked(workerIds: readonly number[]): void {
    this.#parts.lease.incarnation.asked(workerIds);
  }

  /** Polls the queue and the schedules now. */
  readonly look = (): void => this.#parts.queuePoller.look();

  /** Whether a claim is in progress. */
  get claiming(): boolean {
    return this.#claims.claiming;
  }

  /** Stops the worker, as described in {@link shutDown}. */
  stop({ drainTimeoutMs }: { drainTimeoutMs: number }): Promise<void> {
    return shutDown(this.#parts, {
      drainTimeoutMs,
      onWorkLeft: this.#options.onWorkLeft,
      push: (end) => this.push(end),
      claiming: () => this.claiming,
    });
  }

  /**
   * Ends the drain time of the current or next shutdown immediately, so that the signals of running handlers fire now.
   */
  hurry(): void {
    this.#parts.stopping.hurried = true;
    this.#parts.slots.cutWait();
  }

  // ---- claim

  adopt(rows: readonly AdoptedStepRow[]): void {
    this.#parts.slots.reserve(rows.length);
    void this.#takeOwn(rows, (row) => (row as AdoptedStepRow).claim);
  }

  /**
   * Takes claimed steps, each of which has a reserved slot. Drops the steps of an incarnation that has since been
   * declared dead, because other workers may run them.
   */
  async #takeOwn(rows: readonly ClaimedStepRow[], tokenOf: (row: ClaimedStepRow) => number): Promise<void> {
    const { slots, lease, cache, held, unreadable, stopping } = this.#parts;
    const own = rows.filter((row) => lease.incarnation.owns(tokenOf(row)));
    slots.release(rows.length - own.length);
    if (own.length === 0) return;
    const reasons = await held.templates(own);
    if (!reasons) {
      // The steps are still held in the database. Other workers take them when the lease expires.
      slots.release(own.length);
      stopping.leftBehind = true;
      return;
    }
    const others = own.filter((row) => reasons.has(row.templateId));
    slots.release(others.length);
    const fenced = others.map((row) => ({ ...row, claim: tokenOf(row) }));
    if (fenced.length > 0) unreadable.release(fenced, reasons);
    const readable = own.filter((row) => !reasons.has(row.templateId));
    const steps = readable.map((row) =>
      held.hold(cache.take(row, this.#options.engine.templates.get(row.templateId)), row, tokenOf(row)),
    );
    await this.#hydrate(steps);
  }

  // ---- hydrate

  #hydrate(steps: readonly DispatchedStep[]): Promise<void> {
    return this.#parts.held.hydrate(steps, (ready) => this.#startAll(ready));
  }

  #startAll(steps: readonly DispatchedStep[]): void {
    if (steps.length > 0 && !this.#parts.lease.incarnation.sure) void this.#startIfHeld(steps);
    else this.#startNow(steps);
  }

  /**
   * Starts the steps that are still held. Called if no heartbeat has succeeded for a whole lease, because other workers
   * may then have some of them.
   */
  async #startIfHeld(steps: readonly DispatchedStep[]): Promise<void> {
    const { held, stopping } = this.#parts;
    for (let tries = 0; !(await held.check(steps)) && !stopping.begun; tries++) await backOff(tries);
    this.#startNow(steps);
  }

  #startNow(steps: readonly DispatchedStep[]): void {
    const { slots, stopping, reports } = this.#parts;
    slots.release(steps.length);
    reports.held(steps);
    for (const step of steps) {
      if (step.over) continue;
      if (stopping.begun) this.push(released(step));
      else this.#dispatch(step);
    }
    this.#claims.next();
  }

  // ---- resolve, run

  #dispatch(step: DispatchedStep): void {
    const { channel } = this.#parts;
    if (step.task.snapshot.hasExpressions && hasExpressions(step)) this.#evaluate(step);
    else if (step.task.snapshot.hasWaits && waitsByType(step.template.type)) this.#wait(step);
    else if (channel) channel.offer(step);
    else if (this.#isAnnounced(step)) this.#runner.run(step);
    else void this.#announceAndRun(step);
  }

  /** Evaluates the expressions of a step, and dispatches it. It fails if one of them fails, and may be skipped. */
  #evaluate(step: DispatchedStep): void {
    const before = evaluateStart(step);
    if (before instanceof Promise) void this.#evaluateLater(step, before);
    else this.#goOn(step, before);
  }

  #goOn(step: DispatchedStep, before: BeforeStart): void {
    if (before === undefined) this.#dispatch(step);
    else this.push(before === 'skip' ? skipped(step) : attemptEnd(step, before, DEFAULT_VERSION));
  }

  /** Waits for results that were too large to be loaded with the step. */
  async #evaluateLater(step: DispatchedStep, first: Promise<BeforeStart>): Promise<void> {
    const { stopping, slots } = this.#parts;
    // A claim during the reads must not take the slot, or the step would be released again and again.
    slots.occupy(step);
    let before: BeforeStart;
    for (let tries = 0, failing = first; ; tries++) {
      try {
        before = await failing;
        break;
      } catch (error) {
        this.#options.logger.debug({ error: messageOf(error) }, 'results for expressions of a step not read; retrying');
        await backOff(tries);
        if (stopping.begun) break;
        failing = Promise.resolve(evaluateStart(step));
      }
    }
    slots.vacate(step);
    if (!step.over) {
      if (stopping.begun) this.push(released(step));
      else this.#goOn(step, before);
    }
    this.#claims.next();
  }

  /** Whether the step can be started without announcing its handler, or has no handler here. */
  #isAnnounced({ handler }: DispatchedStep): boolean {
    const { lease, registries } = this.#parts;
    return lease.incarnation.mayStart(handler) || !registries.mayHave(handler);
  }

  /** Runs a step whose handler was registered after the last announcement. */
  async #announceAndRun(step: DispatchedStep): Promise<void> {
    const { lease, slots, stopping } = this.#parts;
    for (let tries = 0; !(await this.#announce()) && !stopping.begun; tries++) await backOff(tries);
    if (step.over) return;
    if (stopping.begun || slots.free <= 0) this.push(released(step));
    else if (lease.incarnation.owns(step.claim)) this.#runner.run(step);
  }

  /** Announces the handlers. Returns whether the announcement is committed. */
  async #announce(): Promise<boolean> {
    try {
      return await this.#parts.lease.incarnation.announce();
    } catch (error) {
      this.#options.logger.debug({ error: messageOf(error) }, 'handlers not announced; retrying');
      return false;
    }
  }

  /** Runs a step of a type that waits. No user handler runs, even if steps are dispatched elsewhere. */
  #wait(step: DispatchedStep): void {
    this.#start(step);
    beginWait(step, (end) => this.finish(step, end));
  }

  #start(step: DispatchedStep): void {
    this.#parts.slots.occupy(step);
    this.#parts.deadlines.start(step);
  }

  /** Called when no resolver found the handler, or the step was taken away during the search. */
  unresolved(step: DispatchedStep): void {
    const { deadlines, slots } = this.#parts;
    deadlines.delete(step);
    slots.vacate(step);
    if (!step.over && !step.ended) this.#lacksHandler(step);
    this.#claims.next();
  }

  /** Lets the step wait for its handler, unless the worker stops or drains. */
  #lacksHandler(step: DispatchedStep): void {
    const { slots, stopping, missing } = this.#parts;
    if (stopping.begun || slots.paused) this.push(released(step));
    else missing.add(step);
  }

  /** Called when the missing handler is registered. Runs the waiting step, or releases it if no slot is free. */
  run(step: DispatchedStep): void {
    if (this.#parts.slots.free > 0) this.#dispatch(step);
    else this.push(released(step));
  }

  /** Calls the handler of a step that yielded again. The step stays held and spends no attempt. */
  async #callAgain(step: DispatchedStep, result: StepHandlerResult, handler: ExecutableHandler): Promise<void> {
    if (await this.saveYield(step, result)) this.#runner.call(step, handler);
  }

  /** Saves the progress of a step that yielded. Resolves to true if its handler should be called again. */
  async saveYield(step: DispatchedStep, result: StepHandlerResult): Promise<boolean> {
    const failure = await saveYield(step, result);
    if (step.over || failure) this.settled(step, failure ?? result, DEFAULT_VERSION);
    else if (this.#parts.stopping.begun || this.#parts.slots.paused) this.finish(step, released(step));
    else return true;
    return false;
  }

  settled(step: DispatchedStep, result: StepHandlerResult, version: string, stopping = false): void {
    const wait = waitIn(result);
    const saving = wait && saveBeforeCall(step, result, wait);
    if (saving) void saving.then((saved) => this.#end(step, saved, version, stopping));
    else this.#end(step, result, version, stopping);
  }

  #end(step: DispatchedStep, result: StepHandlerResult, version: string, stopping: boolean): void {
    const cutOff = (stopping || this.#parts.stopping.aborting) && !result.success && step.template.retry.retryable;
    if (step.over) this.finish(step, undefined);
    else this.finish(step, cutOff || step.neverBegan ? released(step) : attemptEnd(step, result, version));
  }

  /** Frees the slot of a step and records its end. The end is undefined if the outcome is no longer needed. */
  finish(step: DispatchedStep, end: AttemptEnd | undefined): void {
    if (!end) {
      this.#parts.reports.settledLate(step);
      this.free(step);
      return;
    }
    this.#parts.deadlines.delete(step);
    this.#parts.slots.vacate(step);
    this.push(end);
  }

  free(step: DispatchedStep): void {
    this.#parts.deadlines.delete(step);
    this.#parts.slots.vacate(step);
    this.#claims.next();
  }

  timedOut(step: DispatchedStep): void {
    const { reports, deadlines, held } = this.#parts;
    step.end('timeout');
    reports.timedOut(step);
    this.push(timedOut(step, deadlines.timeoutMs(step)));
    held.drop(step);
  }

  // ---- record

  push(end: AttemptEnd): void {
    const { step } = end;
    const { publishing } = this.#parts;
    step.ended = true;
    const publishes = step.task.snapshot.events[step.templateIdx] !== undefined;
    const prepared = publishes ? publishing.prepare(end) : end;
    if (prepared instanceof Promise) void prepared.then((ready) => this.#record(ready));
    else this.#record(prepared);
  }

  #record(end: AttemptEnd): void {
    const { reports, traces, recorder } = this.#parts;
    reports.pushed();
    traces?.settled(end);
    recorder.push(end);
  }

  /** Reserves free slots for the children of a batch, but no more than can become ready. */
  reserve(batch: readonly AttemptEnd[]): Reserved {
    const { slots, lease } = this.#parts;
    const { free } = slots;
    let children = 0;
    if (free > 0) for (const end of batch) if (end.kind === KIND.completed) children += possibleChildren(end);
    const freeSlots = Math.max(0, Math.min(free, children));
    slots.reserve(freeSlots);
    return { freeSlots, token: lease.incarnation.token(), lastRank: this.#claims.lastRank };
  }

  release(own: Reserved): void {
    this.#parts.slots.release(own.freeSlots);
    this.#claims.next();
  }

  doubt(own: Reserved): void {
    this.release(own);
    this.#parts.lease.unanswered.add(own.token);
  }

  recorded(batch: readonly AttemptEnd[], accepted: readonly AttemptEnd[], answer: RecordAnswer, own: Reserved): void {
    const { slots, cache, channel, held, reports, publishing, logWriter, queuePoller, lease } = this.#parts;
    const { onEventsStored, onTasksEnded, onWorkLeft } = this.#options;
    slots.release(own.freeSlots);
    cache.keepRecorded(accepted, answer);
    const children = this.#childrenOf(batch, answer, own);
    channel?.recorded(batch, accepted);
    for (const end of batch) {
      held.forget(end.step);
      if (end.wait) this.dueIn(actsIn(end.wait));
    }
    reports.recorded(batch, accepted);
    if (accepted.some(({ step }) => step.log)) logWriter?.recorded(accepted);
    reports.uncompleted(accepted, answer.uncompleted, (ms) => queuePoller.dueIn(ms));
    this.#advance(children);
    if (accepted.some(({ missed }) => missed)) void lease.housekeeping.offerSteps();
    if (batch.some(({ publication }) => publication)) publishing.recorded(batch, accepted);
    if (accepted.some(({ events }) => events !== undefined)) onEventsStored();
    if (answer.ended.length > 0) {
      reports.tasksEnded(batch, answer.ended);
      onTasksEnded(answer.ended);
    }
    if (answer.queued > 0) {
      this.#claims.want();
      if (slots.free < answer.queued) onWorkLeft(0);
    }
    // Notifies other workers even if slots are free here, because this worker may be unable to run these steps.
    if (accepted.some((end) => end.kind === KIND.released)) onWorkLeft(0);
    this.#claims.next();
  }

  withoutEvents(end: AttemptEnd, refusal: string): AttemptEnd {
    return this.#parts.publishing.withoutStored(end, refusal);
  }

  // ---- advance

  /** Returns the children that this worker holds now: none if it was declared dead before the response arrived. */
  #childrenOf(batch: readonly AttemptEnd[], { children }: RecordAnswer, { token }: Reserved): DispatchedStep[] {
    const { lease, cache, held } = this.#parts;
    if (children.length === 0 || !lease.incarnation.owns(token)) return [];
    return children.map((row) => {
      // The cache may have dropped the task if its last held step was this parent, which was lost during the recording.
      const task = cache.get(row.taskUuid) ?? batch.find((end) => end.taskUuid === row.taskUuid)!.step.task;
      return held.hold(task, row, token);
    });
  }

  /** Starts the children. A child with ancestors that ran elsewhere loads their results first. */
  #advance(children: readonly DispatchedStep[]): void {
    const { slots, held } = this.#parts;
    slots.reserve(children.length);
    const waiting = children.filter((step) => held.lacks(step));
    if (waiting.length > 0) void this.#hydrate(waiting);
    const missing = new Set(waiting);
    this.#startAll(children.filter((step) => !missing.has(step)));
  }

  // ---- lease

  lost(incarnations: readonly number[]): void {
    this.#parts.held.lost(incarnations);
  }

  swept(): void {
    this.wake();
  }

  blocked(step: DispatchedStep): void {
    this.#parts.reports.blocked(step);
  }

  // ---- namespaces and readers

  polled(): void {
    const { held, lease } = this.#parts;
    void this.#findNamespaces().catch((error: unknown) =>
      this.#options.logger.debug({ error: messageOf(error) }, 'namespaces not read; retrying'),
    );
    held.checkLongRunning();
    void lease.housekeeping.look();
  }

  async #findNamespaces(): Promise<void> {
    const names = this.#options.namespaces();
    const key = names.join();
    // A namespace has no id until its first template is registered.
    if (key === this.#namespaceKey && this.namespaceIds.length === names.length) return;
    this.namespaceIds = await this.#options.engine.namespaceIds(names);
    this.#namespaceKey = key;
  }

  /** Adjusts the slots and the registries to the subscribers of the channel. */
  readersChanged(): void {
    const { channel, slots, registries } = this.#parts;
    if (!channel) return;
    slots.resize(channel.slots);
    if (registries.replace(channel.registries)) this.handlersChanged();
    this.wake();
  }

  handlersChanged(): void {
    this.refresh().catch((error: unknown) =>
      this.#options.logger.debug({ error: messageOf(error) }, 'handlers not announced; retrying later'),
    );
  }
}
