import { HttpWorkers } from '../../worker/http/http-workers.ts';
import { eventRegistries } from '../event-registries.ts';
import type { Tasker } from '../tasker.ts';

/** Returns the workers that use the HTTP API of a tasker. */
export function httpWorkersOf(tasker: Tasker): HttpWorkers {
  return tasker.httpWorkers(
    (options) =>
      new HttpWorkers({
        ...options,
        publishers: options.publishers ?? eventRegistries({}, options.logger).publishers,
      }),
  );
}
