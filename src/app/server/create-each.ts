import { checkRequests } from '../../engine/bulk/check-requests.ts';
import type { TaskRequest } from '../../engine/create-task.ts';
import { CreationConflict, existingTask } from '../../engine/creation-conflict.ts';
import { isTaskerError, type TaskerError } from '../../errors.ts';
import type { Tasker, TaskHandle } from '../tasker.ts';

/** The outcome of one request. */
export type CreatedOrNot =
  | Pick<TaskHandle, 'taskUuid' | 'created' | 'outcome' | 'rule' | 'replacedTaskUuid'>
  | { error: TaskerError };

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
      const rejections = new Map<number, CreationConflict>();
      const handles = await tasker.createEach(
        places.map((at) => requests[at]!),
        rejections,
      );
      handles.forEach(({ taskUuid, created, outcome, rule, replacedTaskUuid }, i) => {
        const isDuplicate = rule === 'identity' && onDuplicate === 'error';
        const duplicate = () => existingTask(requests[places[i]!]!, taskUuid, { at: 0, of: 1 });
        const error = rejections.get(i) ?? (isDuplicate ? duplicate() : undefined);
        outcomes[places[i]!] = error ? { error } : { taskUuid, created, outcome, rule, replacedTaskUuid };
      });
      return outcomes;
    } catch (error) {
      if (!isTaskerError(error)) throw error;
      // The identity of one of the requests belongs to a pruned task, or to a task of another request.
      if (error instanceof CreationConflict) {
        refuse(places[Number(error.details.index ?? 0)]!, error.alone());
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
