import type { Db } from '../../db/statement.ts';
import {
  begunTasks,
  lockTaskKeys,
  type OpenHolder,
  openHolders,
  replaceTask,
  takeTaskKeys,
} from '../../store/task-keys.ts';
import { findIdentities, findRequests, lockTasks, type TaskRevision } from '../../store/tasks.ts';
import type { PreparedTask } from '../prepared-task.ts';
import type { TaskKey } from './key-of-task.ts';

/** The decision about a request whose template has `unique`. */
export type Decision =
  /** The task is created. `replaces`: the open task that is cancelled for it. */
  | { kind: 'create'; replaces?: string }
  /** Its identity exists, so it repeats an earlier request. */
  | { kind: 'repetition' }
  /** The open task of the key is returned. */
  | { kind: 'return'; taskUuid: string; version: string }
  | { kind: 'reject'; holder: Holder };

/** The open task that has a key. */
export interface Holder extends Pick<OpenHolder, 'taskUuid' | 'state' | 'version'> {
  /** Why it cannot be replaced. */
  stays?: 'undoing' | 'undone_on_cancel' | undefined;
  /** Whether a step of it was attempted. */
  begun: boolean;
}

/** The decisions about requests. Those of templates without `unique` are created, or repeat another one. */
export interface Admission {
  /** By the position of the request. */
  decisions: readonly Decision[];
  /** Tasks whose results were changed by an operator, among the locked tasks. */
  revised: TaskRevision[];
}

/** A task that was cancelled because another one replaces it. */
export interface ReplacedTask {
  taskUuid: string;
  /** The task that replaces it. */
  by: string;
  /** Number of its running steps. */
  running: number;
}

/** A request that was admitted was not created, because a concurrent request with its identity was. */
export class IdentityRaced extends Error {}

/** The tasks exist, because an earlier attempt of the same creation was committed. */
class AlreadyCreated extends Error {
  /** The SQLSTATE of a second insertion. */
  readonly code = '23505';
}

interface Admitting {
  /** The version of each task's template. */
  versions: readonly string[];
  /** Tasks that the transaction needs locked, too. They are locked together with the tasks that may be replaced. */
  alsoLock?: readonly string[] | undefined;
}

/**
 * Locks the keys of tasks, and decides about each task in the order of the list, so that later ones see earlier ones. Also locks
 * the tasks that may be replaced. The keys stay locked until the end of the transaction. Call it before anything else locks a
 * task.
 */
export async function admitTasks(
  tx: Db,
  tasks: readonly PreparedTask[],
  { versions, alsoLock = [] }: Admitting,
): Promise<Admission> {
  const keys = new Map<string, TaskKey[]>();
  const first: { hash: string; taskUuid: string }[] = [];
  for (const { taskUuid, unique } of tasks) {
    if (!unique) continue;
    const same = keys.get(unique.hash);
    if (same) same.push(unique);
    else {
      keys.set(unique.hash, [unique]);
      first.push({ hash: unique.hash, taskUuid });
    }
  }
  const rows = await lockTaskKeys(tx, first);
  const [repeated, { open, revised }] = await Promise.all([
    repetitionsAmong(tx, tasks),
    lockReplaceable(tx, { rows, keys, alsoLock }),
  ]);
  const own = new Set(tasks.map(({ taskUuid }) => taskUuid));
  const holders = new Map<string, Holder>();
  for (const [hash, taskUuid] of rows) {
    const holder = open.get(taskUuid);
    if (holder && own.has(taskUuid)) throw new AlreadyCreated();
    if (holder) holders.set(hash, holder);
  }
  return { decisions: decide(tasks, { versions, repeated, holders }), revised };
}

/** Reads the open tasks that have the keys, and locks the replaceable ones. */
async function lockReplaceable(
  tx: Db,
  {
    rows,
    keys,
    alsoLock,
  }: {
    rows: ReadonlyMap<string, string>;
    keys: ReadonlyMap<string, readonly TaskKey[]>;
    alsoLock: readonly string[];
  },
): Promise<{ open: Map<string, Holder>; revised: TaskRevision[] }> {
  const seen = await openHolders(tx, [...rows.values()]);
  const holdersFor = (...rules: TaskKey['onConflict'][]) =>
    [...rows].flatMap(([hash, taskUuid]) =>
      seen.has(taskUuid) && keys.get(hash)!.some(({ onConflict }) => rules.includes(onConflict)) ? [taskUuid] : [],
    );
  const replaceable = holdersFor('cancel_running', 'replace_pending');
  const locking = [...new Set([...replaceable, ...alsoLock])];
  const revised = locking.length > 0 ? await lockTasks(tx, locking) : [];
  // They may have ended before they were locked.
  const locked = await openHolders(tx, replaceable);
  for (const taskUuid of replaceable) if (!locked.has(taskUuid)) seen.delete(taskUuid);
  const begun = await begunTasks(
    tx,
    holdersFor('replace_pending').filter((taskUuid) => seen.has(taskUuid)),
  );
  const open = [...seen].map(([taskUuid, row]): [string, Holder] => {
    const { undoing, undoneOnCancel } = locked.get(taskUuid) ?? row;
    const stays = undoing ? 'undoing' : undoneOnCancel ? 'undone_on_cancel' : undefined;
    return [taskUuid, { ...row, stays, begun: undoing || begun.has(taskUuid) }];
  });
  return { open: new Map(open), revised };
}

/** Returns the positions of the tasks whose identity exists. */
async function repetitionsAmong(tx: Db, tasks: readonly PreparedTask[]): Promise<Set<number>> {
  const hashes = tasks.flatMap(({ identityHash, otherHashes = [] }) => [identityHash ?? [], otherHashes].flat());
  const requests = tasks.flatMap(({ requestHash }) => requestHash ?? []);
  if (hashes.length + requests.length === 0) return new Set();
  const [known, sent] = await Promise.all([findIdentities(tx, hashes), findRequests(tx, requests)]);
  return new Set(
    tasks.flatMap(({ identityHash, otherHashes = [], requestHash }, i) => {
      const isKnown = [identityHash, ...otherHashes].some((hash) => hash !== null && known.has(hash));
      return isKnown || (requestHash !== null && sent.has(requestHash)) ? [i] : [];
    }),
  );
}

function decide(
  tasks: readonly PreparedTask[],
  {
    versions,
    repeated,
    holders: before,
  }: { versions: readonly string[]; repeated: ReadonlySet<number>; holders: ReadonlyMap<string, Holder> },
): Decision[] {
  const holders = new Map(before);
  // The identities of this list. A repetition in the list is treated like one of an earlier request.
  const identities = new Set<string>();
  return tasks.map((task, i): Decision => {
    const { taskUuid, unique, identityHash, otherHashes = [], requestHash } = task;
    const own = [identityHash, ...otherHashes, requestHash].filter((hash) => hash !== null);
    if (repeated.has(i) || own.some((hash) => identities.has(hash))) return { kind: 'repetition' };
    const decision = unique ? decideKey(unique, holders.get(unique.hash)) : ({ kind: 'create' } as const);
    if (decision.kind !== 'create') return decision;
    for (const hash of [identityHash, requestHash]) if (hash !== null) identities.add(hash);
    if (unique) holders.set(unique.hash, { taskUuid, state: 'pending', version: versions[i]!, begun: false });
    return decision;
  });
}

function decideKey({ onConflict }: TaskKey, holder: Holder | undefined): Decision {
  if (!holder) return { kind: 'create' };
  const { taskUuid, version } = holder;
  switch (onConflict) {
    case 'return':
      return { kind: 'return', taskUuid, version };
    case 'reject':
      return { kind: 'reject', holder };
    case 'cancel_running':
      return holder.stays ? { kind: 'reject', holder } : { kind: 'create', replaces: taskUuid };
    case 'replace_pending':
      return holder.begun ? { kind: 'return', taskUuid, version } : { kind: 'create', replaces: taskUuid };
  }
}

/** The author of the cancellation in the history and the audit. */
const ACTOR = 'unique';

/**
 * Cancels the tasks that new tasks replace, and writes the new tasks into the rows of their keys. Call it after the new tasks
 * were inserted. `created`: their ids.
 * @throws IdentityRaced if one of them was not created
 */
export async function settleAdmission(
  tx: Db,
  tasks: readonly PreparedTask[],
  { decisions }: Admission,
  created: ReadonlySet<string>,
): Promise<ReplacedTask[]> {
  const keyed = tasks.flatMap((task, i) => {
    const decision = decisions[i]!;
    return task.unique && decision.kind === 'create' ? [{ ...task, unique: task.unique, decision }] : [];
  });
  if (keyed.some(({ taskUuid }) => !created.has(taskUuid))) throw new IdentityRaced();
  const replaced: ReplacedTask[] = [];
  const last = new Map<string, string>();
  for (const { taskUuid: by, unique, decision } of keyed) {
    last.set(unique.hash, by);
    if (decision.replaces === undefined) continue;
    const reason = `task ${by} with the same key replaces it (unique, on_conflict: ${unique.onConflict})`;
    const running = await replaceTask(tx, decision.replaces, { actor: ACTOR, reason, door: 'lifecycle' });
    replaced.push({ taskUuid: decision.replaces, by, running });
  }
  await takeTaskKeys(
    tx,
    [...last].map(([hash, taskUuid]) => ({ hash, taskUuid })),
  );
  return replaced;
}
