import { setTimeout as sleep } from 'node:timers/promises';
import type { Tasker } from '../app/tasker.ts';
import { opening } from '../db/opening.ts';
import { TaskerError } from '../errors.ts';
import { DURATION_FORMS, durationInWords, durationMs } from '../model/duration.ts';
import {
  type AbsoluteTimer,
  busyTasks,
  type OpenWork,
  openWork,
  shiftClock,
  shiftTimers,
  shiftTimes,
  useOwnClock,
} from '../store/testing/virtual-time.ts';

const SETTINGS = opening({ lock_timeout: '10s' });
/** Pauses between two checks of the remaining work. The first pauses are short, because most steps are fast. */
const FIRST_PAUSE_MS = 0.5;
const LONGEST_PAUSE_MS = 20;

/**
 * The clock of a test kit. Instead of waiting, the clock moves the due times in the kit's database back. The clock of
 * the database does not change, so leases and the timeouts of handlers are not affected. Schedules are due at times of
 * day, so their clock moves forward instead.
 */
export class VirtualTime {
  readonly #tasker: Tasker;
  /** Microseconds by which this clock is ahead of the database. */
  #aheadUs = 0;
  /** Timers with an absolute time that were already moved with this clock. */
  readonly #moved = new Set<string>();
  #hasOwnClock = false;

  constructor(tasker: Tasker) {
    this.#tasker = tasker;
  }

  now(): Date {
    return new Date(Date.now() + this.#aheadUs / 1000);
  }

  /** Moves the clock forward. Work that becomes due runs in order, together with the steps that become ready. */
  async advance(durationUs: number, timeoutMs: number): Promise<void> {
    for (let left = durationUs; ; ) {
      const { dueUs, timers } = await this.settle(timeoutMs);
      if (await this.#moveTimers(timers)) continue;
      const step = dueUs === null || dueUs > left ? left : Math.max(0, dueUs);
      if (step > 0) await this.#shift(step);
      if (step === left && (dueUs === null || dueUs > left)) return;
      left -= step;
    }
  }

  /** Waits until no step is ready or running, nothing is due, and events are delivered. Returns the remaining work. */
  async settle(timeoutMs: number): Promise<OpenWork> {
    const { engine, worker } = this.#tasker;
    const until = performance.now() + timeoutMs;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)) {
      const work = await openWork(engine.database);
      const isDue = work.dueUs !== null && work.dueUs <= 0;
      if (isDue) {
        await engine.promoteDue();
        await engine.schedules.fire();
      }
      if (isDue || work.ready) worker?.wake();
      const isIdle = !isDue && !work.ready && !work.running && (await this.#eventsAreDelivered(work));
      if (isIdle && (await this.#childrenAreSettled())) return work;
      if (performance.now() > until) throw await this.#unsettled(timeoutMs);
      if (!isDue) await sleep(pause);
    }
  }

  /** Delivers the ends of child tasks. Returns whether no end was delivered and no step is ready or running, even if another call delivered ends. */
  async #childrenAreSettled(): Promise<boolean> {
    const { engine } = this.#tasker;
    // A poll that began earlier may have missed an end, and a delivery in progress locks its tasks.
    await engine.childTasks.idle();
    if ((await engine.childTasks.look()) > 0) return false;
    await engine.childTasks.idle();
    const { ready, running } = await openWork(engine.database);
    return !ready && !running;
  }

  async #eventsAreDelivered({ hasSubscribers }: OpenWork): Promise<boolean> {
    if (!hasSubscribers) return true;
    return (await this.#tasker.events.groups()).every(({ waiting }) => waiting === 0);
  }

  async #unsettled(timeoutMs: number): Promise<TaskerError> {
    const open: string[] = [];
    for (const taskUuid of await busyTasks(this.#tasker.engine.database)) {
      const { steps } = await this.#tasker.why(taskUuid);
      const busy = steps.filter(({ state }) => state === 'in_progress' || state === 'enqueued');
      open.push(...busy.map(({ step, why }) => `${step} of task ${taskUuid}: ${why}`));
    }
    const what = open.length > 0 ? open.join('; ') : 'domain events are not delivered';
    return new TaskerError('timeout', `the test kit was still busy after ${timeoutMs} ms: ${what}`);
  }

  /**
   * Moves new timers with a time from the context or a result, because this clock is ahead of the database's. Returns
   * whether there were any.
   */
  async #moveTimers(timers: readonly AbsoluteTimer[]): Promise<boolean> {
    const fresh = timers.filter((timer) => !this.#moved.has(keyOf(timer)));
    for (const timer of fresh) this.#moved.add(keyOf(timer));
    if (this.#aheadUs === 0 || fresh.length === 0) return false;
    await this.#tasker.engine.database.pipeline(SETTINGS, (tx) => shiftTimers(tx, fresh, this.#aheadUs));
    return true;
  }

  async #shift(us: number): Promise<void> {
    const { database } = this.#tasker.engine;
    if (!this.#hasOwnClock) await database.pipeline(SETTINGS, useOwnClock);
    this.#hasOwnClock = true;
    await database.pipeline(SETTINGS, (tx) => Promise.all([shiftTimes(tx, us), shiftClock(tx, us)]));
    this.#aheadUs += us;
  }
}

const keyOf = ({ taskUuid, idx, attempt }: AbsoluteTimer) => `${taskUuid} ${idx} ${attempt}`;

/** Returns the microseconds of a duration that is given as in a template, or in words. */
export function advanceUs(given: string | number): number {
  const ms = durationMs(given) ?? (typeof given === 'string' ? durationInWords(given) : undefined);
  if (ms !== undefined) return ms * 1000;
  const shown = typeof given === 'string' ? JSON.stringify(given) : String(given);
  throw new TaskerError(
    'bad_request',
    `advanceTime: ${shown} is not a duration; pass words such as '3 days', ${DURATION_FORMS}`,
  );
}
