import { TaskerClientError } from './client-errors.ts';
import type { CallOptions } from './client-options.ts';
import type { NewTask } from './new-task.ts';
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

/** Options of `client.run`: fields of the request for the task, and how long to wait. */
export interface RunWorkflowOptions
  extends Omit<NewTask, 'name' | 'namespace' | 'version' | 'context'>,
    Pick<FollowOptions, 'signal' | 'timeoutMs' | 'outageMs'> {}

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
