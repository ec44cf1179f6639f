import { ErrorType } from '../../handlers/failures/handler-errors.ts';
import { StepHandlerResult } from '../../handlers/step-handler.ts';
import { durationText } from '../../model/duration.ts';
import { INSTANT_FORMS, instantOf } from '../../model/instant.ts';
import type { WaitRequest } from '../../model/waits.ts';
import type { TimerConfig } from '../../template/task-template.ts';
import type { DispatchedStep } from '../dispatched-step.ts';

/** Maximum characters of a value in a message. */
const MAX_SHOWN = 80;

/**
 * Returns the wait of a timer step, or a permanent failure if its time is missing or malformed. Loads the result that
 * contains the time first, if it was too large to be loaded with the step.
 */
export function timerWait(
  step: DispatchedStep,
  { forMs, until }: TimerConfig,
): WaitRequest | StepHandlerResult | Promise<WaitRequest | StepHandlerResult> {
  if (until === null) {
    return { kind: 'timer', forMs: forMs ?? 0, settings: { due: `for ${durationText(forMs ?? 0)}` } };
  }
  if ('context' in until) return untilWait(step, valueAt(step.taskContext, until.context), `context.${until.context}`);
  const { step: parent, field } = until;
  const place = `field ${field} of the result of step ${parent}`;
  if (step.lazy) return step.loadDependency(parent).then((found) => ofResult(found));
  return ofResult(step.dependency(parent));

  function ofResult(found: { result?: unknown } | undefined): WaitRequest | StepHandlerResult {
    if (found?.result === undefined || found.result === null) {
      return failure(step, `step ${parent}, whose field ${field} it waits for, has no result`);
    }
    return untilWait(step, valueAt(found.result, field), place);
  }
}

function untilWait(step: DispatchedStep, value: unknown, place: string): WaitRequest | StepHandlerResult {
  if (value === undefined || value === null) {
    return failure(step, `${place} is ${value === null ? 'null' : 'missing'}; put a time there: ${INSTANT_FORMS}`);
  }
  const instant = instantOf(value);
  if ('wrong' in instant) return failure(step, `${place} is ${shortened(value)}: ${instant.wrong}`);
  return { kind: 'timer', untilMs: instant.ms, settings: { due: place } };
}

function failure(step: DispatchedStep, what: string): StepHandlerResult {
  const message = `step ${step.name}: the time of the timer is unknown: ${what}`;
  return StepHandlerResult.failure({ message, errorType: ErrorType.VALIDATION_ERROR, retryable: false });
}

/** Returns the value at a path of keys and positions, such as `order.parcels.0.ships_at`. */
function valueAt(value: unknown, path: string): unknown {
  let found = value;
  for (const key of path.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}

function shortened(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN - 1)}…` : text;
}
