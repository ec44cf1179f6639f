import type { Db } from '../db/statement.ts';
import type { WaitEnd } from '../model/waits.ts';
import type { ClaimedStepRow } from './claim-steps.ts';
import { columns, sqlFile } from './sql.ts';
import type { HeldKey, StepKey } from './step-key.ts';

/**
 * The variants of the statement: for templates without dynamic steps, with them, and with conditions or routes; each with
 * and without events to store. Each variant can do what those before it do.
 */
const RECORD_STEPS = {
  static: { plain: sqlFile('record_steps'), events: sqlFile('record_steps_events') },
  dynamic: { plain: sqlFile('record_steps_dynamic'), events: sqlFile('record_steps_dynamic_events') },
  routed: { plain: sqlFile('record_steps_routed'), events: sqlFile('record_steps_routed_events') },
};

/** The templates that a statement is for. */
export type RecordVariant = keyof typeof RECORD_STEPS;

const RECORD_WAITS = sqlFile('record_waits');
const RECORD_TIMERS = sqlFile('record_timers');

/**
 * The outcome of one attempt, as the statement takes it. The start of a wait is recorded by beginWaits, and the start of a list by
 * beginLists.
 */
export const KIND = {
  completed: 0,
  retryable: 1,
  permanent: 2,
  released: 3,
  lost: 4,
  waits: 5,
  skipped: 6,
  listed: 7,
} as const;

/** The ends of an attempt that failed. */
export const FAILED_KINDS: ReadonlySet<(typeof KIND)[keyof typeof KIND]> = new Set([
  KIND.retryable,
  KIND.permanent,
  KIND.lost,
]);

/** The end of one attempt. */
export interface RecordedStep extends HeldKey {
  kind: (typeof KIND)[keyof typeof KIND];
  /** Milliseconds until a retry. 0: retry immediately. */
  delayMs: number;
  templateId: number;
  rank: number;
  /** Null if no handler ran. */
  durationMs: number | null;
  /** JSON text of the result; the text `null` for a failure. */
  result: string;
  /** JSON text of error and metadata, or the text `null`. */
  detail: string;
  /** Undefined if no events are stored. */
  events?: EventsText | undefined;
}

/** Events that are serialized when they are sent, because they take less memory until then. */
export interface EventsText {
  /** Approximate number of characters. */
  readonly size: number;
  /** JSON of {@link StepEvents}. */
  text(): string;
}

/** The events to store with a step. */
export interface StepEvents {
  /** The outcome of the attempt, which is stored with each event. */
  execution: unknown;
  events: {
    id: string;
    name: string;
    publisher: string;
    /** Absent: the payload is the step's result. */
    payload?: unknown;
    metadata?: unknown;
    /** Stored only if the step is retried (true) or is not retried (false). Absent: always stored. */
    retried?: boolean;
  }[];
}

/** The number of children that the worker claims when they become ready. */
export interface OwnClaim {
  freeSlots: number;
  /** The fence of the claimed steps. */
  token: number;
  /** Children with a lower priority than this (a greater rank) go to the queue. */
  lastRank: number;
}

/** A child that became ready and that this worker has claimed. */
export type ChildRow = Pick<
  ClaimedStepRow,
  'taskUuid' | 'idx' | 'attempts' | 'spared' | 'maxAttempts' | 'rerun' | 'templateId' | 'rank'
>;

/** A task that ended or became blocked with this recording. */
export interface EndedTaskRow {
  taskUuid: string;
  state: 'complete' | 'blocked_by_failures' | 'error' | 'undone';
  /** Milliseconds since its creation. */
  ms: number;
}

/** A step that did not complete, with its new state. */
export interface UncompletedRow extends Pick<ChildRow, 'taskUuid' | 'idx' | 'attempts' | 'spared' | 'maxAttempts'> {
  state: 'enqueued' | 'waiting_for_retry' | 'error' | 'skipped';
}

/** The result of a recording. */
export interface Recorded {
  children: ChildRow[];
  ended: EndedTaskRow[];
  uncompleted: UncompletedRow[];
  /** Indexes in the batch that the fence rejected. The others were accepted. */
  refused: number[];
  /** Number of queued steps: children beyond the free slots, immediate retries, and released steps. */
  queued: number;
  /** The time of the stored events, in ISO 8601. Undefined if none were stored. */
  recordedAt: string | undefined;
  /** Indexes in the batch after which the program must decide the steps of their tasks. */
  decided: number[];
}

/**
 * The single row of the result for any number of steps. Lists of numbers are array literals, with positions in the
 * batch from 1.
 */
interface AnswerRow {
  childOrds: string | null;
  idxs: string | null;
  attempts: string | null;
  spared: string | null;
  maxAttempts: string | null;
  /** Null if none of the children has run before. */
  reruns: string | null;
  endedOrds: string | null;
  complete: string | null;
  ms: string | null;
  /** Null if all were accepted. */
  accepted: string | null;
  queued: number;
  /** Present only for the statement that stores events. */
  recordedAt?: string;
  uncompleted: string | null;
  /** Present only for the statement for conditions and routes. */
  decided?: string | null;
  /** Present only for the statement that ends waits. */
  waitEnds?: string | null;
}

/**
 * Records the ends of attempts, advances their tasks, and claims ready children for this worker. Call it after
 * lockTasks.
 */
export async function recordSteps(
  db: Db,
  batch: readonly RecordedStep[],
  own: OwnClaim & { variant: RecordVariant },
): Promise<Recorded> {
  const values = parameters(batch, own);
  const events = columnOfSome(batch, (step) => step.events?.text() ?? 'null');
  if (events !== '[]') values.push(events);
  const statement = RECORD_STEPS[own.variant][events === '[]' ? 'plain' : 'events'];
  return readAnswer((await db.query<AnswerRow>(statement, values)).rows[0]!, batch);
}

/** A wait of a step that ends because the step is complete. */
export interface CompletedWait extends Omit<RecordedStep, 'claim' | 'kind'> {
  /** The waiting attempt. */
  attempt: number;
  endedBy: WaitEnd;
}

/**
 * Ends waits of templates without dynamic steps, and records that their steps are complete. Returns the result of the
 * recording, and the times of the ends by index in the batch, for waits that had not already ended. Children go to the
 * queue. Call it after lockTasks.
 */
export async function recordWaits(
  db: Db,
  waits: readonly CompletedWait[],
): Promise<Recorded & { endedAt: Map<number, string> }> {
  const batch = waits.map((wait) => ({ ...wait, claim: wait.attempt, kind: KIND.completed }));
  const values = parameters(batch, { freeSlots: 0, token: 0, lastRank: -101 });
  values.push(`{${waits.map((wait) => wait.endedBy).join(',')}}`);
  const row = (await db.query<AnswerRow>(RECORD_WAITS, values)).rows[0]!;
  const ends = JSON.parse(row.waitEnds ?? '[]') as { ord: number; endedAt: string }[];
  return { ...readAnswer(row, batch), endedAt: new Map(ends.map(({ ord, endedAt }) => [ord - 1, endedAt])) };
}

/**
 * Ends timers of templates without dynamic steps, if they are due, and records that their steps are complete. `refused`: the
 * timers that are not due, or have ended. Call it after lockTasks.
 */
export async function recordTimers(
  db: Db,
  timers: readonly StepKey[],
): Promise<Pick<Recorded, 'ended' | 'refused' | 'queued'>> {
  const { rows } = await db.query<AnswerRow>(RECORD_TIMERS, columns(timers, 'taskUuid', 'idx'));
  const { accepted, queued } = rows[0]!;
  return { ended: endedIn(rows[0]!, timers), refused: refusedIn(accepted, timers.length), queued };
}

/** Returns JSON strings as an array. Most are `null`, so the `null`s at the end are omitted. */
function columnOfSome(batch: readonly RecordedStep[], of: (step: RecordedStep) => string): string {
  const texts: string[] = [];
  for (let i = 0; i < batch.length; i++) {
    const text = of(batch[i]!);
    if (text === 'null') continue;
    while (texts.length < i) texts.push('null');
    texts.push(text);
  }
  return `[${texts.join(',')}]`;
}

// Arrays are sent as literals that are built here, because the driver's own conversion quotes each element.
function parameters(batch: readonly RecordedStep[], own: OwnClaim): unknown[] {
  const column = (of: (step: RecordedStep) => string | number) => `{${batch.map(of).join(',')}}`;
  return [
    column((step) => step.taskUuid),
    column((step) => step.idx),
    column((step) => step.claim),
    column((step) => step.kind),
    column((step) => step.delayMs),
    column((step) => step.templateId),
    column((step) => step.rank),
    column((step) => step.durationMs ?? 'null'),
    `[${batch.map((step) => step.result).join(',')}]`,
    own.freeSlots,
    own.token,
    own.lastRank,
    columnOfSome(batch, (step) => step.detail),
  ];
}

function readAnswer(row: AnswerRow, batch: readonly RecordedStep[]): Recorded {
  return {
    children: childrenIn(row, batch),
    ended: endedIn(row, batch),
    uncompleted: uncompletedIn(row, batch),
    refused: refusedIn(row.accepted, batch.length),
    queued: row.queued,
    recordedAt: row.recordedAt,
    decided: numbersIn(row.decided ?? null).map((ord) => ord - 1),
  };
}

function childrenIn(row: AnswerRow, batch: readonly RecordedStep[]): ChildRow[] {
  const ords = numbersIn(row.childOrds);
  const [idxs, attempts, spared, most] = [row.idxs, row.attempts, row.spared, row.maxAttempts].map(numbersIn);
  const reruns = row.reruns === null ? null : numbersIn(row.reruns);
  return ords.map((ord, i) => {
    const { taskUuid, templateId, rank } = batch[ord - 1]!;
    return {
      taskUuid,
      idx: idxs![i]!,
      attempts: attempts![i]!,
      spared: spared![i]!,
      maxAttempts: most![i]!,
      rerun: reruns === null ? null : reruns[i]!,
      templateId,
      rank,
    };
  });
}

function endedIn(row: AnswerRow, batch: readonly StepKey[]): EndedTaskRow[] {
  const [complete, ms] = [row.complete, row.ms].map(numbersIn);
  return numbersIn(row.endedOrds).map((ord, i) => ({
    taskUuid: batch[ord - 1]!.taskUuid,
    state: complete![i] === 1 ? 'complete' : 'blocked_by_failures',
    ms: ms![i]!,
  }));
}

function uncompletedIn({ uncompleted }: AnswerRow, batch: readonly RecordedStep[]): UncompletedRow[] {
  if (uncompleted === null) return [];
  const rows = JSON.parse(uncompleted) as (Omit<UncompletedRow, keyof StepKey> & { ord: number })[];
  return rows.map(({ ord, ...row }) => {
    const { taskUuid, idx } = batch[ord - 1]!;
    return { taskUuid, idx, ...row };
  });
}

/** Parses an array literal of whole numbers. The driver's own parser works character by character. */
function numbersIn(literal: string | null): number[] {
  return literal === null ? [] : (JSON.parse(`[${literal.slice(1, -1)}]`) as number[]);
}

/** Returns the indexes of a batch that are not among the accepted positions. Null if all were accepted. */
function refusedIn(accepted: string | null, sent: number): number[] {
  if (accepted === null) return [];
  const present = new Set(numbersIn(accepted));
  return Array.from({ length: sent }, (_, i) => i).filter((i) => !present.has(i + 1));
}
