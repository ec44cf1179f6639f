import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import { type Instruments, OVERVIEW } from '../../metrics/instruments.ts';
import { type PendingRow, pendingDeadLetters } from '../../store/dead-letters/list.ts';
import { type OpenTasksRow, openTasks } from '../../store/overview/queues.ts';
import { waitsByKind } from '../../store/overview/waits.ts';
import { lateSchedules } from '../../store/schedules/schedules.ts';
import { listWorkers, type WorkerRow } from '../../store/workers.ts';
import { type QueueDepth, readQueues } from './queues.ts';
import { unservedHandlersOf } from './unserved-handlers.ts';

/** Minimum time between two readings, regardless of how often metrics are collected. */
const LEAST_MS = 5_000;
/**
 * The pause after a reading is the duration of the reading times this factor, so that readings use at most one percent
 * of a core.
 */
const PAUSE = 100;
/** The longest such pause. */
const MOST_MS = 60_000;
/**
 * Values that have not been refreshed for this long are removed, so that an old value is not mistaken for a current one.
 */
const STALE_MS = 120_000;
/** Maximum number of namespaces with separate values. The others are summed as `other`. */
const NAMESPACES = 100;
const OTHER = 'other';
/** Maximum number of missing handlers with separate values. */
const HANDLERS = 100;
/** Open dead letters are counted up to this number. */
const MOST_DEAD_LETTERS = 100_000;
/** Open waits of each kind are counted up to this number. */
const MOST_WAITS = 1_000_000;

/**
 * A query that takes too long is cancelled on the server. Only one connection is used, so that the pool is left to the
 * workers.
 */
const SETTINGS = opening({ statement_timeout: '5s', lock_timeout: '1s', jit: 'off' });

/** The gauges of the whole database, which every process reports with the same values. */
export class OverviewGauges {
  readonly #database: Database;
  readonly #on: Instruments;
  /** The namespaces that have a label, in the order in which they were first seen. */
  readonly #labels = new Set<string>();
  #nextAt = Number.NEGATIVE_INFINITY;
  #readAt: number | undefined;
  #reading: Promise<void> | undefined;

  readonly #leastMs: number;
  readonly #staleMs: number;

  /**
   * `leastMs`: minimum time between two readings. `staleMs`: the age at which values are removed. Tests use shorter
   * times.
   */
  constructor(database: Database, instruments: Instruments, { leastMs = LEAST_MS, staleMs = STALE_MS } = {}) {
    this.#database = database;
    this.#on = instruments;
    this.#leastMs = leastMs;
    this.#staleMs = staleMs;
  }

  /** Reads the values, unless they are recent. Concurrent callers share one reading. */
  async collect(): Promise<void> {
    if (!this.#reading && performance.now() >= this.#nextAt) {
      this.#reading = this.#read().finally(() => {
        this.#reading = undefined;
      });
    }
    await this.#reading;
  }

  /** Sets the age of the values, and removes them if they are too old. */
  age(): void {
    if (this.#readAt === undefined) return;
    const ms = performance.now() - this.#readAt;
    this.#on.overviewAge.set(ms / 1000);
    if (ms > this.#staleMs) for (const name of OVERVIEW) this.#on[name].clear();
  }

  async #read(): Promise<void> {
    const began = performance.now();
    try {
      const [queues, tasks, workers, dead, waits, late] = await this.#database.transaction(SETTINGS, (tx) =>
        Promise.all([
          readQueues(tx),
          openTasks(tx),
          listWorkers(tx),
          pendingDeadLetters(tx, MOST_DEAD_LETTERS),
          waitsByKind(tx, MOST_WAITS),
          lateSchedules(tx),
        ]),
      );
      this.#readAt = performance.now();
      for (const name of OVERVIEW) this.#on[name].clear();
      this.#setQueues(queues);
      this.#setUnservedHandlers(queues);
      this.#setTasks(tasks);
      this.#setWorkers(workers);
      this.#setDeadLetters(dead, queues);
      for (const { kind, count, oldestMs } of waits.kinds) {
        this.#on.waitingSteps.of(kind).set(count);
        this.#on.waitingOldest.of(kind).set((oldestMs ?? 0) / 1000);
      }
      this.#on.lateTimers.set(waits.late);
      this.#on.lateSchedules.set(late);
    } finally {
      const ended = performance.now();
      const pause = this.#leastMs === 0 ? 0 : Math.min((ended - began) * PAUSE, MOST_MS);
      this.#nextAt = Math.max(began + this.#leastMs, ended + pause);
    }
  }

  #setQueues(queues: readonly QueueDepth[]): void {
    const { queueDepth, queueOldest, unservedSteps } = this.#on;
    const sums = new Map<string, { ready: number; oldestMs: number; unserved: number }>();
    for (const { namespace, ready, oldestReadyMs, unservedSteps: unserved } of queues) {
      const label = this.#labelOf(namespace);
      const sum = sums.get(label) ?? { ready: 0, oldestMs: 0, unserved: 0 };
      sum.ready += ready;
      sum.oldestMs = Math.max(sum.oldestMs, oldestReadyMs ?? 0);
      sum.unserved += unserved;
      sums.set(label, sum);
    }
    for (const [label, { ready, oldestMs, unserved }] of sums) {
      queueDepth.of(label).set(ready);
      queueOldest.of(label).set(oldestMs / 1000);
      unservedSteps.of(label).set(unserved);
    }
  }

  /** Handlers beyond the first ones are summed, because each label is a separate series in Prometheus. */
  #setUnservedHandlers(queues: readonly QueueDepth[]): void {
    const sums = new Map<string, { labels: [string, string]; steps: number; since: number }>();
    for (const { namespace, handler, since, steps } of unservedHandlersOf(queues)) {
      const labels: [string, string] = sums.size < HANDLERS ? [this.#labelOf(namespace), handler] : [OTHER, OTHER];
      const key = JSON.stringify(labels);
      const at = since === null ? Number.POSITIVE_INFINITY : Date.parse(since) / 1000;
      const sum = sums.get(key) ?? { labels, steps: 0, since: at };
      sum.steps += steps;
      sum.since = Math.min(sum.since, at);
      sums.set(key, sum);
    }
    for (const { labels, steps, since } of sums.values()) {
      this.#on.unservedHandlerSteps.of(...labels).set(steps);
      if (Number.isFinite(since)) this.#on.unservedHandlerSince.of(...labels).set(since);
    }
  }

  #setTasks(tasks: readonly OpenTasksRow[]): void {
    const sums = new Map<string, Map<string, number>>();
    for (const { namespace, state, tasks: count } of tasks) {
      const label = this.#labelOf(namespace);
      const states = sums.get(label) ?? new Map<string, number>();
      states.set(state, (states.get(state) ?? 0) + count);
      sums.set(label, states);
    }
    for (const [label, states] of sums)
      for (const [state, count] of states) this.#on.tasksOpen.of(label, state).set(count);
  }

  #setWorkers(workers: readonly WorkerRow[]): void {
    const counts = { running: 0, draining: 0, lost: 0 };
    for (const { living, draining } of workers) counts[living ? (draining ? 'draining' : 'running') : 'lost']++;
    for (const [state, count] of Object.entries(counts)) this.#on.workers.of(state).set(count);
  }

  /** Also sets namespaces without dead letters to 0, so that an alerting rule can resolve. */
  #setDeadLetters(rows: readonly PendingRow[], queues: readonly QueueDepth[]): void {
    const sums = new Map<string, number>(queues.map(({ namespace }) => [this.#labelOf(namespace), 0]));
    for (const { namespace, pending } of rows) {
      const label = this.#labelOf(namespace);
      sums.set(label, (sums.get(label) ?? 0) + pending);
    }
    for (const [label, pending] of sums) this.#on.deadLettersPending.of(label).set(pending);
  }

  /** The label of a namespace. Their number is limited, because each label is a separate series in Prometheus. */
  #labelOf(namespace: string): string {
    if (!this.#labels.has(namespace)) {
      if (this.#labels.size >= NAMESPACES) return OTHER;
      this.#labels.add(namespace);
    }
    return namespace;
  }
}
