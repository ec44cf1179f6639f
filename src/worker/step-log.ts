import { KIND, type RecordAnswer } from '../engine/engine.ts';
import { nameOf } from '../engine/template-store.ts';
import type { Logger } from '../logging/logger.ts';
import type { AttemptEnd } from './attempt-end.ts';
import type { Delivery } from './delivery.ts';
import type { DispatchedStep } from './dispatched-step.ts';

/** What every line about a step has. */
export function stepFields(step: DispatchedStep) {
  return {
    task_uuid: step.taskUuid,
    correlation_id: step.correlationId,
    step: step.name,
    attempt: step.attempt - step.spared,
  };
}

const writes = (logger: Logger, level: string): boolean => logger.isLevelEnabled?.(level) ?? true;

/** Steps that are this worker's now. */
export function logHeld(logger: Logger, steps: readonly DispatchedStep[]): void {
  if (!writes(logger, 'debug')) return;
  for (const step of steps) logger.debug({ ...stepFields(step), state: 'in_progress' }, 'step claimed');
}

/** Attempts that completed, and those that were refused; retries and failures have lines of their own. */
export function logRecorded(logger: Logger, batch: readonly AttemptEnd[], accepted: readonly AttemptEnd[]): void {
  if (writes(logger, 'debug')) {
    for (const { step, kind, durationMs } of accepted) {
      if (kind === KIND.completed) {
        logger.debug({ ...stepFields(step), state: 'complete', duration_ms: durationMs }, 'step complete');
      }
    }
  }
  if (accepted.length === batch.length) return;
  const taken = new Set(accepted);
  for (const end of batch) {
    if (!taken.has(end))
      logger.info(stepFields(end.step), "a result was refused: the step is not this worker's any more");
  }
}

/** Tasks that came to their end, or to a stop, with the last of these attempts. */
export function logEnded(logger: Logger, batch: readonly AttemptEnd[], ended: RecordAnswer['ended']): void {
  if (ended.length === 0 || !writes(logger, 'info')) return;
  const steps = new Map(batch.map(({ taskUuid, step }) => [taskUuid, step]));
  for (const { taskUuid, state, ms } of ended) {
    const step = steps.get(taskUuid);
    const of = step && { correlation_id: step.correlationId, template: nameOf(step.task.snapshot.template) };
    logger.info({ task_uuid: taskUuid, ...of, state, duration_ms: ms }, `task ${state}`);
  }
}

/** Retries and failures, one line each. */
export function logUncompleted(
  logger: Logger,
  row: RecordAnswer['uncompleted'][number],
  { step, error, delayMs }: AttemptEnd,
): void {
  const fields = {
    ...stepFields(step),
    attempt: row.attempts - row.spared,
    template: nameOf(step.task.snapshot.template),
    max_attempts: row.maxAttempts,
    error_type: error?.type,
    error: error?.message,
  };
  if (row.state === 'error') logger.warn(fields, 'step failed for good');
  else if (row.state === 'waiting_for_retry') {
    logger.info({ ...fields, retry_in_ms: delayMs }, 'step failed and will be tried again');
  } else if (error) logger.info(fields, 'step failed and is tried again at once');
}

/** A handler went on after its step was over. */
export function logSettledLate(logger: Logger, step: DispatchedStep): void {
  logger.info(
    { ...stepFields(step), over: step.over },
    'a handler settled after its step was over; its result is refused',
  );
}

/** A handler's time is up. */
export function logTimedOut(logger: Logger, step: DispatchedStep): void {
  logger.warn(
    { ...stepFields(step), handler: step.handlerName },
    'a handler went over its timeout; its slot is taken until it settles',
  );
}

/** A handler did not end with its worker. */
export function logUnsettled(logger: Logger, step: DispatchedStep): void {
  logger.warn(stepFields(step), 'a handler did not settle in the drain time');
}

/** An event waits in the channel. */
export function logStarving(logger: Logger, { step, eventId, state }: Delivery, ms: number): void {
  logger.warn(
    { ...stepFields(step), event_id: eventId, waiting_ms: Math.round(ms) },
    state === 'unread'
      ? 'a step waits to be read from the channel: is its poller running?'
      : 'a step was read from the channel and nobody has begun with it: is a subscriber running?',
  );
}
