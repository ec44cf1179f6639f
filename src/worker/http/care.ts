import type { Engine } from '../../engine/engine.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { timedOut } from '../attempt-end.ts';
import { Housekeeping, type HousekeepingOptions } from '../lease/housekeeping.ts';
import { QueuePoller } from '../queue-poller.ts';
import type { StepReports } from '../step-reports.ts';
import type { GivenSteps } from './given-steps.ts';
import type { Recording } from './recording.ts';

/** Interval between deletions of data that ended workers left. */
const TIDY_MS = 60_000;

/** Options of {@link Care}. */
export interface CareOptions extends Omit<HousekeepingOptions, 'workerIds'> {
  engine: Engine;
  given: GivenSteps;
  recording: Recording;
  reports: StepReports;
  logger: Logger;
  pollMs(): number;
  /** The namespaces and workers of recent requests to this server. */
  namespaceIds(): readonly number[];
  workerIds(): readonly number[];
  /** Called when the queue may hold steps. */
  ready(): void;
  /** Called with each poll. */
  polled(): void;
}

/**
 * The housekeeping that a server does for workers over HTTP, which only run steps. Polls the queue, queues retries,
 * ends waits, sweeps, and ends attempts whose timeout has expired. Any server does this for all workers.
 */
export class Care {
  readonly #options: CareOptions;
  readonly #poller: QueuePoller;
  readonly #housekeeping: Housekeeping;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #looking = false;
  #sweepAt = Number.NEGATIVE_INFINITY;
  #tidyAt = performance.now() + TIDY_MS;
  #begun = false;
  #stopped = false;

  constructor(options: CareOptions) {
    this.#options = options;
    const { engine, leaseMs, logger, namespaceIds, pollMs, ready } = options;
    this.#housekeeping = new Housekeeping(engine, options, logger);
    const events = { namespaceIds, everyMs: pollMs, timeoutMs: leaseMs / 3, outage: undefined, ready };
    this.#poller = new QueuePoller(engine, { ...events, polled: () => this.#polled() }, logger);
  }

  /** Called with each request of a worker. The first one starts the polls. */
  begin(): void {
    if (this.#begun || this.#stopped) return;
    this.#begun = true;
    this.#poller.start();
  }

  /** Schedules a poll for a retry or a wait that is due in `ms`. */
  dueIn(ms: number): void {
    if (this.#begun) this.#poller.dueIn(ms);
  }

  /** Polls now. */
  look(): void {
    if (this.#begun) this.#poller.look();
  }

  /** Counts steps that were taken from the queue. */
  took(steps: number): void {
    this.#housekeeping.taken += steps;
  }

  /** Called when a worker announced its handlers. Gives it the steps for which they were missing. */
  announced(): void {
    void this.#housekeeping.offerSteps();
  }

  /** Takes back the steps of lost workers. */
  async sweep(): Promise<void> {
    this.#sweepAt = performance.now();
    if (await this.#housekeeping.sweep()) this.#options.ready();
  }

  #polled(): void {
    const now = performance.now();
    void this.#housekeeping.look();
    void this.#lookForTimeouts();
    if (now - this.#sweepAt >= this.#options.leaseMs / 3) void this.sweep();
    if (now >= this.#tidyAt) void this.#tidy();
    this.#options.polled();
  }

  async #tidy(): Promise<void> {
    this.#tidyAt = performance.now() + TIDY_MS;
    try {
      await this.#options.engine.httpWorkers.tidy();
    } catch (error) {
      this.#options.logger.debug({ error: messageOf(error) }, 'cleanup after HTTP workers failed');
    }
  }

  /** Schedules a check for a timeout that may expire in `ms`. */
  timeoutIn(ms: number): void {
    const at = performance.now() + ms;
    if (this.#stopped || at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(
      () => {
        this.#timerAt = Number.POSITIVE_INFINITY;
        void this.#lookForTimeouts();
      },
      Math.min(Math.ceil(ms) + 1, 2 ** 31 - 1),
    );
    this.#timer.unref();
  }

  async #lookForTimeouts(): Promise<void> {
    if (this.#looking || this.#stopped) return;
    this.#looking = true;
    const { engine, given, recording, reports, logger } = this.#options;
    try {
      const { due, nextMs } = await engine.httpWorkers.due();
      await given.find(due.map((step) => ({ ...step, attempt: 0 })));
      const over = due.filter((step) => !given.get(step));
      if (over.length > 0) await engine.httpWorkers.forget(over);
      for (const { timeoutMs, ...key } of due) {
        const late = given.get(key);
        if (!late || late.ending) continue;
        void recording.end(late, () => {
          late.step.end('timeout');
          reports.timedOut(late.step);
          return timedOut(late.step, timeoutMs ?? 0);
        });
      }
      if (nextMs !== null) this.timeoutIn(Math.max(20, nextMs));
    } catch (error) {
      logger.debug({ error: messageOf(error) }, 'search for expired timeouts failed; retrying with the next poll');
    } finally {
      this.#looking = false;
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#poller.stop();
    await this.#housekeeping.stop();
  }
}
