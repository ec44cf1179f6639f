import type { Database } from '../db/database.ts';
import { opening } from '../db/opening.ts';
import { QUEUE_ORDER } from '../store/planner.ts';
import {
  FIRST_TASK,
  findUnqueued,
  LAST_TASK,
  requeueSteps,
  takeQueueCheckTurn,
  type UnqueuedStep,
} from '../store/requeue-steps.ts';
import { withFreeTasks } from './with-free-tasks.ts';

/** Each slice reads the whole queue: of a million open tasks there are four. They are grouped in memory. */
const TASKS_IN_A_SLICE = 300_000;
/** Steps that one look at a slice finds at most; it is repeated when there are more. */
const STEPS_IN_A_LOOK = 100_000;
/** Steps that one transaction queues: their tasks are locked meanwhile. */
const STEPS_AT_ONCE = 10_000;

const SETTINGS = opening({
  ...QUEUE_ORDER,
  max_parallel_workers_per_gather: '0',
  work_mem: '32MB',
  lock_timeout: '2s',
  statement_timeout: '30s',
  idle_in_transaction_session_timeout: '30s',
});

/** Which part of a check of the queue is done. */
export interface QueueSlice {
  /** The ids under which the worker lives: only the one that has lived longest checks the queue. */
  workerIds: readonly number[];
  /** Where the slice before ended; undefined: it is the first. */
  after?: string | undefined;
  /** Open tasks to look at. Default 300,000. */
  tasks?: number;
  /** Steps that one look at the slice finds at most. Default 100,000. */
  steps?: number;
}

/** How far a check of the queue came. */
export interface QueueCheck {
  /** Where the next slice begins; undefined: every open task was looked at. */
  next: string | undefined;
  /** Ready steps that were missing from the queue, and are in it now. */
  requeued: UnqueuedStep[];
}

/**
 * Looks through a slice of the open tasks for ready steps that are not in the queue, and queues them. No verb
 * leaves one behind; a restored backup can. Undefined: it is another worker's turn.
 */
export async function checkQueue(
  database: Database,
  { workerIds, after = FIRST_TASK, tasks = TASKS_IN_A_SLICE, steps = STEPS_IN_A_LOOK }: QueueSlice,
): Promise<QueueCheck | undefined> {
  const requeued: UnqueuedStep[] = [];
  for (;;) {
    const found = await database.transaction(SETTINGS, async (tx) =>
      (await takeQueueCheckTurn(tx, workerIds)) ? findUnqueued(tx, { after, tasks, steps }) : undefined,
    );
    if (!found) return requeued.length > 0 ? { next: after, requeued } : undefined;
    const before = requeued.length;
    for (const step of await requeue(database, found.unqueued)) requeued.push(step);
    // Tasks that others hold are left for the next check: without progress the slice is not repeated.
    if (found.unqueued.length < steps || requeued.length === before)
      return { next: found.last === LAST_TASK ? undefined : found.last, requeued };
  }
}

async function requeue(database: Database, unqueued: readonly UnqueuedStep[]): Promise<UnqueuedStep[]> {
  const requeued: UnqueuedStep[] = [];
  for (let i = 0; i < unqueued.length; i += STEPS_AT_ONCE) {
    const steps = unqueued.slice(i, i + STEPS_AT_ONCE);
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

/** The ready steps that are not in the queue, slice by slice. Changes nothing. */
export async function* unqueuedSteps(database: Database): AsyncGenerator<UnqueuedStep[]> {
  for (let after = FIRST_TASK; after !== LAST_TASK; ) {
    const slice = { after, tasks: TASKS_IN_A_SLICE, steps: STEPS_IN_A_LOOK };
    const { last, unqueued } = await database.transaction(SETTINGS, (tx) => findUnqueued(tx, slice));
    yield unqueued;
    after = last;
  }
}
