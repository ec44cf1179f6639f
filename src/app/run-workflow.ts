import type { CreateOptions, TaskRequest } from '../engine/create-task.ts';
import type { Task } from '../engine/task-view.ts';
import { TaskerError } from '../errors.ts';
import { type AnyWorkflow, isWorkflow, type Workflow } from '../workflow/workflow.ts';
import type { StepInfos } from '../workflow/workflow-types.ts';
import type { WaitOptions } from './streams/task-waiter.ts';

/** Options of `createTask` for a workflow: fields of the request for the task, and what happens with a duplicate. */
export interface WorkflowTaskOptions
  extends Omit<TaskRequest, 'name' | 'namespace' | 'version' | 'context'>,
    CreateOptions {}

/** Options of `tasker.run`: fields of the request for the task, and how long to wait. */
export interface RunOptions
  extends Omit<TaskRequest, 'name' | 'namespace' | 'version' | 'context'>,
    Pick<WaitOptions, 'timeoutMs' | 'signal'> {}

/** The arguments of `createTask`: a request, or a workflow and its input. */
export type CreateArguments =
  | [request: TaskRequest, options?: CreateOptions]
  | [workflow: AnyWorkflow, input: unknown, options?: WorkflowTaskOptions];

/** Returns the request and the options that the arguments of `createTask` mean. */
export function requestOf(given: CreateArguments): { request: TaskRequest; options?: CreateOptions | undefined } {
  const [target] = given;
  if (!isWorkflow(target)) return { request: target as TaskRequest, options: given[1] as CreateOptions | undefined };
  const { onDuplicate, client, ...fields } = (given[2] ?? {}) as WorkflowTaskOptions;
  const options = { ...(onDuplicate !== undefined && { onDuplicate }), ...(client && { client }) };
  return { request: { ...fields, ...target.request(given[1]) }, options };
}

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
