import type { TaskerConfig } from '../../config/config-keys.ts';
import type { Engine, HeldKey, RecordAnswer } from '../../engine/engine.ts';
import type { AttemptEndRow, HttpWorkerRow } from '../../engine/http-workers/worker-steps.ts';
import type { RetentionPolicy } from '../../engine/retention/policy.ts';
import { TaskerError } from '../../errors.ts';
import type { PublisherSource } from '../../events/publishing/ask-publishers.ts';
import type { EventBus } from '../../events/subscribing/event-bus.ts';
import type { CheckpointProgress } from '../../handlers/step-context.ts';
import type { StepHandlerResult } from '../../handlers/step-handler.ts';
import type { Logger } from '../../logging/logger.ts';
import { moduleLogger } from '../../logging/module-logger.ts';
import { WAIT_CALLABLES } from '../../model/waits.ts';
import { attemptEnd, released } from '../attempt-end.ts';
import type { DispatchedStep } from '../dispatched-step.ts';
import { type ThresholdSettings, thresholdsOf } from '../lease/dead-letter-looks.ts';
import { incarnationOf } from '../lease/incarnation.ts';
import { Publishing } from '../publishing.ts';
import { StepReports } from '../step-reports.ts';
import { Care } from './care.ts';
import { Claims, type ClaimWish } from './claims.ts';
import { type Attempt, readFence } from './fence.ts';
import { type Ended, GivenSteps } from './given-steps.ts';
import { Recording } from './recording.ts';

/** The version of the protocol. A worker with another version is rejected. */
export const PROTOCOL = 1;
/** How long a shutdown waits for outcomes that are not yet recorded. */
const STOP_MS = 5_000;
/** This server forgets workers that sent nothing for this many leases. */
const LEASES = 3;

/** Options of {@link HttpWorkers}. Times in milliseconds. */
export interface HttpWorkersOptions
  extends Pick<TaskerConfig, 'leaseMs' | 'handlerTimeoutMs' | 'auditRetentionMs'>,
    Partial<ThresholdSettings> {
  engine: Engine;
  logger: Logger;
  /** The name of this process. */
  name: string;
  retention?: RetentionPolicy | undefined;
  pollMs(): number;
  publishers?: PublisherSource | undefined;
  eventBus: EventBus;
  onTasksEnded(ended: RecordAnswer['ended']): void;
  onWorkLeft(rank: number): void;
  onEventsStored(): void;
}

/** A worker that wants to register. */
export interface NewHttpWorker {
  name: string;
  /** Chosen by the worker when it starts. A repeated registration with the same id is the same worker. */
  instance: string;
  namespaces: readonly string[];
  handlers: readonly string[];
  slots: number;
  host: string;
  pid: number;
  version?: string | undefined;
}

/** The report of a worker about an attempt. */
export type Report = { stepUuid: string; fence: string } & (
  | { action: 'complete' | 'fail'; result: StepHandlerResult; version: string; durationMs?: number | undefined }
  | { action: 'checkpoint'; progress: CheckpointProgress }
  | { action: 'release' }
);

/** The response to a report: how the attempt ended, whether its checkpoint is saved, or why the report was rejected. */
export type Reported =
  | { outcome: 'completed' | 'failed' | 'released' | 'saved'; errorType: string | null }
  | { outcome: 'refused'; error: TaskerError };

/** A heartbeat. */
export interface HttpBeat {
  workerId: number;
  steps: readonly { stepUuid: string; fence: string }[];
  /** Number of slots that handlers of stopped steps still hold. */
  hung?: number | undefined;
  phase: 'running' | 'draining' | 'stopped';
}

/** A step that a worker must stop, and why. `ended`: its outcome is recorded. */
export interface Stop {
  stepUuid: string;
  fence: string;
  reason: 'cancelled' | 'timed_out' | 'lost' | 'ended';
}

/** Workers that use the HTTP API. Their leases and their steps are in the database, so any server serves each request. */
export class HttpWorkers {
  readonly #options: HttpWorkersOptions;
  readonly #given: GivenSteps;
  readonly #recording: Recording;
  readonly #claims: Claims;
  readonly #care: Care;
  /** Known workers, to check their namespaces, which never change. */
  readonly #known = new Map<number, HttpWorkerRow>();
  /** When each worker last sent a request to this server. */
  readonly #seen = new Map<number, number>();

  constructor(options: HttpWorkersOptions) {
    this.#options = options;
    const { engine, logger, name, publishers, eventBus: bus, onTasksEnded, onEventsStored, onWorkLeft } = options;
    const { metrics } = engine.database;
    const reports = new StepReports(metrics, logger);
    this.#given = new GivenSteps({ engine, reports, logger });
    const events = moduleLogger(logger, 'events');
    const publishing = new Publishing({
      worker: name,
      parentOf: (id) => engine.parentOf(id),
      publishers,
      bus,
      metrics,
      logger: events,
    });
    this.#recording = new Recording({
      engine,
      given: this.#given,
      publishing,
      reports,
      logger,
      onTasksEnded,
      onEventsStored,
      onWork: () => {
        this.wake();
        onWorkLeft(0);
      },
      onDue: (ms) => this.#care.dueIn(ms),
    });
    const { given, recording } = { given: this.#given, recording: this.#recording };
    this.#claims = new Claims({ ...options, given, recording, care: () => this.#care });
    this.#care = new Care({
      ...options,
      thresholds: thresholdsOf(options),
      given,
      recording,
      reports,
      namespaceIds: () => this.#claims.namespaceIds,
      workerIds: () => [...this.#seen.keys()],
      ready: () => this.wake(),
      polled: () => this.#forgetSilent(),
    });
  }

  /** The lease and the heartbeat interval of each worker. */
  get times(): { leaseMs: number; heartbeatMs: number } {
    const { leaseMs } = this.#options;
    return { leaseMs, heartbeatMs: Math.floor(leaseMs / 3) };
  }

  /** Takes over the workers of other servers that have stopped, if there are any. */
  async resume(): Promise<void> {
    if (await this.#options.engine.httpWorkers.any()) this.#care.begin();
  }

  /** Called when the queue may hold steps. */
  wake(): void {
    this.#claims.wake();
  }

  /** Schedules a poll for a retry or a wait that is due in `ms`. */
  dueIn(ms: number): void {
    this.#care.dueIn(ms);
  }

  /** Polls now. */
  look(): void {
    this.#care.look();
  }

  /** The timeout of a step in milliseconds. Null if it has none. */
  timeoutMs({ task, idx }: DispatchedStep): number | null {
    return this.#claims.timeoutOf(task.snapshot, idx);
  }

  // ---- workers

  /** Registers a worker, and returns it. A repeated registration returns the same worker. */
  async register(worker: NewHttpWorker): Promise<HttpWorkerRow> {
    const { engine, leaseMs } = this.#options;
    const { handlers, slots, namespaces, ...others } = worker;
    const before = await engine.httpWorkers.living(worker.instance);
    const callables = [...new Set([...handlers, ...Object.values(WAIT_CALLABLES)])];
    let id = before && sameNames(before.namespaces, namespaces) ? before.id : undefined;
    if (id === undefined) {
      id = await engine.registerWorker({ ...others, namespaces, callables, concurrency: slots, leaseMs });
      await engine.httpWorkers.mark(id, PROTOCOL);
    } else if (!sameNames(before!.callables, callables)) {
      await engine.announceCallables({ id, namespaces, callables }, { timeoutMs: leaseMs / 3 });
    }
    this.#care.announced();
    this.#known.delete(id);
    const { name } = worker;
    this.#options.logger.info(
      { worker_id: id, worker: name, namespaces, handlers: handlers.length },
      'worker registered over HTTP',
    );
    return (await this.worker(id))!;
  }

  /** Returns a worker, with the state that it had when this server first saw it. Undefined if there is none. */
  async worker(id: number): Promise<HttpWorkerRow | undefined> {
    const row = this.#known.get(id) ?? (await this.#options.engine.httpWorkers.find(id));
    if (!row) return undefined;
    this.#known.set(id, row);
    this.#seen.set(id, performance.now());
    this.#care.begin();
    return row;
  }

  #forgetSilent(): void {
    const before = performance.now() - LEASES * this.#options.leaseMs;
    for (const [id, at] of this.#seen) {
      if (at >= before) continue;
      this.#seen.delete(id);
      this.#known.delete(id);
    }
    this.#given.forgetWorkers((id) => !this.#seen.has(id));
    this.#claims.forgetOld();
  }

  /** Extends the lease of a worker, and returns the steps that it must stop. @throws TaskerError `worker_lost` */
  async heartbeat({ workerId, steps, hung, phase }: HttpBeat): Promise<{ drain: boolean; stop: Stop[] }> {
    const { engine, leaseMs } = this.#options;
    const attempts = steps.map((step) => readFence(step.stepUuid, step.fence));
    if (phase === 'stopped') {
      await engine.httpWorkers.signOff(workerId);
      await this.#care.sweep();
      this.#forget(workerId);
      return { drain: true, stop: [] };
    }
    // As for other workers, `running` is the number of all taken slots.
    const report = { running: steps.length + (hung ?? 0), phase, ...(hung !== undefined && { hung }) };
    const beat = await engine.heartbeat([workerId], leaseMs, report);
    if (!beat.alive.includes(workerId)) {
      this.#forget(workerId);
      throw workerLost(workerId);
    }
    if (beat.lost) void this.#care.sweep();
    const graceMs = leaseMs / 6;
    const [held, missing] = await Promise.all([
      attempts.length > 0 ? engine.held(attempts) : new Set<number>(),
      engine.httpWorkers.missing({ workerId, listed: attempts, graceMs }),
    ]);
    await this.#takeFrom(workerId, missing);
    const gone = attempts.flatMap((attempt, i) => (held.has(i) ? [] : [{ attempt, step: steps[i]! }]));
    const ends = gone.length > 0 ? await engine.httpWorkers.ends(gone.map(({ attempt }) => attempt)) : undefined;
    return { drain: beat.drain, stop: gone.map(({ step }, i) => ({ ...step, reason: reasonOf(ends?.get(i)) })) };
  }

  #forget(workerId: number): void {
    this.#seen.delete(workerId);
    this.#known.delete(workerId);
    this.#given.forgetWorkers((id) => id === workerId);
  }

  /** Takes steps that a worker no longer lists, because the response to its claim was lost. */
  async #takeFrom(workerId: number, missing: readonly HeldKey[]): Promise<void> {
    const { engine, logger } = this.#options;
    const lost = missing.filter((key) => !this.#given.get(key)?.ending);
    if (lost.length === 0) return;
    const { steps } = await engine.takeFrom(lost, workerId);
    if (steps.length > 0) {
      logger.warn(
        { worker_id: workerId, steps: steps.length },
        'steps reclaimed from a worker that no longer lists them',
      );
    }
    // Steps of locked tasks are taken with a later heartbeat.
    const still = await engine.held(lost);
    const over = lost.filter((_, i) => !still.has(i));
    for (const key of over) {
      const given = this.#given.get(key);
      if (given) this.#given.forget(given);
    }
    if (over.length > 0) await engine.httpWorkers.forget(over);
  }

  // ---- steps

  /**
   * Claims steps for a worker, or waits for steps. A repeated request returns the same steps.
   * @throws TaskerError `worker_lost`
   */
  async claim(wish: ClaimWish): Promise<{ steps: DispatchedStep[]; drain: boolean }> {
    const claimed = await this.#claims.claim(wish);
    if (claimed) return { steps: claimed, drain: false };
    const row = await this.#options.engine.httpWorkers.find(wish.worker.id);
    if (row?.living) return { steps: [], drain: row.drain };
    this.#forget(wish.worker.id);
    throw workerLost(wish.worker.id);
  }

  /**
   * Records the reports of workers about attempts. The first outcome of an attempt is final: later reports about the
   * attempt receive this outcome as the response. Reports of workers that the caller may not use are rejected, like
   * reports of unknown workers.
   */
  async report(reports: readonly Report[], mayUse: (worker: HttpWorkerRow) => boolean): Promise<Reported[]> {
    const attempts = reports.map(({ stepUuid, fence }) => readFence(stepUuid, fence));
    const usable = new Set<number>();
    for (const id of new Set(attempts.map(({ claim }) => incarnationOf(claim)))) {
      const worker = await this.worker(id);
      if (worker && mayUse(worker)) usable.add(id);
    }
    const own = (attempt: Attempt) => usable.has(incarnationOf(attempt.claim));
    await this.#given.find(attempts.filter(own));
    const answers = await Promise.all(
      reports.map(async (report, i) => (own(attempts[i]!) ? this.#one(report, attempts[i]!) : undefined)),
    );
    const open = answers.flatMap((answer, i) => (answer === undefined && own(attempts[i]!) ? [i] : []));
    const ends =
      open.length > 0 ? await this.#options.engine.httpWorkers.ends(open.map((i) => attempts[i]!)) : undefined;
    for (const [n, i] of open.entries()) answers[i] = earlier(reports[i]!, ends!.get(n));
    return answers.map((answer, i) => answer ?? earlier(reports[i]!, undefined));
  }

  /** Undefined if the worker does not hold the step. */
  async #one(report: Report, attempt: Attempt): Promise<Reported | undefined> {
    const given = this.#given.get(attempt);
    if (!given || given.step.attempt !== attempt.attempt) return undefined;
    const { step } = given;
    if (report.action === 'checkpoint') return given.ending ? undefined : save(step, report.progress);
    const ended = await this.#recording.end(given, () => {
      if (report.action === 'release') return released(step);
      const end = attemptEnd(step, report.result, report.version);
      if (report.durationMs !== undefined) end.durationMs = Math.max(0, report.durationMs - given.ranMs);
      return end;
    });
    return ended && reportedOf(ended);
  }

  async stop(): Promise<void> {
    this.#claims.stop();
    await this.#recording.stop(STOP_MS);
    await this.#care.stop();
  }
}

function sameNames(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((name) => others.includes(name));
}

function workerLost(id: number): TaskerError {
  return new TaskerError(
    'worker_lost',
    `worker ${id} has no lease, because it expired or the worker signed off; stop running its steps, which other workers take over, and register again`,
  );
}

function reportedOf({ outcome, errorType }: Ended): Reported | undefined {
  return outcome === 'worker_lost' || outcome === 'cancelled' ? undefined : { outcome, errorType };
}

/** Returns the response to a report about an attempt that has already ended. */
function earlier({ action, stepUuid }: Report, end: AttemptEndRow | undefined): Reported {
  const before = end && action !== 'checkpoint' ? reportedOf(end as Ended) : undefined;
  if (before) return before;
  const why = {
    cancelled: 'its task was cancelled, or an operator settled the step',
    timed_out: 'its timeout has expired',
    lost: 'the lease of the worker expired, or the worker did not list the step in its heartbeats',
    ended: 'its outcome is recorded',
  }[reasonOf(end)];
  const message = `step ${stepUuid} is not held under this fence: ${why}; stop it`;
  return { outcome: 'refused', error: new TaskerError('step_taken_away', message) };
}

function reasonOf(end: AttemptEndRow | undefined): Stop['reason'] {
  if (!end || end.outcome === 'cancelled') return 'cancelled';
  if (end.outcome === 'worker_lost') return 'lost';
  return end.errorType === 'timeout' ? 'timed_out' : 'ended';
}

/** Saves a checkpoint. A repeated request changes nothing. Undefined if the worker does not hold the step. */
async function save(step: DispatchedStep, progress: CheckpointProgress): Promise<Reported | undefined> {
  const saved = { outcome: 'saved', errorType: null } as const;
  const { cursor, items_processed, accumulated_results } = step.checkpoint ?? {};
  const before = JSON.stringify([cursor, items_processed, accumulated_results]);
  const { itemsProcessed, accumulatedResults = null } = progress;
  try {
    const now = JSON.stringify([progress.cursor ?? null, itemsProcessed ?? 0, accumulatedResults]);
    if (before !== now) await step.saveCheckpoint(progress);
    return saved;
  } catch (error) {
    const { errorType, retryable, message } = error as { errorType?: string; retryable?: boolean; message: string };
    if (errorType !== 'checkpoint_error') throw error;
    return retryable ? undefined : { outcome: 'refused', error: new TaskerError('result_not_storable', message) };
  }
}
