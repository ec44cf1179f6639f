import type { Server } from 'node:net';

/** How long requests are handled before connections are accepted again. */
const SLICE_MS = 5;
/** How long requests wait while connections keep arriving. */
const LONGEST_ACCEPTING_MS = 20;

/**
 * The requests of a server that wait for their turn. Node accepts one connection in each turn of its event loop. A turn that
 * handles hundreds of requests takes so long that clients whose connections are not accepted yet would wait for many
 * seconds. Requests therefore run in short slices, and wait while connections arrive.
 */
export class RequestQueue {
  readonly #waiting: { run(waitedMs: number): void; since: number }[] = [];
  #isScheduled = false;
  #hasAccepted = false;
  /** The time since which requests have waited for connections to be accepted. */
  #acceptingSince: number | undefined;

  /** Notes the connections of a server. */
  watch(server: Server): void {
    server.on('connection', () => {
      this.#hasAccepted = true;
    });
  }

  /** Runs a request in its turn. `work` gets the number of milliseconds that it has waited. */
  enter<Answer>(work: (waitedMs: number) => Answer | Promise<Answer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const run = (waitedMs: number) => {
        try {
          resolve(work(waitedMs));
        } catch (error) {
          reject(error as Error);
        }
      };
      this.#waiting.push({ run, since: performance.now() });
      if (this.#isScheduled) return;
      this.#isScheduled = true;
      this.#schedule();
    });
  }

  #schedule(): void {
    setImmediate(() => this.#begin());
  }

  #begin(): void {
    const now = performance.now();
    const accepted = this.#hasAccepted;
    this.#hasAccepted = false;
    if (accepted && now - (this.#acceptingSince ?? now) < LONGEST_ACCEPTING_MS) {
      this.#acceptingSince ??= now;
      this.#schedule();
      return;
    }
    this.#acceptingSince = undefined;
    this.#runOne(now + SLICE_MS);
  }

  #runOne(end: number): void {
    const { run, since } = this.#waiting.shift()!;
    run(performance.now() - since);
    // Continues after all microtasks of the request, so that they count as part of the slice.
    queueMicrotask(() => process.nextTick(() => this.#continue(end)));
  }

  #continue(end: number): void {
    if (this.#waiting.length === 0) this.#isScheduled = false;
    else if (performance.now() < end) this.#runOne(end);
    else this.#schedule();
  }
}
