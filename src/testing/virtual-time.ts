import { setTimeout as sleep } from 'node:timers/promises';
import type { Tasker } from '../app/tasker.ts';
import { opening } from '../db/opening.ts';
import { TaskerError } from '../errors.ts';
import { DURATION_FORMS, durationInWords, durationMs } from '../model/duration.ts';
import { lockTasks } from '../store/tasks.ts';
import {
  type AbsoluteWait,
  absoluteTimers,
  busyTasks,
  nextDueUs,
  openWork,
  shiftTimers,
  shiftTimes,
  tasksWithTimes,
} from '../store/testing/virtual-time.ts';

const SETTINGS = opening({ lock_timeout: '10s' });
/** Pauses between two looks at the work that is left. The first ones are short, because most steps take a moment. */
const FIRST_PAUSE_MS = 0.5;
const LONGEST_PAUSE_MS = 20;

/**
 * The clock of a test kit. It moves the due times in the kit's database back instead of waiting for them. The clock of the
 * database does not change, so leases and the timeouts of handlers are not affected.
 */
export class VirtualTime {
  readonly #tasker: Tasker;
  /** How far this clock is ahead of the database's. */
  #aheadUs = 0;
  /** Timers with a time of their own that were already moved with this clock. */
  readonly #moved = new Set<string>();

  constructor(tasker: Tasker) {
    this.#tasker = tasker;
  }

  now(): Date {
    return new Date(Date.now() + this.#aheadUs / 1000);
  }

  /** Moves the clock forward. Everything that becomes due runs in its order, each with what follows from it. */
  async advance(durationUs: number, timeoutMs: number): Promise<void> {
    for (let left = durationUs; ; ) {
      await this.settle(timeoutMs);
      await this.#moveTimers();
      const due = await nextDueUs(this.#tasker.engine.database);
      if (due !== null && due <= 0) continue;
      if (due === null || due > left) return this.#shift(left);
      await this.#shift(due);
      left -= due;
    }
  }

  /** Waits until no step is ready or running, nothing is due, and events are delivered. */
  async settle(timeoutMs: number): Promise<void> {
    const { engine, worker } = this.#tasker;
    const until = performance.now() + timeoutMs;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE_MS)) {
      const { ready, running, due } = await openWork(engine.database);
      if (due) await engine.promoteDue();
      if (due || ready) worker?.wake();
      if (!due && !ready && !running && (await this.#eventsAreDelivered())) return;
      if (performance.now() > until) throw await this.#unsettled(timeoutMs);
      await sleep(pause);
    }
  }

  async #eventsAreDelivered(): Promise<boolean> {
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
    return new TaskerError('timeout', `the test kit was not at rest within ${timeoutMs} ms: ${what}`);
  }

  /** Moves new timers with a time from the context or a result, because this clock is ahead of the database's. */
  async #moveTimers(): Promise<void> {
    if (this.#aheadUs === 0) return;
    const { database } = this.#tasker.engine;
    const fresh = (await absoluteTimers(database)).filter((timer) => !this.#moved.has(keyOf(timer)));
    if (fresh.length === 0) return;
    for (const timer of fresh) this.#moved.add(keyOf(timer));
    await database.transaction(SETTINGS, async (tx) => {
      await lockTasks(tx, [...new Set(fresh.map(({ taskUuid }) => taskUuid))]);
      await shiftTimers(tx, fresh, this.#aheadUs);
    });
  }

  async #shift(us: number): Promise<void> {
    const { database } = this.#tasker.engine;
    for (const timer of await absoluteTimers(database)) this.#moved.add(keyOf(timer));
    const tasks = await tasksWithTimes(database);
    await database.transaction(SETTINGS, async (tx) => {
      await lockTasks(tx, tasks);
      await shiftTimes(tx, us);
    });
    this.#aheadUs += us;
  }
}

const keyOf = ({ taskUuid, idx, attempt }: AbsoluteWait) => `${taskUuid} ${idx} ${attempt}`;

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
