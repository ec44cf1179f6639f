import { opening } from '../../db/opening.ts';
import { isTaskerError, messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { childrenAmong, type OpenChild, openChildren, settleChildren } from '../../store/child-tasks.ts';
import { PINNED_PLANS } from '../../store/planner.ts';
import { backOff } from '../../time/back-off.ts';
import type { Expanding, OperatorOptions } from '../operator-actions.ts';
import type { EndedWait } from '../waits/waits.ts';
import { deliverEnds, ENDS_IN_A_TRANSACTION, hasEnded } from './deliver.ts';

const LOOKING = opening(PINNED_PLANS);
/** Number of children that one look reads. */
const PAGE = 1_000;
/** Before all ids. */
const FIRST = '00000000-0000-0000-0000-000000000000';
/** How often an end is delivered again at once if the task of its step is locked. Later looks find it. */
const MOST_TRIES = 5;

/** The part of the engine that child tasks need. */
interface ChildEngine extends Expanding {
  announce: { waits(ended: readonly (EndedWait | undefined)[]): Promise<void> };
  cancelTask(taskUuid: string, options: OperatorOptions): Promise<boolean>;
}

/**
 * Delivers the ends of child tasks to the steps that wait for them, and cancels the children whose steps no longer wait.
 * The ends and acts that this process announces have their effect at once. Its regular looks find all others: those of a process
 * that died, or that knew no child.
 */
export class ChildTasks {
  readonly #engine: ChildEngine;
  readonly #logger: Logger;
  /** Whether any child was open when this process last looked, or was started here since. */
  #any = false;
  #after = FIRST;
  #looking: Promise<number> | undefined;
  #changed: string[] = [];
  #delivering: Promise<void> | undefined;

  constructor(engine: ChildEngine, logger: Logger) {
    this.#engine = engine;
    this.#logger = logger;
  }

  /** Called when this process has started children. */
  started(): void {
    this.#any = true;
  }

  /** Called when tasks have ended, or an operator acted on them. Settles the children among them, and their own children. */
  changed(taskUuids: readonly string[]): void {
    if (!this.#any || taskUuids.length === 0) return;
    this.#changed.push(...taskUuids);
    this.#delivering ??= this.#settleChanged().finally(() => (this.#delivering = undefined));
  }

  async #settleChanged(): Promise<void> {
    for (let tries = 0; this.#changed.length > 0; ) {
      const ids = this.#changed.splice(0, ENDS_IN_A_TRANSACTION);
      try {
        const children = await this.#engine.database.pipeline(LOOKING, (tx) => childrenAmong(tx, ids));
        const settled = new Set(await this.#settle(children));
        const left = children.filter((child) => hasEnded(child) && !settled.has(child.childUuid));
        tries = left.length === 0 ? 0 : tries + 1;
        if (left.length === 0 || tries > MOST_TRIES) continue;
        this.#changed.push(...left.map(({ childUuid }) => childUuid));
        await backOff(tries);
      } catch (error) {
        this.#logger.debug({ error: messageOf(error) }, 'ends of child tasks not delivered; retrying later');
      }
    }
  }

  /**
   * Settles a page of the open children: delivers ends, and cancels children that no step waits for. Returns how many were
   * settled.
   */
  look(): Promise<number> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #look(): Promise<number> {
    let count = 0;
    for (let more = true; more; ) {
      const from = this.#after;
      const page = await this.#engine.database.pipeline(LOOKING, (tx) => openChildren(tx, from, PAGE));
      this.#any = page.length > 0 || from !== FIRST;
      this.#after = page.length === PAGE ? page.at(-1)!.childUuid : FIRST;
      const settled = await this.#settle(page);
      count += settled.length;
      // As long as there is something to do, the next page is read at once.
      more = settled.length > 0 && this.#after !== FIRST;
    }
    return count;
  }

  /** Returns the ids of the children that were settled. */
  async #settle(children: readonly OpenChild[]): Promise<string[]> {
    const over = children.filter((child) => hasEnded(child) && child.awaited);
    const done: string[] = [];
    for (let i = 0; i < over.length; i += ENDS_IN_A_TRANSACTION) {
      done.push(...(await this.#deliver(over.slice(i, i + ENDS_IN_A_TRANSACTION))));
    }
    const unawaited = children.filter(({ awaited }) => !awaited);
    const ids: string[] = [];
    for (const child of unawaited) {
      if (hasEnded(child) || child.abandoned || (await this.#cancel(child))) ids.push(child.childUuid);
    }
    await settleChildren(this.#engine.database, ids);
    return [...done, ...ids];
  }

  async #deliver(over: readonly OpenChild[]): Promise<string[]> {
    try {
      const { ended, settled } = await deliverEnds(this.#engine, over);
      await this.#engine.announce.waits(ended);
      return settled;
    } catch (error) {
      if (over.length === 1) {
        const [child] = over;
        this.#logger.error({ ...child, err: error }, 'end of a child task could not be delivered; retrying later');
        return [];
      }
      // One of them may be the cause.
      const settled: string[] = [];
      for (const child of over) settled.push(...(await this.#deliver([child])));
      return settled;
    }
  }

  /** Cancels a child. Returns whether it has ended now. */
  async #cancel({ childUuid, parentUuid }: OpenChild): Promise<boolean> {
    const reason = `no step of its parent task ${parentUuid} waits for it any more`;
    try {
      await this.#engine.cancelTask(childUuid, { actor: 'tasker', reason });
      return true;
    } catch (error) {
      const gone = isTaskerError(error) && error.code === 'task_not_found';
      if (!gone)
        this.#logger.warn(
          { task_uuid: childUuid, error: messageOf(error) },
          'child task not cancelled; retrying later',
        );
      return gone;
    }
  }

  /** Resolves when nothing is being delivered. */
  async idle(): Promise<void> {
    await Promise.allSettled([this.#looking, this.#delivering]);
  }
}
