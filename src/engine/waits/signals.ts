import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import type { Db } from '../../db/statement.ts';
import type { UserClient } from '../../db/user-client.ts';
import { TaskerError } from '../../errors.ts';
import { uuidV7 } from '../../model/ids.ts';
import { type AwaitedSignals, payloadSchema, signalNames, signalResult } from '../../model/signal-names.ts';
import type { Wait } from '../../model/waits.ts';
import { noteProgress } from '../../store/approvals/approvals.ts';
import { putInInbox } from '../../store/signals/inbox.ts';
import { findSignal, type SignalRow, type TaskOfTemplate, templatesOfTasks } from '../../store/signals/read.ts';
import {
  addSignals,
  keptSignals,
  type NewSignal,
  type Receipt,
  type SignalTaskRow,
  type SignalWaitRow,
  signalTasks,
  takeSignals,
} from '../../store/signals/signals.ts';
import { lockTasks } from '../../store/tasks.ts';
import { compileStored } from '../../template/json-schema-check.ts';
import type { JsonSchema } from '../../template/task-template.ts';
import { callersTransaction, checkClient } from '../callers-transaction.ts';
import { createDespiteLoss } from '../create-task.ts';
import { onFreeTask } from '../operator-actions.ts';
import type { Snapshot, TemplateStore } from '../template-store.ts';
import { ENDING, ENDING_LIMITS, endLocked } from './end.ts';
import {
  type CheckedSignal,
  checkSignal,
  checkTarget,
  findTargets,
  type SignalOptions,
  type SignalTarget,
} from './signal-request.ts';
import {
  checkPayload,
  judge,
  Refusal,
  SIGNAL_LIMITS,
  signalSteps,
  statesNeeded,
  type Verdict,
} from './signal-rules.ts';
import type { EndedWait, WaitEnding } from './waits.ts';

/** The part of the engine that signals and votes need. */
export interface WaitingEngine {
  database: Database;
  templates: TemplateStore;
  announce: { waits(ended: readonly (EndedWait | undefined)[]): Promise<void> };
}

/** A task that has received a signal. */
export interface SignalReceipt {
  taskUuid: string;
  /**
   * `used`: a step was completed with it. `held`: a step that waits for several signals has it. `kept`: no step waits for
   * it yet.
   */
  status: 'used' | 'held' | 'kept';
  /** The step that used it or holds it; null if it is kept. */
  step: string | null;
  /** Whether an earlier signal has the same key. In that case, this signal was not stored. */
  duplicate: boolean;
}

/** The response to a signal. */
export interface SentSignal {
  /** The id for `getSignal`. For a duplicate, the id of the first signal with the key. */
  signalId: string;
  /** `received`: it is stored with its tasks. `pending`: it was sent with a `client`, and is delivered after the commit. */
  status: 'received' | 'pending';
  /** The tasks that have received it. Empty while it is pending. */
  tasks: SignalReceipt[];
}

/** Sends a signal. */
export async function sendSignal(
  engine: WaitingEngine,
  given: { target: SignalTarget; name: string; payload: unknown },
  options: SignalOptions,
): Promise<SentSignal> {
  const signal = checkSignal(given.name, given.payload, options);
  const target = checkTarget(given.target);
  if (options.client !== undefined) return sendLater(engine, target, { signal, client: checkClient(options.client) });
  const signalId = uuidV7();
  return createDespiteLoss(
    () => deliver(engine, { target, signalId, signal }),
    async () => {
      const rows = await findSignal(engine.database, signalId);
      return rows.length > 0 ? sentSignal(rows) : undefined;
    },
  );
}

/** Returns the response for a stored signal. */
export function sentSignal(rows: readonly SignalRow[]): SentSignal {
  return { signalId: rows[0]!.signalId, status: 'received', tasks: rows.map(receiptOf) };
}

export function receiptOf({ taskUuid, used, step }: SignalRow): SignalReceipt {
  return { taskUuid, status: used ? 'used' : step === null ? 'kept' : 'held', step, duplicate: false };
}

/**
 * Puts a signal into the inbox, in the transaction of the caller. Checks everything that can be checked without that
 * transaction.
 */
async function sendLater(
  engine: WaitingEngine,
  target: SignalTarget,
  { signal, client }: { signal: CheckedSignal; client: UserClient },
): Promise<SentSignal> {
  if (typeof target === 'string') {
    // The task may be created in the same transaction, and is then not found here.
    const [task] = await templatesOfTasks(engine.database, [target]);
    const snapshot = task && (await engine.templates.byIds([task.templateId])).get(task.templateId)!;
    if (snapshot) await refusing(async () => checkPayload(target, snapshot, signal));
  }
  const db = await callersTransaction(engine.database, client);
  const signalId = uuidV7();
  const { name, key, payload, by } = signal;
  await putInInbox(db, { signalId, target: JSON.stringify(target), name, key, payload, by });
  return { signalId, status: 'pending', tasks: [] };
}

/** Runs a part of a delivery, and turns a rejection into the error for the sender. */
async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof Refusal ? error.error : error;
  }
}

/** A signal that is being delivered to its tasks. */
export interface Delivery {
  target: SignalTarget;
  signalId: string;
  signal: CheckedSignal;
  /**
   * Called first in the transaction. Returns false if another process delivers the signal. A transaction with a claim
   * waits only briefly for a locked task, because other signals wait for this one.
   */
  claim?: (tx: Db) => Promise<boolean>;
  /** Called at the end of the transaction. */
  settled?: (tx: Db, sent: SentSignal) => Promise<void>;
}

/** Thrown if another process delivers the signal. */
export class TakenElsewhere extends Error {}

/**
 * Delivers a signal to its tasks in one transaction, and completes the steps that waited for it.
 * @throws TaskerError `task_not_found`, `bad_request`, `signal_refused`, `wait_over`
 */
export async function deliver(
  engine: WaitingEngine,
  { target, signalId, signal, claim, settled }: Delivery,
): Promise<SentSignal> {
  const found = await findTargets(engine.database, target);
  const snapshots = await engine.templates.byIds(found.map((task) => task.templateId));
  const many = typeof target !== 'string' && 'correlationId' in target;
  const tasks = found.filter(
    ({ templateId }) => !many || signalSteps(snapshots.get(templateId)!, signal.name).length > 0,
  );
  if (tasks.length === 0) throw noTask(target, signal.name);
  if (tasks.length * signal.bytes > MOST_BYTES) {
    throw new TaskerError(
      'bad_request',
      `signal ${signal.name} has a payload of ${signal.bytes} bytes and goes to ${tasks.length} tasks, which is too much for one transaction; send a reference to the data`,
    );
  }
  const { sent, ended } = await refusing(() =>
    inTransaction(engine.database, { taskUuid: tasks[0]!.taskUuid, impatient: claim !== undefined }, async (tx) => {
      // A process that has the lock of a task never waits for a row of the inbox.
      if (claim && !(await claim(tx))) throw new TakenElsewhere();
      const rows = await lockAndRead(tx, { tasks, snapshots, signal });
      const plans = planned(rows, { snapshots, signal, many });
      if (plans.length === 0) throw noTask(target, signal.name);
      const { name, key, payload, bytes, by } = signal;
      const done = await receive(tx, engine, { plans, snapshots, signal: { signalId, name, key, payload, bytes, by } });
      await settled?.(tx, done.sent);
      return done;
    }),
  );
  await engine.announce.waits(ended);
  return sent;
}

/** Settings that wait only briefly for a locked task. A timeout is reported as an error of the database. */
const IMPATIENT = opening({ ...ENDING_LIMITS, lock_timeout: '250ms' });

/** Maximum size of the payloads that one signal stores, in all of its tasks together. */
const MOST_BYTES = 64 * 1_048_576;

function inTransaction<T>(
  database: Database,
  { taskUuid, impatient }: { taskUuid: string; impatient: boolean },
  work: (tx: Db) => Promise<T>,
): Promise<T> {
  return impatient ? database.transaction(IMPATIENT, work) : onFreeTask(database, taskUuid, work, ENDING);
}

function noTask(target: SignalTarget, name: string): TaskerError {
  const id = typeof target === 'object' && 'correlationId' in target ? target.correlationId : String(target);
  return new TaskerError(
    'signal_refused',
    `no open task with the correlation id ${id} has a step that waits for signal ${name}`,
  );
}

type Snapshots = ReadonlyMap<number, Snapshot>;

async function lockAndRead(
  tx: Db,
  { tasks, snapshots, signal }: { tasks: readonly TaskOfTemplate[]; snapshots: Snapshots; signal: CheckedSignal },
): Promise<SignalTaskRow[]> {
  const targets = tasks.map(({ taskUuid, templateId }) => {
    const snapshot = snapshots.get(templateId)!;
    return { taskUuid, idxs: statesNeeded(snapshot, signalSteps(snapshot, signal.name)) };
  });
  const [, rows] = await Promise.all([
    lockTasks(
      tx,
      tasks.map(({ taskUuid }) => taskUuid),
    ),
    signalTasks(tx, targets, signal),
  ]);
  return rows;
}

/** A task, and the outcome of the signal in it. */
interface Plan {
  task: SignalTaskRow;
  /** Undefined if the task already has the signal. */
  verdict: Verdict | undefined;
}

function planned(
  rows: readonly SignalTaskRow[],
  { snapshots, signal, many }: { snapshots: Snapshots; signal: CheckedSignal; many: boolean },
): Plan[] {
  return rows.flatMap((task): Plan[] => {
    if (task.earlier) return [{ task, verdict: undefined }];
    try {
      return [{ task, verdict: judge(task, snapshots.get(task.templateId)!, signal) }];
    } catch (error) {
      if (many && error instanceof Refusal && error.noStep) return [];
      throw error;
    }
  });
}

/** Stores a signal with its tasks, and ends the waits that are complete. */
async function receive(
  tx: Db,
  engine: WaitingEngine,
  { plans, snapshots, signal }: { plans: readonly Plan[]; snapshots: Snapshots; signal: NewSignal },
): Promise<{ sent: SentSignal; ended: (EndedWait | undefined)[] }> {
  const earlier = plans.find(({ task }) => task.earlier)?.task.earlier;
  const signalId = earlier?.signalId ?? signal.signalId;
  const fresh = plans.filter((plan): plan is { task: SignalTaskRow; verdict: Verdict } => plan.verdict !== undefined);
  if (fresh.length > 0) await addSignals(tx, { ...signal, signalId }, fresh.map(storedReceipt));
  const endings: WaitEnding[] = [];
  for (const { task, verdict } of fresh) {
    if (verdict.kind !== 'taken') continue;
    const wait = waitOf(task.taskUuid, verdict.wait);
    const ending: WaitEnding | undefined =
      countOf(verdict.wait.settings) === 1
        ? {
            wait,
            by: 'signal',
            kind: 'completed',
            result: signalResult(verdict.wait.settings, signal.name, JSON.parse(signal.payload)),
          }
        : await takeKept(tx, wait);
    if (ending) endings.push(ending);
  }
  const ended = endings.length > 0 ? await endLocked(engine, tx, endings) : [];
  // Because of the locks, no wait can have ended since it was read.
  const lost = ended.indexOf(undefined);
  if (lost !== -1) throw new Error(`the wait of a locked task has ended: ${endings[lost]!.wait.taskUuid}`);
  const done = new Set(endings.map(({ wait }) => wait.taskUuid));
  const nameOfStep = ({ templateId }: SignalTaskRow, idx: number) =>
    snapshots.get(templateId)!.template.steps[idx]!.name;
  const tasks = plans.map(({ task, verdict }): SignalReceipt => {
    const { taskUuid } = task;
    if (!verdict) {
      const duplicate = task.earlier!.signalId !== signal.signalId;
      return { ...duplicateOf(task, (idx) => nameOfStep(task, idx)), duplicate };
    }
    if (verdict.kind === 'kept') return { taskUuid, status: 'kept', step: null, duplicate: false };
    const step = nameOfStep(task, verdict.wait.idx);
    return { taskUuid, status: done.has(taskUuid) ? 'used' : 'held', step, duplicate: false };
  });
  return { sent: { signalId, status: 'received', tasks }, ended };
}

function duplicateOf({ taskUuid, earlier }: SignalTaskRow, nameOfStep: (idx: number) => string) {
  const { usedBy, heldBy } = earlier!;
  const idx = usedBy ?? heldBy;
  const status = usedBy !== null ? ('used' as const) : heldBy !== null ? ('held' as const) : ('kept' as const);
  return { taskUuid, status, step: idx === null ? null : nameOfStep(idx) };
}

/** A signal that completes its step immediately is stored as used. Other signals are taken with the kept signals. */
function storedReceipt({ task: { taskUuid }, verdict }: { task: SignalTaskRow; verdict: Verdict }): Receipt {
  if (verdict.kind === 'kept') return { taskUuid, heldBy: null, usedBy: null, attempt: null };
  const { idx, attempt, settings } = verdict.wait;
  const one = countOf(settings) === 1;
  return { taskUuid, heldBy: one ? null : idx, usedBy: one ? idx : null, attempt };
}

function waitOf(taskUuid: string, row: SignalWaitRow): Wait {
  const { idx, attempt, templateId, rank, since, until, calls, settings, progress } = row;
  const more = { dueAt: until, calls, settings, progress, endedAt: null, endedBy: null };
  return { taskUuid, idx, kind: 'signal', attempt, templateId, rank, since, until, ...more };
}

const countOf = (settings: Record<string, unknown>) => (typeof settings.count === 'number' ? settings.count : 1);

/**
 * Assigns to a waiting step the signals of its task that it can use, in the order of their arrival. If the step then
 * has all signals that it needs, returns how the wait ends. Otherwise the step holds the signals. Call it after
 * lockTasks.
 */
export async function takeKept(tx: Db, wait: Wait): Promise<WaitEnding | undefined> {
  const awaited = wait.settings as AwaitedSignals<JsonSchema>;
  const names = signalNames(awaited);
  const count = countOf(wait.settings);
  const fits = ({ name, payload }: { name: string; payload: unknown }) => {
    const schema = payloadSchema(awaited, name);
    return schema === null || compileStored(schema)(payload).length === 0;
  };
  const fitting = async (limit: number) => {
    const rows = await keptSignals(tx, wait, { names, limit });
    const read = rows.map(({ payload, ...row }) => ({ ...row, payload: JSON.parse(payload) as unknown }));
    const usable = read.filter(fits);
    return { usable: usable.slice(0, count), all: usable.length === read.length || read.length < limit };
  };
  let found = await fitting(count);
  // Other steps of the same name may have another schema.
  if (!found.all) found = await fitting(SIGNAL_LIMITS.kept);
  const { usable } = found;
  if (usable.length === 0) return undefined;
  const used = usable.length === count;
  await takeSignals(tx, wait, { seqs: usable.map(({ seq }) => seq), used });
  if (!used) {
    await noteProgress(tx, wait, JSON.stringify({ signals: usable.length }));
    return undefined;
  }
  const results = usable.map(({ name, payload }) => signalResult(awaited, name, payload));
  return { wait, by: 'signal', kind: 'completed', result: count === 1 ? results[0] : results };
}

/** Returns how the wait of a `signal` step ends at its limit. */
export async function endSignalWait(_tx: Db, wait: Wait): Promise<WaitEnding> {
  const { on_timeout: onTimeout, default: value } = wait.settings as {
    on_timeout?: 'fail' | 'complete';
    default?: unknown;
  };
  if (onTimeout === 'complete') return { wait, by: 'timeout', kind: 'completed', result: value ?? null };
  const count = countOf(wait.settings);
  const held = typeof wait.progress.signals === 'number' ? wait.progress.signals : 0;
  const names = signalNames(wait.settings).join(' or ');
  const what = count === 1 ? `signal ${names} did not arrive` : `${held} of ${count} signals ${names} arrived`;
  const message = `${what} by ${wait.until}`;
  return { wait, by: 'timeout', kind: 'permanent', error: { message, error_type: 'wait_timeout' } };
}
