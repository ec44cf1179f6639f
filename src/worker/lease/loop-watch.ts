import type { Logger } from '../../logging/logger.ts';
import type { DispatchedStep } from '../dispatched-step.ts';

/**
 * Returns milliseconds on a clock that is the same in all threads of this process. `performance.now()` starts at 0 in
 * each.
 */
export function sharedNow(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1_000_000;
}

/** The step whose handler occupies the event loop: the handler was called and has not returned or awaited yet. */
export interface CalledStep {
  handler: string;
  step: string;
  taskUuid: string;
}

const TURNED_AT = 0;
const PROVEN_AT = 1;
const BACK_AT = 2;
const TIMES_BYTES = 3 * BigInt64Array.BYTES_PER_ELEMENT;
const LENGTH_BYTES = Int32Array.BYTES_PER_ELEMENT;
const NAMES_BYTES = 1_000;
const NEVER = -(2n ** 62n);
const encoder = new TextEncoder();

/**
 * State that the thread of the handlers shares with the heartbeat thread: when the event loop last ran, when the last
 * successful heartbeat was sent, and which handler occupies the loop. Times are whole microseconds, because only
 * integers are written atomically.
 */
export class SharedLoopState {
  readonly buffer: SharedArrayBuffer;
  readonly #times: BigInt64Array;
  /** Number of bytes of {@link #names} that are in use. 0 if no handler occupies the loop. */
  readonly #length: Int32Array;
  readonly #names: Uint8Array;

  constructor(buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer(TIMES_BYTES + LENGTH_BYTES + NAMES_BYTES);
    this.#times = new BigInt64Array(this.buffer, 0, TIMES_BYTES / BigInt64Array.BYTES_PER_ELEMENT);
    this.#length = new Int32Array(this.buffer, TIMES_BYTES, 1);
    this.#names = new Uint8Array(this.buffer, TIMES_BYTES + LENGTH_BYTES);
    if (!buffer) this.#times.fill(NEVER);
  }

  /** Records that the event loop is running. */
  turned(): void {
    this.#write(TURNED_AT, sharedNow());
  }

  /** Milliseconds since the event loop last ran. A very large number before its first run. */
  get silentMs(): number {
    return sharedNow() - this.#read(TURNED_AT);
  }

  /** Records that a handler is called. The handler occupies the loop until it returns or first awaits. */
  calls({ handler, step, taskUuid }: CalledStep): void {
    const { written } = encoder.encodeInto(`${taskUuid}\0${step}\0${handler}`, this.#names);
    Atomics.store(this.#length, 0, written);
  }

  /** Records that the handler returned or awaited. */
  called(): void {
    Atomics.store(this.#length, 0, 0);
  }

  /**
   * The step whose handler occupies the loop. Only reliable in the other thread while the loop is blocked. Otherwise
   * the names may change while they are read.
   */
  get step(): CalledStep | undefined {
    const length = Atomics.load(this.#length, 0);
    if (length === 0) return undefined;
    const [taskUuid = '', step = '', handler = ''] = Buffer.from(this.#names.slice(0, length)).toString().split('\0');
    return { taskUuid, step, handler };
  }

  /** Records that a heartbeat sent at this time succeeded. */
  proven(sentAt: number): void {
    if (sentAt > this.provenAt) this.#write(PROVEN_AT, sentAt);
  }

  /** Records that a heartbeat sent at this time succeeded, after no heartbeat had succeeded for a whole lease. */
  cameBack(at: number): void {
    this.#write(BACK_AT, at);
  }

  get provenAt(): number {
    return this.#read(PROVEN_AT);
  }

  get backAt(): number {
    return this.#read(BACK_AT);
  }

  #write(place: number, ms: number): void {
    Atomics.store(this.#times, place, BigInt(Math.round(ms * 1_000)));
  }

  #read(place: number): number {
    return Number(Atomics.load(this.#times, place)) / 1_000;
  }
}

/** A handler that blocked the event loop. */
export interface BlockedLoop extends CalledStep {
  /** Milliseconds. */
  blockedMs: number;
  /** When the block ended. */
  at: Date;
}

/** How responsive the event loop of a worker is. */
export interface LoopStats {
  /** Delay of the last timer in milliseconds. Everything else in this process is delayed by the same time. */
  lagMs: number;
  /** The largest lag since the worker started. */
  maxLagMs: number;
  /** The last handler that blocked the loop for a second or longer. Null if none did. */
  blocked: BlockedLoop | null;
}

/** Blocks that last this long are logged. */
const BLOCKED_MS = 1_000;
const LONGEST_PULSE_MS = 500;
/** Maximum number of handlers that a warning names. */
const NAMED = 5;

/** Options of {@link LoopWatch}. */
export interface LoopWatchOptions {
  leaseMs: number;
  memory: SharedLoopState;
  /** The steps whose handlers are running. */
  running: Iterable<DispatchedStep>;
  /** Called when the handler of this step blocked the loop. */
  blocked(step: DispatchedStep): void;
  logger: Logger;
}

/**
 * Measures the lag of the event loop, and names the handler that blocks it by timing the synchronous part of each call.
 * A block after a handler has awaited cannot be attributed to one handler. In that case, the log names all running
 * handlers.
 */
export class LoopWatch {
  readonly #options: LoopWatchOptions;
  readonly #pulseMs: number;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = 0;
  #lagMs = 0;
  #maxLagMs = 0;
  #worstMs = 0;
  #blocked: BlockedLoop | null = null;
  /** Whether a block since the last pulse was already attributed to a handler. */
  #named = false;

  constructor(options: LoopWatchOptions) {
    this.#options = options;
    // The interval is short, so that the heartbeat thread detects a blocked loop early in the lease.
    this.#pulseMs = Math.min(LONGEST_PULSE_MS, Math.max(5, Math.floor(options.leaseMs / 12)));
  }

  get stats(): LoopStats {
    return { lagMs: this.#lagMs, maxLagMs: this.#maxLagMs, blocked: this.#blocked };
  }

  /** The longest lag in milliseconds since {@link forgetWorst} was called. */
  get worstMs(): number {
    return this.#worstMs;
  }

  forgetWorst(): void {
    this.#worstMs = 0;
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
    if (this.#lagMs > this.#worstMs) this.#worstMs = this.#lagMs;
    this.#dueAt = now + this.#pulseMs;
    if (this.#lagMs >= BLOCKED_MS && !this.#named) this.#warnOfUnknown(this.#lagMs);
    this.#named = false;
  }

  /** Records that a step's handler is called. */
  calls({ handlerName: handler, name: step, taskUuid }: DispatchedStep): void {
    this.#options.memory.calls({ handler, step, taskUuid });
  }

  /**
   * Records that the synchronous part of a step's handler has ended. `from` is when it started, on the clock of
   * `performance.now()`.
   */
  called(step: DispatchedStep, from: number): void {
    this.#options.memory.called();
    const blockedMs = performance.now() - from;
    if (blockedMs >= BLOCKED_MS) this.#warnOf(step, Math.round(blockedMs));
  }

  #warnOf(step: DispatchedStep, blockedMs: number): void {
    const { taskUuid, name, handlerName, number } = step;
    this.#named = true;
    this.#options.blocked(step);
    this.#blocked = { handler: handlerName, step: name, taskUuid, blockedMs, at: new Date() };
    this.#options.logger.warn(
      { task_uuid: taskUuid, step: name, handler: handlerName, attempt: number, blocked_ms: blockedMs },
      `handler ${handlerName} blocked the event loop for ${blockedMs} ms, and nothing else in this process could run; let it await periodically, or set \`isolation: thread\` for its step`,
    );
  }

  /** Names all running handlers, because it is unknown which of them blocked the loop. */
  #warnOfUnknown(lagMs: number): void {
    const names = new Set<string>();
    for (const step of this.#options.running) if (step.started && !step.ended) names.add(step.handlerName);
    const handlers = [...names].slice(0, NAMED);
    this.#options.logger.warn(
      { lag_ms: lagMs, handlers },
      `the event loop was blocked for ${lagMs} ms: a handler that computes after an await, other code in this process, or an overloaded machine${handlers.length > 0 ? `; running: ${handlers.join(', ')}` : ''}`,
    );
  }
}
