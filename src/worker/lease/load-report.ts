import type { WorkerReport } from '../../engine/engine.ts';

/** The period over which rates are measured; longer if heartbeats are further apart. */
export const RATE_MS = 60_000;

/** The current load of a worker. */
export interface WorkerLoad extends Required<Pick<WorkerReport, 'running' | 'hung' | 'phase'>> {
  /** Number of attempts recorded since the worker started. */
  completed: number;
  failed: number;
  /** The longest delay of the event loop since {@link LoadReport.sent} was called. */
  loopLagMs: number;
}

interface Counted {
  at: number;
  completed: number;
  failed: number;
}

/** The load that a worker reports with its heartbeats. */
export class LoadReport {
  readonly #load: () => WorkerLoad;
  readonly #sent: () => void;
  /** The counts at startup, or in the last report before the last minute, and in each report since then. */
  readonly #counted: Counted[];

  /** `sent`: called when a report has arrived. */
  constructor(load: () => WorkerLoad, sent: () => void, now: number = performance.now()) {
    this.#counted = [{ at: now, completed: 0, failed: 0 }];
    this.#load = load;
    this.#sent = sent;
  }

  /** Returns the report for a heartbeat that is sent at `now`, on the clock of `performance.now()`. */
  take(now: number = performance.now()): WorkerReport {
    const { running, hung, phase, completed, failed, loopLagMs } = this.#load();
    const counted = this.#counted;
    while (counted.length > 1 && now - counted[1]!.at >= RATE_MS) counted.shift();
    const since = counted[0]!;
    counted.push({ at: now, completed, failed });
    const seconds = (now - since.at) / 1000;
    const rate = (count: number, before: number) => (seconds > 0 ? Math.max(0, count - before) / seconds : 0);
    return {
      running,
      hung,
      completed,
      failed,
      completedRate: rate(completed, since.completed),
      failedRate: rate(failed, since.failed),
      loopLagMs: Math.round(loopLagMs),
      phase,
    };
  }

  /** Called when the heartbeat with the last report has arrived. */
  sent(): void {
    this.#sent();
  }
}
