/** Events that wait for one who is slow, at most. */
export const MOST_WAITING = 10_000;
/** Characters of JSON text that they are made of, at most: about as many bytes. */
export const MOST_WAITING_SIZE = 64 * 1024 * 1024;

const MB = 1024 * 1024;

/** How much waits for one who is slow, and whether there is room for more. An event that is larger than all room waits alone. */
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

  /** What waits, for a line of the log. */
  toString(): string {
    const size = this.#size < MB ? '' : ` of ${Math.round(this.#size / MB)} MB`;
    return this.#count === 1 ? `1 event${size} waits` : `${this.#count} events${size} wait`;
  }
}

// `Symbol.for`, so that a subscriber of another copy of the package knows it too.
const SIZE = Symbol.for('tasker-core.event-size');

/** Notes how many characters of JSON an event was made of; nobody sees it who does not ask. */
export function withSize<Event extends object>(event: Event, size: number): Event {
  return Object.defineProperty(event, SIZE, { value: size });
}

/** As it was noted; 0 of an event of another's making, which is not written out only to be measured. */
export function sizeOf(event: object): number {
  return (event as { [SIZE]?: number })[SIZE] ?? 0;
}
