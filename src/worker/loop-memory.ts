/** Milliseconds on a clock that all threads of this process read alike; `performance.now()` begins anew in each. */
export function sharedNow(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1_000_000;
}

const TURNED_AT = 0;
const PROVEN_AT = 1;
const BACK_AT = 2;
const NEVER = -(2n ** 62n);

/**
 * What the thread of the handlers and the thread of the heartbeat know together: when the event loop last turned, and
 * when the newest proof of life that got through was sent. In microseconds, since only whole numbers are written in one
 * piece.
 */
export class LoopMemory {
  readonly buffer: SharedArrayBuffer;
  readonly #times: BigInt64Array;

  constructor(buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer(3 * BigInt64Array.BYTES_PER_ELEMENT);
    this.#times = new BigInt64Array(this.buffer);
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
