import type { Database } from '../../db/database.ts';
import { TaskerError } from '../../errors.ts';
import { checkUuid, identityHash } from '../../model/ids.ts';
import { isFields, isStorableText, storableJson } from '../../model/json.ts';
import { nearNames } from '../../model/near-names.ts';
import { stateHint } from '../../model/state-hint.ts';
import { STEP_STATES as ALL_STEP_STATES, TASK_STATES } from '../../model/states.ts';
import { TASK_FILTER_KEYS } from '../../model/task-filter-keys.ts';
import { timeInWords } from '../../model/time-in-words.ts';
import { childrenBelow, MOST_SEARCHED } from '../../store/child-tasks.ts';
import {
  ANY_STEP,
  FAILED_STATES,
  isOfOpenTask,
  type StepCondition,
  searchedStates,
  type TaskSearch,
  WORKED_STATES,
} from '../../store/search/conditions.ts';
import { type SnapshotName, templateIds, templatePlaces, workerIds } from '../../store/search/search-facts.ts';
import { findIdentities } from '../../store/tasks.ts';
import { clockFor } from './clock.ts';
import { versionMatcher } from './version-range.ts';

/** States that exist only within a transaction, or in which no step is found. */
const UNSEEN: readonly string[] = ['enqueued_for_orchestration', 'enqueued_as_error_for_orchestration'];
const STEP_STATES: readonly string[] = ALL_STEP_STATES.filter((state) => !UNSEEN.includes(state));

/** A time: ISO 8601, a date, `today`, `yesterday` (in UTC), or an age such as `90s`, `15m`, `2h`, `7d`, `24h30m`. */
export type SearchTime = string | Date;

/** Conditions on the tasks to find. A task must meet all of them. */
export interface TaskFilter {
  /** One namespace or several. A task must be in one of them. */
  namespace?: string | readonly string[] | undefined;
  /** In addition to `namespace`: the namespaces that a credential may see. */
  namespaces?: readonly string[] | undefined;
  name?: string | undefined;
  /** A version, or a range such as `1.x` or `>=1.2.0 <2.0.0`. */
  templateVersion?: string | undefined;
  /** One state or several. `pending` finds tasks of which no step has been claimed, including tasks that start later. */
  status?: string | readonly string[] | undefined;
  /** Only tasks that have not ended. */
  open?: boolean | undefined;
  /** Only tasks that have ended. */
  ended?: boolean | undefined;
  /** Only open tasks that exceed a limit of their template's `lifecycle`. */
  stale?: boolean | undefined;
  /** One tag or several. A task must have all of them. */
  tag?: string | readonly string[] | undefined;
  initiator?: string | undefined;
  source?: string | undefined;
  reason?: string | undefined;
  correlationId?: string | undefined;
  parentCorrelationId?: string | undefined;
  /** The id of a task: its child tasks, at most 10,000. */
  parentTask?: string | undefined;
  /** The id of a root task: all tasks below it, at most 10,000. */
  rootTask?: string | undefined;
  /** The idempotency key that the task was created with. */
  key?: string | undefined;
  createdAfter?: SearchTime | undefined;
  createdBefore?: SearchTime | undefined;
  endedAfter?: SearchTime | undefined;
  endedBefore?: SearchTime | undefined;
  updatedAfter?: SearchTime | undefined;
  updatedBefore?: SearchTime | undefined;
  /** JSON that the context contains, such as `{ customer: 'c1' }`. May be slow. */
  context?: Readonly<Record<string, unknown>> | undefined;
  /** The name of a step in the task. This condition and the conditions below must all be met by one step. */
  step?: string | undefined;
  stepState?: string | undefined;
  /** The callable of the step's handler. */
  handler?: string | undefined;
  errorType?: string | undefined;
  /** A part of the first line of the step's error, in upper or lower case. May be slow. */
  error?: string | undefined;
  /** The name of the worker that runs the step, or ran it last before it failed. */
  worker?: string | undefined;
}

const KEYS: readonly (keyof TaskFilter)[] = [...TASK_FILTER_KEYS, 'namespaces'];

const TEXTS = [
  'name',
  'templateVersion',
  'initiator',
  'source',
  'reason',
  'key',
  'step',
  'stepState',
  'handler',
  'errorType',
  'error',
  'worker',
] as const;
const FLAGS = ['open', 'ended', 'stale'] as const;
const TIMES = ['createdAfter', 'createdBefore', 'endedAfter', 'endedBefore', 'updatedAfter', 'updatedBefore'] as const;

/**
 * Reads a filter, and looks up the templates and workers that it names. Undefined if nothing can match, for example
 * because no template has the name.
 * @throws TaskerError `bad_request`, `invalid_uuid`
 */
export async function readTaskFilter(database: Database, filter: TaskFilter): Promise<TaskSearch | undefined> {
  checkKeys(filter);
  const now = await clockFor(database, ...TIMES.map((key) => filter[key]));
  const time = (key: keyof TaskFilter) => timeOf(filter[key] as SearchTime | undefined, key, now);
  const search: TaskSearch = {
    templateIds: [],
    anyTemplate: true,
    states: statesOf(filter.status),
    ended: endedOf(filter),
    stale: filter.stale ?? false,
    taskUuids: null,
    tags: filter.tag === undefined ? null : textsOf(filter.tag, 'tag'),
    initiator: filter.initiator ?? null,
    sourceSystem: filter.source ?? null,
    reason: filter.reason ?? null,
    correlationId: idOf(filter.correlationId, 'correlationId'),
    parentCorrelationId: idOf(filter.parentCorrelationId, 'parentCorrelationId'),
    createdAfter: time('createdAfter'),
    createdBefore: time('createdBefore'),
    endedAfter: time('endedAfter'),
    endedBefore: time('endedBefore'),
    updatedAfter: time('updatedAfter'),
    updatedBefore: time('updatedBefore'),
    context: contextOf(filter.context),
    step: stepOf(filter),
  };
  return (await withTemplates(database, search, filter)) && implied(search) ? search : undefined;
}

/** Adds the ids of the templates, workers and keys that the filter names. Returns false if they do not exist. */
async function withTemplates(database: Database, search: TaskSearch, filter: TaskFilter): Promise<boolean> {
  const { name, templateVersion, worker, key, parentTask, rootTask } = filter;
  const named = filter.namespace === undefined ? undefined : textsOf(filter.namespace, 'namespace');
  const visible = filter.namespaces === undefined ? undefined : new Set(textsOf(filter.namespaces, 'namespaces'));
  const { step } = search;
  const fits = templateVersion === undefined ? () => true : versionMatcher(templateVersion);
  const [all, places, workers] = await Promise.all([
    templateIds(database, { namespace: named?.length === 1 ? named[0]! : null, name: name ?? null }),
    step && (step.name ?? step.handler) !== null ? templatePlaces(database, step) : undefined,
    worker === undefined ? undefined : workerIds(database, worker),
  ]);
  const within = (one: string) => (named?.includes(one) ?? true) && (visible?.has(one) ?? true);
  let snapshots = all.filter(({ namespace, version }) => fits(version) && within(namespace));
  search.anyTemplate = !named && !visible && name === undefined && templateVersion === undefined && !places;
  if (step && places) {
    const known = new Set(snapshots.map(({ id }) => id));
    step.places = places.filter(({ templateId }) => known.has(templateId));
    const having = new Set(step.places.map(({ templateId }) => templateId));
    snapshots = snapshots.filter(({ id }) => having.has(id));
  }
  if (step && workers) step.workerIds = workers;
  search.templateIds = snapshots.map(({ id }) => id);
  if (step && !snapshots.some(({ dynamic }) => dynamic)) leaveOutStates(search, step);
  const related = await Promise.all([
    key === undefined ? null : tasksOfKey(database, snapshots, key),
    parentTask === undefined ? null : tasksBelow(database, 'parent', checkUuid(parentTask, 'parentTask')),
    rootTask === undefined ? null : tasksBelow(database, 'root', checkUuid(rootTask, 'rootTask')),
  ]);
  search.taskUuids = related.reduce((some, ids) => {
    if (!some || !ids) return some ?? ids;
    const both = new Set(ids);
    return some.filter((id) => both.has(id));
  });
  return (
    snapshots.length > 0 &&
    step?.workerIds?.length !== 0 &&
    search.taskUuids?.length !== 0 &&
    search.states?.length !== 0
  );
}

const STATES_OF_TASKS: readonly string[] = TASK_STATES;
const READY: readonly string[] = ['pending', 'steps_in_process', 'undoing'];
/** The states in which a task can have steps that were cancelled: an undo cancels them too. */
const WITH_CANCELLED: readonly string[] = [
  'cancelled',
  'error',
  'resolved_manually',
  'undoing',
  'undone',
  'blocked_by_failures',
  'waiting',
];

/** Removes task states that the state of the step rules out. Only for templates without dynamic steps. */
function leaveOutStates(search: TaskSearch, step: StepCondition): void {
  const keep = (fits: (state: string) => boolean) => {
    search.states = (search.states ?? STATES_OF_TASKS.filter((state) => VISIBLE.has(state))).filter(fits);
  };
  // Steps are cancelled only with their task, or when it is undone.
  if (step.state === 'cancelled') keep((state) => WITH_CANCELLED.includes(state));
  // A task with a running step is in process. One with a ready step may not have begun.
  else if (search.states && step.state === 'in_progress')
    keep((state) => state === 'steps_in_process' || state === 'undoing');
  else if (search.states && step.state === 'enqueued') keep((state) => READY.includes(state));
  // A task with a failed step does not complete.
  else if (search.states && searchedStates(step)?.every((state) => state !== 'resolved_manually')) {
    keep((state) => state !== 'complete');
  }
}

/** The states in which tasks can be between transactions. */
const VISIBLE: ReadonlySet<string> = new Set([
  'undoing',
  'undone',
  'steps_in_process',
  'waiting_for_dependencies',
  'waiting_for_retry',
  'waiting',
  'pending',
  'blocked_by_failures',
  'complete',
  'cancelled',
  'error',
  'resolved_manually',
]);

/** Adds the conditions that follow from others. Returns false if they contradict each other. */
function implied(search: TaskSearch): boolean {
  const { step, endedAfter, endedBefore, updatedBefore } = search;
  // A step in another state has no error or no worker.
  if (step && hasNone(step)) return false;
  const needs = (ended: boolean) => {
    if (search.ended === !ended) return false;
    search.ended = ended;
    return true;
  };
  // The note of a task that has ended may not have been deleted yet.
  if ((isOfOpenTask(step) || search.stale) && !needs(false)) return false;
  if ((endedAfter ?? endedBefore) !== null && !needs(true)) return false;
  // A task is created before it ends, so this limits the range of the index for the default order.
  for (const before of [endedBefore, updatedBefore]) {
    if (before === null) continue;
    if (search.createdBefore === null || Date.parse(before) < Date.parse(search.createdBefore)) {
      search.createdBefore = before;
    }
  }
  return true;
}

/** Returns whether the condition is on the error or the worker of a step in a state that has none. */
function hasNone({ state, errorType, error, workerIds }: StepCondition): boolean {
  if (state === null) return false;
  return (
    ((errorType ?? error) !== null && !FAILED_STATES.includes(state)) ||
    (workerIds !== null && !WORKED_STATES.includes(state))
  );
}

/** Checks the names and types of a filter's conditions. @throws TaskerError `bad_request` */
export function checkTaskFilter(filter: TaskFilter): void {
  checkKeys(filter);
  statesOf(filter.status);
  if (filter.namespaces !== undefined) textsOf(filter.namespaces, 'namespaces');
}

function checkKeys(filter: TaskFilter): void {
  for (const [key, value] of Object.entries(filter)) {
    if (!(KEYS as readonly string[]).includes(key)) {
      const near = nearNames(key, KEYS, 1)[0];
      throw new TaskerError(
        'bad_request',
        `unknown condition ${key}; ${near ? `did you mean ${near}?` : `the conditions are ${KEYS.join(', ')}`}`,
      );
    }
    if (typeof value === 'string' && !isStorableText(value)) {
      throw new TaskerError('bad_request', `${key} has characters that PostgreSQL cannot store`);
    }
  }
  for (const key of TEXTS) {
    if (filter[key] === undefined || typeof filter[key] === 'string') continue;
    throw new TaskerError('bad_request', `${key} must be a string`);
  }
  if (filter.namespace !== undefined) textsOf(filter.namespace, 'namespace');
  for (const key of FLAGS) {
    if (filter[key] === undefined || typeof filter[key] === 'boolean') continue;
    throw new TaskerError('bad_request', `${key} must be true or false`);
  }
}

/** @throws TaskerError `bad_request` */
function textsOf(given: unknown, what: string): string[] {
  const texts = [given].flat() as unknown[];
  for (const text of texts) {
    if (typeof text !== 'string') throw new TaskerError('bad_request', `${what} must be a string or a list of strings`);
    if (!isStorableText(text)) {
      throw new TaskerError('bad_request', `${what} has characters that PostgreSQL cannot store`);
    }
  }
  return texts as string[];
}

/** @throws TaskerError `bad_request` */
function contextOf(context: TaskFilter['context']): string | null {
  if (context === undefined) return null;
  const stored = isFields(context) ? storableJson(context) : undefined;
  if (stored?.ok) return stored.json;
  throw new TaskerError('bad_request', 'context must be a JSON object that PostgreSQL can store');
}

function statesOf(status: TaskFilter['status']): string[] | null {
  if (status === undefined) return null;
  const states = textsOf(status, 'status');
  for (const state of states) {
    if (TASK_STATES.some((known) => known === state)) continue;
    throw new TaskerError('bad_request', `${state} is not a task state; ${stateHint(state, TASK_STATES)}`);
  }
  return [...new Set(states)];
}

function endedOf({ open, ended }: TaskFilter): boolean | null {
  if (open && ended) throw new TaskerError('bad_request', 'open and ended exclude each other; pass only one of them');
  if (open) return false;
  return ended ? true : null;
}

function idOf(id: string | undefined, what: string): string | null {
  return id === undefined ? null : checkUuid(id, what);
}

/** The conditions of a filter that are checked again before an action, because a task can stop to meet them. */
export interface LiveConditions {
  updatedAfter: string | null;
  updatedBefore: string | null;
  step: StepCondition | null;
}

/**
 * Reads the conditions of a checked filter that are checked again before an action. `now`: the time from which ages are
 * measured, in milliseconds since 1970.
 */
export async function readLiveConditions(database: Database, filter: TaskFilter, now: number): Promise<LiveConditions> {
  const step = stepOf(filter);
  if (step && filter.worker !== undefined) step.workerIds = await workerIds(database, filter.worker);
  return {
    updatedAfter: timeOf(filter.updatedAfter, 'updatedAfter', now),
    updatedBefore: timeOf(filter.updatedBefore, 'updatedBefore', now),
    step,
  };
}

function stepOf({ step, stepState, handler, errorType, error, worker }: TaskFilter): StepCondition | null {
  if ([step, stepState, handler, errorType, error, worker].every((value) => value === undefined)) return null;
  if (stepState !== undefined && !STEP_STATES.includes(stepState)) {
    throw new TaskerError('bad_request', `${stepState} is not a step state; ${stateHint(stepState, STEP_STATES)}`);
  }
  return {
    ...ANY_STEP,
    name: step ?? null,
    handler: handler ?? null,
    state: stepState ?? null,
    errorType: errorType ?? null,
    error: error ?? null,
  };
}

/** Reads a time for a condition. @throws TaskerError `bad_request` */
export function timeOf(time: SearchTime | undefined, what: string, now = Date.now()): string | null {
  if (time === undefined) return null;
  const related = typeof time === 'string' ? timeInWords(time, now) : undefined;
  // Date.parse accepts almost any text and returns some year.
  const isIso = typeof time !== 'string' || /^\d{4}-\d{2}-\d{2}([T ]|$)/.test(time.trim());
  const date = new Date(related ?? (isIso ? time : Number.NaN));
  // PostgreSQL has no year 0.
  if (Number.isNaN(date.getTime()) || date.getUTCFullYear() < 1) {
    throw new TaskerError(
      'bad_request',
      `${what}: ${String(time)} is not a time; use 2026-01-31T12:00:00Z, or an age such as 2h`,
    );
  }
  return typeof time === 'string' && related === undefined && /[Zz]|[+-]\d\d:?\d\d$/.test(time)
    ? time
    : date.toISOString();
}

/** @throws TaskerError `bad_request` if there are too many */
async function tasksBelow(database: Database, kind: 'parent' | 'root', taskUuid: string): Promise<string[]> {
  const ids = await childrenBelow(database, kind, taskUuid);
  if (ids.length <= MOST_SEARCHED) return ids;
  throw new TaskerError(
    'bad_request',
    `task ${taskUuid} has more than ${MOST_SEARCHED} tasks below it; search by name and time of creation instead`,
  );
}

/**
 * Returns the tasks with a key. Tries the hash for each template, because the identity is a hash of key and template.
 */
async function tasksOfKey(database: Database, snapshots: readonly SnapshotName[], key: string): Promise<string[]> {
  const hashes = new Set<string>();
  for (const snapshot of snapshots) {
    const hash = identityHash({ ...snapshot, strategy: 'caller_provided', idempotencyKey: key, context: '{}' });
    if (hash !== null && hash !== 'missing') hashes.add(hash);
  }
  return [...(await findIdentities(database, [...hashes])).values()].map(({ taskUuid }) => taskUuid);
}
