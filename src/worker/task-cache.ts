import type { ClaimedStepRow, Engine, ResultRow } from '../engine/engine.ts';
import type { Snapshot } from '../engine/template-store.ts';

/** What this process knows of a task of which it holds steps: its input, and results of its finished steps. */
export interface CachedTask {
  readonly taskUuid: string;
  readonly snapshot: Snapshot;
  readonly row: ClaimedStepRow;
  /** JSON text by step; null: finished without a result. Replaced, not emptied: running steps keep what they began with. */
  results: Map<number, string | null>;
  /** Results that were too large to be loaded with the others: their sizes. */
  withheld: Map<number, number>;
  /** How often an operator had changed results when these were read. */
  revision: number;
  /** Steps that are held here. */
  held: number;
  bytes: number;
}

/** A step whose ancestors' results must be at hand. */
export interface Wanted {
  task: CachedTask;
  idx: number;
}

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
    let task = this.#tasks.get(row.task_uuid);
    if (!task) {
      task = {
        taskUuid: row.task_uuid,
        snapshot,
        row,
        results: new Map(),
        withheld: new Map(),
        revision: row.revision,
        held: 0,
        bytes: row.context.length,
      };
      this.#tasks.set(row.task_uuid, task);
      this.bytes += task.bytes;
    }
    this.revise(task, row.revision);
    return task;
  }

  /** Forgets results that are older than an operator's change. */
  revise(task: CachedTask, revision: number): void {
    if (task.revision >= revision) return;
    task.revision = revision;
    task.results = new Map();
    task.withheld = new Map();
    this.bytes -= task.bytes - task.row.context.length;
    task.bytes = task.row.context.length;
  }

  /** Of a task that is not held here any more, nothing is kept. */
  keep(task: CachedTask, idx: number, result: string | null): void {
    if (task.held === 0 || task.results.has(idx)) return;
    task.results.set(idx, result);
    task.withheld.delete(idx);
    const bytes = result?.length ?? 0;
    task.bytes += bytes;
    this.bytes += bytes;
  }

  hold(task: CachedTask): void {
    if (task.held++ > 0 || this.#tasks.has(task.taskUuid)) return;
    this.#tasks.set(task.taskUuid, task);
    this.bytes += task.bytes;
  }

  letGo(task: CachedTask): void {
    if (--task.held > 0) return;
    this.#tasks.delete(task.taskUuid);
    this.bytes -= task.bytes;
  }

  /** How much of other steps' results a step may read, loaded or not. */
  sizeFor({ task, idx }: Wanted): number {
    let size = 0;
    for (const ancestor of task.snapshot.graph.ancestors[idx]!)
      size += task.results.get(ancestor)?.length ?? task.withheld.get(ancestor) ?? 0;
    return size;
  }

  /** Whether it is sure, without adding up, that a step may read no more than `size`. */
  surelyWithin({ task }: Wanted, size: number): boolean {
    return task.withheld.size === 0 && task.bytes <= size;
  }

  /** Whether results that a step may read were too large to be loaded with the others. */
  lacks({ task, idx }: Wanted): boolean {
    if (task.withheld.size === 0) return false;
    return task.snapshot.graph.ancestors[idx]!.some((ancestor) => task.withheld.has(ancestor));
  }

  /**
   * Loads what is missing of the results that these steps may read, in one statement, `maxSize` at most: the steps that
   * come last may still lack some.
   */
  async load(engine: Engine, wanted: readonly Wanted[], maxSize: number): Promise<void> {
    // Again only when an operator changed results of a task while they were on their way.
    while (await this.#loadMissing(engine, wanted, maxSize));
  }

  /** Answers whether what was read is out of date already. */
  async #loadMissing(engine: Engine, wanted: readonly Wanted[], maxSize: number): Promise<boolean> {
    const missing = new Map<string, { taskUuid: string; idx: number }>();
    const into = new Map<CachedTask, CachedTask['results']>();
    for (const { task, idx } of wanted) {
      for (const ancestor of task.snapshot.graph.ancestors[idx]!) {
        if (task.results.has(ancestor)) continue;
        missing.set(`${task.taskUuid}:${ancestor}`, { taskUuid: task.taskUuid, idx: ancestor });
        into.set(task, task.results);
      }
    }
    if (missing.size === 0) return false;
    const rows: ResultRow[] = await engine.loadResults([...missing.values()], maxSize);
    for (const row of rows) {
      const task = this.#tasks.get(row.task_uuid);
      if (!task || into.get(task) !== task.results) continue;
      if (row.withheld) task.withheld.set(row.idx, row.size);
      else this.keep(task, row.idx, row.result);
    }
    return [...into].some(([task, results]) => task.results !== results);
  }
}
