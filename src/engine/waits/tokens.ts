import type { Database } from '../../db/database.ts';
import type { Db } from '../../db/statement.ts';
import { TaskerError } from '../../errors.ts';
import {
  newTokenSecret,
  readTokenText,
  sameHash,
  type TokenOf,
  tokenSecretHash,
  tokenText,
} from '../../model/completion-token.ts';
import { LONGEST_DURATION_MS } from '../../model/duration.ts';
import { stepUuid, templateIndex } from '../../model/ids.ts';
import { isFields, isStorableText, storableJson } from '../../model/json.ts';
import type { HeldKey } from '../../store/step-key.ts';
import { lockTasks } from '../../store/tasks.ts';
import { openWaits, waitsOf } from '../../store/waits/read.ts';
import {
  extendWait,
  noteTokenUse,
  saveToken,
  type TokenState,
  tokenHash,
  tokenState,
} from '../../store/waits/tokens.ts';
import { type Expanding, onFreeTask, operatorOf, settleLocked } from '../operator-actions.ts';
import type { Snapshot } from '../template-store.ts';
import { ENDING, endLocked, endRunning } from './end.ts';
import { tooLate } from './late.ts';
import type { EndedWait, OpenWait, WaitEnding } from './waits.ts';

/** The effect of a token. */
export interface TokenUse {
  taskUuid: string;
  stepUuid: string;
  /** Whether an earlier call with the same token had the same effect. */
  repeated: boolean;
}

/** Why another system failed a step. */
export interface TokenError {
  message: string;
  /** Default `completion_failed`. */
  errorType?: string;
  /** Whether the step is retried by its policy. Default true. */
  retryable?: boolean;
}

/** A used token, with the changes that the process must announce. */
export interface UsedToken extends TokenUse {
  ended: EndedWait | undefined;
}

/** Creates the token of a running attempt. Undefined if the worker no longer holds the step. */
export async function newToken(database: Db, step: HeldKey): Promise<string | undefined> {
  const secret = newTokenSecret();
  const attempt = await saveToken(database, step, tokenSecretHash(secret));
  return attempt === undefined ? undefined : tokenText({ taskUuid: step.taskUuid, idx: step.idx, attempt }, secret);
}

type Outcome = Pick<WaitEnding, 'kind' | 'result' | 'error'>;

/** Completes the attempt of a token. See `completeByToken` of the tasker. */
export function completeByToken(engine: Expanding, token: string, result: unknown): Promise<UsedToken> {
  const stored = storableJson(result ?? null);
  if (!stored.ok) {
    const message = `the result cannot be stored: ${stored.path}: ${stored.reason}`;
    return Promise.reject(new TaskerError('result_not_storable', message));
  }
  return useToken(engine, token, { kind: 'completed', result: JSON.parse(stored.json) });
}

/** Fails the attempt of a token. See `failByToken` of the tasker. */
export function failByToken(engine: Expanding, token: string, error: string | TokenError): Promise<UsedToken> {
  const given = typeof error === 'string' ? { message: error } : error;
  if (!isTokenError(given)) {
    const message =
      'the error must be a string, or an object with `message`, and optionally `errorType` and `retryable`';
    return Promise.reject(new TaskerError('bad_request', message));
  }
  const { message, errorType = 'completion_failed', retryable = true } = given;
  const kind = retryable ? 'retryable' : 'permanent';
  return useToken(engine, token, { kind, error: { message, error_type: errorType } });
}

function isTokenError(error: unknown): error is TokenError {
  if (!isFields(error)) return false;
  const { message, errorType, retryable } = error;
  const isText = (value: unknown) => typeof value === 'string' && isStorableText(value);
  return (
    isText(message) &&
    (errorType === undefined || isText(errorType)) &&
    (retryable === undefined || typeof retryable === 'boolean')
  );
}

/** Extends the wait of a token, and returns its new limit. See `extendByToken` of the tasker. */
export function extendByToken(engine: Expanding, token: string, timeoutMs: number): Promise<string> {
  if (!(Number.isInteger(timeoutMs) && timeoutMs > 0 && timeoutMs <= LONGEST_DURATION_MS)) {
    const message = `timeoutMs must be a whole number of milliseconds from 1 to ${LONGEST_DURATION_MS}`;
    return Promise.reject(new TaskerError('bad_request', message));
  }
  return onTokenStep(engine.database, token, async (tx, key, now) => {
    const [wait] = isAttempt(key, now) ? await waitFor(tx, key) : [];
    if (!wait) {
      if (now.state !== 'in_progress' || !isAttempt(key, now)) throw await lateToken(tx, key, now);
      const message = 'the attempt of this token is still running; its timeout starts when it waits, so try again then';
      throw new TaskerError('illegal_transition', message);
    }
    refuseOverdue(wait);
    return (await extendWait(tx, key, timeoutMs))!;
  });
}

function useToken(engine: Expanding, token: string, outcome: Outcome): Promise<UsedToken> {
  return onTokenStep(engine.database, token, async (tx, key, now) => {
    const use = { taskUuid: key.taskUuid, stepUuid: stepUuid(key.taskUuid, key.idx) };
    if (await wasUsedFor(tx, key, now, outcome)) return { ...use, repeated: true, ended: undefined };
    if (!isAttempt(key, now)) throw await lateToken(tx, key, now);
    const snapshot = await snapshotOf(engine, tx, now.templateId);
    refuseWrongResult(snapshot, key, outcome);
    const [wait] = await waitFor(tx, key);
    if (wait) refuseOverdue(wait);
    const ended = wait
      ? (await endLocked(engine, tx, [{ wait, by: 'token', ...outcome }]))[0]
      : await endWithoutWait(engine, tx, { key, now, outcome });
    if (!ended) throw await lateToken(tx, key, now);
    return { ...use, repeated: false, ended };
  });
}

/**
 * Returns a snapshot, read on the same connection, because a transaction that holds the lock must not wait for another
 * connection of the pool.
 */
async function snapshotOf({ templates }: Expanding, tx: Db, templateId: number): Promise<Snapshot> {
  const unreadable = (await templates.load([templateId], tx)).get(templateId);
  if (unreadable) throw unreadable;
  return templates.get(templateId);
}

/** The wait that a token ends: for a completion, or for the next call of the same attempt. */
async function waitFor(tx: Db, key: TokenOf): Promise<OpenWait[]> {
  return (await openWaits(tx, [key])).filter(({ kind }) => kind === 'completion' || kind === 'call');
}

/** Ends an attempt that is still running, or whose worker was lost before the wait began. */
async function endWithoutWait(
  engine: Expanding,
  tx: Db,
  { key, now, outcome }: { key: TokenOf; now: TokenState; outcome: Outcome },
): Promise<EndedWait | undefined> {
  const { taskUuid, idx } = key;
  const { templateId, rank, claim } = now;
  const wait = { taskUuid, idx, kind: 'completion', templateId, rank } as const;
  if (now.state === 'in_progress') {
    const ended = await endRunning(engine, tx, { taskUuid, idx, claim }, { wait, by: 'token', ...outcome });
    if (ended) await noteTokenUse(tx, key, outcome.kind);
    return ended;
  }
  if (!LOST.has(now.state)) return undefined;
  const effects = { task: undefined, queued: true, rank, takenFrom: false };
  const ended = { taskUuid, idx, kind: wait.kind, endedBy: 'token', endedAt: '', ...effects } as const;
  if (outcome.kind !== 'completed') {
    // The attempt failed with its worker. The next attempt may succeed.
    await noteTokenUse(tx, key, outcome.kind);
    return { ...ended, state: now.state as EndedWait['state'], queued: false };
  }
  const operator = operatorOf({ actor: 'token', reason: 'completed from outside after its worker was lost' });
  const result = JSON.stringify(outcome.result);
  const state = await settleLocked(tx, { engine, step: { taskUuid, idx }, action: 'complete', result }, operator);
  await noteTokenUse(tx, key, outcome.kind);
  const over = state === 'complete' || state === 'blocked_by_failures';
  return { ...ended, state: 'complete', task: over ? { taskUuid, state, ms: 0 } : undefined };
}

/** The states of a step whose worker was lost. */
const LOST: ReadonlySet<string> = new Set(['enqueued', 'waiting_for_retry', 'error']);

/**
 * Returns whether the attempt of a token is the current one. After its worker was lost, the attempt remains current
 * until the next attempt starts, because the outside job may have been done.
 */
function isAttempt({ attempt }: TokenOf, now: TokenState): boolean {
  const { attempts, earlierAttempts, overAttempt, overOutcome, doneAt } = now;
  if (doneAt !== null || attempt > attempts || attempt <= earlierAttempts) return false;
  return overAttempt === null || (overAttempt === attempts && overOutcome === 'worker_lost');
}

/** Returns whether an earlier call with this token had the same outcome. */
async function wasUsedFor(tx: Db, key: TokenOf, now: TokenState, { kind }: Outcome): Promise<boolean> {
  const completed = kind === 'completed';
  if (now.overBy === 'token') return (now.overOutcome === 'completed') === completed;
  const wait = (await waitsOf(tx, key.taskUuid)).find(({ idx }) => idx === key.idx);
  const used = wait?.endedBy === 'token' && wait.attempt >= key.attempt && now.overAttempt === wait.attempt;
  return used && (wait.progress.outcome === 'completed') === completed;
}

function refuseWrongResult(snapshot: Snapshot, { idx }: TokenOf, { kind, result }: Outcome): void {
  if (kind !== 'completed') return;
  const name = snapshot.graph.names[templateIndex(idx)]!;
  const [violation] = snapshot.checkResult[templateIndex(idx)]!(result);
  if (violation) {
    const message = `the result does not match result_schema of step ${name}: ${violation.path}: ${violation.message}`;
    throw new TaskerError('bad_request', message);
  }
  const expansion = snapshot.expansionOf(idx, result);
  if (expansion?.kind !== 'wrong') return;
  throw new TaskerError('bad_request', `step ${name} cannot be completed with this result: ${expansion.reason}`);
}

function refuseOverdue({ until, overdue }: OpenWait): void {
  if (overdue) throw tooLate(`it timed out at ${until}`);
}

async function lateToken(tx: Db, key: TokenOf, now: TokenState): Promise<TaskerError> {
  if (now.doneAt !== null && now.verdict !== null) return tooLate(`its task ended as ${now.verdict} at ${now.doneAt}`);
  const wait = (await waitsOf(tx, key.taskUuid)).find(({ idx, attempt }) => idx === key.idx && attempt === key.attempt);
  const ended = wait?.endedAt ? WHAT_ENDED[wait.endedBy!] : undefined;
  if (ended) return tooLate(`${ended} at ${wait!.endedAt}`);
  if (key.attempt <= now.earlierAttempts) return tooLate('the step runs again, because its task was rerun');
  if (now.overAttempt !== null) return tooLate(`its attempt ended as ${now.overOutcome} at ${now.overAt}`);
  return tooLate(`the step is ${now.state}`);
}

const WHAT_ENDED: Readonly<Record<string, string>> = {
  token: 'its token was already used',
  timeout: 'it timed out',
  operator: 'an operator ended it',
  cancel: 'it was cancelled',
};

/** Checks a token, locks its task, and runs `work`. The lock is taken only for a valid token. */
async function onTokenStep<T>(
  database: Database,
  text: string,
  work: (tx: Db, key: TokenOf, now: TokenState) => Promise<T>,
): Promise<T> {
  const token = readTokenText(text);
  if (!token || !sameHash(await tokenHash(database, token), tokenSecretHash(token.secret))) {
    throw new TaskerError('token_invalid', 'the token belongs to no step in this database');
  }
  const { taskUuid, idx, attempt } = token;
  const use = async (tx: Db) => {
    await lockTasks(tx, [taskUuid]);
    const now = await tokenState(tx, token);
    if (!now) throw tooLate('its step no longer exists');
    return work(tx, { taskUuid, idx, attempt }, now);
  };
  return onFreeTask(database, taskUuid, use, ENDING);
}
