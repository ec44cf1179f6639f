const BITS = 17;

/** Places below this one are those of template steps; from it on, those of batch workers. */
export const FIRST_WORKER_INDEX = 1 << BITS;
/** Steps that one batch may have: its numbers take {@link BITS} bits. */
export const MOST_WORKERS = 1 << BITS;

/**
 * The place of a batch worker in its task. The template step that it is made from can be had back from it, so that the
 * graph is stored once for the template, and not once for each worker.
 *
 * @example
 * templateIndex(workerIndex(4, 17)); // 4
 */
export function workerIndex(templateStep: number, number: number): number {
  return ((templateStep + 1) << BITS) | number;
}

/** The template step behind a step: its own place, or what a batch worker is made from. */
export function templateIndex(idx: number): number {
  return idx < FIRST_WORKER_INDEX ? idx : (idx >> BITS) - 1;
}

/** Whether a step is one of a batch. */
export function isWorkerIndex(idx: number): boolean {
  return idx >= FIRST_WORKER_INDEX;
}
