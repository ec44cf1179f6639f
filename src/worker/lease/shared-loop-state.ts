/** Milliseconds on a clock that all threads of this process read alike; `performance.now()` begins anew in each. */
export function sharedNow(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1_000_000;
}

/** The step whose handler was called and has not given the loop back yet. */
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
 * What the thread of the handlers and the thread of the heartbeat know together: when the event loop last turned,
 * when the newest proof of life that got through was sent, and whose handler has the loop. Times in microseconds, since
 * only whole numbers are written in one piece.
 */
export class SharedLoopState {
  readonly buffer: SharedArrayBuffer;
  readonly #times: BigInt64Array;
  /** Bytes of {@link #names} that are in use; 0: no handler has the loop. */
  readonly #length: Int32Array;
  readonly #names: Uint8Array;

  constructor(buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer(TIMES_BYTES + LENGTH_BYTES + NAMES_BYTES);
    this.#times = new BigInt64Array(this.buffer, 0, TIMES_BYTES / BigInt64Array.BYTES_PER_ELEMENT);
    this.#length = new Int32Array(this.buffer, TIMES_BYTES, 1);
    this.#names = new Uint8Array(this.buffer, TIMES_BYTES + LENGTH_BYTES);
    if (!buffer) this.#times.fill(NEVER);
  }

  /** The event loop turns. */
  turned(): void {
    this.#write(TURNED_AT, sharedNow());
  }

  /** For how long the event loop has not turned; before its first turn, for ever. */
  get silentMs(): number {
    return sharedNow() - this.#read(TURNED_AT);
  }

  /** A handler is called: until it returns, or first waits, the loop is its. */
  calls({ handler, step, taskUuid }: CalledStep): void {
    const { written } = encoder.encodeInto(`${taskUuid}\0${step}\0${handler}`, this.#names);
    Atomics.store(this.#length, 0, written);
  }

  /** It has given the loop back. */
  called(): void {
    Atomics.store(this.#length, 0, 0);
  }

  /** Whose handler has the loop; to be asked by the other thread while the loop does not turn, else names may be mixed. */
  get step(): CalledStep | undefined {
    const length = Atomics.load(this.#length, 0);
    if (length === 0) return undefined;
    const [taskUuid = '', step = '', handler = ''] = Buffer.from(this.#names.slice(0, length)).toString().split('\0');
    return { taskUuid, step, handler };
  }

  /** A proof of life that was sent then got through. */
  proven(sentAt: number): void {
    if (sentAt > this.provenAt) this.#write(PROVEN_AT, sentAt);
  }

  /** After a lease without a proof of life, one that was sent then got through. */
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
