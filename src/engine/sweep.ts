import { isLockTimeout } from '../db/connection-error.ts';
import type { Database } from '../db/database.ts';
import { opening } from '../db/opening.ts';
import type { Db } from '../db/statement.ts';
import { Announced } from '../model/announced.ts';
import { templateIndex, uuidV7 } from '../model/ids.ts';
import { WORKER_LOST } from '../model/retry-rules.ts';
import { storeEvents } from '../store/events/store-events.ts';
import { compactQueue, dueTasks, promoteRetries, queueBloat, tryCompacting } from '../store/queue.ts';
import { type EndedTaskRow, KIND, type RecordedStep, type StepEvents } from '../store/record-steps.ts';
import type { HeldKey } from '../store/step-key.ts';
import {
  buryWorkers,
  type DeadWorkerRow,
  deadWorkers,
  declareDead,
  type HeldHandlerRow,
  heldHandlers,
  type TakenBackRow,
  takeBack,
  tasksOfDead,
  type UnburiedWorkerRow,
} from '../store/sweep.ts';
import { decideLocked } from './decide.ts';
import type { DeclaredEvent } from './events/declared-events.ts';
import type { StoredExecution } from './events/logged-event.ts';
import { hasEnded, recordLocked, variantOf } from './record.ts';
import type { StepError } from './task-view.ts';
import type { TemplateStore } from './template-store.ts';
import { withFreeTasks } from './with-free-tasks.ts';

/** The server needs limits too, because it continues to run the statement of a client that has timed out. */
const SETTINGS = opening({
  lock_timeout: '2s',
  statement_timeout: '30s',
  idle_in_transaction_session_timeout: '30s',
});

/** The result of a sweep. */
export interface Swept {
  /** Workers that this sweep declared dead. */
  dead: DeadWorkerRow[];
  /** The workers in `dead`, and those of an unfinished sweep that this one continued. */
  lost: DeadWorkerRow[];
  steps: TakenBackRow[];
  /** Tasks that ended or became blocked because a batch worker failed permanently. */
  ended: EndedTaskRow[];
  /** Tasks in which running workers of a `fail_fast` batch were cancelled. */
  takenFrom: string[];
  /** Number of steps that were queued. */
  queued: number;
  /** Whether domain events of permanently failed steps were stored. */
  eventsStored: boolean;
}

/**
 * Takes the steps of workers whose lease expired. Retryable steps run again; the others fail and wait for an operator.
 * Several workers may sweep at the same time. The next sweeper finishes the work of one that died mid-sweep.
 */
export async function sweep(
  { database, templates }: { database: Database; templates: TemplateStore },
  leaseMs: number,
): Promise<Swept> {
  const dead = await declareDead(database, leaseMs);
  const swept = nothingSwept(dead);
  const workers = await deadWorkers(database);
  if (workers.length === 0) return swept;
  const all = workers.map(({ id }) => id);
  for (;;) {
    const tasks = await tasksOfDead(database, all);
    if (tasks.length === 0) break;
    const taken = await withFreeTasks(database, { settings: SETTINGS, tasks }, (tx, free) =>
      takeBackFrom({ tx, templates }, { tasks: free, workerIds: all, workers }),
    );
    // Locked tasks are left for the next sweep, and their workers stay `dead` until then.
    if (!taken) return swept;
    add(swept, taken);
    swept.lost = lostIn(swept, workers);
  }
  await buryWorkers(database, all);
  return swept;
}

const nothingSwept = (dead: DeadWorkerRow[]): Swept => ({
  dead,
  lost: dead,
  steps: [],
  ended: [],
  takenFrom: [],
  queued: 0,
  eventsStored: false,
});

function add(swept: Swept, taken: Omit<Swept, 'dead' | 'lost'>): void {
  swept.steps.push(...taken.steps);
  swept.ended.push(...taken.ended);
  swept.takenFrom.push(...taken.takenFrom);
  swept.queued += taken.queued;
  swept.eventsStored ||= taken.eventsStored;
}

/**
 * Takes single steps from a live worker that no longer lists them. Steps of locked tasks are left for the next call.
 */
export async function takeFrom(
  { database, templates }: { database: Database; templates: TemplateStore },
  lost: readonly HeldKey[],
  workerId: number,
): Promise<Swept> {
  const swept = nothingSwept([]);
  const tasks = [...new Set(lost.map((step) => step.taskUuid))];
  const taken = await withFreeTasks(database, { settings: SETTINGS, tasks }, (tx, free) =>
    takeBackFrom({ tx, templates }, { tasks: free, workerIds: [workerId], only: lost }),
  );
  if (taken) add(swept, taken);
  return swept;
}

/** Adds the workers that another sweep declared dead before it died without taking all of their steps. */
function lostIn({ dead, steps }: Swept, workers: readonly DeadWorkerRow[]): DeadWorkerRow[] {
  const owners = new Set(steps.map((step) => step.workerId));
  for (const { id } of dead) owners.delete(id);
  return [...dead, ...workers.filter(({ id }) => owners.has(id))];
}

async function takeBackFrom(
  on: { tx: Db; templates: TemplateStore },
  from: {
    tasks: readonly string[];
    workerIds: readonly number[];
    workers?: readonly UnburiedWorkerRow[];
    only?: readonly HeldKey[];
  },
): Promise<Omit<Swept, 'dead' | 'lost'>> {
  const missed = await missedBy(on.tx, from.tasks, from.workers ?? []);
  const taken = await takeBack(on.tx, { ...from, missed });
  const queued = taken.filter((row) => row.state === 'enqueued').length;
  const failing = taken.filter((row) => row.state === 'failing');
  const lost = taken.filter((row) => row.state !== 'enqueued');
  if (lost.length > 0)
    await on.templates.load(
      lost.map((row) => row.templateId),
      on.tx,
    );
  const eventsStored = await storeEventsOfLost(on, lost);
  if (failing.length === 0) {
    const decided = await decideLost(on, taken);
    return { ...decided, queued: queued + decided.queued, eventsStored };
  }
  const batch = failing.map(lostWithLastAttempt);
  const variant = variantOf(on.templates, batch);
  const answer = await recordLocked(on, batch, { freeSlots: 0, token: 0, lastRank: -101, variant });
  const decided = await decideLost(on, taken);
  const isDecided = new Set(decided.ended.map(({ taskUuid }) => taskUuid));
  return {
    steps: decided.steps.map((row) => (row.state === 'failing' ? { ...row, state: 'error' } : row)),
    ended: [...answer.ended.filter(({ taskUuid }) => !isDecided.has(taskUuid)), ...decided.ended],
    takenFrom: [...answer.takenFrom, ...decided.takenFrom],
    queued: queued + answer.queued + decided.queued,
    eventsStored,
  };
}

/** Decides the steps after the steps that failed because their worker was lost. Steps whose templates have no routes block. */
async function decideLost(
  on: { tx: Db; templates: TemplateStore },
  taken: readonly TakenBackRow[],
): Promise<Pick<Swept, 'steps' | 'ended' | 'takenFrom' | 'queued'>> {
  const failed = [...new Set(taken.flatMap(({ taskUuid, state }) => (state === 'error' ? [taskUuid] : [])))];
  const { tasks, queued } = await decideLocked(on, failed);
  const states = new Map(tasks.map(({ taskUuid, shown }) => [taskUuid, shown]));
  return {
    steps: taken.map((row) => ({ ...row, taskState: states.get(row.taskUuid) ?? row.taskState })),
    ended: tasks.filter(hasEnded),
    takenFrom: tasks.flatMap(({ taskUuid, stopped }) => (stopped ? [taskUuid] : [])),
    queued,
  };
}

/** Returns the steps that lost workers held without having their handlers. */
async function missedBy(
  tx: Db,
  tasks: readonly string[],
  workers: readonly UnburiedWorkerRow[],
): Promise<HeldHandlerRow[]> {
  const announced = new Map<number, Announced>();
  for (const { id, callables } of workers) {
    if (callables === null) continue;
    const names = new Announced();
    names.add(callables);
    announced.set(id, names);
  }
  if (announced.size === 0) return [];
  const held = await heldHandlers(tx, tasks, [...announced.keys()]);
  return held.filter((row) => !announced.get(row.workerId)!.covers(row));
}

/** Stores the events of steps that are not retried. Returns whether there were any. */
async function storeEventsOfLost(
  { tx, templates }: { tx: Db; templates: TemplateStore },
  lost: readonly TakenBackRow[],
): Promise<boolean> {
  const attempts = lost.flatMap((row) => {
    const { taskUuid, idx, attempts: attempt } = row;
    const events = eventsOfLost(templates, row);
    return events ? [{ taskUuid, idx, attempt, ...events }] : [];
  });
  if (attempts.length > 0) await storeEvents(tx, attempts);
  return attempts.length > 0;
}

/**
 * Returns the events that a step publishes when it is permanently lost: the same as for a permanent failure. Its
 * publishers were in the lost process, so the payload is empty, and an event whose schema rejects an empty payload is
 * not published. Fast events are not published either, since their listeners were in that process. Undefined if there
 * are none.
 */
function eventsOfLost(templates: TemplateStore, lost: TakenBackRow): StepEvents | undefined {
  if (!templates.has(lost.templateId)) return undefined;
  const declared = templates.get(lost.templateId).events[templateIndex(lost.idx)]?.failed ?? [];
  const events = declared.filter((event) => event.deliveryMode !== 'fast' && acceptsEmptyPayload(event));
  if (events.length === 0) return undefined;
  const execution: StoredExecution = { error: errorOfLost(lost), result: {} };
  const empty = { publisher: 'default', payload: {}, metadata: { final: true } };
  return { execution, events: events.map(({ name }) => ({ id: uuidV7(), name, ...empty })) };
}

function acceptsEmptyPayload(event: DeclaredEvent): boolean {
  try {
    return event.violations({}).length === 0;
  } catch {
    return false; // a schema that cannot be compiled accepts no payload
  }
}

function errorOfLost({ retryable, late }: TakenBackRow): Partial<StepError> {
  const limit = late ? 'the time for its attempts is over' : 'its attempts are used up';
  const message = retryable
    ? `the worker was lost while the step ran, and ${limit}`
    : 'the worker was lost while it held the step; the step is not retryable and may have run, so check its effect before you retry or resolve it';
  return { error_type: WORKER_LOST, retryable, message };
}

/** Returns the recording of a batch worker that was lost with its last attempt. */
function lostWithLastAttempt(row: TakenBackRow): RecordedStep {
  const { taskUuid, idx, templateId } = row;
  const detail = JSON.stringify({ error: errorOfLost(row) });
  const attempt = { kind: KIND.lost, delayMs: 0, durationMs: null, result: 'null', detail };
  return { taskUuid, idx, claim: row.claim!, templateId, rank: row.rank!, ...attempt };
}

/**
 * Queues the retries that are due, and returns their number. Locked tasks are left for the next run. `looked` is called
 * with every task that may have changed.
 */
export async function promoteDue(database: Database, looked: (taskUuid: string) => void): Promise<number> {
  let promoted = 0;
  for (;;) {
    const tasks = await dueTasks(database);
    if (tasks.length === 0) return promoted;
    const more = await withFreeTasks(database, { settings: SETTINGS, tasks }, promoteRetries);
    for (const taskUuid of tasks) looked(taskUuid);
    if (more === undefined) return promoted;
    promoted += more;
  }
}

/** With this many dead rows, finding the first live row of the queue costs more than rewriting the queue. */
const MANY_DEAD_ROWS = 20_000;
const COMPACTING = opening({ lock_timeout: '200ms' });

/**
 * Compacts the queue if it consists mostly of dead rows that an old transaction keeps from being vacuumed. Waits at
 * most 200 ms for its lock, and does nothing while another transaction, such as a backup, reads the queue. Returns
 * whether it was compacted.
 */
export async function tidyQueue(database: Database): Promise<boolean> {
  const { dead, live } = await queueBloat(database);
  if (dead < MANY_DEAD_ROWS || dead < live / 2) return false;
  try {
    return await database.transaction(COMPACTING, async (tx) => {
      if (!(await tryCompacting(tx))) return false;
      await compactQueue(tx);
      return true;
    });
  } catch (error) {
    if (isLockTimeout(error)) return false;
    throw error;
  }
}
