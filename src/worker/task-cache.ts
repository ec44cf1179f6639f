import {
  type BatchResultRow,
  type ClaimedStepRow,
  type Engine,
  KIND,
  type RecordAnswer,
  type ResultRow,
} from '../engine/engine.ts';
import { knownFor, reachedFrom } from '../engine/rerun/reached-steps.ts';
import type { Snapshot } from '../engine/template-store.ts';
import { elementNumber, placeFor } from '../model/for-each.ts';
import { isWorkerIndex, templateIndex, workerIndex } from '../model/ids.ts';
import type { TaskSchedule } from '../model/schedule/spec.ts';

/** A batch worker whose result other steps may read. */
export interface BatchMember {
  idx: number;
  name: string;
  /** The stored detail of its failure as JSON text. Null if it succeeded. */
  failure: string | null;
}

/**
 * The data of the finished steps of a task. The object is replaced instead of cleared, because running steps keep the
 * object that they started with.
 */
export interface KnownResults {
  /** Results as JSON text, by step. Null if the step finished without a result. */
  texts: Map<number, string | null>;
  /** Sizes of the results that were too large to be loaded with the others, by step. */
  withheld: Map<number, number>;
  /** Steps of the template that this task does not have and will never have. */
  absent: Set<number>;
  /** Steps that ended without a result, in templates with dynamic steps and routes. They are among {@link absent}, too. */
  without: Set<number>;
  /** Workers of finished batches, by the template step that they were created from. */
  batches: Map<number, readonly BatchMember[]>;
}

/** A task whose steps this process holds, with its input and the results of its finished steps. */
export interface CachedTask {
  readonly taskUuid: string;
  readonly snapshot: Snapshot;
  readonly row: ClaimedStepRow;
  known: KnownResults;
  /** Number of times that an operator had changed results of the task when {@link known} was read. */
  revision: number;
  /** The schedule that created it. Undefined until it is loaded, and for tasks that no schedule created. */
  schedule?: TaskSchedule | null;
  /** The task whose step started it, and the task above all others. Undefined until it is loaded, null if there is none. */
  parent?: { taskUuid: string; rootUuid: string } | null;
  /** Number of its steps that are held here. */
  held: number;
  /** The same for each element of its lists, by the step that has the list. Undefined if there are none. */
  elements?: Map<string, number>;
  bytes: number;
}

/** A step that needs the results of its ancestors. */
export interface Wanted {
  task: CachedTask;
  idx: number;
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

// Shared empty collections that are never written. Most tasks never need their own, and three per task took a large
// part of a step's memory.
const NONE_WITHHELD: Map<number, number> = new Map();
const NONE_ABSENT: Set<number> = new Set();
const NO_BATCHES: Map<number, readonly BatchMember[]> = new Map();

const nothingKnown = (): KnownResults => ({
  texts: new Map(),
  withheld: NONE_WITHHELD,
  absent: NONE_ABSENT,
  without: NONE_ABSENT,
  batches: NO_BATCHES,
});

/**
 * The tasks whose steps this process holds. Context and results are loaded once for all steps of a task, and dropped
 * with its last held step.
 */
export class TaskCache {
  readonly #tasks = new Map<string, CachedTask>();
  /** Approximate memory of contexts and results, in bytes. */
  bytes = 0;

  get(taskUuid: string): CachedTask | undefined {
    return this.#tasks.get(taskUuid);
  }

  /** Returns the task of a claimed step, which may be new. Drops results that an operator has since changed. */
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

  /** Drops results that are older than an operator's change. */
  revise(task: CachedTask, revision: number): void {
    if (task.revision >= revision) return;
    task.revision = revision;
    task.known = nothingKnown();
    this.bytes -= task.bytes - task.row.context.length;
    task.bytes = task.row.context.length;
  }

  /**
   * Keeps recorded results for later steps, unless an operator may have corrected them since they were recorded.
   * Corrected results are loaded when they are needed. Responses can arrive in a different order than the recordings
   * were committed.
   */
  keepRecorded(accepted: readonly RecordedResult[], { revised }: RecordAnswer): void {
    const revisions = new Map<string, number>();
    for (const { taskUuid, revision } of revised) {
      revisions.set(taskUuid, revision);
      const task = this.#tasks.get(taskUuid);
      if (task) this.revise(task, revision);
    }
    for (const { kind, idx, step, result, recordedBefore } of accepted) {
      // An aggregator loads the results of its workers itself, up to its limit. There may be thousands, so they are not
      // kept here.
      if (kind !== KIND.completed || isWorkerIndex(idx) || recordedBefore) continue;
      const { task } = step;
      if (task.revision > 0 && task.revision !== revisions.get(task.taskUuid)) continue;
      this.keep(task, idx, result);
    }
  }

  /** Keeps a result that belongs to the task's revision. Results of a task that is no longer held are not kept. */
  keep(task: CachedTask, idx: number, result: string | null): void {
    const { texts, withheld } = task.known;
    if (task.held === 0 || texts.has(idx)) return;
    texts.set(idx, result);
    withheld.delete(idx);
    const bytes = result?.length ?? 0;
    task.bytes += bytes;
    this.bytes += bytes;
  }

  hold(task: CachedTask, idx: number): void {
    const element = elementOf(task, idx);
    if (element !== undefined) {
      task.elements ??= new Map();
      task.elements.set(element.key, (task.elements.get(element.key) ?? 0) + 1);
    }
    if (task.held++ > 0 || this.#tasks.has(task.taskUuid)) return;
    // The task was released in the meantime, so this process was not notified when its results were corrected.
    task.known = nothingKnown();
    task.bytes = task.row.context.length;
    this.#tasks.set(task.taskUuid, task);
    this.bytes += task.bytes;
  }

  forget(task: CachedTask, idx: number): void {
    this.#forgetElement(task, idx);
    if (--task.held > 0) return;
    this.#tasks.delete(task.taskUuid);
    this.bytes -= task.bytes;
  }

  /** Drops the results of an element with its last held step, because a list may have many elements. */
  #forgetElement(task: CachedTask, idx: number): void {
    const element = elementOf(task, idx);
    if (element === undefined) return;
    const held = task.elements!.get(element.key)! - 1;
    if (held > 0) {
      task.elements!.set(element.key, held);
      return;
    }
    task.elements!.delete(element.key);
    for (const place of element.places) {
      const bytes = task.known.texts.get(place)?.length ?? 0;
      task.bytes -= bytes;
      if (this.#tasks.get(task.taskUuid) === task) this.bytes -= bytes;
      task.known.texts.delete(place);
      task.known.withheld.delete(place);
      task.known.absent.delete(place);
      task.known.without.delete(place);
    }
  }

  /** Total size of the results that a step may read, loaded or not. */
  sizeFor(wanted: Wanted): number {
    const { texts, withheld } = wanted.task.known;
    let size = 0;
    for (const idx of ancestorsOf(wanted)) size += texts.get(idx)?.length ?? withheld.get(idx) ?? 0;
    return size;
  }

  /** Returns whether the results that a step may read are certainly within `size`. Does not add up their sizes. */
  surelyWithin({ task }: Wanted, size: number): boolean {
    return task.known.withheld.size === 0 && task.bytes <= size;
  }

  /** Returns whether a result that a step may read was too large to be loaded with the others. */
  lacks(wanted: Wanted): boolean {
    const { withheld } = wanted.task.known;
    if (withheld.size === 0) return false;
    for (const idx of ancestorsOf(wanted)) if (withheld.has(idx)) return true;
    return false;
  }

  /** Returns whether a step can start, because the data of all its ancestors is loaded. */
  ready({ task, idx: reader, templateIdx }: Wanted): boolean {
    const { graph } = task.snapshot;
    const isReady = (idx: number) => isKnown(task.known, placeFor(graph, reader, idx));
    if (!graph.dynamic) return graph.ancestors[templateIdx]!.every(isReady);
    const known = knownFor(graph, reader, task.known);
    for (const idx of reachedFrom(graph, templateIdx, known)) if (!isReady(idx)) return false;
    return true;
  }

  /**
   * Loads the missing results that these steps may read: at most `maxSize` characters of results, and as many of batch
   * results. Some results may still be missing afterwards. Runs one statement for results and one for batches.
   */
  async load(engine: Engine, wanted: readonly Wanted[], maxSize: number): Promise<void> {
    // Repeats only if an operator changed results of a task during the load.
    while (await this.#loadMissing(engine, wanted, maxSize));
  }

  /** Returns whether the data that it read is already out of date. */
  async #loadMissing(engine: Engine, wanted: readonly Wanted[], maxSize: number): Promise<boolean> {
    const steps = new Map<string, { taskUuid: string; idx: number }>();
    const batches = new Map<string, { taskUuid: string; workerIdx: number }>();
    const into = new Map<string, KnownResults>();
    for (const { task, idx: reader, templateIdx } of wanted) {
      const { graph } = task.snapshot;
      for (const above of graph.ancestors[templateIdx]!) {
        const idx = placeFor(graph, reader, above);
        if (isKnown(task.known, idx)) continue;
        into.set(task.taskUuid, task.known);
        const key = `${task.taskUuid}:${idx}`;
        if (graph.types[idx] === 'batch_worker') batches.set(key, { taskUuid: task.taskUuid, workerIdx: idx });
        else steps.set(key, { taskUuid: task.taskUuid, idx });
      }
    }
    if (into.size === 0) return false;
    const routed = wanted.filter(({ task: { snapshot } }) => snapshot.graph.routed && snapshot.graph.dynamic);
    const [results, members, ended] = await Promise.all([
      steps.size > 0 ? engine.loadResults([...steps.values()], maxSize) : [],
      batches.size > 0 ? engine.batchResults([...batches.values()], maxSize) : [],
      routed.length > 0 && steps.size > 0 ? engine.endedWithoutResult([...steps.values()]) : [],
    ]);
    const current = (taskUuid: string) => {
      const task = this.#tasks.get(taskUuid);
      return task && into.get(taskUuid) === task.known ? task : undefined;
    };
    for (const row of results) this.#keepRow(row, current(row.taskUuid));
    for (const { taskUuid, idx } of ended) {
      const known = current(taskUuid)?.known;
      if (!known) continue;
      if (known.absent === NONE_ABSENT) known.absent = new Set();
      if (known.without === NONE_ABSENT) known.without = new Set();
      known.absent.add(idx);
      known.without.add(idx);
    }
    const byBatch = new Map<string, BatchResultRow[]>([...batches.keys()].map((key) => [key, []]));
    for (const row of members) byBatch.get(`${row.taskUuid}:${templateIndex(row.idx)}`)!.push(row);
    for (const one of wanted) if (current(one.task.taskUuid)) this.#settle(one, byBatch);
    return [...into].some(([taskUuid, known]) => (this.#tasks.get(taskUuid)?.known ?? known) !== known);
  }

  /**
   * Records which ancestors exist. Ancestors that were not found will never exist, and the batches that the step joins
   * are finished.
   */
  #settle({ task, idx: reader, templateIdx }: Wanted, loaded: ReadonlyMap<string, readonly BatchResultRow[]>): void {
    const { graph } = task.snapshot;
    const known = knownFor(graph, reader, task.known);
    const reached = graph.dynamic ? reachedFrom(graph, templateIdx, known) : graph.ancestors[templateIdx]!;
    for (const above of reached) {
      const idx = placeFor(graph, reader, above);
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

/** Returns the element that a step runs for, with the places of all steps of the element. */
function elementOf({ snapshot: { graph } }: CachedTask, idx: number) {
  const list = isWorkerIndex(idx) ? graph.elementOf.get(templateIndex(idx)) : undefined;
  if (list === undefined) return undefined;
  const element = elementNumber(idx);
  const places = [...graph.elementOf].flatMap(([step, of]) => (of === list ? [workerIndex(step, element)] : []));
  return { key: `${list}:${element}`, places };
}

function memberOf({ idx, name, state, detail }: BatchResultRow): BatchMember {
  return { idx, name, failure: state === 'error' ? (detail ?? '{}') : null };
}

/** The ancestors of a step. For a finished batch, its workers replace the step that they were created from. */
function* ancestorsOf({ task, idx: reader, templateIdx }: Wanted): Generator<number> {
  const { graph } = task.snapshot;
  for (const idx of graph.ancestors[templateIdx]!) {
    const members = task.known.batches.get(idx);
    if (members) for (const member of members) yield member.idx;
    else yield placeFor(graph, reader, idx);
  }
}
