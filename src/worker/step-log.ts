import type { RecordAnswer } from '../engine/engine.ts';
import { nameOf } from '../engine/template-store.ts';
import type { Logger } from '../logging/logger.ts';
import type { AttemptEnd } from './attempt-end.ts';
import type { Handout } from './handout.ts';
import type { HeldStep } from './held-step.ts';

/** Results that the fence refused: news, not a fault. */
export function logRefused(logger: Logger, refused: readonly AttemptEnd[]): void {
  for (const end of refused) {
    logger.info(
      { task_uuid: end.taskUuid, step: end.step.name, attempt: end.attempt },
      "a result was refused: the step is not this worker's any more",
    );
  }
}

/** Retries and failures, one line each. */
export function logUncompleted(
  logger: Logger,
  row: RecordAnswer['uncompleted'][number],
  { step, error, delayMs }: AttemptEnd,
): void {
  const fields = {
    task_uuid: row.task_uuid,
    template: nameOf(step.task.snapshot.template),
    step: step.name,
    attempt: row.attempts - row.spared,
    max_attempts: row.max_attempts,
    error_type: error?.type,
    error: error?.message,
  };
  if (row.state === 'error') logger.warn(fields, 'step failed for good');
  else if (row.state === 'waiting_for_retry') {
    logger.info({ ...fields, retry_in_ms: delayMs }, 'step failed and will be tried again');
  } else if (error) logger.info(fields, 'step failed and is tried again at once');
}

/** A handler went on after its step was over. */
export function logSettledLate(logger: Logger, step: HeldStep): void {
  logger.info(
    { task_uuid: step.taskUuid, step: step.name, attempt: step.attempt, over: step.over },
    'a handler settled after its step was over; its result is refused',
  );
}

/** A handler's time is up. */
export function logTimedOut(logger: Logger, step: HeldStep): void {
  logger.warn(
    { task_uuid: step.taskUuid, step: step.name, handler: step.handlerName, attempt: step.attempt },
    'a handler went over its timeout; its slot is taken until it settles',
  );
}

/** A handler did not end with its worker. */
export function logUnsettled(logger: Logger, step: HeldStep): void {
  logger.warn({ task_uuid: step.taskUuid, step: step.name }, 'a handler did not settle in the drain time');
}

/** An event waits in the channel. */
export function logStarving(logger: Logger, { step, eventId, state }: Handout, ms: number): void {
  logger.warn(
    { task_uuid: step.taskUuid, step: step.name, event_id: eventId, waiting_ms: Math.round(ms) },
    state === 'unread'
      ? 'a step waits to be read from the channel: is its poller running?'
      : 'a step was read from the channel and nobody has begun with it: is a subscriber running?',
  );
}
