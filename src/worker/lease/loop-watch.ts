import type { Logger } from '../../logging/logger.ts';
import type { DispatchedStep } from '../dispatched-step.ts';
import type { SharedLoopState } from './shared-loop-state.ts';

/** A handler that kept the event loop from turning. */
export interface BlockedLoop {
  handler: string;
  step: string;
  taskUuid: string;
  /** Milliseconds. */
  blockedMs: number;
  /** When it was over. */
  at: Date;
}

/** How well the event loop of a worker turns. */
export interface LoopStats {
  /** Milliseconds by which the newest timer was late: what everything in this process waits for, besides its own work. */
  lagMs: number;
  /** The largest lag since the worker started. */
  maxLagMs: number;
  /** The newest handler that blocked the loop for a second or longer; null: none did. */
  blocked: BlockedLoop | null;
}

/** What is worth a warning. */
const BLOCKED_MS = 1_000;
const LONGEST_PULSE_MS = 500;
/** Handlers that a warning names at most. */
const NAMED = 5;

/** What a {@link LoopWatch} is made from. */
export interface LoopWatchOptions {
  leaseMs: number;
  memory: SharedLoopState;
  /** The steps whose handlers run. */
  running: Iterable<DispatchedStep>;
  /** The handler of this step blocked the loop. */
  blocked(step: DispatchedStep): void;
  logger: Logger;
}

/**
 * Measures whether the event loop turns, and names the handler that keeps it from that: by the time that its synchronous
 * part took. Of what it does after it has waited nobody can tell whose it is; then all that run are named.
 */
export class LoopWatch {
  readonly #options: LoopWatchOptions;
  readonly #pulseMs: number;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = 0;
  #lagMs = 0;
  #maxLagMs = 0;
  #blocked: BlockedLoop | null = null;
  /** What was found out since the last pulse: its lag has a name. */
  #named = false;

  constructor(options: LoopWatchOptions) {
    this.#options = options;
    // The guard must see in good time whether the loop turns.
    this.#pulseMs = Math.min(LONGEST_PULSE_MS, Math.max(5, Math.floor(options.leaseMs / 12)));
  }

  get stats(): LoopStats {
    return { lagMs: this.#lagMs, maxLagMs: this.#maxLagMs, blocked: this.#blocked };
  }

  start(): void {
    this.#options.memory.turned();
    this.#dueAt = performance.now() + this.#pulseMs;
    this.#timer = setInterval(() => this.#pulse(), this.#pulseMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #pulse(): void {
    this.#options.memory.turned();
    const now = performance.now();
    this.#lagMs = Math.max(0, Math.round(now - this.#dueAt));
    if (this.#lagMs > this.#maxLagMs) this.#maxLagMs = this.#lagMs;
    this.#dueAt = now + this.#pulseMs;
    if (this.#lagMs >= BLOCKED_MS && !this.#named) this.#warnOfSomebody(this.#lagMs);
    this.#named = false;
  }

  /** A step's handler is called. */
  calls({ handlerName: handler, name: step, taskUuid }: DispatchedStep): void {
    this.#options.memory.calls({ handler, step, taskUuid });
  }

  /** The synchronous part of a step's handler is over; `from` on the clock of `performance.now()`. */
  called(step: DispatchedStep, from: number): void {
    this.#options.memory.called();
    const blockedMs = performance.now() - from;
    if (blockedMs >= BLOCKED_MS) this.#warnOf(step, Math.round(blockedMs));
  }

  #warnOf(step: DispatchedStep, blockedMs: number): void {
    const { taskUuid, name, handlerName } = step;
    this.#named = true;
    this.#options.blocked(step);
    this.#blocked = { handler: handlerName, step: name, taskUuid, blockedMs, at: new Date() };
    this.#options.logger.warn(
      { task_uuid: taskUuid, step: name, handler: handlerName, attempt: step.attempt, blocked_ms: blockedMs },
      `handler ${handlerName} blocked the event loop for ${blockedMs} ms: nothing else of this process ran meanwhile; let it wait now and then, or give its step \`isolation: thread\``,
    );
  }

  #warnOfSomebody(lagMs: number): void {
    const names = new Set<string>();
    for (const step of this.#options.running) if (step.started && !step.ended) names.add(step.handlerName);
    const handlers = [...names].slice(0, NAMED);
    this.#options.logger.warn(
      { lag_ms: lagMs, handlers },
      `the event loop did not turn for ${lagMs} ms: a handler that computes after it has waited, other code of this process, or a machine without time for it${handlers.length > 0 ? `; running: ${handlers.join(', ')}` : ''}`,
    );
  }
}
