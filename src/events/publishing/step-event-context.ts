import type { StepContext } from '../../handlers/step-context.ts';

type Fields = Record<string, unknown>;

/** What an attempt came to, as publishers and subscribers are told. */
export interface StepResult {
  success: boolean;
  result?: Fields;
  metadata?: Fields;
}

/**
 * What a publisher is told of the step whose event it makes. It is a {@link StepResult} as well: a hook that is written
 * for either gets what it expects.
 */
export interface StepEventContext extends StepResult {
  taskUuid: string;
  stepUuid: string;
  stepName: string;
  namespace: string;
  /** Ties together all that one request caused. */
  correlationId: string;
  /** The event that is being made; empty in a context that was made without one. */
  eventName: string;
  success: boolean;
  /** The step's business result, without any envelope; empty when it failed. */
  result: Fields;
  /** What the handler said beside its result; of a failure `error_type`, `error_message`, `retryable` too. */
  metadata: Fields;
}

/** What a {@link StepEventContext} is made of. */
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
 * A context for publishers, as a test of one needs it.
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
    result: data.result ?? {},
    metadata: data.metadata ?? {},
  };
  // In a text it reads as its event, which is what hooks of the other form are given in its place.
  return Object.defineProperty(context, 'toString', { value: () => context.eventName || context.stepName });
}

/** What {@link fromStepContext} takes besides the handler's context. */
export interface FromStepContextOptions {
  /** What the handler came to. */
  result?: StepResult;
  eventName?: string;
}

/**
 * The context for publishers of the step that a handler runs: its ids and, when it is given, its result. The step's name
 * is the event's where the handler's context has one, else the handler's.
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
  });
}

/** A context that was made by hand has no event, and says so by an error. */
function eventOf(context: StepContext) {
  try {
    return context.event;
  } catch {
    return undefined; // without one there is only the handler's name
  }
}
