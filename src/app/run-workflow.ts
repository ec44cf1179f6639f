import type { TaskRequest } from '../engine/create-task.ts';
import type { Task } from '../engine/task-view.ts';
import { TaskerError } from '../errors.ts';
import type { Workflow } from '../workflow/workflow.ts';
import type { StepInfos } from '../workflow/workflow-types.ts';
import type { WaitOptions } from './streams/task-waiter.ts';

/** Options of `tasker.run`: fields of the request for the task, and how long to wait. */
export interface RunOptions
  extends Omit<TaskRequest, 'name' | 'namespace' | 'version' | 'context'>,
    Omit<WaitOptions, 'throwOnFailure'> {}

/** The verbs that {@link runWorkflow} uses. */
interface Running {
  create(request: TaskRequest): Promise<{ taskUuid: string }>;
  wait(taskUuid: string, options: WaitOptions): Promise<Task>;
}

/** Creates a task of a workflow, waits until it is complete, and returns its output. */
export async function runWorkflow<Input, Output>(
  { create, wait }: Running,
  workflow: Workflow<Input, StepInfos, Output>,
  { input, timeoutMs, signal, ...request }: RunOptions & { input: Input },
): Promise<Output> {
  const { taskUuid } = await create({ ...request, ...workflow.request(input) });
  const until = { throwOnFailure: true, ...(timeoutMs !== undefined && { timeoutMs }), ...(signal && { signal }) };
  const { output, outputError } = await wait(taskUuid, until);
  if (outputError === undefined) return output as Output;
  throw new TaskerError('task_failed', `task ${taskUuid} is complete, but has no output: ${outputError}`, {
    details: { status: 'complete' },
  });
}
