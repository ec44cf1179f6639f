import { setTimeout as sleep } from 'node:timers/promises';
import { isConnectionError, sqlState } from '../db/connection-error.ts';
import type { Database } from '../db/database.ts';
import { opening } from '../db/opening.ts';
import type { Db } from '../db/statement.ts';
import { TaskerError } from '../errors.ts';
import { identityHash, isUuid, uuidV7 } from '../model/ids.ts';
import { CONTEXT_LIMITS, isStorableText, overLimit, storableJson } from '../model/json.ts';
import { earliestMinutes } from '../model/task-limits.ts';
import { findIdentities, createTasks as insertTasks, type NewTask } from '../store/create-tasks.ts';
import { taskStates } from '../store/peek.ts';
import { PINNED_PLANS } from '../store/planner.ts';
import { watchTasks } from '../store/stale-tasks.ts';
import type { TaskTemplate } from '../template/task-template.ts';
import { idsOf } from '../tracing/traceparent.ts';
import { insertPortions, portionsOf } from './insert-tasks.ts';
import { nameOf, type Snapshot, type TemplateStore } from './template-store.ts';

/** What a caller asks for. */
export interface TaskRequest {
  /** Name of a registered template. */
  name: string;
  /** Its namespace. Default `default`. */
  namespace?: string;
  /** Its version, matched exactly. Default `1.0.0`. */
  version?: string;
  /**
   * The input that every step can read: a JSON object of at most 1 MB, 10 levels deep. The template's `default_context`
   * supplies the keys that it leaves out. Default `{}`.
   */
  context?: Record<string, unknown>;
  /** −100 … 100, higher first. Default: the template's, else 0. */
  priority?: number;
  /** Makes the task the same as another with this key, whatever the template's `identity_strategy` says. */
  idempotencyKey?: string;
  /** Requester, origin and reason, kept for later inspection. At most 128 characters each. Default: the template's. */
  initiator?: string;
  sourceSystem?: string;
  reason?: string;
  /** Default: the template's. */
  tags?: string[];
  /** A UUID that ties logs and tasks together. Default: the task's own id. */
  correlationId?: string;
  parentCorrelationId?: string;
  /** The span that the task belongs to, as W3C writes it. Default: the active span, if an SDK of OpenTelemetry is there. */
  traceparent?: string;
}

/** What {@link createTasks} does with a task whose identity exists. */
export interface CreateOptions {
  /** `error` (default): nothing is created, the error names the first task. `return`: the first task stands for it. */
  onDuplicate?: 'error' | 'return';
}

/** A task as it was created. */
export interface CreatedTask {
  taskUuid: string;
  snapshot: Snapshot;
  /** False when an earlier task with the same identity stands for it. */
  created: boolean;
  priority: number;
}

const SETTINGS = opening(PINNED_PLANS);
const FIRST_PAUSE_MS = 50;
/** Some three seconds in all: a server that restarts is back by then. */
const TRIES = 7;
const UNIQUE_VIOLATION = '23505';

/**
 * Creates the tasks that `readRequests` has read, all or none. It uses one statement, or several in one transaction for
 * many large contexts.
 * @throws TaskerError `template_not_found`, `bad_request`, `invalid_context`, `identity_missing`, `conflict`
 */
export async function createTasks(
  database: Database,
  templates: TemplateStore,
  requests: readonly TaskRequest[],
  { onDuplicate = 'error' }: CreateOptions = {},
): Promise<CreatedTask[]> {
  if (requests.length === 0) return [];
  const snapshots = await snapshotsOf(templates, requests);
  const whole = requests.map((request, i) => withDefaultOptions(request, snapshots[i]!.template));
  const tasks = whole.map((request, i) => newTask(request, snapshots[i]!, i));
  const result = (taskUuid: string, i: number) => ({
    taskUuid,
    snapshot: snapshots[i]!,
    created: taskUuid === tasks[i]!.taskUuid,
    priority: whole[i]!.priority ?? 0,
  });
  const ids = tasks.map((task) => task.taskUuid);
  const watched = tasks.flatMap(({ taskUuid }, i) => {
    const { limits } = snapshots[i]!;
    return limits ? { taskUuid, minutes: earliestMinutes(limits) } : [];
  });
  const portions = portionsOf(tasks);
  const standing = await createDespiteLoss(
    async () => {
      if (portions.length === 1 && tasks.every((task) => task.identityHash === null)) {
        // One round trip; tasks without limits cost no statement more.
        await database.pipeline(SETTINGS, (tx) =>
          Promise.all([insertTasks(tx, tasks), watched.length > 0 ? watchTasks(tx, watched) : undefined]),
        );
        return ids;
      }
      return database.transaction(SETTINGS, async (tx) => {
        const created = await insertPortions(tx, portions, watched);
        if (created.size === tasks.length) return ids;
        const found = await standingFor(tx, tasks);
        if (onDuplicate === 'error' && found.some((id, i) => id !== ids[i]))
          throw duplicateError(requests, tasks, found);
        return found;
      });
    },
    async () => ((await taskStates(database, ids)).size > 0 ? standingFor(database, tasks) : undefined),
  );
  return standing.map(result);
}

/**
 * Creates something under ids that the caller made, although connections are lost. When an answer is lost, `find` tells
 * what the lost try did: what it committed is the answer, and nothing is created twice.
 * @throws what the last try threw, when the server stays away
 */
async function createDespiteLoss<T>(create: () => Promise<T>, find: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return (tries > 0 ? await find() : undefined) ?? (await create());
    } catch (error) {
      // The lost try may have committed between our look and our own try.
      const committed = tries > 0 && sqlState(error) === UNIQUE_VIOLATION;
      if (tries === TRIES - 1 || !(committed || isConnectionError(error))) throw error;
    }
    await sleep(FIRST_PAUSE_MS * 2 ** tries);
  }
}

/** The tasks that hold the identities of these: themselves, or earlier ones. */
async function standingFor(db: Db, tasks: readonly NewTask[]): Promise<string[]> {
  const first = await findIdentities(
    db,
    tasks.flatMap((task) => task.identityHash ?? []),
  );
  return tasks.map((task) => (task.identityHash && first.get(task.identityHash)) || task.taskUuid);
}

function duplicateError(requests: readonly TaskRequest[], tasks: readonly NewTask[], standing: string[]): TaskerError {
  const mine = new Map(tasks.map((task, i) => [task.taskUuid, i]));
  const at = standing.findIndex((taskUuid) => !mine.has(taskUuid));
  if (at === -1) return sameInBatchError(requests, tasks);
  const { name, idempotencyKey } = requests[at]!;
  const how = idempotencyKey === undefined ? 'with the same context' : `with the idempotency key ${idempotencyKey}`;
  const where = requests.length > 1 ? ` (number ${at + 1} of ${requests.length}; none was created)` : '';
  return new TaskerError(
    'conflict',
    `task ${name} ${how} is there already: ${standing[at]}${where}; pass onDuplicate: 'return' to get it, or give another idempotency key`,
    { details: { task_uuid: standing[at], index: at } },
  );
}

function sameInBatchError(requests: readonly TaskRequest[], tasks: readonly NewTask[]): TaskerError {
  const hashes = tasks.map((task) => task.identityHash);
  const at = hashes.findIndex((hash, i) => hash !== null && hashes.indexOf(hash) < i);
  const first = hashes.indexOf(hashes[at]!);
  return new TaskerError(
    'conflict',
    `task ${requests[at]!.name}, number ${at + 1} of ${requests.length}, is the same as number ${first + 1}; none was created: leave one out, give another idempotency key, or pass onDuplicate: 'return'`,
    { details: { index: at, same_as: first } },
  );
}

async function snapshotsOf(templates: TemplateStore, requests: readonly TaskRequest[]): Promise<Snapshot[]> {
  const found = new Map<string, Snapshot>();
  const snapshots: Snapshot[] = [];
  for (const request of requests) {
    const { name, namespace = 'default', version = '1.0.0' } = request;
    const key = `${namespace}/${name}@${version}`;
    const snapshot = found.get(key) ?? (await templates.newest(namespace, name, version));
    found.set(key, snapshot);
    snapshots.push(snapshot);
  }
  return snapshots;
}

/**
 * Fills the missing fields of a request from the template's `default_options`. Without these, returns the same object.
 */
function withDefaultOptions(request: TaskRequest, { defaultOptions }: TaskTemplate): TaskRequest {
  if (!defaultOptions) return request;
  const { priority, tags, initiator, sourceSystem, reason } = defaultOptions;
  return {
    ...request,
    priority: request.priority ?? priority ?? undefined,
    tags: request.tags ?? tags ?? undefined,
    initiator: request.initiator ?? initiator ?? undefined,
    sourceSystem: request.sourceSystem ?? sourceSystem ?? undefined,
    reason: request.reason ?? reason ?? undefined,
  };
}

function newTask(request: TaskRequest, snapshot: Snapshot, position: number): NewTask {
  const where = `task ${nameOf(snapshot.template)}${position > 0 ? ` (number ${position + 1})` : ''}`;
  const context = encodeContext(request.context ?? {}, snapshot, where);
  const priority = request.priority ?? 0;
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
  const hash = identityHash({
    namespace: snapshot.template.namespace,
    name: snapshot.template.name,
    version: snapshot.template.version,
    strategy: snapshot.template.identityStrategy,
    idempotencyKey: label(request, 'idempotencyKey', where, 10_000),
    context,
  });
  if (hash === 'missing') {
    throw new TaskerError(
      'identity_missing',
      `${where}: its template says identity_strategy: caller_provided, so the request needs an idempotencyKey`,
    );
  }
  return {
    taskUuid: uuidV7(),
    templateId: snapshot.id,
    rank: priority === 0 ? 0 : -priority,
    context,
    correlationId: request.correlationId ?? null,
    parentCorrelationId: request.parentCorrelationId ?? null,
    traceparent: traceparentOf(request, where),
    initiator: label(request, 'initiator', where),
    sourceSystem: label(request, 'sourceSystem', where),
    reason: label(request, 'reason', where),
    tags: tagsOf(request, where),
    identityHash: hash,
  };
}

function traceparentOf({ traceparent }: TaskRequest, where: string): string | null {
  if (traceparent === undefined || traceparent === null) return null;
  if (typeof traceparent === 'string' && idsOf(traceparent)) return traceparent;
  throw new TaskerError(
    'bad_request',
    `${where}: traceparent ${shownValue(traceparent)} is not a W3C traceparent; one looks like 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`,
  );
}

function encodeContext(value: Record<string, unknown>, snapshot: Snapshot, where: string): string {
  const stored = storableJson(value, { maxBytes: CONTEXT_LIMITS.bytes, name: 'context' });
  if (!stored.ok) {
    throw new TaskerError('invalid_context', `${where}: ${stored.path}: ${stored.reason}`, {
      details: { path: stored.path },
    });
  }
  if (!stored.json.startsWith('{')) throw new TaskerError('invalid_context', `${where}: context must be an object`);
  // What is stored is checked, not what stands for it: a date is a text by then.
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
      `${where}: the context does not fit the template's input_schema: ${violations.map((v) => `${v.path || '/'} ${v.message}`).join('; ')}`,
      { details: { violations } },
    );
  }
  return json;
}

/**
 * Fills the missing keys of a context from the template's `default_context`. Returns it as an object and as JSON text.
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
    `${where}: context takes more than ${CONTEXT_LIMITS.bytes} bytes together with the template's default_context; pass less`,
    { details: { path: 'context' } },
  );
}

function label(
  request: TaskRequest,
  key: 'initiator' | 'sourceSystem' | 'reason' | 'idempotencyKey',
  where: string,
  longest = 128,
): string | null {
  const text = request[key];
  if (text === undefined || text === null) return null;
  if (typeof text !== 'string' || text.length > longest || !isStorableText(text)) {
    throw new TaskerError(
      'bad_request',
      `${where}: ${key} must be a text of at most ${longest} characters, without U+0000 or half surrogate pairs`,
    );
  }
  return text;
}

function tagsOf({ tags }: TaskRequest, where: string): string[] | null {
  if (tags === undefined || tags === null) return null;
  if (
    !Array.isArray(tags) ||
    tags.length > CONTEXT_LIMITS.items ||
    tags.some((tag) => typeof tag !== 'string' || tag.length > 128 || !isStorableText(tag))
  ) {
    throw new TaskerError('bad_request', `${where}: tags must be at most 1000 texts of at most 128 characters`);
  }
  return tags.length === 0 ? null : tags;
}

/** A value as an error message shows it. The text is short, and making it never throws. */
function shownValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 59)}…` : value);
  if (typeof value === 'function') return 'a function';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
