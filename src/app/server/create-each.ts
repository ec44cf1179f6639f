import { checkRequests } from '../../engine/bulk/check-requests.ts';
import type { TaskRequest } from '../../engine/create-task.ts';
import { isTaskerError, TaskerError } from '../../errors.ts';
import type { Tasker } from '../tasker.ts';

/** The outcome of one request. */
export type CreatedOrNot = { taskUuid: string; created: boolean } | { error: TaskerError };

/**
 * Creates tasks in one transaction, and skips rejected requests. Returns the outcome of each. `onDuplicate`: whether an
 * earlier task with the same identity is an error. @internal
 * @throws TaskerError for errors that do not concern a single request, such as `database_unreachable`
 */
export async function createEach(
  tasker: Tasker,
  requests: readonly TaskRequest[],
  onDuplicate: 'error' | 'return',
): Promise<CreatedOrNot[]> {
  const outcomes: CreatedOrNot[] = new Array(requests.length);
  let open = requests.map((_, at) => at);
  const refuse = (at: number, error: TaskerError) => {
    outcomes[at] = { error };
    open = open.filter((other) => other !== at);
  };
  for (let checked = false; open.length > 0; ) {
    const places = open;
    try {
      const handles = await tasker.createTasks<string, string, string>(places.map((at) => requests[at]!) as never, {
        onDuplicate: 'return',
      });
      handles.forEach(({ taskUuid, created }, i) => {
        const isError = !created && onDuplicate === 'error';
        outcomes[places[i]!] = isError ? { error: duplicate(requests[places[i]!]!, taskUuid) } : { taskUuid, created };
      });
      return outcomes;
    } catch (error) {
      if (!isTaskerError(error)) throw error;
      // The identity of one of the requests belongs to a pruned task.
      const { index } = error.details;
      if (error.code === 'conflict' && typeof index === 'number') {
        refuse(places[index]!, aboutOne(error as TaskerError));
        continue;
      }
      if (checked) throw error;
      checked = true;
      const errors = await checkRequests(
        tasker.engine.templates,
        places.map((at) => requests[at]!),
      );
      if (errors.every((one) => one === undefined)) throw error;
      errors.forEach((one, i) => {
        if (one) refuse(places[i]!, one);
      });
    }
  }
  return outcomes;
}

/** Returns the error for a pruned task, without the part about the other tasks, which are created here. */
function aboutOne({ message, details: { index: _, ...details } }: TaskerError): TaskerError {
  return new TaskerError('conflict', message.replace(/ \(number \d+ of \d+; none was created\)/, ''), { details });
}

function duplicate({ name, idempotencyKey }: TaskRequest, taskUuid: string): TaskerError {
  const what = idempotencyKey === undefined ? 'with the same context' : `with the idempotency key ${idempotencyKey}`;
  return new TaskerError('conflict', `task ${name} ${what} already exists: ${taskUuid}`, {
    details: { task_uuid: taskUuid },
  });
}
