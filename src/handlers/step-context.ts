import { messageOf, TaskerError } from '../errors.ts';
import { type Logger, silentLogger } from '../logging/logger.ts';
import type { Fields } from '../model/fields.ts';
import { type DependencyResult, type DependencyResultParams, dependencyResult, resultIn } from './dependency-result.ts';
import { ConversionError } from './failures/handler-errors.ts';
import { checkedStepEvent, type FfiDependencyResult, type FfiStepEvent } from './ffi-step-event.ts';
import type {
  CheckpointProgress,
  DependencyResults,
  StepContextParams,
  TransactionWork,
} from './step-context-params.ts';

export type * from './step-context-params.ts';

/**
 * What was saved last (`cursor`, `items_processed`, `accumulated_results`, `timestamp`, `history`), and the function
 * that saves: `await context.checkpoint({ cursor, itemsProcessed, accumulatedResults })`.
 */
export type StepCheckpoint = Fields & ((progress: CheckpointProgress) => Promise<void>);

/**
 * What a handler may know of the step it runs: the task's input, the results of earlier steps, the attempt.
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

  /** The context of a step event. Throws a `ConversionError` that names the first part of the event that is wrong. */
  static fromFfiEvent(event: FfiStepEvent, handlerName: string): StepContext {
    return new StepContext(paramsOfEvent(event, handlerName));
  }

  /** The step event that this context was made from. Throws when it was made without one, as in a unit test. */
  get event(): FfiStepEvent {
    const { event } = this.#params;
    if (event) return event;
    throw new TaskerError(
      'conversion_error',
      `context of ${this.handlerName}: it was made without an event; pass one to new StepContext, or use StepContext.fromFfiEvent`,
    );
  }

  get taskUuid(): string {
    return this.#params.taskUuid;
  }

  get stepUuid(): string {
    return this.#params.stepUuid;
  }

  /** The id that ties together all that one request caused; empty when none was given. */
  get correlationId(): string {
    return this.#params.correlationId ?? '';
  }

  /**
   * The span that this attempt is to others, as W3C writes it: for requests that are not sent by an API handler, which
   * send it by themselves. Without an SDK, that of whoever created the task; undefined when nobody traces.
   */
  get traceparent(): string | undefined {
    return this.#params.traceparent;
  }

  get handlerName(): string {
    return this.#params.handlerName;
  }

  /** The task's context: a copy of its own for each attempt, so changing it reaches nobody. */
  get inputData(): Fields {
    this.#inputData ??= this.#params.inputData ?? {};
    return this.#inputData;
  }

  /**
   * The results of all completed ancestors, by step name, also by `dependencyResults.get(name)`. `getDependencyResult`
   * returns a bare one.
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

  /** The step's own inputs: a batch worker's cursor, otherwise the same as `stepConfig`. */
  get stepInputs(): Fields {
    this.#stepInputs ??= this.#params.stepInputs ?? {};
    return this.#stepInputs;
  }

  /** How often the step was started before: 0 on the first run. */
  get retryCount(): number {
    return this.#params.retryCount ?? 0;
  }

  /** How often the step may be started in all, the first run included. */
  get maxRetries(): number {
    return this.#params.maxRetries ?? 3;
  }

  /** Which start this is: 1 on the first run. */
  get attempt(): number {
    return this.retryCount + 1;
  }

  /** Fires when the step should stop: timeout, cancel, shutdown, lease lost. Pass it on to what the handler waits for. */
  get signal(): AbortSignal {
    this.#signal ??= this.#params.signal ?? new AbortController().signal;
    return this.#signal;
  }

  /** A logger whose lines name this step. */
  get logger(): Logger {
    return this.#params.logger ?? silentLogger;
  }

  isRetry(): boolean {
    return this.retryCount > 0;
  }

  /** Whether no further attempt follows if this one fails. */
  isLastRetry(): boolean {
    return this.retryCount >= this.maxRetries - 1;
  }

  /** A value of the task's context; undefined when it has no such key. `T` is a claim, not a check. */
  getInput<T = unknown>(key: string): T | undefined {
    return own(this.inputData, key) as T | undefined;
  }

  /** A value of the task's context, or the default when it is undefined (null is a value). */
  getInputOr<T = unknown>(key: string, defaultValue: T): T {
    const value = this.getInput<T>(key);
    return value === undefined ? defaultValue : value;
  }

  /** A value of the template's `handler.initialization`. */
  getConfig<T = unknown>(key: string): T | undefined {
    return own(this.stepConfig, key) as T | undefined;
  }

  /** The bare result of an ancestor; null when there is no such ancestor, or it has none. */
  getDependencyResult<T = unknown>(stepName: string): T | null {
    const found = this.#params.dependency ? this.#part(stepName) : own(this.dependencyResults, stepName);
    return (resultIn(found) ?? null) as T | null;
  }

  /**
   * A value inside an ancestor's result. Undefined when only the last key is missing, null when the ancestor has no result
   * or a value on the way is not an object.
   */
  getDependencyField(stepName: string, ...path: string[]): unknown {
    let value: unknown = this.getDependencyResult(stepName);
    for (const key of path) {
      if (typeof value !== 'object' || value === null) return null;
      value = own(value as Fields, key);
    }
    return value;
  }

  /** The names of all completed ancestors. */
  getDependencyResultKeys(): string[] {
    return this.#params.dependencyNames?.() ?? Object.keys(this.dependencyResults);
  }

  /** The names of all steps of the template, if they are known here. @internal */
  get templateSteps(): readonly string[] | undefined {
    return this.#params.templateSteps?.();
  }

  /** The bare results of the ancestors whose names begin with `prefix`, in the order of their names here; none is null. */
  getAllDependencyResults<T = unknown>(prefix: string): T[] {
    const found: T[] = [];
    for (const name of this.getDependencyResultKeys()) {
      const result = name.startsWith(prefix) ? this.getDependencyResult<T>(name) : null;
      if (result !== null) found.push(result);
    }
    return found;
  }

  /**
   * Saves how far the handler came, and goes on: the next attempt, on whatever worker, begins with it, and a crash after
   * a save costs no attempt. Its fields are what was saved last. Saving fails when the step was taken away; then the
   * handler should stop.
   *
   * A context that was made by hand, without anything to save to, has the plain fields here, or null.
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
   * Runs `work` in a transaction of the workflow's own database: its rows and how far it came commit together, or not at
   * all. `tx` is a client of the `pg` driver inside the transaction; `cursor` is where to go on: what was saved last, for
   * a batch worker without that its `start_cursor`, else null. What `work` returns is saved as the next cursor, or, when
   * it is an object with a `cursor`, as the whole progress; nothing is saved when it returns undefined. The transaction
   * fails, and writes nothing, when the step was taken away meanwhile: a row is neither lost nor written twice, however
   * often workers are killed or answers are lost. One at a time, and nothing else is saved meanwhile.
   *
   * @returns what `work` returned
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
        `context of ${this.handlerName}: it was made without a database, so there are no transactions; pass transaction to new StepContext`,
      );
    }
    try {
      return await this.#params.transaction(work);
    } finally {
      this.#forgetSaved();
    }
  }

  /** The bare result of an ancestor, also when it was too large to come with the step; null as `getDependencyResult`. */
  async loadDependency<T = unknown>(stepName: string): Promise<T | null> {
    if (!this.#params.loadDependency) return this.getDependencyResult<T>(stepName);
    return ((await this.#params.loadDependency(stepName))?.result ?? null) as T | null;
  }

  /**
   * The ancestors whose names begin with `prefix`, one after the other: name and bare result of each. Results that were
   * too large to come with the step are loaded when their turn comes, so all of them need not fit in memory.
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

  /** Where to go on; null without a checkpoint. */
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

  /** Asked for once: the worker parses JSON to answer. */
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
    // Bare results are let in for contexts made by hand; the accessors read both.
    const all = Object.create(READ_AS_MAP) as DependencyResults;
    if (params.dependencyResults) return Object.assign(all, params.dependencyResults);
    for (const name of params.dependencyNames?.() ?? []) {
      const found = this.#part(name);
      if (found) all[name] = dependencyResult(found);
    }
    return all;
  }
}

/** The accessors of a context whose contents were declared. */
export interface TypedAccessors<Input extends object, Results extends object> {
  readonly inputData: Input;
  getInput<Key extends keyof Input & string>(key: Key): Input[Key] | undefined;
  getDependencyResult<Step extends keyof Results & string>(stepName: Step): Results[Step] | null;
  loadDependency<Step extends keyof Results & string>(stepName: Step): Promise<Results[Step] | null>;
}

/**
 * A {@link StepContext} that knows the types of what it holds: `Input` is the task's context, `Results` are the results of
 * earlier steps by step name. They are claims: nothing is checked. `defineHandler` takes schemas, which are.
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

/** The prototype of `dependencyResults`, so that `get` is not among its keys and a step of that name hides it. */
const READ_AS_MAP: object = Object.create(Object.prototype, {
  get: {
    writable: true,
    value: function (this: Fields, stepName: string): unknown {
      return own(this, stepName);
    },
  },
});

/** The function with the saved fields on it; as JSON it is those fields, or null. */
function stepCheckpoint(saved: Fields | null, save: (progress: CheckpointProgress) => Promise<void>): StepCheckpoint {
  const checkpoint = (progress: CheckpointProgress) => save(progress);
  // `name` and `length` of a function can't be assigned, only defined.
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
 * What the context of a step event reads from: copies, made when they are asked for, so that what a handler changes
 * reaches neither the event nor its next attempt. Throws a `ConversionError` that names the first wrong part.
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
      return copyOf(task.context, 'task.context');
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
    throw new ConversionError(`step event: ${path}: it holds what no JSON can: ${messageOf(cause)}`, { path, cause });
  }
}
