import { TaskerError } from '../errors.ts';
import type { DependencyResultParams } from '../handlers/dependency-result.ts';
import type { FfiDependencyResult, FfiStepEvent } from '../handlers/ffi-step-event.ts';
import { StepContext } from '../handlers/step-context.ts';
import type { CheckpointProgress } from '../handlers/step-context-params.ts';
import type { ChildTaskStart } from '../handlers/step-wait.ts';
import { type Logger, silentLogger } from '../logging/logger.ts';
import { stepUuid, uuidV7 } from '../model/ids.ts';
import { type Fields, storableJson } from '../model/json.ts';
import type { TaskSchedule } from '../model/schedule/spec.ts';
import { DEFAULT_RETRY } from '../template/task-template.ts';

/** Options of {@link createTestContext}. All have a default. */
export interface TestContextOptions {
  /** The task's context. Default `{}`. */
  inputData?: Fields;
  /** The bare results of earlier steps, by step name. */
  dependencyResults?: Record<string, unknown>;
  /** The template's `handler.initialization`. Default `{}`. */
  stepConfig?: Fields;
  /** The step's own inputs, such as the cursor of a batch worker. Default: the same as `stepConfig`. */
  stepInputs?: Fields;
  /** For an analyzer: the sizes in the templates of its batch workers, by their steps. Default: none. */
  batchSizes?: Record<string, number>;
  /** Number of attempts before this one. Default 0. */
  retryCount?: number;
  /** The number of the rerun. Default 0 means the first run. */
  rerun?: number;
  /** The schedule that created the task. Default: none. */
  schedule?: TaskSchedule | undefined;
  /** Maximum number of attempts, including the first. Default 3. */
  maxRetries?: number;
  /** The checkpoint of an earlier attempt: `{ cursor, items_processed, accumulated_results }`. Default: none. */
  checkpoint?: Fields | null;
  /** The return value of `context.completionToken()`. Default `test_token`. It completes no step. */
  completionToken?: string;
  /** Returns the id of a task that the handler starts with `context.startTask`. Default: a new UUID for each key. */
  onStartTask?: (start: ChildTaskStart) => string;
  /** Aborts the handler's `context.signal`. */
  signal?: AbortSignal;
  /** Default: a logger that writes nothing. */
  logger?: Logger;
  /** Default `test_handler`. {@link runHandler} sets the handler's own name. */
  handlerName?: string;
  /** Default: the handler's name. */
  stepName?: string;
  /** Default: a new UUID. */
  taskUuid?: string;
  /** Default: the UUID of a step of the task. */
  stepUuid?: string;
  /** Default: the task's UUID, as for a task created without a correlation id. */
  correlationId?: string;
}

// Controllers that abort the signal of a context, for example on a timeout.
const controllers = new WeakMap<StepContext, AbortController>();

/**
 * Creates a context to call a handler in a test, without a database. Values reach the handler as they would from the
 * database: copied and converted to JSON (a date becomes a string). This way, a handler cannot rely on values that
 * exist only in tests.
 *
 * A checkpoint that the handler saves with `context.checkpoint(…)` can be read from the context afterwards, as in the
 * next attempt.
 *
 * Throws `invalid_context` if a value has no JSON form.
 *
 * @example
 * const context = createTestContext({ inputData: { order_id: 'O-7' }, dependencyResults: { reserve: { id: 'R-1' } } });
 * context.getDependencyResult('reserve'); // { id: 'R-1' }
 */
export function createTestContext(options: TestContextOptions = {}): StepContext {
  const controller = new AbortController();
  const { taskUuid = uuidV7(), handlerName = 'test_handler', stepName = handlerName, retryCount, maxRetries } = options;
  const stepConfig = copied(options.stepConfig, 'stepConfig') ?? {};
  const ids = { taskUuid, stepUuid: options.stepUuid ?? stepUuid(taskUuid, 0) };
  const params = {
    ...ids,
    handlerName,
    stepName,
    correlationId: options.correlationId ?? taskUuid,
    inputData: copied(options.inputData, 'inputData') ?? {},
    stepConfig,
    stepInputs: copied(options.stepInputs, 'stepInputs') ?? structuredClone(stepConfig),
    retryCount: retryCount ?? 0,
    maxRetries: maxRetries ?? 3,
    rerun: options.rerun ?? 0,
    schedule: options.schedule,
    checkpoint: copied(options.checkpoint, 'checkpoint') ?? null,
    signal: options.signal ? AbortSignal.any([options.signal, controller.signal]) : controller.signal,
    logger: options.logger ?? silentLogger,
  };
  let saved = params.checkpoint;
  const dependencies = dependenciesOf(options.dependencyResults ?? {}, taskUuid);
  const started = new Map<string, string>();
  const context = new StepContext({
    ...params,
    batchSizes: options.batchSizes,
    get checkpoint() {
      return copied(saved, 'checkpoint');
    },
    saveCheckpoint: async (progress) => {
      saved = savedCheckpoint(saved, copied(progress, 'checkpoint'));
    },
    get event() {
      return testStepEvent({ ...params, dependencies });
    },
    completionToken: () => Promise.resolve(options.completionToken ?? 'test_token'),
    // As in a worker, a key always returns the same task.
    startTask: async (start) => {
      const id = started.get(start.key) ?? options.onStartTask?.(start) ?? uuidV7();
      started.set(start.key, id);
      return id;
    },
    dependency: (name) => dependencies.get(name),
    dependencyNames: () => [...dependencies.keys()],
  });
  controllers.set(context, controller);
  return context;
}

/** Returns the stored form of a checkpoint. */
function savedCheckpoint(before: Fields | null, progress: CheckpointProgress): Fields {
  const { cursor = null, itemsProcessed = 0, accumulatedResults = null } = progress;
  const timestamp = new Date().toISOString();
  const history = Array.isArray(before?.history) ? (before.history as unknown[]) : [];
  return {
    cursor,
    items_processed: itemsProcessed,
    accumulated_results: accumulatedResults,
    timestamp,
    history: [...history, { cursor, timestamp }],
  };
}

/** Aborts a context's signal, as a worker does on a timeout. Has no effect on a context created elsewhere. */
export function abortTestContext(context: StepContext, reason: DOMException): void {
  controllers.get(context)?.abort(reason);
}

function dependenciesOf(results: Record<string, unknown>, taskUuid: string): Map<string, DependencyResultParams> {
  const entries = Object.entries(results).map(([name, result], i): [string, DependencyResultParams] => [
    name,
    { stepUuid: stepUuid(taskUuid, i + 1), result: copied(result, `dependencyResults.${name}`) },
  ]);
  return new Map(entries);
}

/** Returns the value as it would be read from the database. Undefined and null are returned as is. */
function copied<T>(value: T, name: string): T {
  if (value === undefined || value === null) return value;
  const stored = storableJson(value, { name });
  if (stored.ok) return JSON.parse(stored.json) as T;
  throw new TaskerError('invalid_context', `test context: ${stored.path}: ${stored.reason}`, {
    details: { path: stored.path },
  });
}

/** The data of the step in a test. The event has defaults for everything else. */
export interface TestStep
  extends Required<
    Omit<
      TestContextOptions,
      'dependencyResults' | 'batchSizes' | 'signal' | 'logger' | 'schedule' | 'completionToken' | 'onStartTask'
    >
  > {
  schedule?: TaskSchedule | undefined;
  dependencies: ReadonlyMap<string, DependencyResultParams>;
}

/** Creates the step event of a test's context, for handlers that read `context.event`. */
export function testStepEvent(step: TestStep): FfiStepEvent {
  const now = new Date().toISOString().replace('T', ' ').replace('Z', '000');
  const { taskUuid, correlationId } = step;
  const dependencyResults: Record<string, FfiDependencyResult> = {};
  for (const [name, { stepUuid: id, result }] of step.dependencies)
    dependencyResults[name] = { stepUuid: id, success: true, result, status: 'completed' };
  return {
    eventId: uuidV7(),
    taskUuid,
    stepUuid: step.stepUuid,
    correlationId,
    taskCorrelationId: correlationId,
    task: {
      taskUuid,
      namedTaskUuid: stepUuid(taskUuid, 10_000),
      name: 'test_task',
      namespace: 'test',
      version: '1.0.0',
      context: step.inputData,
      correlationId,
      complete: false,
      priority: 0,
      identityHash: '',
      createdAt: now,
      updatedAt: now,
      requestedAt: now,
    },
    workflowStep: workflowStepOf(step, now),
    stepDefinition: {
      name: step.stepName,
      handlerCallable: step.handlerName,
      handlerInitialization: step.stepConfig,
      dependencies: [...step.dependencies.keys()],
      retryRetryable: DEFAULT_RETRY.retryable,
      retryMaxAttempts: step.maxRetries,
      retryBackoff: DEFAULT_RETRY.backoff,
      retryBackoffBaseMs: DEFAULT_RETRY.backoffBaseMs,
      retryMaxBackoffMs: DEFAULT_RETRY.maxBackoffMs,
    },
    dependencyResults,
  };
}

function workflowStepOf(step: TestStep, now: string): FfiStepEvent['workflowStep'] {
  return {
    workflowStepUuid: step.stepUuid,
    taskUuid: step.taskUuid,
    namedStepUuid: step.stepUuid,
    name: step.stepName,
    templateStepName: step.stepName,
    retryable: true,
    maxAttempts: step.maxRetries,
    attempts: step.retryCount,
    rerun: step.rerun,
    inProcess: false,
    processed: false,
    inputs: step.stepInputs,
    createdAt: now,
    updatedAt: now,
    checkpoint: step.checkpoint,
  };
}
