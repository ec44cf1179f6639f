import { messageOf, TaskerError } from '../errors.ts';
import { type Logger, silentLogger } from '../logging/logger.ts';
import type { Fields } from '../model/json.ts';
import type { TaskSchedule } from '../model/schedule/spec.ts';
import type { TemplateNames } from '../model/template-names.ts';
import { type DependencyResult, type DependencyResultParams, dependencyResult, resultIn } from './dependency-result.ts';
import { ConversionError } from './failures/handler-errors.ts';
import { checkedStepEvent, type FfiDependencyResult, type FfiStepEvent } from './ffi-step-event.ts';
import type {
  CheckpointProgress,
  DependencyResults,
  StepContextParams,
  TransactionWork,
} from './step-context-params.ts';
import {
  type ChildTaskContext,
  childTaskStart,
  type StartedTask,
  type StartTaskOptions,
  type TemplateReference,
} from './step-wait.ts';
import type { Undone, UndoneParams } from './undone.ts';

export type * from './step-context-params.ts';

/**
 * The last saved checkpoint (`cursor`, `items_processed`, `accumulated_results`, `timestamp`, `history`). The same
 * object is the function that saves a checkpoint: `await context.checkpoint({ cursor, itemsProcessed,
 * accumulatedResults })`.
 */
export type StepCheckpoint = Fields & ((progress: CheckpointProgress) => Promise<void>);

/**
 * The data of the step that a handler runs: the task's input, the results of earlier steps, and the attempt.
 *
 * @example
 * const context = new StepContext({ taskUuid, stepUuid, handlerName: 'ship', inputData: { order_id: 'O-7' } });
 * context.getInput('order_id'); // 'O-7'
 */
export class StepContext {
  readonly #params: StepContextParams;
  #inputData: Fields | undefined;
  #dependencyResults: DependencyResults | undefined;
  #parts: Map<string, DependencyResultParams> | undefined;
  #stepConfig: Fields | undefined;
  #stepInputs: Fields | undefined;
  #saved: Fields | null | undefined;
  #checkpoint: StepCheckpoint | undefined;
  #signal: AbortSignal | undefined;

  constructor(params: StepContextParams) {
    this.#params = params;
  }

  /** Creates a context from a step event. Throws a `ConversionError` that names the first invalid part of the event. */
  static fromFfiEvent(event: FfiStepEvent, handlerName: string): StepContext {
    return new StepContext(paramsOfEvent(event, handlerName));
  }

  /** The step event that this context was created from. Throws if there is none, as in a unit test. */
  get event(): FfiStepEvent {
    const { event } = this.#params;
    if (event) return event;
    throw new TaskerError(
      'conversion_error',
      `the context of ${this.handlerName} was created without an event; pass one to new StepContext, or use StepContext.fromFfiEvent`,
    );
  }

  get taskUuid(): string {
    return this.#params.taskUuid;
  }

  get stepUuid(): string {
    return this.#params.stepUuid;
  }

  /** The id shared by all tasks that one request caused. Empty if none was given. */
  get correlationId(): string {
    return this.#params.correlationId ?? '';
  }

  /**
   * The W3C `traceparent` of this attempt's span, for requests that you send yourself. API handlers send it
   * automatically. Without an OpenTelemetry SDK, the `traceparent` that the task was created with. Undefined without
   * tracing.
   */
  get traceparent(): string | undefined {
    return this.#params.traceparent;
  }

  get handlerName(): string {
    return this.#params.handlerName;
  }

  /**
   * The values of `inputs` of the step in its template, otherwise the task's context. Each attempt has its own copy, so
   * changes have no effect elsewhere.
   */
  get inputData(): Fields {
    this.#inputData ??= this.#params.inputData ?? {};
    return this.#inputData;
  }

  /**
   * The outcomes of all completed ancestors, by step name or with `dependencyResults.get(name)`. `getDependencyResult`
   * returns the bare result.
   */
  get dependencyResults(): DependencyResults {
    this.#dependencyResults ??= this.#readDependencies();
    return this.#dependencyResults;
  }

  /** The template's `handler.initialization`. */
  get stepConfig(): Fields {
    this.#stepConfig ??= this.#params.stepConfig ?? {};
    return this.#stepConfig;
  }

  /** The step's own inputs: the cursor of a batch worker, otherwise the same as `stepConfig`. */
  get stepInputs(): Fields {
    this.#stepInputs ??= this.#params.stepInputs ?? {};
    return this.#stepInputs;
  }

  /** Number of attempts before this one: 0 on the first attempt. */
  get retryCount(): number {
    return this.#params.retryCount ?? 0;
  }

  /** Maximum number of attempts, including the first. */
  get maxRetries(): number {
    return this.#params.maxRetries ?? 3;
  }

  /**
   * The number of the rerun that this run of the step belongs to: 0 in the first run, and a greater number after each
   * `tasker.rerunTask` that covers the step. Retries do not change it. The id of a step stays the same in a rerun. To
   * repeat the effect in a rerun, add this number to the idempotency key that the handler sends.
   *
   * @example
   * await payments.charge(order, { idempotencyKey: `${context.stepUuid}:${context.rerun}` });
   */
  get rerun(): number {
    return this.#params.rerun ?? 0;
  }

  /**
   * The step that this step undoes, with its result and its last failure. Null if this step undoes none. `stepUuid` is the id
   * of the step that is undone, so use `context.stepUuid` as the key of the effect that undoes it. `inputData` and the
   * results of earlier steps are those of the step that is undone.
   *
   * @example
   * const result = context.undo!.result as { booking: string } | null;
   * if (result !== null) await hotels.cancel(result.booking, { idempotencyKey: context.stepUuid });
   */
  get undo(): Undone | null {
    const { undo } = this.#params;
    if (undo == null) return null;
    const resultOfStep = () => this.getDependencyResult(undo.step);
    return {
      ...undo,
      get result() {
        return resultOfStep();
      },
    };
  }

  /**
   * The schedule that created the task: its name, the due time, the previous due time, and the cause (`due`, `catch_up`,
   * `queued`, `trigger` or `backfill`). Null for other tasks. Times are ISO 8601.
   *
   * @example
   * const { due_at, previous_due_at } = context.schedule!;
   * const orders = await ordersBetween(previous_due_at, due_at);
   */
  get schedule(): TaskSchedule | null {
    return this.#params.schedule ?? null;
  }

  /** The number of this attempt: 1 on the first. */
  get attempt(): number {
    return this.retryCount + 1;
  }

  /**
   * Aborted when the step should stop: on a timeout, cancellation, shutdown, or a lost lease. Pass it to every call
   * that the handler awaits.
   */
  get signal(): AbortSignal {
    this.#signal ??= this.#params.signal ?? new AbortController().signal;
    return this.#signal;
  }

  /** A logger that adds this step's ids to each line. */
  get logger(): Logger {
    return this.#params.logger ?? silentLogger;
  }

  isRetry(): boolean {
    return this.retryCount > 0;
  }

  /** Returns whether this is the last attempt: if it fails, the step is not retried. */
  isLastRetry(): boolean {
    return this.retryCount >= this.maxRetries - 1;
  }

  /** Returns a value of {@link inputData}, or undefined if it has no such key. `T` is not checked. */
  getInput<T = unknown>(key: string): T | undefined {
    return own(this.inputData, key) as T | undefined;
  }

  /** Returns a value of {@link inputData}, or the default if it is undefined. A null is returned as is. */
  getInputOr<T = unknown>(key: string, defaultValue: T): T {
    const value = this.getInput<T>(key);
    return value === undefined ? defaultValue : value;
  }

  /** Returns a value of the template's `handler.initialization`, or undefined if it has no such key. */
  getConfig<T = unknown>(key: string): T | undefined {
    return own(this.stepConfig, key) as T | undefined;
  }

  /** Returns the bare result of an ancestor. Null if no such ancestor exists or it has no result. */
  getDependencyResult<T = unknown>(stepName: string): T | null {
    const found = this.#params.dependency ? this.#part(stepName) : own(this.dependencyResults, stepName);
    return (resultIn(found) ?? null) as T | null;
  }

  /**
   * Returns a value inside an ancestor's result. Undefined if only the last key is missing. Null if the ancestor has no
   * result or a value along the path is not an object.
   */
  getDependencyField(stepName: string, ...path: string[]): unknown {
    let value: unknown = this.getDependencyResult(stepName);
    for (const key of path) {
      if (typeof value !== 'object' || value === null) return null;
      value = own(value as Fields, key);
    }
    return value;
  }

  /** Returns the names of all completed ancestors. */
  getDependencyResultKeys(): string[] {
    return this.#params.dependencyNames?.() ?? Object.keys(this.dependencyResults);
  }

  /**
   * For an analyzer: returns `batch_config.batch_size` of the `batch_worker` step with this name. Default: the step that
   * `worker_template_name` in its `initialization` names, else the only one that depends on it. Undefined if the template
   * has no size.
   */
  batchSizeOf(workerTemplate: unknown = this.stepConfig.worker_template_name): number | undefined {
    const { batchSizes = {} } = this.#params;
    if (typeof workerTemplate === 'string') return own(batchSizes, workerTemplate) as number | undefined;
    const [size, another] = Object.values(batchSizes);
    return another === undefined ? size : undefined;
  }

  /** The names of the step's template. Undefined if they are unknown, as in a context created by hand. @internal */
  get templateNames(): TemplateNames | undefined {
    return this.#params.templateNames;
  }

  /**
   * Returns the bare results of the ancestors whose names start with `prefix`, in the order of
   * `getDependencyResultKeys`. Ancestors without a result are omitted.
   */
  getAllDependencyResults<T = unknown>(prefix: string): T[] {
    const found: T[] = [];
    for (const name of this.getDependencyResultKeys()) {
      const result = name.startsWith(prefix) ? this.getDependencyResult<T>(name) : null;
      if (result !== null) found.push(result);
    }
    return found;
  }

  /**
   * Saves the handler's progress while it continues. The next attempt resumes from the saved progress, on any worker,
   * and a crash after a save does not count as an attempt. The function's own fields are the last saved checkpoint.
   * Saving fails if the worker no longer holds the step. The handler should then stop.
   *
   * In a context created by hand without `saveCheckpoint`, this property contains only the saved fields, or is null.
   *
   * @example
   * for (let at = Number(context.checkpointCursor ?? 0); at < rows.length; at += 500) {
   *   await load(rows.slice(at, at + 500));
   *   await context.checkpoint({ cursor: at + 500, itemsProcessed: at + 500 });
   * }
   */
  get checkpoint(): StepCheckpoint {
    if (!this.#params.saveCheckpoint) return this.#savedFields as StepCheckpoint;
    this.#checkpoint ??= stepCheckpoint(this.#savedFields, async (progress) => {
      await this.#params.saveCheckpoint!(progress);
      this.#forgetSaved();
    });
    return this.#checkpoint;
  }

  get #savedFields(): Fields | null {
    if (this.#saved === undefined) this.#saved = this.#params.checkpoint ?? null;
    return this.#saved;
  }

  #forgetSaved(): void {
    this.#saved = undefined;
    this.#checkpoint = undefined;
  }

  /**
   * Runs `work` in a transaction on the workflow database, so that its rows and the handler's progress commit together
   * or not at all. `tx` is a client of the `pg` driver. `cursor` is the position to resume from: the last saved cursor,
   * otherwise the `start_cursor` of a batch worker, otherwise null. The return value of `work` is saved as the next
   * cursor. An object with a `cursor` is saved as the whole progress, and undefined saves nothing.
   *
   * If the worker no longer holds the step, the transaction fails and writes nothing. No row is lost or written twice,
   * even if workers are killed or database responses are lost. Run one transaction at a time, and save no checkpoint
   * while it is open.
   *
   * @returns the return value of `work`
   *
   * @example
   * await context.transaction(async (tx, cursor) => {
   *   const to = Number(cursor) + 500;
   *   await tx.query('insert into invoice select * from staged_invoice where id > $1 and id <= $2', [cursor, to]);
   *   return { cursor: to, itemsProcessed: to };
   * });
   */
  async transaction<T>(work: TransactionWork<T>): Promise<T> {
    if (!this.#params.transaction) {
      throw new TaskerError(
        'conversion_error',
        `the context of ${this.handlerName} was created without a database, so it has no transactions; pass transaction to new StepContext`,
      );
    }
    try {
      return await this.#params.transaction(work);
    } finally {
      this.#forgetSaved();
    }
  }

  /**
   * Starts a child task of this step, in a transaction that commits only while the worker holds the step. In one run of the
   * step, a key always returns the same child: also in a second attempt, and also if the child has ended. A reset and a rerun
   * of the step begin a run. `template` is a workflow, or a name as in a step of the type `task`. A step can start 10,000
   * children in a run. Return `untilTasksEnd([…])` to wait for them. A step that completes without waiting leaves them running.
   *
   * @throws StepExecutionError not retryable, if the child cannot be started: `template_not_found`, `invalid_context`,
   * `sensitive_undeclared`, `too_many_levels`, `too_many_children`, or `key_taken` if the key belongs to a child of another
   * template
   *
   * @example
   * const task = await context.startTask('billing/invoice', { order: 'O-7' }, { key: 'O-7' });
   * return untilTasksEnd([task]);
   */
  async startTask<const Template extends string | TemplateReference>(
    template: Template,
    taskContext: ChildTaskContext<Template>,
    options: StartTaskOptions,
  ): Promise<StartedTask> {
    const start = childTaskStart(template, taskContext, options);
    if (this.#params.startTask) return { taskUuid: await this.#params.startTask(start) };
    throw new TaskerError(
      'conversion_error',
      `the context of ${this.handlerName} was created without a database, so it starts no tasks: run the handler in a worker of this package, let a step of the type task start the child, or pass startTask to new StepContext`,
    );
  }

  /**
   * Returns the token with which another system completes or fails this attempt, before or after the handler has
   * returned `completeLater`: `tasker.completeByToken(token, result)`. Repeated calls in an attempt return the same token.
   * Only its hash is stored, so keep it secret and do not log it. If the worker is lost, the token stays valid until the
   * next attempt starts.
   *
   * @throws StepExecutionError `token_error` if the worker no longer holds the step
   *
   * @example
   * await payments.start({ order, reference: await context.completionToken() });
   * return this.completeLater({ timeoutMs: 3_600_000 });
   */
  async completionToken(): Promise<string> {
    if (this.#params.completionToken) return this.#params.completionToken();
    throw new TaskerError(
      'conversion_error',
      `the context of ${this.handlerName} was created without a database, so it has no token; pass completionToken to new StepContext`,
    );
  }

  /**
   * Loads the bare result of an ancestor, even if it was too large to be sent with the step. Null in the same cases as
   * `getDependencyResult`.
   */
  async loadDependency<T = unknown>(stepName: string): Promise<T | null> {
    if (!this.#params.loadDependency) return this.getDependencyResult<T>(stepName);
    return ((await this.#params.loadDependency(stepName))?.result ?? null) as T | null;
  }

  /**
   * Iterates over the ancestors whose names start with `prefix`, with the name and bare result of each. A result that
   * was too large to be sent with the step is loaded when the iteration reaches it, so not all results have to fit in
   * memory.
   *
   * @example
   * for await (const { name, result } of context.dependencies('process_rows_')) total += result.rows;
   */
  async *dependencies<T = unknown>(prefix = ''): AsyncGenerator<{ name: string; result: T | null; success: boolean }> {
    for (const name of this.getDependencyResultKeys()) {
      if (!name.startsWith(prefix)) continue;
      const found = this.#params.loadDependency
        ? await this.#params.loadDependency(name)
        : (this.#params.dependency?.(name) ?? { result: this.getDependencyResult(name), success: true });
      yield { name, result: (found?.result ?? null) as T | null, success: found?.success ?? true };
    }
  }

  /** The position to resume from. Null without a checkpoint. */
  get checkpointCursor(): unknown {
    return this.#savedFields?.cursor ?? null;
  }

  get checkpointItemsProcessed(): number {
    const count = this.#savedFields?.items_processed;
    return typeof count === 'number' ? count : 0;
  }

  get accumulatedResults(): Fields | null {
    const results = this.#savedFields?.accumulated_results;
    return typeof results === 'object' && results !== null ? (results as Fields) : null;
  }

  hasCheckpoint(): boolean {
    return this.checkpointCursor !== null;
  }

  /** Reads each ancestor only once, because each read parses JSON. */
  #part(stepName: string): DependencyResultParams | undefined {
    this.#parts ??= new Map();
    let found = this.#parts.get(stepName);
    if (found === undefined) {
      found = this.#params.dependency?.(stepName);
      if (found) this.#parts.set(stepName, found);
    }
    return found;
  }

  #readDependencies(): DependencyResults {
    const params = this.#params;
    // Contexts created by hand may hold bare results. The accessors handle both.
    const all = Object.create(READ_AS_MAP) as DependencyResults;
    if (params.dependencyResults) return Object.assign(all, params.dependencyResults);
    for (const name of params.dependencyNames?.() ?? []) {
      const found = this.#part(name);
      if (found) all[name] = dependencyResult(found);
    }
    return all;
  }
}

/** The typed accessors of a {@link TypedStepContext}. */
export interface TypedAccessors<Input extends object, Results extends object> {
  readonly inputData: Input;
  getInput<Key extends keyof Input & string>(key: Key): Input[Key] | undefined;
  getDependencyResult<Step extends keyof Results & string>(stepName: Step): Results[Step] | null;
  loadDependency<Step extends keyof Results & string>(stepName: Step): Promise<Results[Step] | null>;
}

/**
 * A {@link StepContext} with declared types: `Input` is the task's context, `Results` are the results of earlier steps
 * by step name. Nothing is checked at run time. To check values, use `defineHandler` with schemas.
 *
 * @example
 * type Context = TypedStepContext<{ order_id: string }, { reserve: { reservation: string } }>;
 *
 * class Ship extends StepHandler<Context> {
 *   static override handlerName = 'ship';
 *
 *   call(context: Context) {
 *     return this.success({ shipped: context.getDependencyResult('reserve')?.reservation });
 *   }
 * }
 */
export type TypedStepContext<Input extends object, Results extends object = Record<string, unknown>> = TypedAccessors<
  Input,
  Results
> &
  StepContext;

/**
 * The prototype of `dependencyResults`. The prototype keeps `get` out of the keys, and a step named `get` hides the
 * method.
 */
const READ_AS_MAP: object = Object.create(Object.prototype, {
  get: {
    writable: true,
    value: function (this: Fields, stepName: string): unknown {
      return own(this, stepName);
    },
  },
});

/** Returns the save function with the saved fields as properties. Its JSON form is those fields, or null. */
function stepCheckpoint(saved: Fields | null, save: (progress: CheckpointProgress) => Promise<void>): StepCheckpoint {
  const checkpoint = (progress: CheckpointProgress) => save(progress);
  // `name` and `length` of a function cannot be assigned, only defined.
  for (const [key, value] of Object.entries({ name: undefined, length: undefined, ...saved })) {
    Object.defineProperty(checkpoint, key, { value, enumerable: saved !== null && key in saved, configurable: true });
  }
  Object.defineProperty(checkpoint, 'toJSON', { value: () => saved });
  return checkpoint as unknown as StepCheckpoint;
}

function own(fields: Fields, key: string): unknown {
  return Object.hasOwn(fields, key) ? fields[key] : undefined;
}

/**
 * Returns the context parameters of a step event. Values are copied when they are read, so a handler cannot change the
 * event or affect the next attempt. Throws a `ConversionError` that names the first invalid part.
 */
export function paramsOfEvent(event: FfiStepEvent, handlerName: string): StepContextParams {
  const { workflowStep, stepDefinition, task, dependencyResults, ...ids } = checkedStepEvent(event);
  return {
    event,
    handlerName,
    taskUuid: ids.taskUuid,
    stepUuid: ids.stepUuid,
    correlationId: ids.correlationId,
    get inputData() {
      return ids.inputs == null ? copyOf(task.context, 'task.context') : copyOf(ids.inputs, 'inputs');
    },
    get dependencyResults() {
      const results: Record<string, DependencyResult> = {};
      for (const [name, found] of Object.entries(dependencyResults ?? {})) {
        const copy = copyOf(found, `dependencyResults.${name}`);
        results[name] = dependencyResult(copy as unknown as FfiDependencyResult);
      }
      return results;
    },
    get stepConfig() {
      return copyOf(stepDefinition.handlerInitialization, 'stepDefinition.handlerInitialization');
    },
    get stepInputs() {
      return copyOf(workflowStep.inputs, 'workflowStep.inputs');
    },
    retryCount: workflowStep.attempts ?? 0,
    maxRetries: workflowStep.maxAttempts ?? 3,
    rerun: workflowStep.rerun ?? 0,
    get undo() {
      const undo = copyOf(workflowStep.undo, 'workflowStep.undo');
      return undo == null ? null : ({ error: null, ...undo } as UndoneParams);
    },
    schedule: (task.schedule as TaskSchedule | null | undefined) ?? null,
    get checkpoint() {
      return copyOf(workflowStep.checkpoint, 'workflowStep.checkpoint');
    },
  };
}

function copyOf<T>(value: T, where: string): T {
  try {
    return structuredClone(value);
  } catch (cause) {
    const path = `event.${where}`;
    throw new ConversionError(`step event: ${path}: it cannot be copied: ${messageOf(cause)}`, { path, cause });
  }
}
