import { TaskerClientError } from './client-errors.ts';
import type { CallOptions } from './client-options.ts';
import type { CreateTaskCall, NewTask } from './new-task.ts';
import type { TaskResponse } from './types.ts';
import type { FollowOptions } from './watch-task.ts';

/**
 * A workflow, as far as the client needs it: what `workflow` of the main entry point returns. Import only its type into a
 * page, or the page contains its functions.
 */
export interface RunnableWorkflow<Input, Output> {
  /** Only the compiler reads these types. */
  readonly types?: { input: Input; output: Output };
  request(input: Input): { namespace: string; name: string; version: string; context: Record<string, unknown> };
}

/** Options of `tasks.create` for a workflow: fields of the request for the task, and options of the call. */
export interface WorkflowTaskCall extends Omit<NewTask, 'name' | 'namespace' | 'version' | 'context'>, CreateTaskCall {}

/** Options of `client.run`: fields of the request for the task, and how long to wait. */
export interface RunWorkflowOptions
  extends Omit<NewTask, 'name' | 'namespace' | 'version' | 'context'>,
    Pick<FollowOptions, 'signal' | 'timeoutMs' | 'outageMs'> {}

/** The arguments of `tasks.create`: a request, or a workflow and its input. */
export type CreateArguments =
  | [request: NewTask, options?: CreateTaskCall]
  | [workflow: RunnableWorkflow<unknown, unknown>, input: unknown, options?: WorkflowTaskCall];

/** Returns the request and the options that the arguments of `tasks.create` mean. */
export function requestOf(given: CreateArguments): { request: NewTask; options: CreateTaskCall } {
  const [target] = given;
  if (!isWorkflow(target)) return { request: target, options: (given[1] ?? {}) as CreateTaskCall };
  const { signal, timeoutMs, returnExisting, ...fields } = (given[2] ?? {}) as WorkflowTaskCall;
  return { request: { ...fields, ...target.request(given[1]) }, options: { signal, timeoutMs, returnExisting } };
}

function isWorkflow(target: CreateArguments[0]): target is RunnableWorkflow<unknown, unknown> {
  return typeof target === 'object' && target !== null && 'request' in target && typeof target.request === 'function';
}

/** The verbs that {@link runWorkflow} uses. */
interface Running {
  create(request: NewTask, options: CallOptions): Promise<TaskResponse>;
  wait(uuid: string, options: FollowOptions): Promise<TaskResponse>;
}

/** Creates a task of a workflow, waits until it is complete, and returns its output. */
export async function runWorkflow<Input, Output>(
  { create, wait }: Running,
  workflow: RunnableWorkflow<Input, Output>,
  { input, signal, timeoutMs, outageMs, ...request }: RunWorkflowOptions & { input: Input },
): Promise<Output> {
  const { task_uuid: uuid } = await create({ ...request, ...workflow.request(input) }, { signal });
  const { status, output, output_error: reason } = await wait(uuid, { signal, timeoutMs, outageMs });
  if (status !== 'complete' && status !== 'resolved_manually') {
    throw failed(`task ${uuid} is in ${status}; \`tasker task why ${uuid}\` shows why`, status);
  }
  if (reason !== undefined) throw failed(`task ${uuid} is complete, but has no output: ${reason}`, status);
  return output as Output;
}

function failed(message: string, status: string): TaskerClientError {
  return new TaskerClientError(message, false, { code: 'TASK_FAILED', details: { status } });
}
