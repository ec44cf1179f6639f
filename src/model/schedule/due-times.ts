import { type CronTimes, cronTimes } from './cron.ts';
import { offsetAt, type Transition, transitionIn } from './zone.ts';

/** When a schedule is due. Moments are milliseconds since 1970. */
export interface Timing {
  /** Null if `everyMs` is set. */
  cron: string | null;
  /** Null if `cron` is set. */
  everyMs: number | null;
  timezone: string;
  /** The moment from which `everyMs` is measured. */
  anchorMs: number;
  /** The earliest possible due time. Null means no limit. */
  startMs: number | null;
  /** The latest possible due time. Null means no limit. */
  endMs: number | null;
}

const DAY_MS = 86_400_000;
/** No offset changes by more than a day. */
const LONGEST_SHIFT_MS = DAY_MS + 7_200_000;

/**
 * Returns the first due time after a moment. Null if there is none.
 *
 * A change of the time zone's offset (DST) has these effects. If the hour of the expression is a time of day (`0 2 * *
 * *`), a local time that occurs twice is due the first time. Local times that are skipped are due once, at the end of
 * the gap. If the hour has `*` or a step, elapsed time is used, as if the earlier clock continued to run. For as long
 * as the gap, times of that clock are due too. An hour that occurs twice is due the second time only if that clock
 * would match too.
 */
export function dueAfter(timing: Timing, afterMs: number): number | null {
  const { startMs, endMs } = timing;
  const from = startMs !== null && startMs > afterMs ? startMs : Math.floor(afterMs) + 1;
  const due = timing.everyMs === null ? cronAfter(timing, from) : everyFrom(timing, timing.everyMs, from);
  return due === null || (endMs !== null && due > endMs) ? null : due;
}

/** Returns the last due time before a moment and not before `fromMs`. Null if there is none. */
export function dueBefore(timing: Timing, beforeMs: number, fromMs: number): number | null {
  let low = fromMs - 1;
  const first = dueAfter(timing, low);
  if (first === null || first >= beforeMs) return null;
  let high = beforeMs;
  // `dueAfter(low)` is always before the moment, and `dueAfter(high)` never is.
  while (high - low > 1) {
    const middle = low + Math.floor((high - low) / 2);
    const due = dueAfter(timing, middle);
    if (due !== null && due < beforeMs) low = middle;
    else high = middle;
  }
  return dueAfter(timing, low);
}

function everyFrom({ anchorMs }: Timing, everyMs: number, from: number): number {
  return anchorMs + Math.max(0, Math.ceil((from - anchorMs) / everyMs)) * everyMs;
}

function cronAfter({ cron, timezone }: Timing, fromMs: number): number | null {
  const times = cronTimes(cron!);
  let from = Math.ceil(fromMs / 1000) * 1000;
  for (;;) {
    const offset = offsetAt(timezone, from);
    const due = dueInSegment(times, { from, offset, shift: lastShift(timezone, from) });
    if (due === null) return null;
    const shift = transitionIn(timezone, from, Math.min(due, from + DAY_MS));
    if (shift) from = shift.at;
    else if (due <= from + DAY_MS) return due;
    // A longer time is not searched for changes: until a day before, no local time matches under any offset.
    else from = Math.max(from + DAY_MS, due - DAY_MS);
  }
}

/** Returns the last change of the offset at or before a moment whose gap or doubled hour includes the moment. */
function lastShift(zone: string, at: number): Transition | undefined {
  let found: Transition | undefined;
  let from = at - LONGEST_SHIFT_MS;
  if (offsetAt(zone, from) === offsetAt(zone, at)) {
    const first = transitionIn(zone, from, at);
    if (!first) return undefined;
  }
  for (;;) {
    const next = transitionIn(zone, from, at);
    if (!next) break;
    found = next;
    from = next.at;
  }
  return found && at < found.at + Math.abs(found.after - found.before) ? found : undefined;
}

/** Returns the first due time from a moment on, if the offset no longer changes. */
function dueInSegment(
  times: CronTimes,
  { from, offset, shift }: { from: number; offset: number; shift: Transition | undefined },
): number | null {
  const next = times.next(from + offset);
  let due = next === null ? null : next - offset;
  if (!shift) return due;
  const { at, before, after } = shift;
  if (after > before) {
    const gapEnd = at + (after - before);
    if (!times.fixedHour) {
      const old = times.next(from + before);
      return old !== null && old - before < gapEnd && (due === null || old - before < due) ? old - before : due;
    }
    const skipped = from === at ? times.next(at + before) : null;
    return skipped !== null && skipped < at + after ? at : due;
  }
  const doubledEnd = at + (before - after);
  while (due !== null && due < doubledEnd && (times.fixedHour || !times.matches(due + before))) {
    const later = times.next((times.fixedHour ? doubledEnd : due + 1000) + offset);
    due = later === null ? null : later - offset;
  }
  return due;
}
