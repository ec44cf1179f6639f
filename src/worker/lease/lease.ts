import type { AdoptedStepRow, Engine } from '../../engine/engine.ts';
import type { RetentionPolicy } from '../../engine/retention/policy.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import type { DispatchedStep } from '../dispatched-step.ts';
import type { StalenessThresholds } from './dead-letter-looks.ts';
import { Housekeeping } from './housekeeping.ts';
import { Incarnation, type WorkerIdentity } from './incarnation.ts';
import { LoadReport, type WorkerLoad } from './load-report.ts';
import { LoopWatch, SharedLoopState } from './loop-watch.ts';
import { UnansweredClaims } from './unanswered-claims.ts';

export interface LeaseOptions extends Omit<WorkerIdentity, 'memory' | 'load'> {
  engine: Engine;
  /** Age at which actions are deleted from the audit. Undefined or 0 means never. */
  auditRetentionMs?: number | undefined;
  /** The thresholds of the configuration. */
  thresholds?: StalenessThresholds | undefined;
  /** The rules for pruning tasks automatically. Undefined means that no task is pruned. */
  retention?: RetentionPolicy | undefined;
  /** The load to report, without the lag of the event loop. */
  load(): Omit<WorkerLoad, 'loopLagMs'>;
  /** Called with each heartbeat. `wanted`: whether an operator wants this worker to stop taking steps. */
  drain(wanted: boolean): void;
  /** The steps whose handlers are running. */
  running: Iterable<DispatchedStep>;
  logger: Logger;
}

/** Callbacks from a lease to its worker. */
export interface LeaseEvents {
  /** Called when these incarnations were declared dead. Other workers may have their steps. */
  lost(incarnations: readonly number[]): void;
  /** Called when this worker found steps that an unanswered claim has claimed for it. */
  adopt(rows: readonly AdoptedStepRow[]): void;
  /** Called when steps of lost workers are back in the queue. */
  swept(): void;
  /** Called when a handler blocked the event loop. */
  blocked(step: DispatchedStep): void;
}

/**
 * The lease of a worker on its steps: heartbeats, unanswered claims, and reclaiming the steps of lost workers.
 */
export class Lease {
  readonly loop: LoopWatch;
  readonly incarnation: Incarnation;
  readonly unanswered: UnansweredClaims;
  readonly housekeeping: Housekeeping;
  readonly #events: LeaseEvents;
  readonly #logger: Logger;

  constructor(options: LeaseOptions, events: LeaseEvents) {
    const { engine, running, load, drain, logger, auditRetentionMs, thresholds, retention, ...identity } = options;
    const { leaseMs } = identity;
    const memory = new SharedLoopState();
    this.#events = events;
    this.#logger = logger;
    this.loop = new LoopWatch({ leaseMs, memory, running, blocked: (step) => events.blocked(step), logger });
    this.unanswered = new UnansweredClaims(engine, (rows) => events.adopt(rows), logger);
    const workerIds = () => this.incarnation.ids;
    const keeping = { leaseMs, workerIds, auditRetentionMs, thresholds, retention };
    this.housekeeping = new Housekeeping(engine, keeping, logger);
    this.incarnation = new Incarnation(
      engine,
      {
        ...identity,
        memory,
        load: new LoadReport(
          () => ({ ...load(), loopLagMs: this.loop.worstMs }),
          () => this.loop.forgetWorst(),
        ),
      },
      {
        drain,
        lost: (ids) => {
          this.unanswered.forget(ids);
          events.lost(ids);
        },
        othersLost: () => void this.sweep(),
        announced: () => void this.housekeeping.offerSteps(),
        inDoubt: (id) => this.unanswered.anyOf(id),
      },
      logger,
    );
  }

  async start(): Promise<void> {
    this.loop.start();
    await this.incarnation.start();
  }

  /** Takes back the steps of lost workers. */
  async sweep(): Promise<void> {
    if (await this.housekeeping.sweep()) this.#events.swept();
  }

  /** Ends the lease immediately if the worker holds nothing (`clean`). Otherwise the lease expires. */
  async stop(clean: boolean): Promise<void> {
    try {
      await this.incarnation.stop(clean);
    } catch (error) {
      this.#logger.warn({ error: messageOf(error) }, 'signing off failed; the lease expires');
    }
  }
}
