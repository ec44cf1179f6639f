import { TaskerError } from '../errors.ts';
import { type Logger, silentLogger } from '../logging/logger.ts';
import { type DependencyResultParams, dependencyResult } from './dependency-result.ts';
import type { FfiStepEvent } from './ffi-step-event.ts';
import { paramsOfEvent } from './params-of-event.ts';
import type { DependencyResults, StepContextParams } from './step-context-params.ts';

type Fields = Record<string, unknown>;

export type { DependencyResults, StepContextParams };

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
  #checkpoint: Fields | null | undefined;
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

  get handlerName(): string {
    return this.#params.handlerName;
  }

  /** The task's context: a copy of its own for each attempt, so changing it reaches nobody. */
  get inputData(): Fields {
    this.#inputData ??= this.#params.inputData ?? {};
    return this.#inputData;
  }

  /** The results of all completed ancestors, by step name. `getDependencyResult` gives a bare one. */
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

  /** A value inside an ancestor's result; null when the ancestor or a key on the way is missing. */
  getDependencyField(stepName: string, ...path: string[]): unknown {
    let value: unknown = this.getDependencyResult(stepName);
    for (const key of path) {
      if (typeof value !== 'object' || value === null) return null;
      value = own(value as Fields, key);
    }
    return value ?? null;
  }

  /** The names of all completed ancestors. */
  getDependencyResultKeys(): string[] {
    return this.#params.dependencyNames?.() ?? Object.keys(this.dependencyResults);
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

  /** What an earlier attempt saved with `checkpointYield`; null when none did. */
  get checkpoint(): Fields | null {
    if (this.#checkpoint === undefined) this.#checkpoint = this.#params.checkpoint ?? null;
    return this.#checkpoint;
  }

  /** Where to go on; null without a checkpoint. */
  get checkpointCursor(): unknown {
    return this.checkpoint?.cursor ?? null;
  }

  get checkpointItemsProcessed(): number {
    const count = this.checkpoint?.items_processed;
    return typeof count === 'number' ? count : 0;
  }

  get accumulatedResults(): Fields | null {
    const results = this.checkpoint?.accumulated_results;
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
    if (params.dependencyResults) return params.dependencyResults as DependencyResults;
    const all: DependencyResults = {};
    for (const name of params.dependencyNames?.() ?? []) {
      const found = this.#part(name);
      if (found) all[name] = dependencyResult(found);
    }
    return all;
  }
}

function own(fields: Fields, key: string): unknown {
  return Object.hasOwn(fields, key) ? fields[key] : undefined;
}

/** The result in an envelope; a value without `result` is the bare result itself. */
function resultIn(found: unknown): unknown {
  return typeof found === 'object' && found !== null && Object.hasOwn(found, 'result')
    ? (found as { result: unknown }).result
    : found;
}
