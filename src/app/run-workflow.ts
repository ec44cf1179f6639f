import type { TaskRequest } from '../engine/create-task.ts';
import { TaskerError } from '../errors.ts';
import type { Workflow } from '../workflow/workflow.ts';
import type { StepInfos } from '../workflow/workflow-types.ts';
import type { WaitOptions } from './streams/task-waiter.ts';
import type { Tasker } from './tasker.ts';

/** Options of {@link Tasker.run}: fields of the request for the task, and how long to wait. */
export interface RunOptions
  extends Omit<TaskRequest, 'name' | 'namespace' | 'version' | 'context'>,
    Omit<WaitOptions, 'throwOnFailure'> {}

/** Creates a task of a workflow, waits until it is complete, and returns its output. */
export async function runWorkflow<Input, Output>(
  tasker: Pick<Tasker, 'createTask' | 'waitForTask'>,
  workflow: Workflow<Input, StepInfos, Output>,
  { input, timeoutMs, signal, ...request }: RunOptions & { input: Input },
): Promise<Output> {
  const { taskUuid } = await tasker.createTask<string, string, string>({ ...request, ...workflow.request(input) });
  const wait = { throwOnFailure: true, ...(timeoutMs !== undefined && { timeoutMs }), ...(signal && { signal }) };
  const { output, outputError } = await tasker.waitForTask(taskUuid, wait);
  if (outputError === undefined) return output as Output;
  throw new TaskerError('task_failed', `task ${taskUuid} is complete, but has no output: ${outputError}`, {
    details: { status: 'complete' },
  });
}
