import {
  type BatchResultRow,
  type ClaimedStepRow,
  type Engine,
  KIND,
  type RecordAnswer,
  type ResultRow,
} from '../engine/engine.ts';
import { reachedFrom } from '../engine/reached-steps.ts';
import type { Snapshot } from '../engine/template-store.ts';
import { isWorkerIndex, templateIndex } from '../model/step-index.ts';

/** A worker of a batch whose result others may read. */
export interface BatchMember {
  idx: number;
  name: string;
  /** JSON text of what is kept about its failure; null: it succeeded. */
  failure: string | null;
}

/** What is known of the finished steps of a task. Replaced, not emptied: running steps keep what they began with. */
export interface KnownResults {
  /** JSON text by step; null: finished without a result. */
  texts: Map<number, string | null>;
  /** Results that were too large to be loaded with the others: their sizes. */
  withheld: Map<number, number>;
  /** Steps of the template that this task does not have, and will not have. */
  absent: Set<number>;
  /** Batches that are over, by the template step that their workers are made from. */
  batches: Map<number, readonly BatchMember[]>;
}

/** What this process knows of a task of which it holds steps: its input, and results of its finished steps. */
export interface CachedTask {
  readonly taskUuid: string;
  readonly snapshot: Snapshot;
  readonly row: ClaimedStepRow;
  known: KnownResults;
  /** How often an operator had changed results when these were read. */
  revision: number;
  /** Steps that are held here. */
  held: number;
  bytes: number;
}

/** A step whose ancestors' results must be at hand. */
export interface Wanted {
  task: CachedTask;
  templateIdx: number;
}

/** A result that was recorded. */
interface RecordedResult {
  kind: number;
  idx: number;
  step: { readonly task: CachedTask };
  result: string;
  recordedBefore?: true;
}

// Stand for the collections that most tasks never need, and are never written: three a task were a good part of what a
// step takes of memory.
const NONE_WITHHELD: Map<number, number> = new Map();
const NONE_ABSENT: Set<number> = new Set();
const NO_BATCHES: Map<number, readonly BatchMember[]> = new Map();

const nothingKnown = (): KnownResults => ({
  texts: new Map(),
  withheld: NONE_WITHHELD,
  absent: NONE_ABSENT,
  batches: NO_BATCHES,
});

/**
 * The tasks of which this process holds steps. Context and results are loaded once, however many siblings need them,
 * and go when the last held step of the task does.
 */
export class TaskCache {
  readonly #tasks = new Map<string, CachedTask>();
  /** About how much memory contexts and results take. */
  bytes = 0;

  get(taskUuid: string): CachedTask | undefined {
    return this.#tasks.get(taskUuid);
  }

  /** The task of a claimed step, known or new; what an operator changed meanwhile is forgotten. */
  take(row: ClaimedStepRow, snapshot: Snapshot): CachedTask {
    let task = this.#tasks.get(row.taskUuid);
    if (!task) {
      task = {
        taskUuid: row.taskUuid,
        snapshot,
        row,
        known: nothingKnown(),
        revision: row.revision,
        held: 0,
        bytes: row.context.length,
      };
      this.#tasks.set(row.taskUuid, task);
      this.bytes += task.bytes;
    }
    this.revise(task, row.revision);
    return task;
  }

  /** Forgets results that are older than an operator's change. */
  revise(task: CachedTask, revision: number): void {
    if (task.revision >= revision) return;
    task.revision = revision;
    task.known = nothingKnown();
    this.bytes -= task.bytes - task.row.context.length;
    task.bytes = task.row.context.length;
  }

  /**
   * Keeps recorded results for later steps, unless an operator may have corrected them since they were recorded. Those
   * are loaded when they are needed. Answers can arrive in a different order than the recordings were committed.
   */
  keepRecorded(accepted: readonly RecordedResult[], { revised }: RecordAnswer): void {
    const revisions = new Map<string, number>();
    for (const { taskUuid, revision } of revised) {
      revisions.set(taskUuid, revision);
      const task = this.#tasks.get(taskUuid);
      if (task) this.revise(task, revision);
    }
    for (const { kind, idx, step, result, recordedBefore } of accepted) {
      // An aggregator loads the results of its workers itself, up to its limit. Thousands are not kept here.
      if (kind !== KIND.completed || isWorkerIndex(idx) || recordedBefore) continue;
      const { task } = step;
      if (task.revision > 0 && task.revision !== revisions.get(task.taskUuid)) continue;
      this.keep(task, idx, result);
    }
  }

  /** Keeps a result as it is stored at the task's revision. Results of a task that is no longer held are not kept. */
  keep(task: CachedTask, idx: number, result: string | null): void {
    const { texts, withheld } = task.known;
    if (task.held === 0 || texts.has(idx)) return;
    texts.set(idx, result);
    withheld.delete(idx);
    const bytes = result?.length ?? 0;
    task.bytes += bytes;
    this.bytes += bytes;
  }

  hold(task: CachedTask): void {
    if (task.held++ > 0 || this.#tasks.has(task.taskUuid)) return;
    // It was released in the meantime, so corrections of its results were not reported here.
    task.known = nothingKnown();
    task.bytes = task.row.context.length;
    this.#tasks.set(task.taskUuid, task);
    this.bytes += task.bytes;
  }

  letGo(task: CachedTask): void {
    if (--task.held > 0) return;
    this.#tasks.delete(task.taskUuid);
    this.bytes -= task.bytes;
  }

  /** How much of other steps' results a step may read, loaded or not. */
  sizeFor(wanted: Wanted): number {
    const { texts, withheld } = wanted.task.known;
    let size = 0;
    for (const idx of ancestorsOf(wanted)) size += texts.get(idx)?.length ?? withheld.get(idx) ?? 0;
    return size;
  }

  /** Whether it is sure, without adding up, that a step may read no more than `size`. */
  surelyWithin({ task }: Wanted, size: number): boolean {
    return task.known.withheld.size === 0 && task.bytes <= size;
  }

  /** Whether results that a step may read were too large to be loaded with the others. */
  lacks(wanted: Wanted): boolean {
    const { withheld } = wanted.task.known;
    if (withheld.size === 0) return false;
    for (const idx of ancestorsOf(wanted)) if (withheld.has(idx)) return true;
    return false;
  }

  /** Whether a step may begin with what is known: nothing of its ancestors was never asked for. */
  ready({ task, templateIdx }: Wanted): boolean {
    const { graph } = task.snapshot;
    if (!graph.dynamic) return graph.ancestors[templateIdx]!.every((idx) => isKnown(task.known, idx));
    for (const idx of reachedFrom(graph, templateIdx, task.known)) if (!isKnown(task.known, idx)) return false;
    return true;
  }

  /**
   * Loads what is missing of the results that these steps may read, `maxSize` at most: the steps that come last may
   * still lack some. One statement, and another one for batches.
   */
  async load(engine: Engine, wanted: readonly Wanted[], maxSize: number): Promise<void> {
    // Again only when an operator changed results of a task while they were on their way.
    while (await this.#loadMissing(engine, wanted, maxSize));
  }

  /** Answers whether what was read is out of date already. */
  async #loadMissing(engine: Engine, wanted: readonly Wanted[], maxSize: number): Promise<boolean> {
    const steps = new Map<string, { taskUuid: string; idx: number }>();
    const batches = new Map<string, { taskUuid: string; workerIdx: number }>();
    const into = new Map<string, KnownResults>();
    for (const { task, templateIdx } of wanted) {
      const { graph } = task.snapshot;
      for (const idx of graph.ancestors[templateIdx]!) {
        if (isKnown(task.known, idx)) continue;
        into.set(task.taskUuid, task.known);
        const key = `${task.taskUuid}:${idx}`;
        if (graph.types[idx] === 'batch_worker') batches.set(key, { taskUuid: task.taskUuid, workerIdx: idx });
        else steps.set(key, { taskUuid: task.taskUuid, idx });
      }
    }
    if (into.size === 0) return false;
    const [results, members] = await Promise.all([
      steps.size > 0 ? engine.loadResults([...steps.values()], maxSize) : [],
      batches.size > 0 ? engine.batchResults([...batches.values()], maxSize) : [],
    ]);
    const current = (taskUuid: string) => {
      const task = this.#tasks.get(taskUuid);
      return task && into.get(taskUuid) === task.known ? task : undefined;
    };
    for (const row of results) this.#keepRow(row, current(row.taskUuid));
    const byBatch = new Map<string, BatchResultRow[]>([...batches.keys()].map((key) => [key, []]));
    for (const row of members) byBatch.get(`${row.taskUuid}:${templateIndex(row.idx)}`)!.push(row);
    for (const one of wanted) if (current(one.task.taskUuid)) this.#settle(one, byBatch);
    return [...into].some(([taskUuid, known]) => (this.#tasks.get(taskUuid)?.known ?? known) !== known);
  }

  /** What was not found of all that a step comes after will never be there, and its batches are over. */
  #settle({ task, templateIdx }: Wanted, loaded: ReadonlyMap<string, readonly BatchResultRow[]>): void {
    const { graph } = task.snapshot;
    for (const idx of reachedFrom(graph, templateIdx, task.known)) {
      if (isKnown(task.known, idx) || task.known.withheld.has(idx)) continue;
      if (graph.types[idx] === 'batch_worker') {
        const rows = loaded.get(`${task.taskUuid}:${idx}`) ?? [];
        for (const row of rows) this.#keepRow(row, task);
        if (task.known.batches === NO_BATCHES) task.known.batches = new Map();
        task.known.batches.set(idx, rows.map(memberOf));
      } else {
        if (task.known.absent === NONE_ABSENT) task.known.absent = new Set();
        task.known.absent.add(idx);
      }
    }
  }

  #keepRow(row: ResultRow | BatchResultRow, task: CachedTask | undefined): void {
    if (!task) return;
    if (row.withheld) {
      if (task.known.withheld === NONE_WITHHELD) task.known.withheld = new Map();
      task.known.withheld.set(row.idx, row.size);
    } else this.keep(task, row.idx, row.result);
  }
}

function isKnown({ texts, absent, batches }: KnownResults, idx: number): boolean {
  return texts.has(idx) || absent.has(idx) || batches.has(idx);
}

function memberOf({ idx, name, state, detail }: BatchResultRow): BatchMember {
  return { idx, name, failure: state === 'error' ? (detail ?? '{}') : null };
}

/** The steps above one, the workers of batches instead of what they are made from. */
function* ancestorsOf({ task, templateIdx }: Wanted): Generator<number> {
  for (const idx of task.snapshot.graph.ancestors[templateIdx]!) {
    const members = task.known.batches.get(idx);
    if (members) for (const member of members) yield member.idx;
    else yield idx;
  }
}
