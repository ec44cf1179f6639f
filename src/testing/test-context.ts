import { TaskerError } from '../errors.ts';
import type { DependencyResultParams } from '../handlers/dependency-result.ts';
import type { FfiDependencyResult, FfiStepEvent } from '../handlers/ffi-step-event.ts';
import { StepContext } from '../handlers/step-context.ts';
import type { CheckpointProgress } from '../handlers/step-context-params.ts';
import { type Logger, silentLogger } from '../logging/logger.ts';
import type { Fields } from '../model/fields.ts';
import { storableJson } from '../model/storable-json.ts';
import { stepUuid, uuidV7 } from '../model/uuid.ts';
import { DEFAULT_RETRY } from '../template/task-template.ts';

/** What {@link createTestContext} may be told; everything has a default. */
export interface TestContextOptions {
  /** The task's context. Default `{}`. */
  inputData?: Fields;
  /** The bare results of earlier steps, by step name. */
  dependencyResults?: Record<string, unknown>;
  /** The template's `handler.initialization`. Default `{}`. */
  stepConfig?: Fields;
  /** A batch worker's cursor and the like. Default: the same as `stepConfig`. */
  stepInputs?: Fields;
  /** How often the step was started before. Default 0. */
  retryCount?: number;
  /** How often it may be started in all. Default 3. */
  maxRetries?: number;
  /** What an earlier attempt saved: `{ cursor, items_processed, accumulated_results }`. Default: nothing. */
  checkpoint?: Fields | null;
  /** Fires what the handler sees as `context.signal`. */
  signal?: AbortSignal;
  /** Default: writes nothing. */
  logger?: Logger;
  /** Default `test_handler`; {@link runHandler} puts the handler's own name. */
  handlerName?: string;
  /** Default: the handler's name. */
  stepName?: string;
  /** Default: a new one. */
  taskUuid?: string;
  /** Default: one that belongs to the task. */
  stepUuid?: string;
  /** Default: the task's id, as for a task that was given none. */
  correlationId?: string;
}

// Who runs a handler on a context may end it: its signal then fires.
const controllers = new WeakMap<StepContext, AbortController>();

/**
 * A context to call a handler with in a test, without a database. What is given reaches the handler as it would from
 * the database: copied, and as JSON (a date is a text), so that nothing works in a test alone.
 *
 * What the handler saves with `context.checkpoint(…)` can be read from the context afterwards, as the next attempt would.
 *
 * Throws `invalid_context` when something given has no JSON form.
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
    checkpoint: copied(options.checkpoint, 'checkpoint') ?? null,
    signal: options.signal ? AbortSignal.any([options.signal, controller.signal]) : controller.signal,
    logger: options.logger ?? silentLogger,
  };
  let saved = params.checkpoint;
  const dependencies = dependenciesOf(options.dependencyResults ?? {}, taskUuid);
  const context = new StepContext({
    ...params,
    get checkpoint() {
      return copied(saved, 'checkpoint');
    },
    saveCheckpoint: async (progress) => {
      saved = savedCheckpoint(saved, copied(progress, 'checkpoint'));
    },
    get event() {
      return testStepEvent({ ...params, dependencies });
    },
    dependency: (name) => dependencies.get(name),
    dependencyNames: () => [...dependencies.keys()],
  });
  controllers.set(context, controller);
  return context;
}

/** What is stored of a save, as an earlier attempt's `checkpoint` shows it. */
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

/** Fires a context's signal, as a worker does when it no longer waits; without effect on a context made elsewhere. */
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

/** The value as it would come back from the database; undefined and null stay what they are. */
function copied<T>(value: T, name: string): T {
  if (value === undefined || value === null) return value;
  const stored = storableJson(value, { name });
  if (stored.ok) return JSON.parse(stored.json) as T;
  throw new TaskerError('invalid_context', `test context: ${stored.path}: ${stored.reason}`, {
    details: { path: stored.path },
  });
}

/** What a test says of the step; the event has defaults for the rest. */
export interface TestStep extends Required<Omit<TestContextOptions, 'dependencyResults' | 'signal' | 'logger'>> {
  dependencies: ReadonlyMap<string, DependencyResultParams>;
}

/** The step event behind a test's context, for handlers that read `context.event`. */
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
    inProcess: false,
    processed: false,
    inputs: step.stepInputs,
    createdAt: now,
    updatedAt: now,
    checkpoint: step.checkpoint,
  };
}
