const BITS = 17;

/** Places below this one are those of template steps; from it on, those of batch workers. */
export const FIRST_WORKER_INDEX = 1 << BITS;
/** Steps that one batch may have: its numbers take {@link BITS} bits. */
export const MOST_WORKERS = 1 << BITS;

/**
 * The template step behind a step: its own place, or what a batch worker is made from. The place of a batch worker is
 * (template step + 1) << 17 | number, so that the graph is stored once for the template, and not once for each worker.
 *
 * @example
 * templateIndex(4); // 4
 * templateIndex((5 << 17) | 17); // 4: the worker of number 17 that is made from step 4
 */
export function templateIndex(idx: number): number {
  return idx < FIRST_WORKER_INDEX ? idx : (idx >> BITS) - 1;
}

/** Whether a step is one of a batch. */
export function isWorkerIndex(idx: number): boolean {
  return idx >= FIRST_WORKER_INDEX;
}

/** The place of a worker of the batch that is made from a template step, by its number. */
export function workerIndex(templateIdx: number, number: number): number {
  return ((templateIdx + 1) << BITS) + number;
}
