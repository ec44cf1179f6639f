import { stepUuid } from '../../model/ids.ts';
import type { ChangedStepRow, ChangedTaskRow } from '../../store/streams/changed-tasks.ts';
import { taskRow } from '../../store/tasks.ts';
import type { StepState, Task } from '../task-view.ts';
import { stepCompletedAt, taskView } from '../task-view.ts';

/** The newest state of a task, as streams send it: without its context. */
export type StreamTask = Omit<Task, 'context'>;

/** The newest state of a step, as streams send it: without result and error. Times are ISO 8601. */
export interface StreamStep {
  taskUuid: string;
  stepUuid: string;
  name: string;
  /** The namespace, name and version of its task's template. */
  namespace: string;
  taskName: string;
  version: string;
  currentState: StepState;
  attempts: number;
  maxAttempts: number;
  /** Start of the last attempt. */
  startedAt: string | null;
  completedAt: string | null;
  nextRetryAt: string | null;
}

/**
 * Why changes were lost. `too_old`: the log no longer has the position. `too_many`: more tasks changed than a stream
 * repeats. `unknown_id`: the position is not from this database. `database_restored`: the database lost its last
 * commits.
 */
export type ResetReason = 'too_old' | 'too_many' | 'unknown_id' | 'database_restored';
/** Why a stream ends. `renew`: it has reached its maximum age. `slow`: its reader does not keep up. */
export type ClosingReason = 'shutdown' | 'renew' | 'slow';

/**
 * One change. A greater `revision` of the same task or step is newer. `cursor`: pass it as `after` to continue after
 * this change; only the last change of a batch has one.
 */
export type StreamChange = { revision: number; cursor?: string } & (
  | { kind: 'task'; task: StreamTask }
  | { kind: 'step'; step: StreamStep }
  /** Tasks that no longer exist. The client may not know some of them. */
  | { kind: 'deleted'; taskUuids: readonly string[] }
  /** Changes were lost. Read everything again. */
  | { kind: 'reset'; reason: ResetReason }
);

/** Returns a task as streams send it. */
export function streamTask(row: ChangedTaskRow): StreamTask {
  const task: Omit<Task, 'context'> & { context?: Task['context'] | undefined } = taskView(taskRow(row));
  // A copy without the field, or its deletion, would make the object a dictionary, which takes ten times the memory.
  task.context = undefined;
  return task;
}

/** Returns a step as streams send it. */
export function streamStep(row: ChangedStepRow, task: StreamTask): StreamStep {
  return {
    taskUuid: row.taskUuid,
    stepUuid: stepUuid(row.taskUuid, row.idx),
    name: row.name,
    namespace: task.namespace,
    taskName: task.name,
    version: task.version,
    currentState: row.state as StepState,
    attempts: row.attempts - row.spared,
    maxAttempts: row.maxAttempts,
    startedAt: row.startedAt,
    completedAt: stepCompletedAt(row),
    nextRetryAt: row.nextAt,
  };
}

/** A position in the log of changes. */
export interface Position {
  seq: number;
  mark: number;
}

/** Returns a position as clients pass it. */
export function cursorOf({ seq, mark }: Position): string {
  return `${seq}-${mark.toString(36)}`;
}

/** Returns the position that a client has passed. Undefined if it has another form. */
export function positionOf(cursor: string): Position | undefined {
  const [, seq, mark] = /^(\d{1,15})-([0-9a-z]{1,6})$/.exec(cursor) ?? [];
  return seq === undefined || mark === undefined ? undefined : { seq: Number(seq), mark: Number.parseInt(mark, 36) };
}
