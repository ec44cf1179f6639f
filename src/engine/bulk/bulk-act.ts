import { setTimeout as sleep } from 'node:timers/promises';
import { isConnectionError } from '../../db/connection-error.ts';
import { messageOf, TaskerError } from '../../errors.ts';
import { uuidV7 } from '../../model/ids.ts';
import {
  type BulkAction,
  type BulkRequest,
  discardBulk,
  endBulk,
  keyBulk,
  lockBulk,
  stopBulk,
  takeBulk,
} from '../../store/bulk/bulks.ts';
import { type BulkCounts, countPaused, countSteps, markItems, nextItems, sampleItems } from '../../store/bulk/items.ts';
import type { Operator } from '../../store/operator-actions.ts';
import { FIRST_TASK } from '../../store/queue.ts';
import type { StepKey } from '../../store/step-key.ts';
import type { Engine } from '../engine.ts';
import { type LiveConditions, readLiveConditions, type TaskFilter } from '../search/filter.ts';
import { type BulkReport, findBulk, reportOf } from './bulks.ts';
import { CHUNK, type ChunkAnswer, type Running, workOnChunk } from './chunk.ts';
import { noteBulk, type Selection, selectItems } from './select.ts';

/** The progress of a bulk action. */
export interface BulkProgress extends BulkCounts {
  id: number;
  action: BulkAction;
}

/** A task that a bulk action would act on. */
export interface BulkSample {
  taskUuid: string;
  /** `namespace/name@version`. */
  template: string;
  status: string;
  /** The steps that would be acted on, at most ten. Empty if the action is on the whole task. */
  steps: {
    name: string;
    state: string;
    attempts: number;
    /** False if the template does not allow the step to run twice. The step may already have had its effect. */
    retryable: boolean;
    errorType: string | null;
    error: string | null;
  }[];
}

/** The preview of a bulk action. */
export interface BulkPreview {
  id: number;
  action: BulkAction;
  /** Number of tasks or steps to act on. */
  matched: number;
  /** Number of given ids that do not exist. */
  skipped: number;
  /** Number of failures in these tasks or steps. */
  steps: number;
  /** Number of these failures that belong to steps with `retryable: false`. */
  notRetryable: number;
  /** Number of these tasks that are covered by a pause: their steps do not start until it ends. At most 100,000. */
  paused: number;
  /** The first ten tasks. */
  sample: BulkSample[];
}

/** Options of a {@link BulkAct}, apart from its selection. */
export interface BulkActOptions {
  signal?: AbortSignal | undefined;
  /** Wakes the callers in this process that wait for a task. */
  changed(taskUuid: string): void;
}

const SAMPLE = 10;
/** Maximum number of tasks that one transaction acts on. */
const TASKS_AT_ONCE = 100;
const LOCKED_PAUSE_MS = 500;
/** How long to retry locked tasks without progress before they are marked as failed. */
const LOCKED_MS = 15_000;
const LOST_PAUSE_MS = 1_000;
/** How long to retry while the database is not reachable. */
const LOST_MS = 60_000;
/** A position before the first item. */
const START: StepKey = { taskUuid: FIRST_TASK, idx: -(2 ** 31) };

/**
 * An action on many tasks or steps. Iterate over it to act and to follow the progress, or await {@link result}. Nothing
 * is changed before that. {@link preview} selects the items and shows what would be done.
 *
 * @example
 * const act = tasker.bulk.retry({ errorType: 'timeout', createdAfter: '6h' }, { actor: 'anna', reason: 'bank is back'
 * });
 * for await (const { done, matched } of act) console.log(`${done} of ${matched}`);
 * const { skipped } = await act.result();
 */
export class BulkAct implements AsyncIterable<BulkProgress> {
  readonly #engine: Engine;
  readonly #options: BulkActOptions;
  readonly #begin: () => Promise<Begun>;
  #begun: Promise<Begun> | undefined;
  #working: AsyncGenerator<BulkProgress> | undefined;

  /** @internal */
  constructor(engine: Engine, begin: () => Promise<Begun>, options: BulkActOptions) {
    this.#engine = engine;
    this.#begin = begin;
    this.#options = options;
  }

  /** Selects the items on the first call, and returns their number and a sample. Does not act on them. */
  async preview(): Promise<BulkPreview> {
    const { id, action, counts } = await this.#select();
    const { database } = this.#engine;
    const [steps, paused, sample] = await Promise.all([
      countSteps(database, id),
      countPaused(database, id, null),
      sampleItems(database, id, SAMPLE),
    ]);
    return {
      id,
      action,
      matched: counts.matched - counts.skipped,
      skipped: counts.skipped,
      ...steps,
      paused,
      sample: sample.map((row) => ({ ...row, steps: JSON.parse(row.steps) as BulkSample['steps'] })),
    };
  }

  /** Discards a selection whose action has not begun. */
  async discard(): Promise<void> {
    await discardBulk(this.#engine.database, (await this.#select()).id);
  }

  /**
   * Acts on all items and returns their outcomes. If an iteration has already begun, only returns the outcomes so far.
   */
  async result(): Promise<BulkReport> {
    if (!this.#working) for await (const _ of this);
    return reportOf(this.#engine.database, (await this.#select()).id);
  }

  [Symbol.asyncIterator](): AsyncIterator<BulkProgress> {
    if (this.#working)
      throw new TaskerError('bad_request', 'a bulk action can be iterated only once; await its result() instead');
    this.#working = this.#work();
    return this.#working;
  }

  #select(): Promise<Begun> {
    this.#begun ??= this.#begin();
    return this.#begun;
  }

  async *#work(): AsyncGenerator<BulkProgress> {
    const { id, action, counts, start } = await this.#select();
    const running = await start();
    let ended = false;
    try {
      yield { id, action, ...counts };
      for await (const progress of this.#chunks(running)) yield { id, action, ...progress };
      ended = true;
    } finally {
      // A bulk action whose iteration ended early, or was aborted, can be continued with `resume`.
      if (!ended) await stopBulk(this.#engine.database, id, running.runner).catch(() => false);
    }
  }

  async *#chunks(running: Running): AsyncGenerator<BulkCounts> {
    const { signal } = this.#options;
    let portion = { after: START, limit: TASKS_AT_ONCE, lastChance: false };
    let locked = 0;
    let movedAt = performance.now();
    for (;;) {
      signal?.throwIfAborted();
      const { answer, limit } = await this.#chunk(running, portion);
      if (answer.kind !== 'worked') {
        if (answer.kind === 'taken_over') throw takenOver(running.id);
        if (answer.kind === 'stopped') throw stoppedElsewhere(running.id);
        if (locked === 0) break;
        // Restarts from the beginning, to retry the tasks that were locked.
        await sleep(LOCKED_PAUSE_MS);
        portion = { after: START, limit: TASKS_AT_ONCE, lastChance: performance.now() - movedAt > LOCKED_MS };
        locked = 0;
        continue;
      }
      locked += answer.locked;
      if (answer.effects.tasks.length > 0) movedAt = performance.now();
      // The size of a chunk grows again after an error has halved it.
      portion = { ...portion, after: answer.last, limit: Math.min(limit * 2, TASKS_AT_ONCE) };
      await this.#announce(answer);
      yield answer.counts;
    }
    await endBulk(this.#engine.database, running.id, running.runner);
  }

  async #announce({ effects }: Extract<ChunkAnswer, { kind: 'worked' }>): Promise<void> {
    await this.#engine.announce.acts(effects);
    for (const taskUuid of effects.tasks) this.#options.changed(taskUuid);
  }

  /**
   * Processes a chunk. After an error, retries half of the chunk, and so on, until only the item that causes the error
   * is left. That item is marked as failed.
   */
  async #chunk(
    running: Running,
    { after, limit, lastChance }: { after: StepKey; limit: number; lastChance: boolean },
  ): Promise<{ answer: ChunkAnswer; limit: number }> {
    const { database } = this.#engine;
    const lostAt = performance.now();
    let size = limit;
    for (;;) {
      try {
        const portion = { after, limit: size, lastChance };
        const on = { engine: this.#engine, running };
        return { answer: await database.transaction(CHUNK, (tx) => workOnChunk(tx, on, portion)), limit: size };
      } catch (error) {
        // The transaction also marks its items. If it was committed and only the response was lost, the retry skips
        // these items.
        if (isConnectionError(error)) {
          if (performance.now() - lostAt > LOST_MS) throw error;
          await sleep(LOST_PAUSE_MS);
        } else if (size > 1) size = Math.ceil(size / 2);
        else return { answer: await this.#fail(running, after, error), limit: size };
      }
    }
  }

  /** Marks the next item as failed. */
  #fail({ id, runner }: Running, after: StepKey, error: unknown): Promise<ChunkAnswer> {
    return this.#engine.database.transaction(CHUNK, async (tx): Promise<ChunkAnswer> => {
      if (!(await lockBulk(tx, id, runner))?.mine) return { kind: 'taken_over' };
      const [item] = await nextItems(tx, id, { after, limit: 1 });
      if (!item) return { kind: 'empty' };
      const { taskUuid, idx } = item;
      const counts = await markItems(tx, id, [{ taskUuid, idx, outcome: 'failed', why: messageOf(error) }]);
      const effects = { tasks: [], ended: {}, taken: [], queued: false };
      return { kind: 'worked', last: { taskUuid, idx }, counts, locked: 0, effects };
    });
  }
}

/** A bulk action whose items are selected. */
export interface Begun {
  id: number;
  action: BulkAction;
  counts: BulkCounts;
  /** Makes this process the owner of the action, and records that in the audit. */
  start(): Promise<Running>;
}

/** Selects the items of a new bulk action. */
export async function beginNew(engine: Engine, selection: Selection): Promise<Begun> {
  const { database } = engine;
  await engine.search.flush();
  const { action, target, result, operator } = selection;
  const { id, matched, skipped } = await selectItems(database, selection);
  const filter = target.kind === 'filter' ? target.filter : null;
  const conditions = filter && (await conditionsOf(engine, id, filter));
  const running = { id, action, filter, conditions, result, operator: { ...operator, bulkId: id }, runner: uuidV7() };
  const start = async () => {
    const text = filter && JSON.stringify(filter);
    await startBulk(engine, running, {
      from: ['selected'],
      note: { id, action, matched, filter: text },
      operator: running.operator,
      request: selection.request,
    });
    return running;
  };
  return { id, action, counts: { matched, skipped, done: 0, failed: 0 }, start };
}

/** Takes over a bulk action that was stopped, or whose process died. */
export async function beginAgain(engine: Engine, id: number, operator: Operator): Promise<Begun> {
  const row = await findBulk(engine.database, id);
  const { action, matched, done, skipped, failed } = row;
  if (row.state === 'done') throw cannotResume(id, 'it is done; start a new action instead');
  if (row.state === 'selected')
    throw cannotResume(id, 'it was never confirmed; run its command again to start a new action');
  const filter = row.filter === null ? null : (JSON.parse(row.filter) as TaskFilter);
  const running = {
    id,
    action,
    filter,
    conditions: filter && (await conditionsOf(engine, id, filter)),
    result: row.result,
    operator: { actor: row.actor, reason: row.reason, door: row.door, bulkId: id },
    runner: uuidV7(),
  };
  const note = { id, action: 'bulk_resume' as const, matched: matched - done - skipped - failed, filter: null };
  const start = async () => {
    const by = { ...operator, bulkId: id };
    await startBulk(engine, running, { from: ['running', 'stopped'], note, operator: by });
    return running;
  };
  return { id, action, counts: { matched, done, skipped, failed }, start };
}

/** Reads the conditions to check again. Ages are measured from the selection, also when the action is resumed. */
async function conditionsOf({ database }: Engine, id: number, filter: TaskFilter): Promise<LiveConditions> {
  const { createdAt } = await findBulk(database, id);
  return readLiveConditions(database, filter, Date.parse(createdAt));
}

async function startBulk(
  { database }: Engine,
  { id, runner }: Running,
  {
    from,
    note,
    operator,
    request,
  }: {
    from: readonly ('selected' | 'running' | 'stopped')[];
    note: Parameters<typeof noteBulk>[1];
    operator: Operator;
    request?: BulkRequest | undefined;
  },
): Promise<void> {
  await database.transaction(CHUNK, async (tx) => {
    if (!(await takeBulk(tx, { id, runner, from }))) {
      throw new TaskerError(
        'illegal_transition',
        `bulk ${id} cannot be started: another process has already started or discarded it`,
      );
    }
    if (request) await keyBulk(tx, id, request);
    await noteBulk(tx, note, operator);
  });
}

function cannotResume(id: number, why: string): TaskerError {
  return new TaskerError('illegal_transition', `bulk ${id} cannot be resumed: ${why}`);
}

function takenOver(id: number): TaskerError {
  return new TaskerError(
    'illegal_transition',
    `bulk ${id} was taken over by another process; \`tasker bulk show ${id}\` shows its progress`,
  );
}

function stoppedElsewhere(id: number): TaskerError {
  return new TaskerError('stopped', `bulk ${id} was stopped; \`tasker bulk resume ${id}\` continues it`);
}
