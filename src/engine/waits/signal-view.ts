import type { Database } from '../../db/database.ts';
import { TaskerError } from '../../errors.ts';
import { checkUuid } from '../../model/ids.ts';
import { findInInbox } from '../../store/signals/inbox.ts';
import { findSignal, listSignals, type SignalRow } from '../../store/signals/read.ts';
import { getTasks } from '../../store/tasks.ts';
import type { InboxOutcome } from './signal-inbox.ts';
import { text } from './signal-request.ts';
import { receiptOf, type SentSignal, type SignalReceipt } from './signals.ts';

/** A signal with its outcome. */
export interface Signal extends Omit<SentSignal, 'status'> {
  name: string;
  idempotencyKey: string | null;
  /** The name of the sender. */
  by: string | null;
  /** When it was sent, by the clock of the database, in ISO 8601. */
  sentAt: string;
  payload: unknown;
  /** `refused`: no task could use it; only if it was sent with the client of a caller. */
  status: SentSignal['status'] | 'refused';
  /** Why it was rejected. */
  error: { code: string; message: string } | null;
}

/**
 * Returns a signal with its outcome. Undefined if there is none, or its task was deleted.
 * @throws TaskerError `invalid_uuid`
 */
export async function getSignal(database: Database, given: string): Promise<Signal | undefined> {
  const signalId = checkUuid(given, 'the id of the signal');
  const sent = await findInInbox(database, signalId);
  const outcome = sent?.outcome ? (JSON.parse(sent.outcome) as InboxOutcome) : undefined;
  const rows = await findSignal(database, outcome?.signalId ?? signalId);
  if (!sent) return rows.length > 0 ? signalOf(rows) : undefined;
  const { name, key, by, sentAt, doneAt, payload } = sent;
  const duplicate = outcome?.signalId !== undefined && outcome.signalId !== signalId;
  return {
    signalId,
    name,
    idempotencyKey: key,
    by,
    sentAt,
    payload: JSON.parse(rows[0]?.payload ?? payload) as unknown,
    status: doneAt === null ? 'pending' : outcome?.error ? 'refused' : 'received',
    error: outcome?.error ?? null,
    tasks: rows.map((row): SignalReceipt => ({ ...receiptOf(row), duplicate })),
  };
}

function signalOf(rows: readonly SignalRow[]): Signal {
  const { signalId, name, key, by, arrivedAt, payload } = rows[0]!;
  return {
    signalId,
    name,
    idempotencyKey: key,
    by,
    sentAt: arrivedAt,
    payload: JSON.parse(payload) as unknown,
    status: 'received',
    error: null,
    tasks: rows.map(receiptOf),
  };
}

/** A signal in the list of a task's signals. */
export interface TaskSignal {
  signalId: string;
  name: string;
  idempotencyKey: string | null;
  by: string | null;
  arrivedAt: string;
  status: SignalReceipt['status'];
  /** The step that used it or holds it. */
  step: string | null;
  usedAt: string | null;
  payload: unknown;
}

/** Which signals of a task to list. */
export interface SignalListOptions {
  name?: string | undefined;
  /** Only signals that no step has used. */
  kept?: boolean | undefined;
  /** 1 to 1000, default 100. */
  limit?: number | undefined;
  /** `nextCursor` of the previous page. */
  cursor?: string | undefined;
}

/** A page of the signals of a task, in the order of their arrival. */
export interface SignalPage {
  signals: TaskSignal[];
  nextCursor: string | null;
}

/** Returns the signals of a task. @throws TaskerError `task_not_found`, `invalid_uuid`, `bad_request` */
export async function signalsOfTask(
  database: Database,
  given: string,
  { name, kept = false, limit = 100, cursor }: SignalListOptions,
): Promise<SignalPage> {
  const taskUuid = checkUuid(given, 'the task id');
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new TaskerError('bad_request', `limit must be a whole number from 1 to 1000, got ${limit}`);
  }
  const after = cursor === undefined ? 0 : Number(cursor);
  if (!Number.isSafeInteger(after) || after < 0) {
    throw new TaskerError('bad_request', 'the cursor is not from a page of signals; pass nextCursor unchanged');
  }
  const search = { taskUuid, after, name: name === undefined ? null : text(name, 'name', 128), kept, limit: limit + 1 };
  const rows = await listSignals(database, search);
  if (rows.length === 0 && (await getTasks(database, [taskUuid])).length === 0) {
    throw new TaskerError('task_not_found', `task ${taskUuid} not found`);
  }
  const page = rows.slice(0, limit);
  return {
    signals: page.map(taskSignalOf),
    nextCursor: rows.length > limit ? String(page.at(-1)!.seq) : null,
  };
}

function taskSignalOf(row: SignalRow): TaskSignal {
  const { signalId, name, key, by, arrivedAt, usedAt, payload } = row;
  const { status, step } = receiptOf(row);
  return {
    signalId,
    name,
    idempotencyKey: key,
    by,
    arrivedAt,
    status,
    step,
    usedAt,
    payload: JSON.parse(payload) as unknown,
  };
}
