import { opening } from '../../db/opening.ts';
import type { Db } from '../../db/statement.ts';
import type { Engine } from '../../engine/engine.ts';
import { TaskerError } from '../../errors.ts';
import { grouped } from '../../model/grouped.ts';
import { nearNames } from '../../model/near-names.ts';
import { missingHandlers } from '../../store/missing-handlers.ts';
import { MOST_PROBLEMS, namespaceProblems, PROBLEM_KINDS, type ProblemKind } from '../../store/overview/problems.ts';
import { queueFlows, recentQueueDepths } from '../../store/overview/queue-flow.ts';
import {
  type LookedAtRow,
  lookAtQueued,
  MOST_COUNTED,
  type QueuedStepsRow,
  type QueueHeadRow,
  queuedSteps,
  queueHeads,
  templateNamespaces,
  type WaitingRetriesRow,
  waitingRetries,
} from '../../store/overview/queues.ts';
import { MOST_APPROVALS, openApprovals } from '../../store/overview/waits.ts';
import { countRunning } from '../../store/overview/workers.ts';
import { failingSchedules } from '../../store/schedules/schedules.ts';
import { type LostWorkerRow, listWorkers, lostWorkers } from '../../store/workers.ts';
import { AnnouncedByNamespace } from './announced.ts';
import { type LiveWorker, liveWorkers } from './live-workers.ts';
import { depthsByMinute, flowOf, type QueueFlow } from './queue-flow.ts';
import { WithheldHandlers } from './withheld-handlers.ts';

/**
 * The reason why no live worker can run a step. `no_worker`: no worker serves its namespace. `no_handler`: its workers
 * lack the handler. `draining`: the workers with the handler take no steps, because they are draining.
 */
export type UnservedReason = 'no_worker' | 'no_handler' | 'draining';

/** Ready steps of one handler that no live worker can run. */
export interface UnservedSteps {
  /** The callable. */
  handler: string;
  reason: UnservedReason;
  steps: number;
  /** The templates of these steps, as `name@version`. */
  templates: string[];
  /** When a worker first missed the handler. If none has missed it, when the first of the steps became ready. ISO time. */
  since: string | null;
}

/** The queue of a namespace, as `tasker.queues` returns it. Times are ISO 8601, by the clock of the database. */
export interface QueueInfo extends QueueFlow {
  namespace: string;
  /**
   * Number of ready steps that no worker has claimed, counted up to 100,000. Cancelled steps are included until a claim
   * removes them from the queue, unless no live worker can run them.
   */
  ready: number;
  /** False if there are more than `ready`. */
  readyIsExact: boolean;
  /**
   * Number of queued steps that no worker claims, because their task, template or namespace is paused. Not part of
   * `ready`. Counted up to 100,000. Steps that were cancelled during the pause are included.
   */
  paused: number;
  /** The highest priority of the waiting steps. Null if none is waiting. */
  highestPriority: number | null;
  /**
   * When the step that has waited the longest became ready, and how many milliseconds ago. Null if none is waiting. The
   * queue does not store times. The time is the latest of these events: the task's creation, the end of the last parent
   * or attempt, a retry's due time, and the last operator action on the step. Only the first step of each priority is
   * examined, because it has waited the longest. For a batch worker that waited for a place in its batch, the wait
   * counts from the end of its analyzer.
   */
  oldestReadyAt: string | null;
  oldestReadyMs: number | null;
  /** Number of running steps. Steps that were started in the last two seconds may be missing. */
  running: number;
  /**
   * Number of steps that wait for a retry. In all namespaces together, up to 100,000 are counted, in the order in which
   * they are due.
   */
  retries: number;
  /** When the next of these retries is due, and in how many milliseconds. Null if there is none. */
  nextRetryAt: string | null;
  nextRetryMs: number | null;
  /** Names of the live workers that serve the namespace and take steps. */
  workers: string[];
  /** Names of the live workers that serve the namespace but are draining. */
  draining: string[];
  /** Total slots of `workers`. */
  slots: number;
  /** Number of taken slots of `workers`: their running steps, in all namespaces, and their `hungSlots`. */
  slotsTaken: number;
  /**
   * Number of slots of live workers that handlers still hold although their attempt is over, for example after a
   * timeout. As of the last heartbeat of each worker.
   */
  hungSlots: number;
  /** Names of the workers that served the namespace and were lost in the last hour. */
  lost: string[];
  /** Number of approvals that wait for a decision. In all namespaces together, up to 10,000 are counted. */
  approvals: number;
  /** Number of schedules whose last task failed, or could not be created. Up to 10,000 schedules are examined. */
  failingSchedules: number;
  /** Number of open tasks that exceed a limit of their lifecycle. Up to 10,000 are counted, as for the next three. */
  stale: number;
  /** Number of deliveries of events that failed permanently. */
  deadDeliveries: number;
  /** Number of waits that have been due for more than five seconds. */
  lateTimers: number;
  /** Number of schedules that are more than ten seconds late. */
  lateSchedules: number;
  /**
   * Ready steps that no live worker can run, largest groups first. If there are many (more than 5,000 in all namespaces
   * together), their number is estimated from a sample.
   */
  unserved: UnservedSteps[];
  /** Number of steps in `unserved`. */
  unservedSteps: number;
  /**
   * Ready steps in each minute of the last hour, the oldest first: 60 numbers of at most 100,000. Null if no process
   * stored it.
   */
  readyByMinute: (number | null)[];
  /** The names of the counts that are lower bounds, because counting stopped at a limit. */
  atLeast: QueueCount[];
}

/** A count of a queue that may be a lower bound. */
export type QueueCount =
  | 'ready'
  | 'paused'
  | 'retries'
  | 'approvals'
  | 'failingSchedules'
  | 'stale'
  | 'deadDeliveries'
  | 'lateTimers'
  | 'lateSchedules'
  | 'unservedSteps';

/** Options of `tasker.queues`. */
export interface QueueListOptions {
  /** Only this namespace. */
  namespace?: string;
}

/**
 * Only one connection is used, so that the pool is left to the workers. A query that takes too long is cancelled on the
 * server.
 */
const SETTINGS = opening({ statement_timeout: '30s', jit: 'off' });

/** Returns the queues and the workers of an installation. */
export function readInstallation(engine: Engine): Promise<Overview> {
  return engine.database.transaction(SETTINGS, readOverview);
}

/** Returns the queue of every namespace, served or not, by name. */
export async function listQueues(engine: Engine, { namespace }: QueueListOptions = {}): Promise<QueueInfo[]> {
  await engine.analytics.catchUp();
  const { queues: current } = await readInstallation(engine);
  const depths = grouped(await recentQueueDepths(engine.database), (row) => row.namespace);
  const queues = current.map(
    (queue): QueueInfo => ({ ...queue, readyByMinute: depthsByMinute(depths.get(queue.namespace) ?? []) }),
  );
  if (namespace === undefined) return queues;
  const found = queues.filter((queue) => queue.namespace === namespace);
  if (found.length === 0) throw unknownNamespace(namespace, queues);
  return found;
}

function unknownNamespace(namespace: string, queues: readonly QueueInfo[]): TaskerError {
  const names = queues.map((queue) => queue.namespace);
  const near = nearNames(String(namespace), names);
  const hint =
    near.length > 0
      ? `did you mean ${near.join(' or ')}?`
      : `namespaces: ${names.slice(0, 10).join(', ') || 'none, because no template was registered'}`;
  return new TaskerError('bad_request', `namespace ${String(namespace)} not found; ${hint}`);
}

/** The part of a queue that metrics need. */
export type QueueDepth = Omit<
  QueueInfo,
  'lost' | 'approvals' | 'failingSchedules' | 'readyByMinute' | 'atLeast' | ProblemKind | keyof QueueFlow
>;

/** Reads the queue of every namespace, by name, without its flow and the problems that only a person reads. */
export async function readQueues(db: Db): Promise<QueueDepth[]> {
  return (await readDepths(db)).queues.map(({ depth }) => depth);
}

/** Workers that were lost longer ago than this are not reported. */
const LOST_MS = 3_600_000;

/** A queue without its past. */
export type QueueNow = Omit<QueueInfo, 'readyByMinute'>;

/** The queues of all namespaces, and their workers. */
export interface Overview {
  queues: QueueNow[];
  living: LiveWorker[];
  /** The workers that were lost in the last hour. */
  lost: LostWorkerRow[];
}

/** Reads the queue of every namespace, by name, and the workers. */
export async function readOverview(db: Db): Promise<Overview> {
  const [{ queues, living }, lost, approvals, schedules, flows, problems] = await Promise.all([
    readDepths(db),
    lostWorkers(db, LOST_MS),
    openApprovals(db),
    failingSchedules(db),
    queueFlows(db),
    namespaceProblems(db),
  ]);
  const flowBy = new Map(flows.map((flow) => [flow.namespaceId, flow]));
  const approvalsBy = new Map(approvals.map((row) => [row.namespace, row.approvals]));
  const schedulesBy = new Map(schedules.rows.map((row) => [row.namespace, row.schedules]));
  const problemsBy = grouped(problems, (row) => row.namespace);
  const total = (counts: readonly number[]) => counts.reduce((sum, count) => sum + count, 0);
  // These are counted in all namespaces together, so that any of them may have more.
  const shared: QueueCount[] = PROBLEM_KINDS.filter(
    (kind) => total(problems.filter((row) => row.kind === kind).map((row) => row.count)) >= MOST_PROBLEMS,
  );
  if (total(approvals.map((row) => row.approvals)) >= MOST_APPROVALS) shared.push('approvals');
  if (!schedules.exact) shared.push('failingSchedules');
  if (total(queues.map(({ depth }) => depth.retries)) >= MOST_COUNTED) shared.push('retries');
  const whole = queues.map(({ namespaceId, counted, depth }): QueueNow => {
    const { namespace, running } = depth;
    const countOf = (kind: ProblemKind) => problemsBy.get(namespace)?.find((row) => row.kind === kind)?.count ?? 0;
    const own: QueueCount[] = depth.readyIsExact ? [] : ['ready', 'unservedSteps'];
    if (depth.paused >= MOST_COUNTED) own.push('paused');
    return {
      ...depth,
      ...flowOf(flowBy.get(namespaceId), { ready: counted, running }),
      lost: lost.filter((worker) => worker.namespaces.includes(namespace)).map(({ name }) => name),
      approvals: approvalsBy.get(namespace) ?? 0,
      failingSchedules: schedulesBy.get(namespace) ?? 0,
      stale: countOf('stale'),
      deadDeliveries: countOf('deadDeliveries'),
      lateTimers: countOf('lateTimers'),
      lateSchedules: countOf('lateSchedules'),
      atLeast: [...own, ...shared],
    };
  });
  return { queues: whole, living, lost };
}

/** A queue, and the number of its rows, which includes cancelled steps. */
interface CountedQueue {
  namespaceId: number;
  counted: number;
  depth: QueueDepth;
}

async function readDepths(db: Db): Promise<{ queues: CountedQueue[]; living: LiveWorker[] }> {
  const [rows, heads, retries, counts, workers, missing] = await Promise.all([
    queuedSteps(db),
    queueHeads(db),
    waitingRetries(db),
    countRunning(db),
    listWorkers(db),
    missingHandlers(db),
  ]);
  const namespaceOf = await templateNamespaces(
    db,
    counts.map((count) => count.templateId),
  );
  const running = new Map<number, number>();
  for (const { templateId, steps } of counts) {
    const id = namespaceOf.get(templateId);
    if (id !== undefined) running.set(id, (running.get(id) ?? 0) + steps);
  }
  const living = liveWorkers(workers, counts);
  const taking = new AnnouncedByNamespace(living.filter((worker) => !worker.draining));
  const withheld = new WithheldHandlers(missing);
  const unserved = rows.filter((row): row is QueuedRow => {
    const { namespace, callable, resolver } = row;
    if (callable === null) return false;
    return withheld.has({ namespace, callable, resolver }) || !taking.covers(namespace, { callable, resolver });
  });
  const facts: Facts = {
    unserved: new Set(unserved),
    looked: await lookAt(db, unserved),
    heads: new Map(heads.map((head) => [head.namespaceId, head])),
    retries: new Map(retries.map((row) => [row.namespaceId, row])),
    running,
    living,
    announced: new AnnouncedByNamespace(living),
    withheld,
  };
  const queues = [...grouped(rows, (row) => row.namespaceId).values()].map((queued) => queueOf(queued, facts));
  return { queues, living };
}

/** Maximum number of unserved steps to examine, in all namespaces together. */
const MOST_LOOKED_AT = 5_000;
/** Minimum number of unserved steps to examine in one namespace. */
const LEAST_LOOKED_AT = 100;

/** A row of a namespace with queued steps. */
type QueuedRow = QueuedStepsRow & { templateId: number; idx: number; steps: number; callable: string };

/**
 * Examines steps that no live worker can run. No claim removes cancelled steps from the queue, so they would be counted
 * until a worker starts.
 */
async function lookAt(db: Db, unserved: readonly QueuedRow[]): Promise<Map<string, LookedAtRow>> {
  if (unserved.length === 0) return new Map();
  const namespaces = grouped(unserved, (row) => row.namespaceId);
  const share = Math.max(LEAST_LOOKED_AT, Math.floor(MOST_LOOKED_AT / namespaces.size));
  const every = [...namespaces].map(([namespaceId, rows]) => ({
    namespaceId,
    every: Math.ceil(rows.reduce((sum, { steps }) => sum + steps, 0) / share),
  }));
  const looked = await lookAtQueued(db, every, unserved);
  return new Map(looked.map((row) => [kindOf(row), row]));
}

function kindOf({
  namespaceId,
  templateId,
  idx,
}: {
  namespaceId: number;
  templateId: number | null;
  idx: number | null;
}) {
  return `${namespaceId} ${templateId} ${idx}`;
}

/** Returns the number of steps of a row that are ready, if known. */
function readyOf(row: QueuedStepsRow, { unserved, looked }: Facts): number {
  const { steps } = row;
  if (steps === null || !unserved.has(row)) return steps ?? 0;
  const seen = looked.get(kindOf(row));
  return seen ? Math.round((steps * seen.live) / seen.looked) : steps;
}

/** The data of all namespaces. */
interface Facts {
  /** The rows whose steps no live worker can run, and the samples of their steps. */
  unserved: ReadonlySet<QueuedStepsRow>;
  looked: ReadonlyMap<string, LookedAtRow>;
  heads: ReadonlyMap<number, QueueHeadRow>;
  retries: ReadonlyMap<number, WaitingRetriesRow>;
  running: ReadonlyMap<number, number>;
  living: readonly LiveWorker[];
  /** The handlers that all live workers announce, including draining workers. */
  announced: AnnouncedByNamespace;
  withheld: WithheldHandlers;
}

function queueOf(queued: readonly QueuedStepsRow[], facts: Facts): CountedQueue {
  const { namespaceId, namespace } = queued[0]!;
  const head = facts.heads.get(namespaceId);
  const retries = facts.retries.get(namespaceId);
  const serving = facts.living.filter((worker) => worker.namespaces.includes(namespace));
  const taking = serving.filter((worker) => !worker.draining);
  const counted = queued.reduce((sum, row) => sum + (row.steps ?? 0), 0);
  const ready = queued.reduce((sum, row) => sum + readyOf(row, facts), 0);
  const unserved = unservedOf(queued, facts);
  const running = facts.running.get(namespaceId) ?? 0;
  const depth = {
    namespace,
    ready,
    readyIsExact: counted < MOST_COUNTED,
    paused: queued[0]!.paused,
    highestPriority: head?.priority ?? null,
    oldestReadyAt: head?.oldestAt ?? null,
    oldestReadyMs: head?.oldestMs ?? null,
    running,
    retries: retries?.retries ?? 0,
    nextRetryAt: retries?.nextAt ?? null,
    nextRetryMs: retries?.nextMs ?? null,
    workers: taking.map(({ name }) => name),
    draining: serving.filter((worker) => worker.draining).map(({ name }) => name),
    slots: taking.reduce((sum, { concurrency }) => sum + concurrency, 0),
    slotsTaken: taking.reduce((sum, { taken }) => sum + taken, 0),
    hungSlots: serving.reduce((sum, { hung }) => sum + hung, 0),
    unserved,
    unservedSteps: unserved.reduce((sum, { steps }) => sum + steps, 0),
  };
  return { namespaceId, counted, depth };
}

/** Groups by handler the ready steps that no live worker can run. */
function unservedOf(queued: readonly QueuedStepsRow[], facts: Facts): UnservedSteps[] {
  const { announced, unserved, withheld, looked } = facts;
  const byHandler = new Map<string, UnservedSteps>();
  for (const row of queued) {
    const { namespace, callable, resolver, template, version } = row;
    const steps = readyOf(row, facts);
    if (callable === null || steps === 0 || !unserved.has(row)) continue;
    const handler = { namespace, callable, resolver };
    const reason = !announced.serves(namespace)
      ? 'no_worker'
      : !withheld.has(handler) && announced.covers(namespace, handler)
        ? 'draining'
        : 'no_handler';
    const since = withheld.since(handler) ?? looked.get(kindOf(row))?.firstAt ?? null;
    const known = byHandler.get(callable) ?? { handler: callable, reason, steps: 0, templates: [], since };
    known.steps += steps;
    if (since !== null && (known.since === null || since < known.since)) known.since = since;
    const name = `${template}@${version}`;
    if (!known.templates.includes(name)) known.templates.push(name);
    byHandler.set(callable, known);
  }
  return [...byHandler.values()].sort((a, b) => b.steps - a.steps || (a.handler < b.handler ? -1 : 1));
}
