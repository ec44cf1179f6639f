/** Maximum number of events in a queue. */
export const MOST_WAITING = 10_000;
/** Maximum total length of their JSON text, in characters, which is about its size in bytes. */
export const MOST_WAITING_SIZE = 64 * 1024 * 1024;

const MB = 1024 * 1024;

/** Limits a queue by number and size of events. An event larger than the limit is accepted if the queue is empty. */
export class WaitingLimit {
  #count = 0;
  #size = 0;

  get count(): number {
    return this.#count;
  }

  hasRoomFor(size: number): boolean {
    return this.#count === 0 || (this.#count < MOST_WAITING && this.#size + size <= MOST_WAITING_SIZE);
  }

  add(size: number): void {
    this.#count++;
    this.#size += size;
  }

  take(size: number): void {
    this.#count--;
    this.#size -= size;
  }

  clear(): void {
    this.#count = 0;
    this.#size = 0;
  }

  /** Describes the queue for a log line. */
  toString(): string {
    const size = this.#size < MB ? '' : ` of ${Math.round(this.#size / MB)} MB`;
    return this.#count === 1 ? `1 event${size} waits` : `${this.#count} events${size} wait`;
  }
}

// `Symbol.for`, so that a subscriber of another copy of the package can read it too.
const SIZE = Symbol.for('tasker-core.event-size');

/** Stores the length of an event's JSON text in a hidden property. */
export function withSize<Event extends object>(event: Event, size: number): Event {
  return Object.defineProperty(event, SIZE, { value: size });
}

/**
 * Returns the stored length. Returns 0 without one, because serializing the event only to measure it would be too
 * expensive.
 */
export function sizeOf(event: object): number {
  return (event as { [SIZE]?: number })[SIZE] ?? 0;
}
