import { sqlState } from '../db/connection-error.ts';
import type { Database } from '../db/database.ts';
import { opening } from '../db/opening.ts';
import type { Db } from '../db/statement.ts';
import { templateIndex, uuidV7 } from '../model/ids.ts';
import { storeEvents } from '../store/events/store-events.ts';
import { compactQueue, dueTasks, promoteRetries, queueBloat, tryCompacting } from '../store/queue.ts';
import { type EndedTaskRow, KIND, type RecordedStep, type StepEvents } from '../store/record-steps.ts';
import {
  buryWorkers,
  type DeadWorkerRow,
  deadWorkers,
  declareDead,
  type TakenBackRow,
  takeBack,
  tasksOfDead,
} from '../store/sweep.ts';
import type { DeclaredEvent } from './events/declared-events.ts';
import type { StoredExecution } from './events/logged-event.ts';
import { recordLocked } from './record.ts';
import type { StepError } from './task-view.ts';
import type { TemplateStore } from './template-store.ts';
import { withFreeTasks } from './with-free-tasks.ts';

/** Bounds on the server too: a client that gives up leaves its statement waiting there. */
const SETTINGS = opening({
  lock_timeout: '2s',
  statement_timeout: '30s',
  idle_in_transaction_session_timeout: '30s',
});

/** What a sweep came to. */
export interface Swept {
  /** Workers that this sweep declared dead. */
  dead: DeadWorkerRow[];
  /** These workers, and workers of another sweep that this one continued. */
  lost: DeadWorkerRow[];
  steps: TakenBackRow[];
  /** Tasks that came to their end, or to a stop, because a worker of a batch was lost for good. */
  ended: EndedTaskRow[];
  /** Tasks in which running workers of a batch were cancelled, since it fails fast. */
  takenFrom: string[];
  /** Steps that went to the queue. */
  queued: number;
  /** Domain events were stored, of steps that were lost for good. */
  told: boolean;
}

/**
 * Takes the steps of workers whose lease is over: retryable ones run again, others stand in `error` for an operator.
 * Any worker may do it, two at once are fine, and one that dies half-way is continued by the next.
 */
export async function sweep(
  { database, templates }: { database: Database; templates: TemplateStore },
  leaseMs: number,
): Promise<Swept> {
  const dead = await declareDead(database, leaseMs);
  const swept: Swept = {
    dead,
    lost: dead,
    steps: [],
    ended: [],
    takenFrom: [],
    queued: 0,
    told: false,
  };
  const workers = await deadWorkers(database);
  if (workers.length === 0) return swept;
  const all = workers.map(({ id }) => id);
  for (;;) {
    const tasks = await tasksOfDead(database, all);
    if (tasks.length === 0) break;
    const taken = await withFreeTasks(database, { settings: SETTINGS, tasks }, (tx, free) =>
      takeBackFrom({ tx, templates }, free, all),
    );
    // What others hold is for the next sweep: until then its worker is not buried.
    if (!taken) return swept;
    swept.steps.push(...taken.steps);
    swept.lost = lostIn(swept, workers);
    swept.ended.push(...taken.ended);
    swept.takenFrom.push(...taken.takenFrom);
    swept.queued += taken.queued;
    swept.told ||= taken.told;
  }
  await buryWorkers(database, all);
  return swept;
}

/** Another sweep may have declared workers dead and died before it took all of their steps. */
function lostIn({ dead, steps }: Swept, workers: readonly DeadWorkerRow[]): DeadWorkerRow[] {
  const owners = new Set(steps.map((step) => step.workerId));
  for (const { id } of dead) owners.delete(id);
  return [...dead, ...workers.filter(({ id }) => owners.has(id))];
}

async function takeBackFrom(
  on: { tx: Db; templates: TemplateStore },
  taskUuids: readonly string[],
  dead: readonly number[],
): Promise<Omit<Swept, 'dead' | 'lost'>> {
  const taken = await takeBack(on.tx, taskUuids, dead);
  const queued = taken.filter((row) => row.state === 'enqueued').length;
  const failing = taken.filter((row) => row.state === 'failing');
  const lost = taken.filter((row) => row.state !== 'enqueued');
  if (lost.length > 0)
    await on.templates.load(
      lost.map((row) => row.templateId),
      on.tx,
    );
  const told = await tellOfLost(on, lost);
  if (failing.length === 0) return { steps: taken, ended: [], takenFrom: [], queued, told };
  const answer = await recordLocked(on, failing.map(lostForGood), {
    freeSlots: 0,
    token: 0,
    lastRank: -101,
    dynamic: true,
  });
  return {
    steps: taken.map((row) => (row.state === 'failing' ? { ...row, state: 'error' } : row)),
    ended: answer.ended,
    takenFrom: answer.takenFrom,
    queued: queued + answer.queued,
    told,
  };
}

/** Stores the events of steps that are not run again. */
async function tellOfLost(
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
 * The events of a step that was lost for good, as of any other that failed for good. Its publishers were with the worker
 * and can't be asked, so the payload is empty, and what its schema refuses is not published; nor is what would only have
 * gone to listeners of that worker's process. Undefined: there are none.
 */
function eventsOfLost(templates: TemplateStore, lost: TakenBackRow): StepEvents | undefined {
  if (!templates.has(lost.templateId)) return undefined;
  const declared = templates.get(lost.templateId).events[templateIndex(lost.idx)]?.failed ?? [];
  const events = declared.filter((event) => event.deliveryMode !== 'fast' && takesNothing(event));
  if (events.length === 0) return undefined;
  const execution: StoredExecution = { error: errorOfLost(lost), result: {} };
  const empty = { publisher: 'default', payload: {}, metadata: { final: true } };
  return { execution, events: events.map(({ name }) => ({ id: uuidV7(), name, ...empty })) };
}

function takesNothing(event: DeclaredEvent): boolean {
  try {
    return event.violations({}).length === 0;
  } catch {
    return false; // a schema that can't be read takes no payload at all
  }
}

function errorOfLost({ retryable }: TakenBackRow): Partial<StepError> {
  const message = retryable
    ? 'the worker was lost while the step ran, and its attempts are used up'
    : 'the worker was lost while the step ran; it is not retryable and may have run, so an operator decides';
  return { error_type: 'worker_lost', retryable, message };
}

/** A batch worker that its dead worker lost for the last time. */
function lostForGood(row: TakenBackRow): RecordedStep {
  const { taskUuid, idx, templateId } = row;
  const detail = JSON.stringify({ error: errorOfLost(row) });
  const attempt = { kind: KIND.lost, delayMs: 0, durationMs: 0, result: 'null', detail };
  return { taskUuid, idx, claim: row.claim!, templateId, rank: row.rank!, ...attempt };
}

/** Puts retries that are due into the queue; answers with how many. Tasks that others hold are left for the next time. */
export async function promoteDue(database: Database): Promise<number> {
  let promoted = 0;
  for (;;) {
    const tasks = await dueTasks(database);
    if (tasks.length === 0) return promoted;
    const more = await withFreeTasks(database, { settings: SETTINGS, tasks }, promoteRetries);
    if (more === undefined) return promoted;
    promoted += more;
  }
}

/** From so many dead rows on, finding the first live one of the queue costs more than writing the queue anew. */
const MUCH_DEAD = 20_000;
const COMPACTING = opening({ lock_timeout: '200ms' });

/**
 * Compacts the queue when it is mostly dead rows, which an old transaction somewhere keeps from being vacuumed. Waits
 * 200 ms for the queue at most, and leaves it alone while somebody reads it (a backup).
 */
export async function tidyQueue(database: Database): Promise<boolean> {
  const { dead, live } = await queueBloat(database);
  if (dead < MUCH_DEAD || dead < live / 2) return false;
  try {
    return await database.transaction(COMPACTING, async (tx) => {
      if (!(await tryCompacting(tx))) return false;
      await compactQueue(tx);
      return true;
    });
  } catch (error) {
    if (sqlState(error) === '55P03') return false;
    throw error;
  }
}
