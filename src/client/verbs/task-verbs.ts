import { ConflictError } from '../client-errors.ts';
import type { CallOptions } from '../client-options.ts';
import { type CreatedTask, type CreateManyOptions, createMany } from '../create-many.ts';
import type { DerivedVerbs } from '../derived-verbs.ts';
import { type CheckedNewTask, type CreateTaskCall, completed, type NewTask, withOption } from '../new-task.ts';
import { items } from '../pages.ts';
import { path } from '../path.ts';
import { type CreateArguments, type RunnableWorkflow, requestOf, type WorkflowTaskCall } from '../run-workflow.ts';
import type { Transport } from '../transport.ts';
import type { Act, CreationAnswer, TaskListQuery, TaskResponse } from '../types.ts';
import { type FollowOptions, type WaitForTaskOptions, waitForTask, watchTask } from '../watch-task.ts';

/** A task, and how the request was answered. */
type NewOrExisting = TaskResponse & CreationAnswer;

/** Creates tasks: of a workflow in TypeScript, or of any template. */
export interface CreateTask {
  /** Creates a task of a workflow in TypeScript, as the other form of `create` does. */
  <Input>(workflow: RunnableWorkflow<Input, unknown>, input: Input, options?: WorkflowTaskCall): Promise<NewOrExisting>;
  /**
   * Creates a task. Only a request with `idempotency_key` is repeated after a lost connection. `created` is false if
   * it returns an existing task: the first one with the same identity, or the open one of the key (`unique`).
   * @throws NotFoundError if the template is not registered
   * @throws ConflictError if a task with the same identity exists; `details.task_uuid` is its id if
   * the credential may read tasks
   */
  <Name extends string = string, Namespace extends string = never, Version extends string = never>(
    request: CheckedNewTask<Name, Namespace, Version> & { request?: never },
    options?: CreateTaskCall,
  ): Promise<NewOrExisting>;
}

/** The verbs for tasks that repeat requests, read several pages, or read a stream. */
export function taskVerbs(transport: Transport, { get, list }: DerivedVerbs['tasks']) {
  return {
    create: (async (...given: CreateArguments) => {
      const { request, options } = requestOf(given);
      return create(transport, get, request, options);
    }) as CreateTask,
    /**
     * Creates any number of tasks, in requests of up to 1,000. Returns the result of each, in order, as the loop needs
     * them. With `onDuplicate: 'return'` and keys, a request is repeated after a lost connection.
     * @throws InvalidAnswerError if the server did not return all results; `details.from` is the index of the first
     * request without a result
     */
    createMany(
      requests: Iterable<NewTask> | AsyncIterable<NewTask>,
      options: CreateManyOptions = {},
    ): AsyncGenerator<CreatedTask> {
      return createMany(transport, requests, options);
    },
    /** Returns all tasks that match, newest first, and reads their pages as the loop needs them. */
    listAll(
      query: Omit<TaskListQuery, 'page' | 'cursor'> = {},
      options: CallOptions = {},
    ): AsyncGenerator<TaskResponse> {
      return items(async (cursor) => {
        const { tasks, pagination } = await list(
          { per_page: 100, ...query, ...(cursor !== undefined && { cursor }) },
          options,
        );
        return { items: tasks, next: pagination.next_cursor };
      });
    },
    /** Cancels a task. A task that has ended is rejected with {@link InvalidRequestError}. */
    cancel(uuid: string, { reason, by, ...options }: CallOptions & Act = {}): Promise<TaskResponse> {
      const act = reason === undefined && by === undefined ? {} : { body: { reason, by } };
      return transport.json({ method: 'DELETE', path: path`/v1/tasks/${uuid}`, ...act, ...options });
    },
    /**
     * Returns the task as soon as it has ended in any final state, or is blocked by failures. With `until: 'waiting'`,
     * also when it waits for something outside, such as an approval or a signal.
     *
     * @example
     * const { status } = await client.tasks.wait(uuid, { until: 'waiting', timeoutMs: 10_000 });
     * @throws RequestTimeoutError after `timeoutMs`; the task continues
     * @throws InvalidRequestError for another value of `until`
     */
    wait(uuid: string, options: WaitForTaskOptions = {}): Promise<TaskResponse> {
      return waitForTask(transport, uuid, options);
    },
    /** Yields the task now, after each change, and when it has ended. Short-lived states may be omitted. */
    watch(uuid: string, options: FollowOptions = {}): AsyncGenerator<TaskResponse> {
      return watchTask(transport, uuid, options);
    },
  };
}

async function create(
  transport: Transport,
  get: (uuid: string, options: CallOptions) => Promise<TaskResponse>,
  request: NewTask,
  { returnExisting = false, ...options }: CreateTaskCall,
): Promise<NewOrExisting> {
  const body = completed(request);
  const repeatable = body.idempotency_key != null;
  let attempts = 0;
  const onAttempt = () => {
    attempts++;
  };
  const send = (query: { on_duplicate?: 'return' }): Promise<NewOrExisting> =>
    transport.json({ method: 'POST', path: '/v1/tasks', query, body, repeatable, onAttempt, ...options });
  try {
    return await send(returnExisting ? { on_duplicate: 'return' } : {});
  } catch (error) {
    const conflict = error instanceof ConflictError ? inOwnWords(error) : error;
    const isExisting = error instanceof ConflictError && error.details.pruned_at === undefined;
    if (!isExisting || returnExisting || attempts === 1) throw conflict;
    const existing = error.details.task_uuid;
    // The server does not name the task if the credential may not read tasks.
    const task = await (typeof existing === 'string' ? get(existing, options) : send({ on_duplicate: 'return' }));
    // An earlier attempt of this request created the task, and its response was lost.
    if (task.correlation_id === body.correlation_id)
      return { ...task, created: true, outcome: 'created', rule: null, replaced_task_uuid: null };
    throw conflict;
  }
}

function inOwnWords({ message, recoverable, code, status, details, requestId, cause }: ConflictError): ConflictError {
  const facts = { code, status, details, requestId, cause };
  return new ConflictError(withOption(message, 'returnExisting: true'), recoverable, facts);
}
