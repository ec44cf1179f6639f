import { TaskerClientError } from './client-errors.ts';
import { NEW_TASK_DEFAULTS, newUuid } from './new-task.ts';
import type { StepAuditResponse, StepResponse, TaskPagination, TaskResponse } from './types.ts';

/** A task to create with {@link TaskerClient}. */
export interface CreateTaskOptions {
  /** Name of a registered template. */
  name: string;
  /** Default `default`. */
  namespace?: string;
  /** Default `{}`. */
  context?: Record<string, unknown>;
  /** Default: the active version. A module that does not know active versions receives `1.0.0`. */
  version?: string;
  /** Default `tasker-core-typescript`. */
  initiator?: string;
  /** Default `tasker-core`. */
  sourceSystem?: string;
  /** Default `Task requested`. */
  reason?: string;
  /** Default `[]`. */
  tags?: string[];
  priority?: number;
  /** Default: a new UUID. */
  correlationId?: string;
  parentCorrelationId?: string;
  /** After a lost connection, the request is repeated only if it has a key. */
  idempotencyKey?: string;
}

/** The filter of {@link TaskerClient.listTasks}. */
export interface ListTasksOptions {
  /** Default 50, at most 1,000. */
  limit?: number;
  /** Default 0. */
  offset?: number;
  namespace?: string;
  /** A state, or `completed` or `pending` for all ended or open tasks. */
  status?: string;
}

/** The place of a page in {@link TaskListing}. */
export interface PaginationInfo extends TaskPagination {
  total: number;
  limit: number;
  offset: number;
  has_more: boolean;
}

/** The result of {@link TaskerClient.listTasks}. */
export interface TaskListing {
  tasks: TaskResponse[];
  pagination: PaginationInfo;
}

/** The result of a cancellation. */
export interface CancelTaskResponse {
  cancelled: boolean;
}

/** The result of {@link TaskerClient.healthCheck}. */
export interface HealthCheckResponse {
  healthy: boolean;
}

/** A task for a module, with all defaults. */
export interface NapiTaskRequest {
  name: string;
  namespace: string;
  version?: string | undefined;
  context: Record<string, unknown>;
  initiator: string;
  sourceSystem: string;
  reason: string;
  tags?: string[] | undefined;
  priority?: number | undefined;
  correlationId?: string | undefined;
  parentCorrelationId?: string | undefined;
  idempotencyKey?: string | undefined;
}

/** The parameters of a list for a module. */
export interface NapiListTasksParams {
  limit?: number | undefined;
  offset?: number | undefined;
  namespace?: string | undefined;
  status?: string | undefined;
}

/** The response of a module: data, or an error. */
export interface NapiClientResult {
  success: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: as modules declare it
  data?: any;
  error?: string;
  /** Whether the same call may succeed later. */
  recoverable?: boolean;
  /** The error itself, if the module has one. */
  cause?: unknown;
}

/** Answers immediately, or later. */
type NowOrLater = NapiClientResult | Promise<NapiClientResult>;

/** Carries out the calls of a {@link TaskerClient}, as requests to a server or with the responses of a test. */
export interface ClientModule<Result extends NowOrLater = NowOrLater> {
  /** Whether a request without a version means the active version. The modules of the earlier SDK require a version. */
  readonly knowsActiveVersions?: true;
  clientCreateTask(request: NapiTaskRequest): Result;
  clientGetTask(taskUuid: string): Result;
  clientListTasks(params: NapiListTasksParams): Result;
  clientCancelTask(taskUuid: string): Result;
  clientListTaskSteps(taskUuid: string): Result;
  clientGetStep(taskUuid: string, stepUuid: string): Result;
  clientGetStepAuditHistory(taskUuid: string, stepUuid: string): Result;
  clientHealthCheck(): Result;
}

/** An object with a {@link ClientModule}, such as `FfiLayer`. */
export interface ClientLayer<Result extends NowOrLater = NowOrLater> {
  getModule(): ClientModule<Result>;
}

/** A promise, unless the module responds synchronously. */
type Answer<Result, T> = Result extends Promise<unknown> ? Promise<T> : T;

/**
 * The client of the earlier SDK, with its method names and defaults. Its methods return promises. If you pass a module
 * that responds synchronously, as unit tests do, the methods return plain values. New programs use `createClient`.
 *
 * @example
 * const client = await getTaskerClient();
 * const { task_uuid } = await client.createTask({ namespace: 'shop', name: 'order', context: { order_id: 'O-7' } });
 */
export class TaskerClient<Result extends NowOrLater = Promise<NapiClientResult>> {
  readonly #layer: ClientLayer<Result>;

  constructor(layer: ClientLayer<Result>) {
    this.#layer = layer;
  }

  /**
   * Creates a task.
   * @throws TaskerClientError
   */
  createTask(options: CreateTaskOptions): Answer<Result, TaskResponse> {
    const request: NapiTaskRequest = {
      name: options.name,
      namespace: options.namespace ?? NEW_TASK_DEFAULTS.namespace,
      version: options.version,
      context: options.context ?? {},
      initiator: options.initiator ?? NEW_TASK_DEFAULTS.initiator,
      sourceSystem: options.sourceSystem ?? NEW_TASK_DEFAULTS.source_system,
      reason: options.reason ?? NEW_TASK_DEFAULTS.reason,
      tags: options.tags ?? [],
      priority: options.priority,
      correlationId: options.correlationId ?? newUuid(),
      parentCorrelationId: options.parentCorrelationId,
      idempotencyKey: options.idempotencyKey,
    };
    return this.#answer((module) =>
      module.clientCreateTask(
        module.knowsActiveVersions ? request : { ...request, version: request.version ?? '1.0.0' },
      ),
    );
  }

  /** Returns a task with its steps. */
  getTask(taskUuid: string): Answer<Result, TaskResponse> {
    return this.#answer((module) => module.clientGetTask(taskUuid));
  }

  /** Returns a page of tasks, newest first. */
  listTasks({ limit = 50, offset = 0, namespace, status }: ListTasksOptions = {}): Answer<Result, TaskListing> {
    return this.#answer((module) => module.clientListTasks({ limit, offset, namespace, status }));
  }

  /** Cancels a task. Throws if it has ended. */
  cancelTask(taskUuid: string): Answer<Result, void> {
    return this.#answer(
      (module) => module.clientCancelTask(taskUuid),
      () => undefined,
    );
  }

  /** Returns the steps of a task. */
  listTaskSteps(taskUuid: string): Answer<Result, StepResponse[]> {
    return this.#answer((module) => module.clientListTaskSteps(taskUuid));
  }

  /** Returns a step. */
  getStep(taskUuid: string, stepUuid: string): Answer<Result, StepResponse> {
    return this.#answer((module) => module.clientGetStep(taskUuid, stepUuid));
  }

  /** Returns the outcomes of a step's attempts, newest first. */
  getStepAuditHistory(taskUuid: string, stepUuid: string): Answer<Result, StepAuditResponse[]> {
    return this.#answer((module) => module.clientGetStepAuditHistory(taskUuid, stepUuid));
  }

  /** Checks that the server responds; throws if it does not. */
  healthCheck(): Answer<Result, HealthCheckResponse> {
    return this.#answer((module) => module.clientHealthCheck());
  }

  #answer<T>(call: (module: ClientModule<Result>) => Result, convert: (data: unknown) => T = (data) => data as T) {
    const result = call(this.#layer.getModule());
    const answer = isPromise(result)
      ? result.then((one) => convert(dataOf(one)))
      : convert(dataOf(result as NapiClientResult));
    return answer as Answer<Result, T>;
  }
}

function isPromise(result: NowOrLater): result is Promise<NapiClientResult> {
  return typeof (result as Promise<unknown> | undefined)?.then === 'function';
}

function dataOf({ success, data, error, recoverable, cause }: NapiClientResult): unknown {
  if (success) return data;
  throw cause instanceof TaskerClientError
    ? cause
    : new TaskerClientError(error ?? 'the call failed', recoverable ?? false);
}
