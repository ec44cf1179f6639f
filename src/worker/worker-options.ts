import type { TaskerConfig } from '../config/config-keys.ts';
import type { Engine, RecordAnswer, WorkerPhase } from '../engine/engine.ts';
import type { RetentionPolicy } from '../engine/retention/policy.ts';
import type { PublisherSource } from '../events/publishing/ask-publishers.ts';
import type { EventBus } from '../events/subscribing/event-bus.ts';
import type { Logger } from '../logging/logger.ts';
import type { HandlerRegistry } from '../registry/handler-registry.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { ThresholdSettings } from './lease/dead-letter-looks.ts';
import type { LoopStats } from './lease/loop-watch.ts';
import type { ThreadStats } from './threads/thread-pool.ts';

/** Options of a {@link Worker}. Times in milliseconds. */
export interface WorkerOptions
  extends Pick<
      TaskerConfig,
      | 'auditRetentionMs'
      | 'concurrency'
      | 'leaseMs'
      | 'blockedLoopBoundMs'
      | 'threadMemoryMb'
      | 'handlerTimeoutMs'
      | 'handlerMissingGraceMs'
      | 'stepLogs'
    >,
    Partial<ThresholdSettings> {
  engine: Engine;
  /** The rules for pruning tasks automatically. Undefined means that no task is pruned. */
  retention?: RetentionPolicy | undefined;
  registry: HandlerRegistry;
  logger: Logger;
  /** Undefined if nothing is traced. */
  tracing?: Tracing | undefined;
  name: string;
  /** Maximum number of threads for steps with `isolation: thread`. */
  threads: number;
  /** Namespaces to serve. */
  namespaces(): readonly string[];
  /** Returns the time between polls of the queue, which is longer while notifications arrive. */
  pollMs(): number;
  /** Called when a recording of this worker ended tasks, or left them unable to continue. */
  onTasksEnded(ended: RecordAnswer['ended']): void;
  /** Called when the queue holds work of this rank for which this worker has no slot. */
  onWorkLeft(rank: number): void;
  /** The publishers of domain events. Default: the default publisher creates all events. */
  publishers?: PublisherSource | undefined;
  /** Receives the `fast` and `broadcast` domain events of this process. */
  eventBus: EventBus;
  /** Called when this worker stored domain events with a recording. */
  onEventsStored(): void;
  /** Hands out steps as events through {@link Worker.channel}. Default false: the worker runs them itself. */
  handOut?: boolean;
}

/** The current state of a worker. */
export interface WorkerStats {
  /** Number of running steps. */
  running: number;
  /** Number of outcomes that are not acknowledged yet. */
  unrecorded: number;
  processed: number;
  failed: number;
  refused: number;
  workerId: number;
  /**
   * Whether it takes steps. `draining`: it takes none and still holds some, because an operator asked it to drain or
   * because it is stopping. `drained`: it no longer holds any.
   */
  phase: WorkerPhase;
  /** Lag of the event loop, and the handler that blocked it. */
  loop: LoopStats;
  /** Threads for steps with `isolation: thread`. */
  threads: ThreadStats;
}
