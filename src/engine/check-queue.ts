import type { Database } from '../db/database.ts';
import { opening } from '../db/opening.ts';
import { QUEUE_ORDER } from '../store/planner.ts';
import { FIRST_TASK, findUnqueued, LAST_TASK, requeueSteps, takeQueueCheckTurn } from '../store/queue.ts';
import type { StepKey } from '../store/step-key.ts';
import { withFreeTasks } from './with-free-tasks.ts';

/**
 * Maximum number of open tasks in one slice. Each slice reads the whole queue, and groups its part in memory. A million
 * open tasks need four slices.
 */
const TASKS_PER_SLICE = 300_000;
/** Maximum number of steps that one scan of a slice finds. The scan is repeated when there are more. */
const STEPS_PER_SCAN = 100_000;
/** Maximum number of steps that one transaction queues, because it locks their tasks. */
const STEPS_PER_TRANSACTION = 10_000;

const SETTINGS = opening({
  ...QUEUE_ORDER,
  max_parallel_workers_per_gather: '0',
  work_mem: '32MB',
  lock_timeout: '2s',
  statement_timeout: '30s',
  idle_in_transaction_session_timeout: '30s',
});

/** One slice of a queue check. */
export interface QueueSlice {
  /** The ids of the worker. Only the longest-running worker checks the queue. */
  workerIds: readonly number[];
  /** End of the previous slice; undefined for the first one. */
  after?: string | undefined;
  /** Maximum number of open tasks to check. Default 300,000. */
  tasks?: number;
  /** Maximum number of steps that one scan of the slice finds. Default 100,000. */
  steps?: number;
}

/** The result of checking one slice. */
export interface QueueCheck {
  /** Start of the next slice; undefined when every open task was checked. */
  next: string | undefined;
  /** Ready steps that were missing from the queue and have been queued again. */
  requeued: StepKey[];
}

/**
 * In a slice of the open tasks, queues the ready steps that are missing from the queue. No operation of the engine
 * loses a step, but a restored backup can. Undefined if it is another worker's turn.
 */
export async function checkQueue(
  database: Database,
  { workerIds, after = FIRST_TASK, tasks = TASKS_PER_SLICE, steps = STEPS_PER_SCAN }: QueueSlice,
): Promise<QueueCheck | undefined> {
  const requeued: StepKey[] = [];
  for (;;) {
    const found = await database.transaction(SETTINGS, async (tx) =>
      (await takeQueueCheckTurn(tx, workerIds)) ? findUnqueued(tx, { after, tasks, steps }) : undefined,
    );
    if (!found) return requeued.length > 0 ? { next: after, requeued } : undefined;
    const before = requeued.length;
    for (const step of await requeue(database, found.unqueued)) requeued.push(step);
    // Tasks that other transactions have locked are left for the next check. If there was no progress, the same slice
    // is not scanned again.
    if (found.unqueued.length < steps || requeued.length === before)
      return { next: found.last === LAST_TASK ? undefined : found.last, requeued };
  }
}

async function requeue(database: Database, unqueued: readonly StepKey[]): Promise<StepKey[]> {
  const requeued: StepKey[] = [];
  for (let i = 0; i < unqueued.length; i += STEPS_PER_TRANSACTION) {
    const steps = unqueued.slice(i, i + STEPS_PER_TRANSACTION);
    const tasks = [...new Set(steps.map((step) => step.taskUuid))];
    const queued = await withFreeTasks(database, { settings: SETTINGS, tasks }, (tx, locked) => {
      const free = new Set(locked);
      return requeueSteps(
        tx,
        steps.filter((step) => free.has(step.taskUuid)),
      );
    });
    for (const step of queued ?? []) requeued.push(step);
  }
  return requeued;
}

/** Returns the ready steps that are missing from the queue, slice by slice, without queuing them. */
export async function* unqueuedSteps(database: Database): AsyncGenerator<StepKey[]> {
  for (let after = FIRST_TASK; after !== LAST_TASK; ) {
    const slice = { after, tasks: TASKS_PER_SLICE, steps: STEPS_PER_SCAN };
    const { last, unqueued } = await database.transaction(SETTINGS, (tx) => findUnqueued(tx, slice));
    yield unqueued;
    after = last;
  }
}
