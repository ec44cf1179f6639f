import { HttpWorkers } from '../../worker/http/http-workers.ts';
import type { Tasker } from '../tasker.ts';

const NO_PUBLISHERS = { get: () => undefined, getForStep: () => undefined };

/** Returns the workers that use the HTTP API of a tasker. */
export function httpWorkersOf(tasker: Tasker): HttpWorkers {
  return tasker.httpWorkers((options) => new HttpWorkers({ publishers: NO_PUBLISHERS, ...options }));
}
