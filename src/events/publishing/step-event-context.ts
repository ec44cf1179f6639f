import type { StepContext } from '../../handlers/step-context.ts';

type Fields = Record<string, unknown>;

/** The outcome of an attempt, as publishers and subscribers get it. */
export interface StepResult {
  success: boolean;
  result?: Fields;
  metadata?: Fields;
}

/**
 * The context for a publisher: the step whose event it creates. The context is also a {@link StepResult}, so that hooks
 * written for either type work.
 */
export interface StepEventContext extends StepResult {
  taskUuid: string;
  stepUuid: string;
  stepName: string;
  namespace: string;
  /** The id that all tasks, steps and events caused by one request share. */
  correlationId: string;
  /** The event to create. Empty in a context without an event. */
  eventName: string;
  success: boolean;
  /**
   * The step's result without an envelope. Empty after a failure. Undefined only in a context that
   * {@link createStepEventContext} created without a result.
   */
  result: Fields;
  /**
   * The metadata of the handler's result. After a failure, it also has `error_type`, `error_message` and `retryable`.
   */
  metadata: Fields;
}

/** The argument of {@link createStepEventContext}. */
export interface StepEventContextInit {
  taskUuid: string;
  stepUuid: string;
  stepName: string;
  /** Default `default`. */
  namespace?: string;
  /** Default: the task's id. */
  correlationId?: string;
  eventName?: string;
  /** Default true. */
  success?: boolean;
  result?: Fields | null;
  metadata?: Fields;
}

/**
 * Creates a context for publishers, for testing one.
 *
 * @example
 * const ctx = createStepEventContext({ taskUuid, stepUuid: taskUuid, stepName: 'charge', result: { amount: 12.5 } });
 * const payload = await new DefaultPublisher().transformPayload(ctx); // { amount: 12.5 }
 */
export function createStepEventContext(data: StepEventContextInit): StepEventContext {
  const context: StepEventContext = {
    taskUuid: data.taskUuid,
    stepUuid: data.stepUuid,
    stepName: data.stepName,
    namespace: data.namespace ?? 'default',
    correlationId: data.correlationId ?? data.taskUuid,
    eventName: data.eventName ?? '',
    success: data.success ?? true,
    // Existing tests of publishers expect undefined. Contexts of steps always have a result, so the type has one too.
    result: (data.result ?? undefined) as Fields,
    metadata: data.metadata ?? {},
  };
  // As a string, it is the name of the event, which hooks of the positional form get instead of the context.
  return Object.defineProperty(context, 'toString', { value: () => context.eventName || context.stepName });
}

/** Options of {@link fromStepContext}. */
export interface FromStepContextOptions {
  /** The outcome of the handler. */
  result?: StepResult;
  eventName?: string;
}

/**
 * Creates a context for publishers from the context of a handler, with its ids and the given result. The step name
 * comes from the handler's step event if there is one. Otherwise it is the name of the handler.
 *
 * @example
 * const ctx = fromStepContext(context, { result: { success: true, result: { amount: 12.5 } } });
 * console.log(ctx.stepName, ctx.result.amount);
 */
export function fromStepContext(
  context: StepContext,
  { result, eventName }: FromStepContextOptions = {},
): StepEventContext {
  const { taskUuid, stepUuid, correlationId, handlerName } = context;
  const event = eventOf(context);
  return createStepEventContext({
    taskUuid,
    stepUuid,
    stepName: event?.workflowStep.name ?? handlerName,
    ...(event && { namespace: event.task.namespace }),
    ...(correlationId !== '' && { correlationId }),
    ...(eventName !== undefined && { eventName }),
    ...result,
    result: result?.result ?? {},
  });
}

/** Returns the step event of a context. A context created by hand has none, and reading it throws. */
function eventOf(context: StepContext) {
  try {
    return context.event;
  } catch {
    return undefined; // the caller uses the handler's name
  }
}
