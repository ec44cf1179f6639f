import type { PastDepthRow, QueueFlowRow } from '../../store/overview/queue-flow.ts';
import { MOST_COUNTED } from '../../store/overview/queues.ts';

/** How fast steps enter and leave a queue, as part of {@link QueueInfo}. All values are null if they are not known. */
export interface QueueFlow {
  /**
   * Steps that became ready, and steps that were started or removed, per minute, over the last ten minutes, or since
   * `flowSince`. Steps that a worker takes immediately count in both. `inPerMinute` is null if the queue is too long to count.
   */
  inPerMinute: number | null;
  outPerMinute: number | null;
  /** Whether the queue grows: more became ready than left it, by more than 5 %. Null if the queue is too long to count. */
  isGrowing: boolean | null;
  /** When the period of these numbers began, as ISO 8601. */
  flowSince: string | null;
}

const UNKNOWN: QueueFlow = { inPerMinute: null, outPerMinute: null, isGrowing: null, flowSince: null };
/** A queue that grew by less than this share of the steps that left it is steady. */
const NOISE = 0.05;

/** Returns the flow of a queue, from its depth now and about ten minutes ago. */
export function flowOf(then: QueueFlowRow | undefined, now: { ready: number; running: number }): QueueFlow {
  if (!then) return UNKNOWN;
  // In the first minute, numbers per minute would be exaggerated.
  const minutes = Math.max(1, then.minutes);
  const perMinute = (steps: number) => Math.round((steps / minutes) * 10) / 10;
  const started = Math.max(0, then.ended + now.running - then.running);
  const flow = { ...UNKNOWN, outPerMinute: perMinute(started), flowSince: then.since };
  if (then.ready >= MOST_COUNTED && now.ready >= MOST_COUNTED) return flow;
  if (now.ready >= MOST_COUNTED) return { ...flow, isGrowing: true };
  const growth = now.ready - then.ready;
  const isGrowing = growth > started * NOISE;
  if (then.ready >= MOST_COUNTED) return { ...flow, isGrowing };
  // A cancelled or paused step leaves the queue without a start.
  const removed = Math.max(0, -growth - started);
  return {
    ...flow,
    inPerMinute: perMinute(started + growth + removed),
    outPerMinute: perMinute(started + removed),
    isGrowing,
  };
}

const MINUTES = 60;

/** Returns the ready steps in each minute of the last hour. Null for a minute without a stored depth. */
export function depthsByMinute(rows: readonly PastDepthRow[]): (number | null)[] {
  const found = Array.from({ length: MINUTES }, (): number | null => null);
  for (const { minutesAgo, ready } of rows) if (minutesAgo < MINUTES) found[MINUTES - 1 - minutesAgo] = ready;
  return found;
}
