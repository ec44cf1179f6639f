import type { Engine } from '../engine/engine.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logging/logger.ts';
import { Throttle } from '../time/throttle.ts';

/** Between two notifications of a kind: who does much has more to tell in each. */
const APART_MS = 10;
const LOWEST_RANK = 100;

/**
 * What this process tells the others: the first at once, so that they wait for nothing when there is little to do. Losing
 * a notification costs latency only: everybody looks for himself now and then.
 */
export class Notices {
  readonly #work: Throttle;
  readonly #ended: Throttle;
  readonly #events: Throttle;
  #rank = LOWEST_RANK;
  readonly #endedTasks: string[] = [];

  constructor(engine: Engine, logger: Logger) {
    const paced = (tell: () => Promise<void>) =>
      new Throttle(APART_MS, () =>
        tell().catch((error: unknown) =>
          logger.debug({ error: messageOf(error) }, 'a notification did not get through'),
        ),
      );
    this.#work = paced(() => {
      const rank = this.#rank;
      this.#rank = LOWEST_RANK;
      return engine.wakeWorkers(rank);
    });
    this.#ended = paced(() => engine.announceEnded(this.#endedTasks.splice(0)));
    this.#events = paced(() => engine.announceEvents());
  }

  /** There are steps in the queue, of this rank (minus the priority) or a greater one. */
  work(rank: number): void {
    this.#rank = Math.min(this.#rank, rank);
    this.#work.want();
  }

  /** These tasks are over. */
  ended(tasks: readonly string[]): void {
    if (tasks.length === 0) return;
    this.#endedTasks.push(...tasks);
    this.#ended.want();
  }

  /** Durable events were committed. */
  events(): void {
    this.#events.want();
  }

  /** Tells at once what is not told yet. */
  async flush(): Promise<void> {
    await Promise.all([this.#work.flush(), this.#ended.flush(), this.#events.flush()]);
  }

  /** What is not told yet stays so. */
  stop(): void {
    for (const paced of [this.#work, this.#ended, this.#events]) paced.stop();
  }
}
