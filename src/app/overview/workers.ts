import { choiceOf, unknownWorker } from '../../engine/drain-worker.ts';
import type { Engine } from '../../engine/engine.ts';
import { TaskerError } from '../../errors.ts';
import { grouped } from '../../model/grouped.ts';
import { announcedNames, announcedResolvers } from '../../registry/announcement.ts';
import {
  countRunning,
  type RecentWorkerRow,
  type RunningCountRow,
  recentWorkers,
  runningSteps,
  type TemplateHandlerRow,
  templateHandlers,
} from '../../store/overview/workers.ts';
import { AnnouncedByNamespace } from './announced.ts';

/**
 * The state of a worker. `running`: it takes steps. `draining`: it takes none and still holds some, because an operator
 * asked it to drain or because it is stopping. `drained`: it no longer holds any. `lost`: its lease expired, so other
 * workers take its steps. `stopped`: it shut down normally.
 */
export type WorkerState = 'running' | 'draining' | 'drained' | 'lost' | 'stopped';

/** A step of a template whose handler no live worker of its namespace has. */
export interface MissingHandler {
  namespace: string;
  /** The name of the template. */
  template: string;
  version: string;
  step: string;
  /** The callable. */
  handler: string;
}

/** A worker, as `tasker.listWorkers` returns it. Times are ISO 8601, by the clock of the database. */
export interface WorkerInfo {
  /** The id of the worker's current registration. */
  id: number;
  name: string;
  host: string;
  pid: number;
  /** The version of the program. Null for a worker over HTTP that does not report it. */
  version: string | null;
  state: WorkerState;
  /** The request of an operator to stop taking steps. Null if there is none. */
  drain: { requestedAt: string; by: string; reason: string | null } | null;
  namespaces: string[];
  /** The names of the worker's handlers. */
  handlers: string[];
  /** The callables that the worker's resolvers accept: patterns (`/^mail/`) and names of resolvers (`@plugins`). */
  resolvers: string[];
  /**
   * Steps of templates in its namespaces whose handler no live worker has. Only the last registered version of each
   * template is included.
   */
  missingHandlers: MissingHandler[];
  /** Number of slots. */
  concurrency: number;
  /** Number of taken slots at the last heartbeat, those of hung handlers included. For a lost worker: number of steps that it still holds. */
  running: number;
  /**
   * Number of slots that handlers still hold although their attempt is over, for example after a timeout, at the last
   * heartbeat. Null before the first one, and unless the worker is alive.
   */
  hung: number | null;
  /** When the worker's oldest running step was started, and how many milliseconds ago. Null if no step is running. */
  oldestStepAt: string | null;
  oldestStepMs: number | null;
  /** When the worker first registered. */
  startedAt: string;
  /** The last heartbeat, or the registration before it, and how many milliseconds ago. */
  seenAt: string | null;
  silentMs: number | null;
  /** When the worker stopped or its lease expired. Null while the worker is alive. */
  endedAt: string | null;
  /** Number of attempts recorded since startup that completed or failed. Null before the first heartbeat. */
  completed: number | null;
  failed: number | null;
  /**
   * Completed and failed attempts per second, over the minute before the last heartbeat. Null unless the worker is
   * alive.
   */
  completedPerSecond: number | null;
  failedPerSecond: number | null;
  /** The longest delay of the worker's event loop between its last two heartbeats, in milliseconds. */
  loopLagMs: number | null;
}

/** A running step, as `tasker.getWorker` returns it. */
export interface RunningStep {
  taskUuid: string;
  step: string;
  namespace: string;
  /** The name of the template. */
  template: string;
  version: string;
  handler: string;
  attempt: number;
  startedAt: string;
  /** Milliseconds since the step was started. */
  ageMs: number;
}

/** A worker with the steps that it runs. */
export interface WorkerDetails extends WorkerInfo {
  /** At most 100 steps, oldest first. Steps that were started in the last two seconds may be missing. */
  steps: RunningStep[];
}

/** Options of `tasker.listWorkers`. */
export interface WorkerListOptions {
  /** Only workers that serve this namespace. */
  namespace?: string;
  /** Only workers in these states. */
  state?: WorkerState | readonly WorkerState[];
  /**
   * Includes workers that ended in the last `endedWithinMs` milliseconds. Default one hour. Their records are deleted
   * after a day, and at most the last 500 are listed.
   */
  endedWithinMs?: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Maximum number of running steps to return for a worker. */
const MOST_STEPS = 100;
const STATES: readonly WorkerState[] = ['running', 'draining', 'drained', 'lost', 'stopped'];

/** Returns the live and the recently ended workers, by name. */
export async function listWorkers(engine: Engine, options: WorkerListOptions = {}): Promise<WorkerInfo[]> {
  const { namespace, endedWithinMs = HOUR_MS } = options;
  const states = readStates(options.state);
  if (!Number.isFinite(endedWithinMs) || endedWithinMs < 0)
    throw new TaskerError('bad_request', 'endedWithinMs must be a number of milliseconds');
  const all = (await readWorkers(engine, Math.min(endedWithinMs, DAY_MS * 36_500))).map(({ info }) => info);
  return all
    .filter((worker) => namespace === undefined || worker.namespaces.includes(namespace))
    .filter((worker) => states === undefined || states.includes(worker.state))
    .sort((a, b) => (a.name === b.name ? a.id - b.id : a.name < b.name ? -1 : 1));
}

function readStates(state: WorkerListOptions['state']): readonly string[] | undefined {
  if (state === undefined) return undefined;
  const states = typeof state === 'string' ? [state] : state;
  for (const one of states) {
    if (!STATES.includes(one))
      throw new TaskerError('bad_request', `unknown worker state ${String(one)}; the states are ${STATES.join(', ')}`);
  }
  return states;
}

/** Returns the worker with this name or id, and its running steps. Prefers a live worker to the last one that ended. */
export async function getWorker(engine: Engine, worker: string | number): Promise<WorkerDetails> {
  const { name, id } = choiceOf(worker);
  const all = await readWorkers(engine, DAY_MS);
  const named = all.filter(({ info }) => info.name === name);
  const meant = named.length > 0 ? named : all.filter(({ ids }) => id !== null && ids.includes(id));
  if (meant.length === 0) {
    const living = all.filter(({ info }) => info.endedAt === null);
    throw unknownWorker(
      worker,
      living.map(({ info }) => info),
    );
  }
  const living = meant.filter(({ info }) => info.endedAt === null);
  if (living.length > 1) {
    const ids = living.map(({ info }) => `${info.id} (${info.host}, process ${info.pid})`).join(', ');
    throw new TaskerError('bad_request', `${living.length} live workers are named ${name}; pass the id of one: ${ids}`);
  }
  const { info, ids } = living[0] ?? meant.sort((a, b) => a.info.id - b.info.id).at(-1)!;
  const rows = await runningSteps(engine.database, ids, MOST_STEPS);
  return { ...info, steps: rows.map(({ workerId: _, ...step }) => step) };
}

/** A worker, and all ids under which it may hold steps. */
interface Known {
  info: WorkerInfo;
  ids: number[];
}

async function readWorkers(engine: Engine, endedMs: number): Promise<Known[]> {
  const { database } = engine;
  const [rows, counts, handlers] = await Promise.all([
    recentWorkers(database, endedMs),
    countRunning(database),
    templateHandlers(database),
  ]);
  const missing = missingHandlers(rows, handlers);
  const instances = grouped(rows, (row) => row.instance);
  return [...instances.values()].map((registrations) => {
    const sorted = registrations.sort((a, b) => a.id - b.id);
    const ids = sorted.map((row) => row.id);
    const held = counts.filter((count) => ids.includes(count.workerId));
    return { info: infoOf(sorted, held, missing), ids };
  });
}

/** Returns the steps of templates whose handler no live worker has. */
function missingHandlers(
  workers: readonly RecentWorkerRow[],
  handlers: readonly TemplateHandlerRow[],
): (MissingHandler & { namespace: string })[] {
  const announced = new AnnouncedByNamespace(workers.filter((row) => row.living));
  return handlers
    .filter((row) => !announced.covers(row.namespace, row))
    .map(({ namespace, template, version, step, callable }) => ({
      namespace,
      template,
      version,
      step,
      handler: callable,
    }));
}

/** `registrations`: oldest first. */
function infoOf(
  registrations: readonly RecentWorkerRow[],
  held: readonly RunningCountRow[],
  missing: readonly MissingHandler[],
): WorkerInfo {
  const row = registrations.at(-1)!;
  const { id, name, host, pid, version, namespaces, callables, concurrency, living } = row;
  const state = stateOf(row);
  const oldest = held.reduce<RunningCountRow | undefined>(
    (first, count) => (first && first.oldestMs >= count.oldestMs ? first : count),
    undefined,
  );
  const steps = held.reduce((sum, count) => sum + count.steps, 0);
  const { drainAt, drainBy, drainReason } = row;
  return {
    id,
    name,
    host,
    pid,
    version,
    state,
    drain: drainAt === null ? null : { requestedAt: drainAt, by: drainBy!, reason: drainReason },
    namespaces,
    handlers: announcedNames(callables),
    resolvers: announcedResolvers(callables),
    missingHandlers: living ? missing.filter(({ namespace }) => namespaces.includes(namespace)) : [],
    concurrency,
    running: living ? (row.running ?? steps) : steps,
    hung: living ? row.hung : null,
    oldestStepAt: oldest?.oldestAt ?? null,
    oldestStepMs: oldest?.oldestMs ?? null,
    startedAt: registrations[0]!.startedAt,
    seenAt: row.seenAt,
    silentMs: row.silentMs,
    endedAt: living ? null : row.leaseUntil,
    completed: row.completed,
    failed: row.failed,
    completedPerSecond: living ? row.completedRate : null,
    failedPerSecond: living ? row.failedRate : null,
    loopLagMs: row.loopLagMs,
  };
}

function stateOf({ state, living, phase, drainAt }: RecentWorkerRow): WorkerState {
  if (state === 'stopped') return 'stopped';
  if (!living) return 'lost';
  // The worker was asked to drain, but no heartbeat has confirmed it yet.
  if (drainAt !== null && phase !== 'drained') return 'draining';
  return phase ?? 'running';
}
