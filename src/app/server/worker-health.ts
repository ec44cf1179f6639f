import { isConnectionError } from '../../engine/engine.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import type { Check, CheckStatus, Checks } from '../../server/served-worker.ts';
import { type Seen, SingleFlight } from '../../time/single-flight.ts';
import type { Tasker } from '../tasker.ts';

/**
 * A database that takes longer than this for a trivial query is considered down. A probe must get this result within 5
 * s.
 */
const ANSWER_TIMEOUT_MS = 2_000;
/** Timeout of the query itself. Its connection is then closed. */
const QUERY_TIMEOUT_MS = 10_000;
/** Probes within this time share one result. */
const FRESH_MS = 500;
/** Number of waiting steps at which the worker is considered degraded, or unhealthy. */
const DEPTH_DEGRADED = 10_000;
const DEPTH_UNHEALTHY = 50_000;
/** Share of failed steps among the recent ones at which the worker is considered degraded, or unhealthy. */
const FAILURE_RATE_DEGRADED = 0.05;
const FAILURE_RATE_UNHEALTHY = 0.15;
/** With fewer steps, no failure rate is computed. */
const MIN_STEPS = 20;
const RECENT_MS = 60_000;
/** Delay of timers at which the event loop is considered degraded. */
const LAG_DEGRADED_MS = 1_000;

interface Counted {
  at: number;
  processed: number;
  failed: number;
}

/** The health checks of a worker: its database, its registration, its queue, and the outcomes of its steps. */
export class WorkerHealth {
  readonly #tasker: Tasker;
  readonly #database: SingleFlight<void>;
  readonly #depth: SingleFlight<number>;
  #before: Counted = { at: performance.now(), processed: 0, failed: 0 };
  #since: Counted = this.#before;

  constructor(tasker: Tasker) {
    this.#tasker = tasker;
    const { engine } = tasker;
    this.#database = new SingleFlight(() => engine.ping({ timeoutMs: QUERY_TIMEOUT_MS }), { freshMs: FRESH_MS });
    this.#depth = new SingleFlight(
      async () => {
        const depths = await engine.queueDepths(tasker.vitals.namespaces, { timeoutMs: QUERY_TIMEOUT_MS });
        return [...depths.values()].reduce((sum, depth) => sum + depth, 0);
      },
      { freshMs: FRESH_MS },
    );
  }

  /**
   * Checks the prerequisites for running steps. Never rejects, and takes at most 2 s even if the database does not
   * respond.
   */
  async readiness(): Promise<Checks> {
    const [database, depth] = await Promise.all([this.database(), this.#depth.within(ANSWER_TIMEOUT_MS)]);
    return { database, command_processor: this.#registered(), queue_processing: queueDepth(depth) };
  }

  /** Checks whether the database responds. Never rejects, and takes at most 2 s. */
  async database(): Promise<Check> {
    const seen = await this.#database.within(ANSWER_TIMEOUT_MS);
    if (seen.kind === 'seen') return { ...now('healthy'), ms: seen.ms };
    if (seen.kind === 'silent') {
      return { ...now('unhealthy', `no response for ${(seen.ms / 1000).toFixed(1)} seconds`), ms: seen.ms };
    }
    // The messages of the driver and the server may name hosts, users and databases.
    const reason = isConnectionError(seen.error) ? 'not reachable' : 'the query failed';
    return { ...now('unhealthy', reason), detail: messageOf(seen.error), ms: seen.ms };
  }

  /** Runs all checks, including the checks of {@link readiness}. */
  async details(): Promise<Checks> {
    return {
      ...(await this.readiness()),
      event_system: this.#notifications(),
      event_loop: this.#eventLoop(),
      step_processing: this.#recentSteps(),
      circuit_breakers: now('healthy', 'not used; failed calls are retried with increasing delays'),
    };
  }

  #registered(): Check {
    const { stats, vitals } = this.#tasker;
    if (!stats?.workerId) return now('unhealthy', 'the worker is not registered yet');
    if (!vitals.leaseSure)
      return now('unhealthy', 'the lease has expired, and other workers may have taken over its steps');
    if (stats.phase !== 'running')
      return now('degraded', `the worker is ${stats.phase}: it takes no steps until an operator resumes it`);
    return now('healthy');
  }

  #notifications(): Check {
    if (this.#tasker.vitals.isListening) return now('healthy');
    return now('degraded', 'notifications do not arrive; polling finds work within a few seconds');
  }

  #eventLoop(): Check {
    const { lagMs = 0, blocked = null } = this.#tasker.stats?.loop ?? {};
    if (blocked && Date.now() - blocked.at.getTime() < RECENT_MS) {
      const { handler, blockedMs } = blocked;
      return now('degraded', `handler ${handler} blocked the event loop for ${Math.round(blockedMs)} ms`);
    }
    return lagMs < LAG_DEGRADED_MS ? now('healthy') : now('degraded', `timers are ${Math.round(lagMs)} ms late`);
  }

  #recentSteps(): Check {
    const { processed = 0, failed = 0 } = this.#tasker.stats ?? {};
    const at = performance.now();
    if (at - this.#since.at >= RECENT_MS) {
      this.#before = this.#since;
      this.#since = { at, processed, failed };
    }
    const [all, wrong] = [processed - this.#before.processed, failed - this.#before.failed];
    const rate = all < MIN_STEPS ? 0 : wrong / all;
    if (rate < FAILURE_RATE_DEGRADED) return now('healthy');
    const message = `${wrong} of the last ${all} steps failed`;
    return now(rate < FAILURE_RATE_UNHEALTHY ? 'degraded' : 'unhealthy', message);
  }
}

/** The result of a check that takes no time. */
export function now(status: CheckStatus, message?: string): Check {
  return { status, ms: 0, checkedAt: new Date(), ...(message !== undefined && { message }) };
}

function queueDepth(seen: Seen<number>): Check {
  // The check of the database already reports that it does not respond.
  if (seen.kind !== 'seen') return { ...now('degraded', 'the queue could not be checked'), ms: seen.ms };
  const { value, ms } = seen;
  if (value < DEPTH_DEGRADED) return { ...now('healthy'), ms };
  return { ...now(value < DEPTH_UNHEALTHY ? 'degraded' : 'unhealthy', `${value} steps are waiting for a worker`), ms };
}

const INTERVAL_MS = 5_000;
/** Number of consecutive failed checks at which a worker is unhealthy. With fewer, it is degraded. */
const UNHEALTHY_AFTER = 3;

/** The recent health of a worker. */
export type HealthLevel = 'healthy' | 'degraded' | 'unhealthy';

/** Checks a worker's health periodically, and logs changes. */
export class HealthLoop {
  readonly #check: () => Promise<Checks>;
  readonly #logger: Logger;
  #failures = 0;
  #level: HealthLevel = 'healthy';
  #wrong: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(check: () => Promise<Checks>, logger: Logger) {
    this.#check = check;
    this.#logger = logger;
  }

  get level(): HealthLevel {
    return this.#level;
  }

  /** The problems that the last check found; undefined if it found none. */
  get wrong(): string | undefined {
    return this.#wrong;
  }

  start(): void {
    // Unreferenced, so that the checks do not keep the process alive.
    this.#timer = setTimeout(() => void this.#run(), INTERVAL_MS).unref();
  }

  async #run(): Promise<void> {
    try {
      this.#record(await this.#check());
    } catch (error) {
      this.#logger.warn({ error: messageOf(error) }, 'health check failed');
    }
    if (!this.#stopped) this.start();
  }

  #record(checks: Checks): void {
    if (this.#stopped) return;
    const wrong = Object.entries(checks).filter(([, { status }]) => status === 'unhealthy');
    this.#failures = wrong.length === 0 ? 0 : this.#failures + 1;
    this.#wrong =
      wrong.length === 0
        ? undefined
        : wrong.map(([part, { detail, message }]) => `${part}: ${detail ?? message ?? 'unhealthy'}`).join('; ');
    const level = this.#failures === 0 ? 'healthy' : this.#failures < UNHEALTHY_AFTER ? 'degraded' : 'unhealthy';
    if (level === this.#level) return;
    this.#level = level;
    if (level === 'healthy') this.#logger.info('worker healthy again');
    else this.#logger.warn({ wrong: this.#wrong }, `worker ${level}`);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}
