import { setTimeout as sleep } from 'node:timers/promises';
import { isConnectionError } from '../../db/connection-error.ts';
import { isTaskerError, messageOf, TaskerError } from '../../errors.ts';
import { uuidV7 } from '../../model/ids.ts';
import { FIRST_TASK } from '../../store/queue.ts';
import { bytesOfTask, countPruneSlice, type PruneCount, pruneSlice } from '../../store/retention/candidates.ts';
import { beginPrune, endPrune, leavePruneTurn, prunedSoFar } from '../../store/retention/runs.ts';
import { type WaitingEvents, waitingEvents } from '../../store/retention/waiting-events.ts';
import { templateIds } from '../../store/search/search-facts.ts';
import { serverFacts } from '../../store/server/server-facts.ts';
import type { Engine } from '../engine.ts';
import { ArchiveWriter, openArchiveFolder } from './archive-writer.ts';
import { CHUNK, type ChunkAnswer, pruneChunk, type SkipReason } from './chunk.ts';
import type { PrunePlan } from './plan.ts';
import { takeTurn } from './turn.ts';

/** The progress of a prune. */
export interface PruneProgress {
  /** The number of the prune; null if it has found nothing yet. */
  id: number | null;
  /** The number of tasks that `preview` has counted; null if it was not called. */
  matched: number | null;
  deleted: number;
  skipped: number;
  failed: number;
}

/** The outcome of a prune. */
export interface PruneReport extends PruneProgress {
  /** The number of skipped tasks, by reason. */
  reasons: Partial<Record<SkipReason, number>>;
  /** The first tasks that could not be deleted. */
  failures: { taskUuid: string; why: string }[];
  /** The archive files that were written. */
  files: string[];
  /** Defects of files that an earlier prune left in the folder. */
  warnings: string[];
}

/** Tasks that a prune would delete, by template and state. */
export interface PruneGroup {
  /** `namespace/name@version`. */
  template: string;
  state: string;
  count: number;
  /** When the first and the last of them ended. */
  oldest: string;
  newest: string;
}

/** The preview of a prune. */
export interface PrunePreview {
  /**
   * The number of tasks that ended long enough ago. Only the prune itself checks which of these tasks have undelivered
   * events.
   */
  matched: number;
  groups: PruneGroup[];
  /** An estimate of the space that these tasks use, which becomes free for other tasks. */
  bytes: number;
  /** The ids of the first ten. */
  sample: string[];
}

/** Options of a {@link PruneAct}. */
export interface PruneActOptions {
  byPolicy: boolean;
  /** The folder for archive files; if undefined, nothing is archived. */
  archive?: string | undefined;
  /** Whether the folder is created. */
  createFolder: boolean;
  releaseKeys: boolean;
  /** The fraction of the time in which the prune works; it sleeps for the rest. */
  share: number;
  /** The description of the tasks to prune, for the audit. */
  shown: Record<string, unknown>;
  operator: Parameters<typeof beginPrune>[1]['operator'];
  signal?: AbortSignal | undefined;
  /** The size of a full archive file. Tests override it. */
  fullBytes?: number | undefined;
}

/** Number of tasks whose age one statement checks. */
const READ_AT_ONCE = 2_000;
/** Number of tasks that one transaction deletes. */
const TASKS_AT_ONCE = 100;
/** The longest pause, which must be shorter than a lease. */
const LONGEST_PAUSE_MS = 10_000;
const LOST_PAUSE_MS = 1_000;
/** How long to retry while the database is not reachable. */
const LOST_MS = 60_000;
/** How long the positions of subscriber groups are cached. */
const WAITING_MS = 10_000;
/** The policy is due again after this time, and after an error. */
const POLICY_EVERY_MS = 3_600_000;
const POLICY_FAILED_MS = 600_000;
const SHOWN_FAILURES = 10;
const SAMPLE = 10;
/** The tables whose files grow with the number of tasks. */
const TABLES = [
  'task',
  'step',
  'history',
  'task_identity',
  'task_search',
  'step_search',
  'step_log',
  'batch_worker',
  'batch',
  'checkpoint',
  'wait',
  'completion_token',
];

/**
 * A prune: deletes tasks that ended long enough ago, in small transactions with pauses. Iterate over it to prune and to
 * follow the progress, or await {@link result}. Nothing is deleted before that. A prune that is stopped or killed
 * leaves nothing behind: another prune with the same filter continues its work.
 *
 * @example
 * const prune = tasker.prune({ olderThan: '90d', status: 'complete' }, { archive: '/var/archive', reason: 'disk' });
 * console.log((await prune.preview()).matched);
 * for await (const { deleted, matched } of prune) console.log(`${deleted} of ${matched}`);
 */
export class PruneAct implements AsyncIterable<PruneProgress> {
  readonly #engine: Engine;
  readonly #readPlan: () => Promise<PrunePlan>;
  readonly #options: PruneActOptions;
  readonly #runner = uuidV7();
  #plan: Promise<PrunePlan> | undefined;
  #working: AsyncGenerator<PruneProgress> | undefined;
  #writer: ArchiveWriter | undefined;
  #waiting: { events: WaitingEvents; readAt: number } | undefined;
  readonly #report: PruneReport = {
    id: null,
    matched: null,
    deleted: 0,
    skipped: 0,
    failed: 0,
    reasons: {},
    failures: [],
    files: [],
    warnings: [],
  };

  /** @internal */
  constructor(engine: Engine, plan: () => Promise<PrunePlan>, options: PruneActOptions) {
    this.#engine = engine;
    this.#readPlan = plan;
    this.#options = options;
  }

  /** Counts the tasks that ended long enough ago, without deleting any. @throws TaskerError `bad_request` */
  async preview(): Promise<PrunePreview> {
    const { database } = this.#engine;
    const plan = await this.#planned();
    const found = new Map<string, PruneCount>();
    for (let after: string | null = plan.empty ? null : FIRST_TASK; after !== null; ) {
      this.#options.signal?.throwIfAborted();
      const slice = await countPruneSlice(database, { ...plan, after, limit: READ_AT_ONCE });
      for (const one of slice.counts) {
        const key = `${one.templateId}:${one.state}`;
        const known = found.get(key);
        found.set(key, known ? merged(known, one) : one);
      }
      after = slice.last;
    }
    const [templates, each] = await Promise.all([
      templateIds(database, { namespace: null, name: null }),
      bytesOfTask(database, TABLES),
    ]);
    const names = new Map(templates.map(({ id, namespace, name, version }) => [id, `${namespace}/${name}@${version}`]));
    const all = [...found.values()];
    const matched = all.reduce((sum, { count }) => sum + count, 0);
    this.#report.matched = matched;
    return {
      matched,
      groups: groupsOf(all, names),
      bytes: Math.round(matched * each),
      sample: all
        .flatMap(({ sample }) => sample)
        .sort()
        .slice(0, SAMPLE),
    };
  }

  /** Returns the outcome. Runs the prune first, unless an iteration has already started it. */
  async result(): Promise<PruneReport> {
    if (!this.#working) for await (const _ of this);
    return { ...this.#report, files: [...(this.#writer?.files ?? [])] };
  }

  [Symbol.asyncIterator](): AsyncIterator<PruneProgress> {
    if (this.#working)
      throw new TaskerError('bad_request', 'a prune can be iterated only once; await its result() instead');
    this.#working = this.#work();
    return this.#working;
  }

  #planned(): Promise<PrunePlan> {
    this.#plan ??= this.#readPlan();
    return this.#plan;
  }

  get #progress(): PruneProgress {
    const { id, matched, deleted, skipped, failed } = this.#report;
    return { id, matched, deleted, skipped, failed };
  }

  async *#work(): AsyncGenerator<PruneProgress> {
    const { archive, createFolder, byPolicy, signal } = this.#options;
    const { database } = this.#engine;
    const plan = await this.#planned();
    const turn = { runner: this.#runner, byPolicy, signal };
    if (!(await takeTurn(database, turn))) return;
    let whole = false;
    try {
      if (archive !== undefined) {
        this.#report.warnings = await openArchiveFolder(database, { folder: archive, create: createFolder });
      }
      if (!byPolicy) await this.#begin();
      yield this.#progress;
      if (!plan.empty) yield* this.#slices(plan);
      whole = true;
    } finally {
      await this.#end(whole);
    }
    yield this.#progress;
  }

  async *#slices(plan: PrunePlan): AsyncGenerator<PruneProgress> {
    for (let after: string | null = FIRST_TASK; after !== null; ) {
      const began = performance.now();
      const slice: Awaited<ReturnType<typeof pruneSlice>> = await this.#despiteLoss(() =>
        pruneSlice(this.#engine.database, { ...plan, after: after!, limit: READ_AT_ONCE }),
      );
      await this.#pause(began);
      yield* this.#chunks(plan, slice.ids);
      after = slice.last;
    }
  }

  async *#chunks(plan: PrunePlan, ids: readonly string[]): AsyncGenerator<PruneProgress> {
    for (let done = 0, size = TASKS_AT_ONCE; done < ids.length; ) {
      this.#options.signal?.throwIfAborted();
      const began = performance.now();
      const some = ids.slice(done, done + size);
      const answer = await this.#chunk(plan, some);
      if (answer === 'smaller') size = Math.ceil(some.length / 2);
      else {
        done += answer.taken;
        // The size grows again after an error has halved it.
        size = Math.min(size * 2, TASKS_AT_ONCE);
        yield this.#progress;
      }
      await this.#pause(began);
    }
  }

  /**
   * Deletes some tasks. After an error, the caller retries with half of them, until only the task that causes the error
   * is left.
   */
  async #chunk(plan: PrunePlan, ids: readonly string[]): Promise<ChunkAnswer | 'smaller'> {
    const pruneId = this.#report.id ?? (await this.#begin());
    await this.#despiteLoss(async () => this.#writer?.prepare());
    const events = await this.#groups();
    const lostAt = performance.now();
    for (;;) {
      try {
        const on = { pruneId, runner: this.#runner, releaseKeys: this.#options.releaseKeys, writer: this.#writer };
        const part = { ids, cutoffs: plan.cutoffs, waiting: events };
        const answer = await this.#engine.database.transaction(CHUNK, (tx) => pruneChunk(tx, on, part));
        this.#writer?.committed();
        this.#add(answer);
        return answer;
      } catch (error) {
        if (isConnectionError(error)) {
          if (performance.now() - lostAt > LOST_MS) throw error;
          await sleep(LOST_PAUSE_MS);
          await this.#afterLostAnswer(pruneId, ids);
          continue;
        }
        await this.#writer?.settle();
        if (isTaskerError(error)) throw error;
        if (ids.length > 1) return 'smaller';
        return this.#fail(ids[0]!, error);
      }
    }
  }

  /**
   * Handles a lost response, after which the transaction may have been committed. The next attempt skips tasks that no
   * longer exist.
   */
  async #afterLostAnswer(pruneId: number, ids: readonly string[]): Promise<void> {
    await this.#despiteLoss(async () => this.#writer?.settle());
    this.#report.deleted = await this.#despiteLoss(() => prunedSoFar(this.#engine.database, pruneId));
    for (const taskUuid of ids) this.#engine.search.changed(taskUuid);
  }

  async #despiteLoss<T>(work: () => Promise<T>): Promise<T> {
    const lostAt = performance.now();
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!isConnectionError(error) || performance.now() - lostAt > LOST_MS) throw error;
        await sleep(LOST_PAUSE_MS);
      }
    }
  }

  #add({ deleted, skipped }: ChunkAnswer): void {
    const report = this.#report;
    report.deleted += deleted.length;
    report.skipped += skipped.length;
    const { tasksPruned } = this.#engine.database.metrics.instruments;
    if (deleted.length > 0) tasksPruned.of('deleted').add(deleted.length);
    if (skipped.length > 0) tasksPruned.of('skipped').add(skipped.length);
    for (const { why } of skipped) report.reasons[why] = (report.reasons[why] ?? 0) + 1;
    for (const taskUuid of deleted) this.#engine.search.changed(taskUuid);
  }

  #fail(taskUuid: string, error: unknown): ChunkAnswer {
    const why = messageOf(error);
    this.#report.failed++;
    this.#engine.database.metrics.instruments.tasksPruned.of('failed').add();
    if (this.#report.failures.length < SHOWN_FAILURES) this.#report.failures.push({ taskUuid, why });
    return { taken: 1, deleted: [], skipped: [] };
  }

  /**
   * Begins the prune. A prune by the policy begins only once it has found a task, so that the audit has no empty
   * entries.
   */
  async #begin(): Promise<number> {
    const { byPolicy, archive, releaseKeys, shown, operator, fullBytes } = this.#options;
    const { database } = this.#engine;
    const details = JSON.stringify({ ...shown, archive: archive ?? null, release_keys: releaseKeys });
    const pruneId = await beginPrune(database, {
      byPolicy,
      archive: archive ?? null,
      releaseKeys,
      details,
      operator,
    });
    this.#report.id = pruneId;
    if (archive !== undefined) {
      const startedAt = new Date((await serverFacts(database)).nowMs).toISOString();
      this.#writer = new ArchiveWriter(database, { folder: archive, pruneId, startedAt, fullBytes });
    }
    return pruneId;
  }

  async #end(whole: boolean): Promise<void> {
    const { database } = this.#engine;
    const { id, skipped, failed, reasons } = this.#report;
    // If a policy stops with its process, another process soon continues it.
    const dueMs = this.#options.signal?.aborted ? 0 : whole ? POLICY_EVERY_MS : POLICY_FAILED_MS;
    try {
      try {
        await this.#writer?.settle();
        await this.#writer?.close();
      } catch (error) {
        // A prune that ends early leaves its file to the next prune, which may have taken it already.
        if (whole) throw error;
      }
      if (id !== null) await endPrune(database, id, JSON.stringify({ skipped, failed, reasons, complete: whole }));
    } finally {
      await leavePruneTurn(database, this.#runner, dueMs).catch(() => undefined);
    }
  }

  /** Sleeps long enough that the work since `began` took only its share of the time. */
  async #pause(began: number): Promise<void> {
    const { share, signal } = this.#options;
    const ms = Math.min((performance.now() - began) * (1 / share - 1), LONGEST_PAUSE_MS);
    if (ms < 1) return;
    await sleep(ms, undefined, signal && { signal }).catch(() => undefined);
  }

  async #groups(): Promise<WaitingEvents> {
    if (!this.#waiting || performance.now() - this.#waiting.readAt > WAITING_MS) {
      const readAt = performance.now();
      this.#waiting = { events: await this.#despiteLoss(() => waitingEvents(this.#engine.database)), readAt };
    }
    return this.#waiting.events;
  }
}

function merged(one: PruneCount, other: PruneCount): PruneCount {
  return {
    ...one,
    count: one.count + other.count,
    oldest: [one.oldest, other.oldest].sort()[0]!,
    newest: [one.newest, other.newest].sort()[1]!,
    sample: [...one.sample, ...other.sample].slice(0, SAMPLE),
  };
}

/** Groups counts by version and state. Snapshots of the same version are one group. */
function groupsOf(counts: readonly PruneCount[], names: ReadonlyMap<number, string>): PruneGroup[] {
  const groups = new Map<string, PruneCount>();
  for (const one of counts) {
    const key = `${names.get(one.templateId) ?? one.templateId}\n${one.state}`;
    const known = groups.get(key);
    groups.set(key, known ? merged(known, one) : one);
  }
  return [...groups]
    .map(([key, { state, count, oldest, newest }]) => ({ template: key.split('\n')[0]!, state, count, oldest, newest }))
    .sort((a, b) => b.count - a.count || (a.template < b.template ? -1 : 1));
}
