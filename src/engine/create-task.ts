import { setTimeout as sleep } from 'node:timers/promises';
import { isConnectionError, sqlState } from '../db/connection-error.ts';
import type { Database } from '../db/database.ts';
import { opening } from '../db/opening.ts';
import type { Db } from '../db/statement.ts';
import type { UserClient } from '../db/user-client.ts';
import { TaskerError } from '../errors.ts';
import { identityIn, isUuid, uuidV7 } from '../model/ids.ts';
import { CONTEXT_LIMITS, type Fields, isStorableText, overLimit, storableJson } from '../model/json.ts';
import { requestDigest, requestKeyHash } from '../model/request-digest.ts';
import { describeViolations } from '../model/schema-violations.ts';
import { earliestMinutes } from '../model/task-limits.ts';
import { createActiveTasks, type ExpectedActive, holdActive, type NewActiveTask } from '../store/active-versions.ts';
import { PINNED_PLANS } from '../store/planner.ts';
import { type WatchedTask, watchTasks } from '../store/stale-tasks.ts';
import { limitingLockWaits } from '../store/task-keys.ts';
import {
  findIdentities,
  findRequests,
  createTasks as insertTasks,
  lockRequests,
  type NewTask,
  taskStates,
} from '../store/tasks.ts';
import { createLaterTasks } from '../store/waits/start-tasks.ts';
import { requestedTemplate } from '../template/template-name.ts';
import { idsOf } from '../tracing/traceparent.ts';
import { callersTransaction, driverState } from './callers-transaction.ts';
import { type CreationConflict, existingTask, keyHeld, otherRequest, prunedTask } from './creation-conflict.ts';
import { wrongLimitKey } from './limits/keys.ts';
import type { PreparedTask } from './prepared-task.ts';
import { shownValue } from './shown-value.ts';
import { type ActiveTemplate, nameOf, type Snapshot, type TemplateStore } from './template-store.ts';
import { admitTasks, IdentityRaced, type ReplacedTask, settleAdmission } from './unique/admission.ts';
import { keyOfTask, UNIQUE_KEY } from './unique/key-of-task.ts';
import { startOf } from './waits/start-time.ts';

/** A task to create. */
export interface TaskRequest {
  /** Name of a registered template. */
  name: string;
  /** Its namespace. Default `default`. */
  namespace?: string;
  /**
   * Its version, matched exactly. Default: the active version, which is the highest registered version, or the one that
   * `activateTemplate` has made active. A task with an identity is then also compared with the tasks of the other
   * versions.
   */
  version?: string;
  /**
   * The input that every step can read: a JSON object of at most 1 MB, 10 levels deep. The template's `default_context`
   * supplies the missing keys. Default `{}`.
   */
  context?: Record<string, unknown>;
  /** From −100 to 100, higher first. Default: the template's, otherwise 0. */
  priority?: number;
  /** Tasks with the same key are the same task. The key overrides the template's `identity_strategy`. */
  idempotencyKey?: string;
  /** Requester, origin and reason, stored for later inspection. At most 128 characters each. Default: the template's. */
  initiator?: string;
  sourceSystem?: string;
  reason?: string;
  /** Default: the template's. */
  tags?: string[];
  /** A UUID that connects log lines and tasks. Default: the task's own id. */
  correlationId?: string;
  parentCorrelationId?: string;
  /** The span that the task belongs to, as a W3C traceparent. Default: the active span of an OpenTelemetry SDK, if any. */
  traceparent?: string;
  /**
   * When its first steps become ready: ISO 8601 with a zone, milliseconds since 1970, or a date. Until then the task is
   * `pending`, but its identity is reserved. A time in the past starts it immediately. Default: immediately.
   */
  startAt?: string | number | Date;
  /** Instead of `startAt`: milliseconds from now, by the clock of the database. */
  delayMs?: number;
  /** The credential that a server creates it with. @internal */
  createdWith?: string;
  /**
   * Whether the key comes from the header `Idempotency-Key`. A later request of the same sender with this key must then be
   * the same request. @internal
   */
  keyInHeader?: boolean;
}

/** How {@link createTasks} treats a task whose identity already exists. */
export interface CreateOptions {
  /** `error` (default): creates nothing, and the error names the existing task. `return`: returns the existing task. */
  onDuplicate?: 'error' | 'return';
  /**
   * A `pg` client in a transaction of the caller, in the same database, or the transaction of another library, by an
   * adapter of `tasker-core/orm`. The task is inserted through this client, and exists if the transaction commits.
   * Workers find the task at their next poll, within two seconds. Default: a connection of the tasker.
   */
  client?: UserClient | undefined;
}

/** Further options, which callers cannot pass. */
export interface InnerCreateOptions extends CreateOptions {
  /** Makes further writes in the transaction that creates the tasks. Receives their ids. Not called if one was not created. */
  also?: (tx: Db, taskUuids: readonly string[]) => Promise<void>;
  /** Receives the requests that `unique` rejects, by their position, so that the others are created. */
  rejections?: Map<number, CreationConflict>;
}

/**
 * How a request was answered. `created`: with a new task. `replaced`: with a new task, for which an open one was cancelled.
 * `returned`: with an existing task. Requests that are rejected fail with the error `conflict`.
 */
export type CreationOutcome = 'created' | 'returned' | 'replaced';

/** A task that was created, or an existing one. */
export interface CreatedTask {
  taskUuid: string;
  snapshot: Snapshot;
  /** False if the task existed. */
  created: boolean;
  outcome: CreationOutcome;
  /** The rule that returned or replaced a task: the identity of the request, or `unique` of the template. Null if neither did. */
  rule: 'identity' | 'unique' | null;
  /** The task that was cancelled for this one. */
  replaced: Pick<ReplacedTask, 'taskUuid' | 'running'> | null;
  priority: number;
}

const SETTINGS = opening(PINNED_PLANS);
/** A transaction of a caller may keep a key locked. */
const WITH_KEYS = opening({ ...PINNED_PLANS, lock_timeout: '10s' });
const FIRST_PAUSE_MS = 50;
/** Maximum number of attempts. All attempts together take about three seconds, enough for a server to restart. */
const MAX_TRIES = 7;
/** SQLSTATEs. */
const UNIQUE_VIOLATION = '23505';
const DEADLOCK = '40P01';
const LOCK_TIMEOUT = '55P03';
const SERIALIZATION_FAILURE = '40001';
/** How long a creation with a key waits for each lock in the transaction of a caller. */
const CALLERS_LOCK_MS = 5_000;

/** Maximum number of attempts of a creation whose active version changes again and again. */
const MAX_CHANGES = 10;

/**
 * Creates the tasks that `readRequests` has read, all or none. Uses one statement, or several in one transaction if the
 * contexts are too large. If the active version of a template changes meanwhile, nothing is created, and the next
 * attempt uses the new one.
 * @throws TaskerError `template_not_found`, `bad_request`, `invalid_context`, `identity_missing`, `conflict`
 */
export async function createTasks(
  database: Database,
  templates: TemplateStore,
  requests: readonly TaskRequest[],
  options: InnerCreateOptions = {},
): Promise<CreatedTask[]> {
  if (requests.length === 0) return [];
  for (let changes = 1; ; changes++) {
    try {
      return await createOnce(database, templates, requests, options);
    } catch (error) {
      if (error instanceof KeysRaced && error.again && changes < MAX_CHANGES) continue;
      if (!(error instanceof ActiveVersionChanged)) throw error;
      for (const { namespace = 'default', name } of requests) templates.forgetActive({ namespace, name });
      if (changes === MAX_CHANGES) throw stillChanging(error);
    }
  }
}

/** The active version of a template has changed since it was read. Nothing was created. */
class ActiveVersionChanged extends Error {}

/** A concurrent transaction has locked or changed the same keys. Nothing was created. */
class KeysRaced extends TaskerError {
  /** Whether the creation can be repeated at once. */
  readonly again: boolean;

  constructor(cause: unknown, { again, isCallers }: { again: boolean; isCallers: boolean }) {
    const way = isCallers ? 'roll the transaction back, and try again' : 'try again';
    super('conflict', `no task was created: another transaction has the same key or its task locked (unique); ${way}`, {
      cause,
      details: { retryable: true },
    });
    this.again = again;
  }
}

/** Creates tasks with keys. Reports a wait for a lock that was too long, and a deadlock, as a conflict. */
async function onKeys<T>(isCallers: boolean, create: () => Promise<T>): Promise<T> {
  try {
    return await create();
  } catch (error) {
    const state = driverState(error) ?? '';
    const isRaced = error instanceof IdentityRaced || state === DEADLOCK;
    const isLocked = state === LOCK_TIMEOUT || (isCallers && state === SERIALIZATION_FAILURE);
    throw isRaced || isLocked ? new KeysRaced(error, { again: isRaced && !isCallers, isCallers }) : error;
  }
}

function stillChanging(cause: Error): TaskerError {
  return new TaskerError(
    'conflict',
    `no task was created: the active version of its template changed during each of ${MAX_CHANGES} attempts; pass the version, or create the task in a transaction with the isolation level read committed`,
    { cause },
  );
}

async function createOnce(
  database: Database,
  templates: TemplateStore,
  requests: readonly TaskRequest[],
  { onDuplicate = 'error', also, client, rejections }: InnerCreateOptions,
): Promise<CreatedTask[]> {
  const meant = await templatesOf(templates, requests);
  const tasks = requests.map((request, i) => newTask(request, meant[i]!.snapshot, i, meant[i]!.active?.others));
  const resultsOf = async (standing: readonly Standing[]): Promise<CreatedTask[]> => {
    const isOther = standing.some(({ version }) => version !== undefined);
    const others = isOther
      ? await Promise.all(standing.map(async (one, i) => snapshotOf(templates, one, meant[i]!)))
      : [];
    return standing.map((one, i) => ({
      taskUuid: one.taskUuid,
      snapshot: others[i] ?? meant[i]!.snapshot,
      ...outcomeOf(one, tasks[i]!),
      priority: tasks[i]!.rank === 0 ? 0 : -tasks[i]!.rank,
    }));
  };
  const ids = tasks.map((task) => task.taskUuid);
  const watched = tasks.flatMap(({ taskUuid, start }, i) => {
    const { limits } = meant[i]!.snapshot;
    return limits && !start ? { taskUuid, minutes: earliestMinutes(limits) } : [];
  });
  const portions = portionsOf(withoutRepetitions(tasks));
  const expected = expectedOf(meant, tasks);
  const sent = tasks.flatMap((task) => task.requestHash ?? []);
  const hasKeys = tasks.some(({ unique }) => unique !== undefined);
  const create = async (tx: Db): Promise<readonly Standing[]> => {
    if (sent.length > 0 && tasks.length > 1) await lockRequests(tx, sent);
    if (hasKeys)
      return createAdmitted(tx, { requests, meant, tasks, watched, expected }, { onDuplicate, also, rejections });
    const created = await insertPortions(tx, portions, watched, expected);
    if (created.size === tasks.length) {
      await also?.(tx, ids);
      return tasks;
    }
    const found = await standingFor(tx, requests, tasks);
    if (onDuplicate === 'error' && found.some(({ taskUuid }, i) => taskUuid !== ids[i]))
      throw duplicateError(requests, tasks, found);
    return found;
  };
  if (client) {
    const tx = await callersTransaction(database, client);
    if (!hasKeys) return resultsOf(await create(tx));
    return resultsOf(await onKeys(true, () => limitingLockWaits(tx, CALLERS_LOCK_MS, () => create(tx))));
  }
  if (hasKeys) {
    let last: readonly Standing[] | undefined;
    const standing = onKeys(false, () =>
      createDespiteLoss(
        () => database.transaction(WITH_KEYS, async (tx) => (last = await create(tx))),
        async () => ((await taskStates(database, ids)).size > 0 ? last : undefined),
      ),
    );
    return resultsOf(await standing);
  }
  const standing = await createDespiteLoss(
    async () => {
      const simple = portions.length === 1 && !also;
      if (simple && tasks.every((task) => task.identityHash === null && !task.start)) {
        // One round trip, because tasks without limits need no second statement. If an active version has changed, the
        // rows of `watchTasks` belong to no task, and the next check deletes them.
        await database.pipeline(SETTINGS, (tx) =>
          Promise.all([insertNow(tx, tasks, expected), watched.length > 0 ? watchTasks(tx, watched) : undefined]),
        );
        return tasks;
      }
      return database.transaction(SETTINGS, create);
    },
    async () => ((await taskStates(database, ids)).size > 0 ? standingFor(database, requests, tasks) : undefined),
  );
  return resultsOf(standing);
}

/**
 * Creates rows under ids that the caller generated, and retries if the connection is lost. `find` returns the result of
 * a lost attempt that was committed after all, so that nothing is created twice.
 * @throws the error of the last attempt, if the server stays unreachable
 */
export async function createDespiteLoss<T>(create: () => Promise<T>, find: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return (tries > 0 ? await find() : undefined) ?? (await create());
    } catch (error) {
      // The lost attempt may have been committed between `find` and `create`.
      const committed = tries > 0 && sqlState(error) === UNIQUE_VIOLATION;
      if (tries === MAX_TRIES - 1 || !(committed || isConnectionError(error))) throw error;
    }
    await sleep(FIRST_PAUSE_MS * 2 ** tries);
  }
}

/** The task that a request refers to. */
interface Standing {
  taskUuid: string;
  /** The version of an earlier task, if it is another one than that of the new task. */
  version?: string;
  /** Whether it is the open task of the key. */
  ofKey?: true;
  /** The task that was cancelled for this one. */
  replaced?: ReplacedTask | undefined;
}

function outcomeOf(
  { taskUuid, ofKey, replaced }: Standing,
  task: PreparedTask,
): Pick<CreatedTask, 'created' | 'outcome' | 'rule' | 'replaced'> {
  if (taskUuid !== task.taskUuid) {
    return { created: false, outcome: 'returned', rule: ofKey ? 'unique' : 'identity', replaced: null };
  }
  if (!replaced) return { created: true, outcome: 'created', rule: null, replaced: null };
  return { created: true, outcome: 'replaced', rule: 'unique', replaced };
}

/** Creates tasks, some of which have keys of `unique`. */
async function createAdmitted(
  tx: Db,
  {
    requests,
    meant,
    tasks,
    watched,
    expected,
  }: {
    requests: readonly TaskRequest[];
    meant: readonly Meant[];
    tasks: readonly PreparedTask[];
    watched: readonly WatchedTask[];
    expected: readonly ExpectedActive[];
  },
  { onDuplicate, also, rejections }: Pick<InnerCreateOptions, 'onDuplicate' | 'also' | 'rejections'>,
): Promise<readonly Standing[]> {
  const versions = meant.map(({ snapshot }) => snapshot.template.version);
  const admission = await admitTasks(tx, tasks, { versions });
  const { decisions } = admission;
  rejections?.clear();
  for (const [i, decision] of decisions.entries()) {
    if (decision.kind !== 'reject') continue;
    const conflict = keyHeld(
      requests[i]!,
      { key: tasks[i]!.unique!, holder: decision.holder },
      { at: i, of: requests.length },
    );
    if (!rejections) throw conflict;
    rejections.set(i, conflict.alone());
  }
  const chosen = tasks.filter((_, i) => decisions[i]!.kind === 'create');
  const portions = portionsOf(withoutRepetitions(chosen));
  const created = chosen.length > 0 ? await insertPortions(tx, portions, watched, expected) : new Set<string>();
  const replaced = await settleAdmission(tx, tasks, admission, created);
  if (created.size === tasks.length)
    await also?.(
      tx,
      tasks.map(({ taskUuid }) => taskUuid),
    );
  const found: readonly Standing[] =
    created.size < tasks.length ? await standingFor(tx, requests, tasks) : tasks.map(({ taskUuid }) => ({ taskUuid }));
  const isRepeated = ({ taskUuid }: Standing, i: number) => taskUuid !== tasks[i]!.taskUuid;
  if (onDuplicate === 'error' && found.some(isRepeated)) throw duplicateError(requests, tasks, found);
  return found.map(({ taskUuid, version }, i): Standing => {
    const decision = decisions[i]!;
    const holder = decision.kind === 'reject' ? decision.holder : decision.kind === 'return' ? decision : undefined;
    if (!holder) {
      const replacing = replaced.find(({ by }) => by === taskUuid);
      return { taskUuid, ...(version !== undefined && { version }), replaced: replacing };
    }
    const isOther = holder.version !== versions[i];
    return { taskUuid: holder.taskUuid, ofKey: true, ...(isOther && { version: holder.version }) };
  });
}

/**
 * Returns, for each task, the task with its identity: its own, or an earlier task. A task of another version is only
 * found for a request without a version.
 * @throws TaskerError `conflict` if the earlier task was pruned, or if a request with a key in its header is not the
 * request that created the task
 */
async function standingFor(
  db: Db,
  requests: readonly TaskRequest[],
  tasks: readonly PreparedTask[],
): Promise<Standing[]> {
  const [first, sent] = await Promise.all([
    findIdentities(
      db,
      tasks.flatMap(({ identityHash, otherHashes = [] }) => [identityHash ?? [], otherHashes].flat()),
    ),
    findRequests(
      db,
      tasks.flatMap((task) => task.requestHash ?? []),
    ),
  ]);
  return tasks.map((task, i) => {
    const { identityHash, otherHashes = [], otherVersions = [] } = task;
    const own = first.get(identityHash ?? '');
    const others = otherHashes.map((hash) => first.get(hash));
    const found = sent.get(task.requestHash ?? '') ?? own ?? others.find((other) => other !== undefined);
    if (!found || found.taskUuid === task.taskUuid) return { taskUuid: task.taskUuid };
    const { taskUuid, prunedAt, digest } = found;
    const place = { at: i, of: requests.length };
    const isCompared = task.requestHash !== null;
    if (isCompared && digest !== null && digest !== task.digest) throw otherRequest(requests[i]!, taskUuid, place);
    if (prunedAt !== null) throw prunedTask(requests[i]!, { taskUuid, prunedAt }, place);
    if (isCompared && digest === null) throw existingTask(requests[i]!, taskUuid, place);
    const version = otherVersions[others.findIndex((other) => other?.taskUuid === taskUuid)];
    return { taskUuid, ...(version !== undefined && { version }) };
  });
}

function duplicateError(
  requests: readonly TaskRequest[],
  tasks: readonly NewTask[],
  standing: readonly Standing[],
): TaskerError {
  const mine = new Map(tasks.map((task, i) => [task.taskUuid, i]));
  const at = standing.findIndex(({ taskUuid }) => !mine.has(taskUuid));
  if (at === -1) return sameInBatchError(requests, tasks, standing);
  return existingTask(requests[at]!, standing[at]!.taskUuid, { at, of: requests.length });
}

function sameInBatchError(
  requests: readonly TaskRequest[],
  tasks: readonly NewTask[],
  standing: readonly Standing[],
): TaskerError {
  const [one, other] = repetitionIn(tasks, standing);
  const [first, at] = one < other ? [one, other] : [other, one];
  return new TaskerError(
    'conflict',
    `task ${requests[at]!.name}, number ${at + 1} of ${requests.length}, has the same identity as number ${first + 1}; none was created. Omit one, use another idempotency key, or pass onDuplicate: 'return'`,
    { details: { index: at, same_as: first } },
  );
}

/** Returns the positions of the first repeated task in the list, and of the task that it repeats. */
function repetitionIn(tasks: readonly NewTask[], standing: readonly Standing[]): [number, number] {
  const at = standing.findIndex(({ taskUuid }, i) => taskUuid !== tasks[i]!.taskUuid);
  return [at, tasks.findIndex(({ taskUuid }) => taskUuid === standing[at]!.taskUuid)];
}

/** The template of a request. */
interface Meant {
  snapshot: Snapshot;
  /** If the request has no version: the active version that it means. */
  active?: ActiveTemplate;
}

async function templatesOf(templates: TemplateStore, requests: readonly TaskRequest[]): Promise<Meant[]> {
  const found = new Map<string, Meant>();
  const meant: Meant[] = [];
  for (const request of requests) {
    const key = requestedTemplate(request);
    const one = found.get(key) ?? (await templateOf(templates, request));
    found.set(key, one);
    meant.push(one);
  }
  return meant;
}

/** Returns the template of a request. @throws TaskerError `template_not_found`, with similar names */
export async function templateOf(
  templates: TemplateStore,
  { name, namespace = 'default', version }: TaskRequest,
): Promise<Meant> {
  if (version !== undefined) return { snapshot: await templates.newest(namespace, name, version) };
  const active = await templates.active(namespace, name);
  return { snapshot: active.snapshot, active };
}

/** Returns the snapshot of the task that a request refers to. */
function snapshotOf(
  templates: TemplateStore,
  { version }: Standing,
  { snapshot }: Meant,
): Promise<Snapshot> | Snapshot {
  if (version === undefined) return snapshot;
  const { namespace, name } = snapshot.template;
  return templates.newest(namespace, name, version);
}

/** Returns the active versions that the creation compares, in the order in which every creation locks them. */
function expectedOf(meant: readonly Meant[], tasks: readonly NewTask[]): ExpectedActive[] {
  const expected = new Map<string, ExpectedActive>();
  meant.forEach(({ snapshot, active }, i) => {
    if (!active) return;
    const { namespaceId } = snapshot;
    const { name } = snapshot.template;
    const key = `${namespaceId}/${name}`;
    const held = tasks[i]!.identityHash !== null || expected.get(key)?.held === true;
    expected.set(key, { namespaceId, name, revision: active.revision, held });
  });
  return [...expected.values()].sort((a, b) => a.namespaceId - b.namespaceId || (a.name < b.name ? -1 : 1));
}

/**
 * Omits requests without a version that repeat an earlier request of the list for another version, because one
 * statement does not see the identities that it inserts.
 */
function withoutRepetitions(tasks: readonly PreparedTask[]): readonly PreparedTask[] {
  if (tasks.length === 1 || tasks.every(({ otherHashes }) => otherHashes === undefined)) return tasks;
  const earlier = new Set<string>();
  return tasks.filter(({ identityHash, otherHashes = [] }) => {
    if (otherHashes.some((hash) => earlier.has(hash))) return false;
    if (identityHash !== null) earlier.add(identityHash);
    return true;
  });
}

/**
 * Checks and encodes a request. `otherVersions`: the other registered versions, if the request has no version. The
 * identity is compared with theirs too.
 */
export function newTask(
  request: TaskRequest,
  snapshot: Snapshot,
  position: number,
  otherVersions: readonly string[] = [],
): PreparedTask {
  const where = `task ${nameOf(snapshot.template)}${position > 0 ? ` (number ${position + 1})` : ''}`;
  const { namespace, name, version, identityStrategy: strategy, defaultOptions: defaults } = snapshot.template;
  const { context, given, plain } = encodeContext(request.context ?? {}, snapshot, where);
  const priority = request.priority ?? defaults?.priority ?? 0;
  if (!Number.isInteger(priority) || priority < -100 || priority > 100) {
    throw new TaskerError(
      'bad_request',
      `${where}: priority must be a whole number from -100 to 100, got ${shownValue(priority)}`,
    );
  }
  for (const key of ['correlationId', 'parentCorrelationId'] as const) {
    const id = request[key];
    if (id == null || (typeof id === 'string' && isUuid(id))) continue;
    throw new TaskerError('invalid_uuid', `${where}: ${key} is not a UUID: ${shownValue(id)}`);
  }
  const idempotencyKey = label(request.idempotencyKey, 'idempotencyKey', where, 10_000);
  if (snapshot.hasLimits) {
    const tags = tagsOf(request.tags ?? defaults?.tags, where);
    const values = {
      context: JSON.parse(context) as Fields,
      tags,
      rank: -priority,
      correlationId: request.correlationId ?? null,
    };
    const wrong = wrongLimitKey(snapshot.template, values);
    if (wrong !== undefined) throw new TaskerError('bad_request', `${where}: ${wrong}`);
  }
  const identity = identityIn({ namespace, name, strategy, idempotencyKey, context });
  if (identity === 'missing') {
    throw new TaskerError(
      'identity_missing',
      `${where}: its template has identity_strategy: caller_provided, so the request needs an idempotencyKey`,
    );
  }
  const taskUuid = uuidV7();
  const tags = tagsOf(request.tags ?? defaults?.tags, where);
  const correlationId = request.correlationId ?? taskUuid;
  const unique = keyOfTask(snapshot.template, { context: plain, tags: tags ?? [], priority, correlationId });
  if (typeof unique === 'string') throw wrongKey(where, unique);
  return {
    taskUuid,
    templateId: snapshot.id,
    rank: priority === 0 ? 0 : -priority,
    context,
    correlationId: request.correlationId ?? null,
    parentCorrelationId: request.parentCorrelationId ?? null,
    traceparent: traceparentOf(request, where),
    initiator: label(request.initiator ?? defaults?.initiator, 'initiator', where),
    sourceSystem: label(request.sourceSystem ?? defaults?.sourceSystem, 'sourceSystem', where),
    reason: label(request.reason ?? defaults?.reason, 'reason', where),
    tags,
    createdWith: request.createdWith ?? null,
    identityHash: identity?.(version) ?? null,
    ...(identity && otherVersions.length > 0 && { otherVersions, otherHashes: otherVersions.map(identity) }),
    requestHash:
      request.keyInHeader && idempotencyKey !== null
        ? requestKeyHash(request.createdWith ?? null, idempotencyKey)
        : null,
    digest:
      idempotencyKey === null
        ? null
        : requestDigest({ name, namespace, version: request.version ?? null, context: given }),
    start: request.startAt == null && request.delayMs == null ? undefined : startOf(request, where),
    ...(unique && { unique }),
  };
}

function wrongKey(where: string, what: string): TaskerError {
  return new TaskerError('invalid_context', `${where}: the template's ${what}`, { details: { field: UNIQUE_KEY } });
}

function traceparentOf({ traceparent }: TaskRequest, where: string): string | null {
  if (traceparent === undefined || traceparent === null) return null;
  if (typeof traceparent === 'string' && idsOf(traceparent)) return traceparent;
  throw new TaskerError(
    'bad_request',
    `${where}: traceparent ${shownValue(traceparent)} is not a W3C traceparent; one looks like 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`,
  );
}

/** Returns the context of a task as JSON text: with the template's defaults, and as it was given. `plain`: the first, parsed. */
function encodeContext(
  value: Record<string, unknown>,
  snapshot: Snapshot,
  where: string,
): { context: string; given: string; plain: Record<string, unknown> } {
  const stored = storableJson(value, { maxBytes: CONTEXT_LIMITS.bytes, name: 'context' });
  if (!stored.ok) {
    throw new TaskerError('invalid_context', `${where}: ${stored.path}: ${stored.reason}`, {
      details: { path: stored.path },
    });
  }
  if (!stored.json.startsWith('{')) throw new TaskerError('invalid_context', `${where}: context must be an object`);
  // Checks the JSON form, because it is stored. In JSON, a date is a string.
  let plain = JSON.parse(stored.json) as Record<string, unknown>;
  let { json } = stored;
  const { defaultContext } = snapshot.template;
  if (defaultContext) ({ plain, json } = withDefaultContext(plain, defaultContext, where));
  const over = overLimit(plain, 'context');
  if (over) throw new TaskerError('invalid_context', `${where}: ${over.path} ${over.reason}`, { details: over });
  const violations = snapshot.checkInput(plain);
  if (violations.length > 0) {
    throw new TaskerError(
      'invalid_context',
      `${where}: the context does not match the template's input_schema: ${describeViolations(violations)}`,
      { details: { violations } },
    );
  }
  return { context: json, given: stored.json, plain };
}

/**
 * Fills the missing keys of a context from the template's `default_context`. Returns the context as an object and as
 * JSON text.
 * @throws TaskerError `invalid_context` when the two together are too large
 */
function withDefaultContext(
  context: Record<string, unknown>,
  defaults: Record<string, unknown>,
  where: string,
): { plain: Record<string, unknown>; json: string } {
  const plain = { ...defaults, ...context };
  const json = JSON.stringify(plain);
  if (Buffer.byteLength(json) <= CONTEXT_LIMITS.bytes) return { plain, json };
  throw new TaskerError(
    'invalid_context',
    `${where}: context and the template's default_context together exceed ${CONTEXT_LIMITS.bytes} bytes; pass a smaller context`,
    { details: { path: 'context' } },
  );
}

function label(text: string | null | undefined, key: string, where: string, longest = 128): string | null {
  if (text === undefined || text === null) return null;
  if (typeof text !== 'string' || text.length > longest || !isStorableText(text)) {
    throw new TaskerError(
      'bad_request',
      `${where}: ${key} must be a string of at most ${longest} characters without U+0000 or lone surrogates`,
    );
  }
  return text;
}

function tagsOf(tags: string[] | null | undefined, where: string): string[] | null {
  if (tags === undefined || tags === null) return null;
  if (
    !Array.isArray(tags) ||
    tags.length > CONTEXT_LIMITS.items ||
    tags.some((tag) => typeof tag !== 'string' || tag.length > 128 || !isStorableText(tag))
  ) {
    throw new TaskerError(
      'bad_request',
      `${where}: tags must be a list of at most 1000 strings of at most 128 characters`,
    );
  }
  return tags.length === 0 ? null : tags;
}

/**
 * Maximum size of all contexts in one statement, in bytes of JSON text. The statement passes them as one jsonb value,
 * which can be six times as large and is limited to 256 MB.
 */
const BYTES_AT_ONCE = 16 * 1024 * 1024;

/**
 * Splits tasks into lists that fit into one statement each, in an order that prevents deadlocks between callers. The tasks
 * of a list either all start now, or all start later.
 */
export function portionsOf(tasks: readonly NewActiveTask[], bytesAtOnce = BYTES_AT_ONCE): NewActiveTask[][] {
  const split = (list: readonly NewActiveTask[]) => {
    const portions: NewActiveTask[][] = [];
    let bytes = 0;
    for (const task of list) {
      const size = Buffer.byteLength(task.context);
      bytes += size;
      const last = portions.at(-1);
      if (last && bytes <= bytesAtOnce && isLater(last[0]!) === isLater(task)) last.push(task);
      else {
        portions.push([task]);
        bytes = size;
      }
    }
    return portions;
  };
  const portions = split(tasks);
  if (portions.length <= 1) return portions;
  // A statement inserts its identities in sorted order. Several statements must follow the same order.
  const keyOf = (task: NewActiveTask) => task.identityHash ?? (isLater(task) ? '' : ' ');
  return split([...tasks].sort((a, b) => compare(keyOf(a), keyOf(b))));
}

const isLater = (task: NewActiveTask): boolean => task.start !== undefined;

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/**
 * Inserts tasks, one batch after another. Returns the ids of the new tasks. `expected`: the active versions that
 * requests without a version mean. The first statement compares them, and holds those of tasks with an identity.
 */
export async function insertPortions(
  tx: Db,
  portions: readonly (readonly NewActiveTask[])[],
  watched: readonly WatchedTask[],
  expected: readonly ExpectedActive[] = [],
): Promise<Set<string>> {
  const created = new Set<string>();
  let unchecked = expected;
  for (const tasks of portions) {
    const insert = isLater(tasks[0]!) ? insertLater : insertNow;
    for (const id of await insert(tx, tasks, unchecked)) created.add(id);
    unchecked = [];
  }
  const fresh = watched.filter(({ taskUuid }) => created.has(taskUuid));
  if (fresh.length > 0) await watchTasks(tx, fresh);
  return created;
}

/**
 * Inserts prepared tasks whose identity no other task has, in an open transaction. They start at once.
 */
export async function insertPrepared(
  tx: Db,
  prepared: readonly { task: PreparedTask; snapshot: Snapshot }[],
): Promise<void> {
  const watched = prepared.flatMap(({ task: { taskUuid }, snapshot: { limits } }) =>
    limits ? [{ taskUuid, minutes: earliestMinutes(limits) }] : [],
  );
  await insertPortions(tx, portionsOf(prepared.map(({ task }) => task)), watched);
}

async function insertNow(
  tx: Db,
  tasks: readonly NewActiveTask[],
  expected: readonly ExpectedActive[],
): Promise<Set<string>> {
  if (expected.length === 0 && tasks.every((task) => task.otherHashes === undefined)) return insertTasks(tx, tasks);
  const created = await createActiveTasks(tx, tasks, expected);
  if (!created) throw new ActiveVersionChanged();
  return created;
}

async function insertLater(
  tx: Db,
  tasks: readonly NewActiveTask[],
  expected: readonly ExpectedActive[],
): Promise<Set<string>> {
  if (expected.length > 0 && !(await holdActive(tx, expected))) throw new ActiveVersionChanged();
  const others = tasks.flatMap(({ otherHashes = [] }) => otherHashes);
  const earlier = others.length > 0 ? await findIdentities(tx, others) : undefined;
  const fresh = tasks.filter(({ otherHashes = [] }) => !otherHashes.some((hash) => earlier?.has(hash)));
  return fresh.length > 0 ? createLaterTasks(tx, fresh) : new Set();
}
