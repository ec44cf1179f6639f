import type { Tasker } from '../../src/app/tasker.ts';
import type { HandlerShape } from './handler-shapes.mjs';
import { until } from './setup.ts';

/** Waits until the step reaches its expected state, and returns its stored outcome. */
export async function outcomeOf(tasker: Tasker, taskUuid: string, { outcome }: HandlerShape) {
  const { currentState, attempts, results } = await until(
    () => tasker.getStep(taskUuid, 'a'),
    (step) => step.currentState === outcome.state,
    100_000,
  );
  const { error_type: type, message } = results?.error ?? {};
  return { state: currentState, attempts, ...(results?.success ? { result: results.result } : { type, message }) };
}
