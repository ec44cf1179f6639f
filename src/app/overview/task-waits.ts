import type { Engine } from '../../engine/engine.ts';
import { checkUuid, stepUuid } from '../../model/ids.ts';
import { START_IDX, type Wait } from '../../model/waits.ts';
import { waitsOf } from '../../store/waits/read.ts';

/** The last wait of a step, or the wait of a task for its start. Times are ISO 8601. */
export interface TaskWait extends Pick<Wait, 'kind' | 'attempt' | 'since' | 'until' | 'dueAt' | 'calls' | 'settings'> {
  /** The name of the step. Null if the task waits for its start. */
  step: string | null;
  stepUuid: string | null;
  progress: Wait['progress'];
  /** Null if the wait has not ended. */
  endedAt: string | null;
  endedBy: Wait['endedBy'];
}

/**
 * Returns the last wait of each step in a task, including ended waits. @throws TaskerError `task_not_found`,
 * `invalid_uuid`
 */
export async function waitsOfTask(engine: Engine, given: string): Promise<TaskWait[]> {
  const taskUuid = checkUuid(given, 'the task id');
  const waits = await waitsOf(engine.database, taskUuid);
  if (waits.length === 0) {
    await engine.getTask(taskUuid);
    return [];
  }
  const names = new Map((await engine.getSteps(taskUuid)).map((step) => [step.stepUuid, step.name]));
  return waits.map(({ idx, kind, number, since, until, dueAt, calls, settings, progress, endedAt, endedBy }) => {
    const uuid = idx === START_IDX ? null : stepUuid(taskUuid, idx);
    const step = uuid === null ? null : (names.get(uuid) ?? String(idx));
    return {
      step,
      stepUuid: uuid,
      kind,
      attempt: number,
      since,
      until,
      dueAt,
      calls,
      settings,
      progress,
      endedAt,
      endedBy,
    };
  });
}
