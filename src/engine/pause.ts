import { setTimeout as sleep } from 'node:timers/promises';
import { isLockTimeout } from '../db/connection-error.ts';
import type { Database } from '../db/database.ts';
import { opening } from '../db/opening.ts';
import type { Db } from '../db/statement.ts';
import { TaskerError } from '../errors.ts';
import { checkUuid } from '../model/ids.ts';
import { isStorableText } from '../model/json.ts';
import { nearNames } from '../model/near-names.ts';
import { noteAct } from '../store/audit.ts';
import { listNamespaces, type PauseRow, relatedPauses } from '../store/pauses/list.ts';
import {
  endPause,
  lockMoves,
  lockPauses,
  markPausedTemplates,
  moveStepsOfTask,
  type PauseObject,
  queueWriters,
  settlePauses,
  startPause,
  unsettledPauses,
  vacuumQueue,
} from '../store/pauses/pauses.ts';
import { usualPartsOf, withheldPartOf } from '../store/queue-id.ts';
import { getTasks, lockTasks } from '../store/tasks.ts';
import { namespaceIds } from '../store/templates.ts';
import { MANY_MOVED, moveAll } from './move-steps.ts';
import { namedTemplate } from './named-template.ts';
import { type OperatorOptions, onFreeTask, operatorOf } from './operator-actions.ts';
import type { Pause } from './task-view.ts';
import type { TemplateStore } from './template-store.ts';

/**
 * The object to pause or resume: one task, a template or a namespace. A template is `name`, `namespace/name` or
 * `namespace/name@version`. Without a version, it means all versions, including versions that are registered later.
 */
export type PauseTarget = { task: string } | { template: string } | { namespace: string };

/** The result of pausing or resuming. */
export interface PauseResult {
  scope: Pause['scope'];
  /** The id of the task, `namespace/name` or `namespace/name@version` of the template, or the namespace. */
  target: string;
  /** False if the call changed nothing, because the target was already paused, or was not paused. */
  changed: boolean;
  /** Number of ready steps that were held back from workers, or returned to them. */
  steps: number;
  /** The pause of the target itself, if it is paused now. */
  pause: Pause | null;
  /**
   * Other pauses in force, at most 100. For a task: the pauses of its template and its namespace. For a template: the
   * pauses of its versions and its namespace. For a namespace: the pauses of its templates.
   */
  others: Pause[];
}

/** The part of the engine that pausing needs. */
export interface Pausing {
  database: Database;
  templates: TemplateStore;
}

const LOCK_SECONDS = 10;
/**
 * Settings for storing a pause. Pauses wait for each other, but each changes only a few rows. A wait this long
 * indicates another problem.
 */
const SETTINGS = opening({
  lock_timeout: `${LOCK_SECONDS}s`,
  statement_timeout: '30s',
  idle_in_transaction_session_timeout: '30s',
});
/** How long to wait for transactions that may not yet see a pause. Their own timeouts are shorter. */
const WRITERS_MS = 90_000;
const LONGEST_POLL_MS = 100;

/** The change to make: to pause or to resume. */
interface Change {
  action: 'pause' | 'resume';
  options: OperatorOptions;
}

interface Named {
  scope: Pause['scope'];
  target: string;
  object: PauseObject;
}

/** A result, and the smallest rank of the steps that were returned to workers. */
export type Paused = PauseResult & { rank: number | null };

/**
 * Pauses or resumes a task, a template or a namespace. Once a pause has returned, no step that it covers can start.
 * Running steps continue.
 * @throws TaskerError `task_not_found`, `template_not_found`, `namespace_not_found`, `illegal_transition` for a task that has
 * ended, `timeout` if another transaction holds the lock of pauses or the queue for too long
 */
export async function changePause(engine: Pausing, target: PauseTarget, change: Change): Promise<Paused> {
  const named = await nameOf(engine, target);
  const { scope, object } = named;
  const done = await (scope === 'task'
    ? changeTask(engine.database, named, change)
    : changeMany(engine, named, change));
  const related = await relatedPauses(engine.database, object);
  const own = related.find((row) => row.own);
  const others = related.filter((row) => !row.own).map(pauseView);
  return { scope, target: named.target, ...done, pause: own ? pauseView(own) : null, others };
}

/** Returns a row as callers see it. */
export function pauseView({ scope, target, pausedAt, pausedBy, reason }: PauseRow): Pause {
  return { scope, target, pausedAt, pausedBy, reason };
}

/**
 * Pauses or resumes a task. One transaction under its lock is enough, because adding ready steps requires that lock.
 */
function changeTask(database: Database, { object, target }: Named, { action, options }: Change) {
  const taskUuid = object.taskUuid!;
  const operator = operatorOf(options);
  return onFreeTask(database, taskUuid, async (tx) => {
    await lockTasks(tx, [taskUuid]);
    const [task] = await getTasks(tx, [taskUuid]);
    if (!task) throw new TaskerError('task_not_found', `task ${taskUuid} not found`);
    if (action === 'pause' && task.completedAt !== null) {
      throw new TaskerError(
        'illegal_transition',
        `task ${target} cannot be paused: it has ended and is ${task.status}`,
      );
    }
    const changed = await (action === 'pause' ? startPause : endPause)(tx, object, operator);
    if (!changed) return { changed, steps: 0, rank: null };
    await noteAct(tx, { action, taskUuid, fromState: task.status, toState: task.status }, operator);
    await lockMoves(tx);
    const { moved, rank } = await moveStepsOfTask(tx, taskUuid);
    return { changed, steps: moved, rank };
  });
}

/** Stores the change, then moves the steps. If this process dies in between, a worker or the next call moves the rest. */
async function changeMany({ database }: Pausing, { scope, object, target }: Named, { action, options }: Change) {
  const operator = operatorOf(options);
  const namespaceId = object.namespaceId!;
  const changed = await database
    .transaction(SETTINGS, async (tx) => {
      await lockPauses(tx);
      if (!(await (action === 'pause' ? startPause : endPause)(tx, object, operator))) return false;
      await markPausedTemplates(tx, namespaceId);
      await noteAct(tx, { action, target: `${scope} ${target}` }, operator);
      return true;
    })
    .catch((error: unknown) => {
      if (!isLockTimeout(error)) throw error;
      const why = `another pause or the registration of a template has been in progress for ${LOCK_SECONDS} s`;
      throw new TaskerError('timeout', `${scope} ${target} is unchanged: ${why}; try again`, { cause: error });
    });
  const { steps, rank } = await settle(database, { namespaceId });
  return { changed, steps, rank };
}

/**
 * Brings the queue in line with the pauses that changed, unless another process has done it. Afterwards, no step that such
 * a pause covers can start, and no step that is not paused is held back.
 * @param olderMs skips pauses that changed less than this many milliseconds ago, because their own process settles them
 */
export async function settle(
  database: Database,
  { namespaceId, olderMs = 0 }: { namespaceId?: number; olderMs?: number } = {},
): Promise<{ steps: number; rank: number | null }> {
  const all = await unsettledPauses(database, olderMs);
  const pauses = namespaceId === undefined ? all : all.filter((pause) => pause.namespaceId === namespaceId);
  let steps = 0;
  let rank: number | null = null;
  if (pauses.length === 0) return { steps, rank };
  await waitForWriters(database);
  for (const id of new Set(pauses.map((pause) => pause.namespaceId))) {
    for (const queueId of id === null ? [] : usualPartsOf(id).flatMap((part) => [part, -part, withheldPartOf(part)])) {
      const moved = await moveAll(database, queueId);
      steps += moved.steps;
      if (moved.rank !== null && queueId < 0) rank = Math.min(rank ?? moved.rank, moved.rank);
    }
  }
  await settlePauses(database, pauses);
  if (steps >= MANY_MOVED) await vacuumQueue(database).catch(() => undefined); // autovacuum removes the rows later
  return { steps, rank };
}

/** Waits for the transactions that have already locked the queue. Later transactions see every stored pause. */
async function waitForWriters(database: Database): Promise<void> {
  const until = performance.now() + WRITERS_MS;
  let writers = await queueWriters(database);
  for (let pauseMs = 2; writers.length > 0; pauseMs = Math.min(2 * pauseMs, LONGEST_POLL_MS)) {
    if (performance.now() > until) {
      const who = writers.map(({ pid, application }) => `${application ?? 'unknown'} (process ${pid})`).join(', ');
      throw new TaskerError(
        'timeout',
        `the change is stored, but steps may still start: a transaction of ${who} that has written to the queue is still open after ${WRITERS_MS / 1000} s; end it and repeat the call`,
      );
    }
    await sleep(pauseMs);
    const now = new Set((await queueWriters(database)).map(({ id }) => id));
    writers = writers.filter(({ id }) => now.has(id));
  }
}

/**
 * Finds the object that a target names.
 * @throws TaskerError `bad_request`, `invalid_uuid`, `template_not_found`, `namespace_not_found`
 */
async function nameOf(engine: Pausing, target: PauseTarget): Promise<Named> {
  const given = Object.entries(target ?? {}).filter(([, value]) => value !== undefined);
  const [scope, text] = given[0] ?? [];
  if (given.length !== 1 || !['task', 'template', 'namespace'].includes(scope!) || typeof text !== 'string') {
    throw new TaskerError('bad_request', 'pass exactly one of task, template and namespace, as a string');
  }
  const nothing = { taskUuid: null, namespaceId: null, name: null, version: null };
  if (scope === 'task') {
    const taskUuid = checkUuid(text, 'the task id');
    return { scope, target: taskUuid, object: { ...nothing, taskUuid } };
  }
  if (scope === 'template') {
    const { namespaceId, namespace, name, version } = await namedTemplate(engine, text);
    return {
      scope,
      target: `${namespace}/${name}${version === null ? '' : `@${version}`}`,
      object: { taskUuid: null, namespaceId, name, version },
    };
  }
  const [namespaceId] = isStorableText(text) ? await namespaceIds(engine.database, [text]) : [];
  if (namespaceId === undefined) throw await namespaceNotFound(engine.database, text);
  return { scope: 'namespace', target: text, object: { ...nothing, namespaceId } };
}

async function namespaceNotFound(db: Db, text: string): Promise<TaskerError> {
  const names = (await listNamespaces(db)).map(({ name }) => name);
  const near = nearNames(text, names);
  const hint =
    names.length === 0
      ? 'none is registered yet; a worker or createTasker registers those of its templates'
      : near.length > 0
        ? `did you mean ${near.join(' or ')}?`
        : `the ${names.length === 1 ? 'only namespace is' : 'namespaces are'} ${names.slice(0, 20).join(', ')}`;
  return new TaskerError('namespace_not_found', `namespace ${text} not found; ${hint}`, { details: { near } });
}
