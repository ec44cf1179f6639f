import { mayPass, sqlState } from '../../db/connection-error.ts';
import { opening } from '../../db/opening.ts';
import type { Db } from '../../db/statement.ts';
import type { WaitKind } from '../../model/waits.ts';
import { QUEUE_ORDER } from '../../store/planner.ts';
import { recordTimers } from '../../store/record-steps.ts';
import type { StepKey } from '../../store/step-key.ts';
import { callAgain } from '../../store/waits/call-again.ts';
import { type DueWait, deferWaits, lockDueWaits, postponeWaits } from '../../store/waits/due-waits.ts';
import { openWaits } from '../../store/waits/read.ts';
import { endChildWait } from '../child-tasks/deliver.ts';
import { endListWait } from '../child-tasks/lists.ts';
import type { Expanding } from '../operator-actions.ts';
import { isStatic } from '../record.ts';
import { withFreeTasks } from '../with-free-tasks.ts';
import { approvalDue } from './approvals.ts';
import { endedWait, endLocked } from './end.ts';
import { endSignalWait } from './signals.ts';
import { startWhenDue } from './start.ts';
import type { DueRule, EndedWait, WaitEnding } from './waits.ts';

/** The rules for waits that are due, by their kind. */
export const whenDue: Partial<Record<WaitKind, DueRule>> = {
  signal: endSignalWait,
  approval: approvalDue,
  task: endChildWait,
  tasks: endListWait,
  start: startWhenDue,
  timer: (_, wait) => ({ wait, by: 'elapsed', kind: 'completed', result: { due_at: wait.until, fired_at: wait.now } }),
  completion: (_, wait) => ({
    wait,
    by: 'timeout',
    kind: 'retryable',
    error: { error_type: 'completion_timeout', message: `not completed from outside by ${wait.until}` },
  }),
};

/** Maximum number of waits that one transaction ends. */
const DUE_IN_A_TRANSACTION = 500;

const SETTINGS = opening({
  ...QUEUE_ORDER,
  lock_timeout: '2s',
  statement_timeout: '30s',
  idle_in_transaction_session_timeout: '30s',
});

/** Delay until the next attempt to end a wait that could not be ended. */
const POSTPONED = { firstMs: 60_000, mostMs: 3_600_000 };

/** The waits that one transaction has ended, and the waits that it could not end. */
export interface DueTurn {
  ended: EndedWait[];
  failed: { wait: StepKey; error: unknown }[];
}

/** Number of connections that end due waits at the same time, when there are many. */
const LANES = 2;

/**
 * Ends the waits that are due, at most 500 in a transaction, and reports each transaction. Tasks that other
 * transactions have locked are left for the next call. A wait that cannot be ended is postponed, so that it does not
 * stop the others.
 */
export async function endDueWaits(engine: Expanding, report: (turn: DueTurn) => Promise<void>): Promise<void> {
  const first = await takeTurn(engine, report);
  if (first < DUE_IN_A_TRANSACTION) return;
  const lane = async () => {
    while ((await takeTurn(engine, report)) === DUE_IN_A_TRANSACTION);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** Ends due waits in one transaction, or individually if that fails. Returns the number of waits that it took. */
async function takeTurn(engine: Expanding, report: (turn: DueTurn) => Promise<void>): Promise<number> {
  let keys: StepKey[] = [];
  try {
    const ended = await engine.database.transaction(SETTINGS, async (tx) => {
      const due = await lockDueWaits(tx, DUE_IN_A_TRANSACTION);
      keys = due;
      const { ended, others } = await endTimers(engine, tx, due);
      return [...ended, ...(await settleDue(engine, tx, others))];
    });
    await report({ ended, failed: [] });
  } catch (error) {
    if (keys.length === 0 || (mayPass(error) && !tookTooLong(error))) throw error;
    for (const key of keys) await report(await endAlone(engine, key));
  }
  return keys.length;
}

/** Returns whether a statement timed out. If a single wait is the cause, the same transaction can never succeed. */
function tookTooLong(error: unknown): boolean {
  return sqlState(error) === QUERY_CANCELED;
}

/** SQLSTATE. */
const QUERY_CANCELED = '57014';

/** Ends one due wait, or postpones it. */
async function endAlone(engine: Expanding, key: StepKey): Promise<DueTurn> {
  const on = { settings: SETTINGS, tasks: [key.taskUuid] };
  try {
    const ended = await withFreeTasks(engine.database, on, (tx) => settleDue(engine, tx, [key]));
    return { ended: ended ?? [], failed: [] };
  } catch (error) {
    if (mayPass(error) && !tookTooLong(error)) throw error;
    await withFreeTasks(engine.database, on, (tx) => postponeWaits(tx, [key], POSTPONED));
    return { ended: [], failed: [{ wait: key, error }] };
  }
}

/**
 * Ends timers that only complete their step, in one statement, because a million can be due at the same time. Returns
 * the waits that are left. Their tasks are locked.
 */
async function endTimers(
  { templates }: Expanding,
  tx: Db,
  due: readonly DueWait[],
): Promise<{ ended: EndedWait[]; others: StepKey[] }> {
  const ids = new Set(due.filter(({ kind }) => kind === 'timer').map(({ templateId }) => templateId));
  const unreadable = await templates.load(ids, tx);
  const isPlain = ({ kind, templateId }: DueWait) =>
    kind === 'timer' && !unreadable.has(templateId) && isStatic(templates.get(templateId).graph);
  const timers = due.filter(isPlain);
  const others: StepKey[] = due.filter((wait) => !isPlain(wait));
  if (timers.length === 0) return { ended: [], others };
  const { ended: tasks, refused, queued } = await recordTimers(tx, timers);
  const tasksById = new Map(tasks.map((task) => [task.taskUuid, task]));
  const left = new Set(refused);
  for (const i of refused) others.push(timers[i]!);
  const effects = { state: 'complete', queued: queued > 0, takenFrom: false, endedAt: '' } as const;
  const ended = timers
    .filter((_, i) => !left.has(i))
    .map((wait) => endedWait(wait, { by: 'elapsed', ...effects, task: tasksById.get(wait.taskUuid) }));
  return { ended, others };
}

/** Ends the waits of these steps that are due. Their tasks are locked. */
async function settleDue(engine: Expanding, tx: Db, keys: readonly StepKey[]): Promise<EndedWait[]> {
  // Read under the lock, because the statement that locked the tasks may have seen outdated waits.
  const waits = (await openWaits(tx, keys)).filter((wait) => wait.due);
  if (waits.length === 0) return [];
  const calls = waits.filter((wait) => wait.kind === 'call');
  const ends: WaitEnding[] = [];
  const deferred: Parameters<typeof deferWaits>[1][number][] = [];
  const done: EndedWait[] = [];
  for (const wait of waits) {
    if (wait.kind === 'call') continue;
    const { taskUuid, idx } = wait;
    const rule = whenDue[wait.kind];
    if (!rule) throw new Error(`waits of the kind ${wait.kind} cannot end; update this program`);
    const result = await rule(tx, wait, engine);
    if ('handled' in result) done.push(result.handled);
    else if ('again' in result) deferred.push({ taskUuid, idx, dueAt: result.again, progress: result.progress });
    else ends.push(result);
  }
  const again = calls.length > 0 ? await callAgain(tx, calls) : new Map<number, string>();
  if (deferred.length > 0) await deferWaits(tx, deferred);
  for (const ended of await endLocked(engine, tx, ends)) if (ended) done.push(ended);
  for (const [i, endedAt] of again) {
    const effects = { state: 'enqueued', queued: true, takenFrom: false, task: undefined } as const;
    done.push(endedWait(calls[i]!, { by: 'elapsed', endedAt, ...effects }));
  }
  return done;
}
