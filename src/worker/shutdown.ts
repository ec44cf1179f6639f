import { backOff } from '../time/back-off.ts';
import { waitAtMost } from '../time/wait-at-most.ts';
import { type AttemptEnd, abandoned, released } from './attempt-end.ts';
import type { WorkerParts } from './worker-parts.ts';

/** The last part of the drain time, in which handlers settle after their signal fired. */
const LAST_MOMENT_MS = 500;
/** Maximum time after the drain time for recording and signing off when the database does not respond. */
const GRACE_MS = 5_000;
/** How long the shutdown waits for threads to end. Native code may not respond. */
const THREADS_END_MS = 2_000;
/** Minimum time for each phase of the shutdown, even if the time is used up. */
const MIN_PHASE_MS = 500;

/** The settings and callbacks that a shutdown needs in addition to the parts of the worker. */
export interface ShuttingDown {
  drainTimeoutMs: number;
  /** Called when the queue holds work for other workers. */
  onWorkLeft(rank: number): void;
  /** Sends the end of an attempt to the recorder. */
  push(end: AttemptEnd): void;
  /** Returns whether a claim is in progress. */
  claiming(): boolean;
}

/**
 * Stops taking steps, lets running handlers finish, then fires their signals, then releases their steps. Safe to call
 * while the database is down or does not respond: it returns a few seconds after the drain time. When the lease
 * expires, other workers take over the steps that could not be recorded.
 */
export async function shutDown(parts: WorkerParts, shuttingDown: ShuttingDown): Promise<void> {
  const { drainTimeoutMs, onWorkLeft, push, claiming } = shuttingDown;
  const { stopping, slots, held, channel, recorder, lease } = parts;
  const until = performance.now() + drainTimeoutMs + GRACE_MS;
  const left = () => Math.max(MIN_PHASE_MS, until - performance.now());
  stopping.begin();
  slots.close();
  const tidied = lease.housekeeping.stop();
  parts.draining.stop();
  parts.missing.stop();
  channel?.halt();
  // Not awaited yet, because a server that does not respond must not delay the handlers' signals.
  const lastPoll = parts.queuePoller.stop();
  const lastMoment = Math.min(LAST_MOMENT_MS, drainTimeoutMs / 4);
  if (!(await slots.idleWithin(stopping.hurried ? 0 : drainTimeoutMs - lastMoment))) {
    stopping.aborting = true;
    for (const step of held) if (!step.over) step.warn('the worker is stopping');
    await slots.idleWithin(lastMoment);
  }
  // Terminates handlers that still run in a thread, before their steps are released.
  await waitAtMost(Math.min(left(), THREADS_END_MS), parts.isolation.stop());
  const recorded = await nothingHeldWithin(left());
  const unreadable = parts.unreadable.stop(lastMoment).then((count) => {
    if (count > 0) stopping.leftBehind = true;
  });
  if (!(await waitAtMost(left(), unreadable))) stopping.leftBehind = true;
  parts.deadlines.stop();
  await waitAtMost(left(), Promise.all([lastPoll, lease.unanswered.stop()]));
  recorder.stop();
  if (parts.logWriter) await waitAtMost(left(), parts.logWriter.stop());
  channel?.stop();
  parts.reports.stop();
  const clean = recorded && held.size === 0 && !lease.unanswered.any && !stopping.leftBehind;
  if (clean) onWorkLeft(0);
  await waitAtMost(left(), tidied);
  await waitAtMost(left(), lease.stop(clean));
  lease.loop.stop();

  /**
   * Releases all held steps, including those of a late claim or recording, and waits until the releases are recorded.
   */
  async function nothingHeldWithin(ms: number): Promise<boolean> {
    const end = performance.now() + ms;
    for (;;) {
      releaseRemaining();
      const rest = claiming() || recorder.pending > 0 || held.size > 0;
      if (!rest || performance.now() > end) return !rest;
      await backOff(0);
    }
  }

  /** Releases steps whose handlers did not settle or were not called yet, but not steps that wait to be recorded. */
  function releaseRemaining(): void {
    for (const step of held) {
      if (step.over || step.ended) continue;
      if (step.started) parts.reports.unsettled(step);
      push(step.started ? abandoned(step) : released(step));
      step.end('given_back');
      held.drop(step);
    }
  }
}
