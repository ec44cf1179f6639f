import { createHash } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import { oldestKeys } from '../../model/oldest-keys.ts';
import { PINNED_PLANS } from '../../store/planner.ts';
import { type ChangedStepRow, changedSteps, changedTasks } from '../../store/streams/changed-tasks.ts';
import { type StreamChange, type StreamTask, streamStep, streamTask } from './changes.ts';
import type { StreamedFacts } from './stream-filter.ts';

/** Maximum number of tasks, and of steps, whose last state is remembered. */
const MOST_TASKS = 20_000;
const MOST_STEPS = 100_000;

// Planning the statements each time would cost more than running them.
const READING = opening({ ...PINNED_PLANS, statement_timeout: '20s' });

/** The changes of one task. */
export interface TaskChanges {
  taskUuid: string;
  /** The known facts about the task. Undefined if it does not exist and was never seen. */
  facts: StreamedFacts | undefined;
  /** Undefined if the task does not exist. */
  task: StreamTask | undefined;
  /** Undefined if the task has not changed. */
  taskChange: StreamChange | undefined;
  stepChanges: readonly StreamChange[];
}

interface KnownTask {
  /** A hash of everything that was read. */
  version: string;
  facts: StreamedFacts;
}

/** Reads the newest states of tasks and steps, and remembers them, so that nothing is sent twice without a change. */
export class NewestStates {
  readonly #database: Database;
  /** The least recently read first. */
  readonly #tasks = new Map<string, KnownTask>();
  readonly #steps = new Map<string, Map<number, string>>();
  #stepCount = 0;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Returns what changed since these tasks were last read here. `wantsSteps`: the tasks whose steps are read too. */
  async changes(
    taskUuids: readonly string[],
    { revision, wantsSteps }: { revision: number; wantsSteps(task: StreamTask): boolean },
  ): Promise<TaskChanges[]> {
    return this.#read(taskUuids, { revision, wantsSteps, all: false });
  }

  /** Returns the whole state of tasks. */
  async states(
    taskUuids: readonly string[],
    { revision, wantsSteps }: { revision: number; wantsSteps(task: StreamTask): boolean },
  ): Promise<TaskChanges[]> {
    return this.#read(taskUuids, { revision, wantsSteps, all: true });
  }

  async #read(
    taskUuids: readonly string[],
    { revision, wantsSteps, all }: { revision: number; wantsSteps(task: StreamTask): boolean; all: boolean },
  ): Promise<TaskChanges[]> {
    const rows = await this.#database.pipeline(READING, (tx) => changedTasks(tx, taskUuids));
    const tasks = rows.map(streamTask);
    const found = new Map(tasks.map((task, i) => [task.taskUuid, { row: rows[i]!, task }]));
    const withSteps = tasks.filter((task) => wantsSteps(task)).map(({ taskUuid }) => taskUuid);
    const steps = await this.#readSteps(withSteps);
    return taskUuids.map((taskUuid) => {
      const known = this.#tasks.get(taskUuid);
      const { row, task } = found.get(taskUuid) ?? {};
      if (!row || !task) {
        this.#forget(taskUuid);
        return { taskUuid, facts: known?.facts, task, taskChange: undefined, stepChanges: [] };
      }
      // Blocks for a joining stream are not remembered, because the other streams have not received them.
      const isNew = all || this.#isNew(task, createHash('sha1').update(JSON.stringify(row)).digest('base64'));
      const stepRows = steps.get(taskUuid) ?? [];
      const changedRows = all ? stepRows : this.#newSteps(taskUuid, stepRows);
      return {
        taskUuid,
        facts: task,
        task,
        taskChange: isNew ? { kind: 'task' as const, task, revision } : undefined,
        stepChanges: changedRows.map((step) => ({ kind: 'step' as const, step: streamStep(step, task), revision })),
      };
    });
  }

  async #readSteps(taskUuids: readonly string[]): Promise<Map<string, ChangedStepRow[]>> {
    const byTask = new Map<string, ChangedStepRow[]>(taskUuids.map((id) => [id, []]));
    if (taskUuids.length === 0) return byTask;
    const rows = await this.#database.pipeline(READING, (tx) => changedSteps(tx, taskUuids));
    for (const row of rows) byTask.get(row.taskUuid)!.push(row);
    return byTask;
  }

  #isNew(task: StreamTask, version: string): boolean {
    const { taskUuid, namespace, name, tags } = task;
    const before = this.#tasks.get(taskUuid)?.version;
    this.#tasks.delete(taskUuid);
    this.#tasks.set(taskUuid, { version, facts: { namespace, name, tags } });
    for (const oldest of oldestKeys(this.#tasks, MOST_TASKS)) this.#forget(oldest);
    return before !== version;
  }

  #newSteps(taskUuid: string, rows: readonly ChangedStepRow[]): readonly ChangedStepRow[] {
    if (rows.length === 0) return rows;
    const before = this.#steps.get(taskUuid);
    const now = new Map(
      rows.map(({ idx, taskUuid: _, name: _name, ...state }) => [idx, Object.values(state).join(' ')]),
    );
    this.#forgetSteps(taskUuid);
    this.#steps.set(taskUuid, now);
    this.#stepCount += now.size;
    if (this.#stepCount > MOST_STEPS) {
      // A tenth of all steps together, because finding the oldest each time would be slow.
      for (const oldest of this.#steps.keys()) {
        if (this.#stepCount <= MOST_STEPS * 0.9) break;
        this.#forgetSteps(oldest);
      }
    }
    return before ? rows.filter(({ idx }) => before.get(idx) !== now.get(idx)) : rows;
  }

  #forget(taskUuid: string): void {
    this.#tasks.delete(taskUuid);
    this.#forgetSteps(taskUuid);
  }

  #forgetSteps(taskUuid: string): void {
    this.#stepCount -= this.#steps.get(taskUuid)?.size ?? 0;
    this.#steps.delete(taskUuid);
  }

  /** Forgets everything. */
  clear(): void {
    this.#tasks.clear();
    this.#steps.clear();
    this.#stepCount = 0;
  }
}
