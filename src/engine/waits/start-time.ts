import { TaskerError } from '../../errors.ts';
import { LONGEST_DURATION_MS } from '../../model/duration.ts';
import { instantOf } from '../../model/instant.ts';
import type { NewTask } from '../../store/tasks.ts';

/** Returns the start of a task that has `startAt` or `delayMs`. @throws TaskerError `bad_request` */
export function startOf(
  { startAt, delayMs }: { startAt?: unknown; delayMs?: unknown },
  where: string,
): NewTask['start'] {
  if (startAt != null && delayMs != null) {
    throw new TaskerError('bad_request', `${where}: startAt and delayMs cannot be combined; pass one of them`);
  }
  if (startAt != null) return { atMs: instantMs(startAt, `${where}: startAt`) };
  if (typeof delayMs === 'number' && delayMs >= 0 && delayMs <= LONGEST_DURATION_MS) return { delayMs };
  const most = LONGEST_DURATION_MS / 86_400_000;
  throw new TaskerError(
    'bad_request',
    `${where}: delayMs must be a number of milliseconds from 0 to ${most} days, got ${String(delayMs)}`,
  );
}

/**
 * Returns a time in milliseconds since 1970, from ISO 8601 with a zone, a number, or a date. `what`: its name, for the error.
 * @throws TaskerError `bad_request`
 */
export function instantMs(given: unknown, what: string): number {
  const read = instantOf(given instanceof Date ? given.getTime() : given);
  if ('ms' in read) return read.ms;
  const shown = typeof given === 'object' ? 'an object' : String(given);
  throw new TaskerError('bad_request', `${what}: ${read.wrong}; got ${shown.slice(0, 100)}`);
}
