import { TaskerError } from '../../errors.ts';
import { LONGEST_DURATION_MS } from '../../model/duration.ts';
import type { NewTask } from '../../store/tasks.ts';

const ISO = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})$/;
const LAST_MS = Date.UTC(10_000, 0);

/** Returns when a task begins. Undefined: at once. @throws TaskerError `bad_request` */
export function startOf(
  { startAt, delayMs }: { startAt?: unknown; delayMs?: unknown },
  where: string,
): NewTask['start'] {
  if (startAt == null && delayMs == null) return undefined;
  if (startAt != null && delayMs != null) {
    throw new TaskerError('bad_request', `${where}: startAt and delayMs cannot be combined; pass one of them`);
  }
  if (startAt != null) return { atMs: startTimeMs(startAt, `${where}: startAt`) };
  if (typeof delayMs === 'number' && delayMs >= 0 && delayMs <= LONGEST_DURATION_MS) return { delayMs };
  const most = LONGEST_DURATION_MS / 86_400_000;
  throw new TaskerError(
    'bad_request',
    `${where}: delayMs must be a number of milliseconds from 0 to ${most} days, got ${String(delayMs)}`,
  );
}

/** Returns a time in milliseconds since 1970. `what`: its name, for the error. @throws TaskerError `bad_request` */
export function startTimeMs(given: unknown, what: string): number {
  const ms =
    given instanceof Date
      ? given.getTime()
      : typeof given === 'number'
        ? given
        : typeof given === 'string' && ISO.test(given)
          ? Date.parse(given)
          : Number.NaN;
  if (ms >= 0 && ms < LAST_MS) return ms;
  const shown = typeof given === 'object' ? 'an object' : String(given);
  throw new TaskerError(
    'bad_request',
    `${what} must be ISO 8601 with a zone, such as 2026-12-24T18:00:00Z, milliseconds since 1970 or a date, up to the year 9999; got ${shown}`,
  );
}
