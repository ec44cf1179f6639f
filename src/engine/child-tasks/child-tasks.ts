import { mayPass } from '../../db/connection-error.ts';
import { opening } from '../../db/opening.ts';
import { isTaskerError, messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { childrenAmong, type OpenChild, openChildren, settleChildren } from '../../store/child-tasks.ts';
import { PINNED_PLANS } from '../../store/planner.ts';
import { backOff } from '../../time/back-off.ts';
import type { Expanding, OperatorOptions } from '../operator-actions.ts';
import type { EndedWait } from '../waits/waits.ts';
import { deliverEnds, ENDS_IN_A_TRANSACTION, hasEnded, isToDeliver, isToUndo } from './deliver.ts';

const LOOKING = opening({ ...PINNED_PLANS, statement_timeout: '10s', idle_in_transaction_session_timeout: '30s' });
/** Number of children that are read at once. */
const PAGE = 1_000;
/** Before all ids. */
const FIRST = '00000000-0000-0000-0000-000000000000';
/** Number of quick retries of a delivery whose parent task is locked. After them, the regular poll finds the end. */
const MOST_TRIES = 5;
/** Number of children that are cancelled, or whose undo begins, at the same time. */
const ACTS = 8;
/** Maximum number of children of which a failed delivery is remembered, to log it once. */
const MOST_FAILED = 1_000;

/** The part of the engine that child tasks need. */
interface ChildEngine extends Expanding {
  announce: { waits(ended: readonly (EndedWait | undefined)[]): Promise<void> };
  cancelChild(taskUuid: string, options: OperatorOptions): Promise<boolean>;
  undoChild(taskUuid: string, options: OperatorOptions): Promise<void>;
}

/**
 * Delivers the ends of child tasks to the steps that wait for them, cancels the children whose steps no longer wait, and begins
 * the undo of children.
 * Ends and actions that this process announces take effect at once. Its regular poll finds all others: those of a process
 * that died, or that had not seen a child.
 */
export class ChildTasks {
  readonly #engine: ChildEngine;
  readonly #logger: Logger;
  /** Whether any child was open at the last poll of this process, or was started here since. */
  #any = false;
  #starts = 0;
  #after = FIRST;
  #looking: Promise<number> | undefined;
  #changed: string[] = [];
  #settling: Promise<void> | undefined;
  /** The cancellations and undos in progress. */
  readonly #acts = new Set<Promise<void>>();
  /** How often the delivery of an end failed, by child. */
  readonly #tries = new Map<string, number>();
  /** The children whose delivery or undo failed, and was logged. */
  readonly #failed = new Set<string>();

  constructor(engine: ChildEngine, logger: Logger) {
    this.#engine = engine;
    this.#logger = logger;
  }

  /** Called when this process has started children. */
  started(): void {
    this.#starts++;
    this.#any = true;
  }

  /** Called when tasks have ended, or an operator acted on them. Settles the children among them, and their own children. */
  changed(taskUuids: readonly string[]): void {
    if (!this.#any || taskUuids.length === 0) return;
    this.#changed.push(...taskUuids);
    this.#settling ??= this.#settleChanged().finally(() => (this.#settling = undefined));
  }

  async #settleChanged(): Promise<void> {
    while (this.#changed.length > 0) {
      const ids = this.#changed.splice(0, ENDS_IN_A_TRANSACTION);
      try {
        const children = await this.#engine.database.pipeline(LOOKING, (tx) => childrenAmong(tx, ids));
        this.#actSoon(children);
        const settled = new Set(await this.#deliverAll(children));
        for (const child of children.filter(isToDeliver)) {
          if (settled.has(child.childUuid)) this.#tries.delete(child.childUuid);
          else this.#tryAgain(child);
        }
      } catch (error) {
        this.#logger.debug({ error: messageOf(error) }, 'ends of child tasks not delivered; retrying later');
      }
    }
  }

  /** Delivers an end again soon, because the task of its step was locked. */
  #tryAgain({ childUuid }: OpenChild): void {
    const tries = this.#tries.get(childUuid) ?? 0;
    this.#tries.delete(childUuid);
    if (tries >= MOST_TRIES) return;
    this.#tries.set(childUuid, tries + 1);
    void backOff(tries).then(() => this.changed([childUuid]));
  }

  /**
   * Settles a page of the open children: delivers ends, cancels children that no step waits for, and begins undos. Returns how
   * many were changed. `stopped`: whether to end early.
   */
  look(stopped = () => false): Promise<number> {
    this.#looking ??= this.#look(stopped).finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #look(stopped: () => boolean): Promise<number> {
    let count = 0;
    for (let more = true; more && !stopped(); ) {
      const [from, starts] = [this.#after, this.#starts];
      const page = await this.#engine.database.pipeline(LOOKING, (tx) => openChildren(tx, from, PAGE));
      // A child that was started in the meantime may not be in the page.
      if (starts === this.#starts) this.#any = page.length > 0 || from !== FIRST;
      this.#after = page.length === PAGE ? page.at(-1)!.childUuid : FIRST;
      const [delivered, ...others] = await Promise.all([
        this.#deliverAll(page, stopped),
        this.#cancelAll(page, stopped),
        this.#undoAll(page, stopped),
      ]);
      const settled = others.reduce((sum, done) => sum + done, delivered.length);
      count += settled;
      // As long as there is something to do, the next page is read at once.
      more = settled > 0 && this.#after !== FIRST;
    }
    return count;
  }

  /** Delivers the ends among these children. Returns the ids of the children that were settled. */
  async #deliverAll(children: readonly OpenChild[], stopped = () => false): Promise<string[]> {
    const over = children.filter(isToDeliver);
    const settled: string[] = [];
    for (let i = 0; i < over.length && !stopped(); i += ENDS_IN_A_TRANSACTION) {
      settled.push(...(await this.#deliver(over.slice(i, i + ENDS_IN_A_TRANSACTION))));
    }
    return settled;
  }

  async #deliver(over: readonly OpenChild[]): Promise<string[]> {
    try {
      const { ended, settled } = await deliverEnds(this.#engine, over);
      await this.#engine.announce.waits(ended);
      return settled;
    } catch (error) {
      if (mayPass(error)) throw error;
      if (over.length === 1) {
        this.#logFailed(over[0]!, error);
        return [];
      }
      // One of them may be the cause.
      const settled: string[] = [];
      for (const child of over) settled.push(...(await this.#deliver([child])));
      return settled;
    }
  }

  /** Returns whether no failure of a child was logged before, and remembers it. */
  #isNew(childUuid: string): boolean {
    if (this.#failed.has(childUuid)) return false;
    if (this.#failed.size >= MOST_FAILED) this.#failed.clear();
    this.#failed.add(childUuid);
    return true;
  }

  /** Logs the failed delivery of an end once, because each poll tries it again. */
  #logFailed({ childUuid, parentUuid }: OpenChild, error: unknown): void {
    if (!this.#isNew(childUuid)) return;
    this.#logger.error(
      { task_uuid: childUuid, parent_task_uuid: parentUuid, err: error },
      'end of a child task could not be delivered; retrying at each poll',
    );
  }

  /** Cancels and undoes in the background, so that many cancellations do not delay deliveries. */
  #actSoon(children: readonly OpenChild[]): void {
    const acts = Promise.all([this.#cancelAll(children), this.#undoAll(children)])
      .then(() => undefined)
      .catch((error: unknown) =>
        this.#logger.debug({ error: messageOf(error) }, 'child tasks not cancelled or undone; retrying later'),
      )
      .finally(() => this.#acts.delete(acts));
    this.#acts.add(acts);
  }

  /** Begins the undo of the children whose parents are undone. Returns their number. */
  async #undoAll(children: readonly OpenChild[], stopped = () => false): Promise<number> {
    const waiting = children.filter(isToUndo);
    let count = 0;
    for (let i = 0; i < waiting.length && !stopped(); i += ACTS) {
      const begun = await Promise.all(waiting.slice(i, i + ACTS).map((child) => this.#undo(child)));
      count += begun.filter(Boolean).length;
    }
    return count;
  }

  /** Begins the undo of a child. Returns whether something has changed. */
  async #undo({ childUuid, parentUuid }: OpenChild): Promise<boolean> {
    try {
      await this.#engine.undoChild(childUuid, { actor: 'tasker', reason: `its parent task ${parentUuid} is undone` });
      return true;
    } catch (error) {
      // Another process has begun the undo, or the child was deleted. A later poll delivers the end.
      if (isTaskerError(error) && (error.code === 'illegal_transition' || error.code === 'task_not_found'))
        return false;
      // Another open task has its key. Each poll tries again, until that task has ended.
      if (isTaskerError(error) && error.code === 'conflict' && !this.#isNew(childUuid)) return false;
      this.#logger.warn({ task_uuid: childUuid, error: messageOf(error) }, 'child task not undone; retrying later');
      return false;
    }
  }

  /** Settles the children that no step waits for, and cancels those of them that must not continue. Returns their number. */
  async #cancelAll(children: readonly OpenChild[], stopped = () => false): Promise<number> {
    const unawaited = children.filter(({ awaited }) => !awaited);
    let count = 0;
    for (let i = 0; i < unawaited.length && !stopped(); i += ACTS) {
      const some = unawaited.slice(i, i + ACTS);
      const over = await Promise.all(some.map(async (child) => isLeftAlone(child) || (await this.#cancel(child))));
      const settled = some.filter((_, n) => over[n]);
      await settleChildren(this.#engine.database, settled);
      count += settled.length;
    }
    return count;
  }

  /** Cancels a child. Returns whether it has ended now. */
  async #cancel({ childUuid, parentUuid }: OpenChild): Promise<boolean> {
    const reason = `no step of its parent task ${parentUuid} waits for it`;
    try {
      await this.#engine.cancelChild(childUuid, { actor: 'tasker', reason });
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

  /** Resolves when nothing is being delivered or cancelled. */
  async idle(): Promise<void> {
    await Promise.allSettled([this.#looking, this.#settling, ...this.#acts]);
  }
}

/** Returns whether a child that no step waits for is not cancelled. An undo that has begun is not stopped. */
function isLeftAlone(child: OpenChild): boolean {
  return hasEnded(child) || child.abandoned || child.undoing === true || child.undoAttempt !== null;
}
