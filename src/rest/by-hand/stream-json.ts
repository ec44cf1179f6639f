import type { StreamChange, StreamStep, StreamTask } from '../../engine/streams/changes.ts';
import type { Task } from '../../engine/task-view.ts';
import { taskJson } from './task-json.ts';

/** The name and the data of an event. */
interface ChangeJson {
  event: string;
  data: object;
}

/** Returns a change as an event of a stream. */
export function changeJson(change: StreamChange): ChangeJson {
  const { revision } = change;
  switch (change.kind) {
    case 'task': {
      const data = streamTaskJson(change.task);
      data.revision = revision;
      return { event: 'task', data };
    }
    case 'step':
      return { event: 'step', data: { ...streamStepJson(change.step), revision } };
    case 'deleted':
      return { event: 'deleted', data: { task_uuids: change.taskUuids, revision } };
    case 'reset':
      return { event: 'reset', data: { reason: change.reason, revision } };
  }
}

function streamTaskJson(task: StreamTask): Record<string, unknown> {
  const json: Record<string, unknown> = taskJson(task as Task, []);
  json.steps = undefined;
  json.paused = task.paused !== null;
  json.stale = task.stale !== null;
  return json;
}

function streamStepJson(step: StreamStep): object {
  return {
    task_uuid: step.taskUuid,
    step_uuid: step.stepUuid,
    name: step.name,
    namespace: step.namespace,
    task_name: step.taskName,
    version: step.version,
    current_state: step.currentState,
    attempts: step.attempts,
    max_attempts: step.maxAttempts,
    started_at: step.startedAt,
    completed_at: step.completedAt,
    next_retry_at: step.nextRetryAt,
  };
}
