import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { uuidV7 } from '../../model/ids.ts';
import { PINNED_PLANS } from '../../store/planner.ts';
import {
  dropSearchWriter,
  lockSearch,
  noteSearchWriter,
  projectSteps,
  projectTasks,
} from '../../store/search/projection.ts';
import { ChangeLog } from '../streams/change-log.ts';
import { LateCommits } from '../streams/late-commits.ts';
import { SearchKeeper } from './keeper.ts';

/** Time between two flushes. A search finds an ended task after one flush. */
const TURN_MS = 600;
/** Delay before a change of an open task is written, because most tasks soon end and are then written once. */
const WAIT_MS = 1_200;
/** Time until the next flush after a failed flush. */
const RETRY_MS = 3_000;
const TASKS_AT_ONCE = 2_000;
/** A flush of fewer tasks is written in parts of this size, with rests, so that no request waits for a processor. */
const PART = 400;
/** The rest after a part, as a multiple of its duration. */
const REST_PER_PART = 2;
/** Maximum number of changed tasks to remember individually. A comparison finds the others. */
const MOST_TASKS = 200_000;
/** During a flush that takes longer than this, the process announces its lag. */
const SLOW_TURN_MS = 1_000;
/** A process with nothing to write announces itself at this interval. */
const NOTE_MS = 15_000;

const SETTINGS = opening({
  ...PINNED_PLANS,
  synchronous_commit: 'off',
  statement_timeout: '20s',
  idle_in_transaction_session_timeout: '20s',
});

/** Options of {@link SearchProjector}. */
export interface SearchProjectorOptions {
  /** If false, this process does not write search tables. Default true. */
  enabled?: boolean | undefined;
  /** Maximum number of changed tasks to remember. Default 200,000. */
  mostTasks?: number;
}

/**
 * Writes the tables that searches read, after the commit of the changes to tasks that this process created, recorded or
 * acted on. A process that dies leaves a note, which lets another process find the missing changes.
 */
export class SearchProjector {
  readonly enabled: boolean;
  readonly keeper: SearchKeeper;
  /** Announces the same changes, for streams. */
  readonly log: ChangeLog;
  readonly #lateCommits: LateCommits;
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #mostTasks: number;
  readonly #id = uuidV7();
  /** Tasks that changed, with the time of their oldest unwritten change, in the order of these times. */
  #changed = new Map<string, number>();
  /** Tasks to write in the next flush, because they ended or could not be written. */
  #due = new Set<string>();
  /** The time since which a task has been due. */
  #dueSince: number | undefined;
  /** The time of the oldest change that is being written. */
  #writingSince: number | undefined;
  /** Number of times that changed tasks were taken to be written. */
  #flushes = 0;
  /** The time since which changes have been dropped, because there were too many. */
  #overflowedSince: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> | undefined;
  #notedAt = 0;
  /** Whether the last note announced changes. */
  #notedPending = false;
  #failing = false;
  #stopped = false;

  constructor(
    database: Database,
    logger: Logger,
    { enabled = true, mostTasks = MOST_TASKS }: SearchProjectorOptions = {},
  ) {
    this.enabled = enabled;
    this.#database = database;
    this.#logger = logger;
    this.#mostTasks = mostTasks;
    this.keeper = new SearchKeeper(
      { database, logger, id: this.#id },
      { write: (tasks) => this.#writeSome(tasks, { all: true }) },
    );
    this.log = new ChangeLog(database, logger, { alone: !enabled, mostTasks });
    this.#lateCommits = new LateCommits(database, logger, (taskUuid) => this.changed(taskUuid));
  }

  /** Keeps the tables complete together with other processes, until it is stopped. */
  start(): void {
    if (this.enabled && !this.#stopped) this.keeper.start();
  }

  /** Records that a task changed. Only adds an entry to a map. */
  changed(taskUuid: string): void {
    this.log.noted(taskUuid);
    if (!this.enabled || this.#changed.has(taskUuid) || this.#due.has(taskUuid)) return;
    if (this.#isFull()) return;
    this.#changed.set(taskUuid, Date.now());
    this.#awaken();
  }

  /** Records that these steps change their tasks while `run` is running. */
  async changing<Answer>(steps: readonly { taskUuid: string }[], run: () => Promise<Answer>): Promise<Answer> {
    // Recorded before the commit, so that a flush after the commit writes these tasks.
    for (const { taskUuid } of steps) this.changed(taskUuid);
    const [flushes, announcements] = [this.#flushes, this.log.announcements];
    try {
      return await run();
    } finally {
      // Recorded again if a flush may have written the tasks before the commit. This also applies after a failure,
      // because only the response may have been lost.
      if (this.#flushes !== flushes || this.log.announcements !== announcements) {
        for (const { taskUuid } of steps) this.changed(taskUuid);
      }
    }
  }

  /** Records a task that was created in a transaction of the caller, which is still open. */
  createdLater(taskUuid: string): void {
    this.#lateCommits.watch(taskUuid);
  }

  /** Records a task that ended or that an operator acted on. The next flush writes the task. */
  writeSoon(taskUuid: string): void {
    this.log.noted(taskUuid);
    if (!this.enabled) return;
    if (!this.#changed.delete(taskUuid) && (this.#due.has(taskUuid) || this.#isFull())) return;
    this.#due.add(taskUuid);
    this.#dueSince ??= Date.now();
    this.#awaken();
  }

  #isFull(): boolean {
    if (this.#changed.size + this.#due.size < this.#mostTasks) return false;
    this.#overflowedSince ??= Date.now();
    this.#awaken();
    return true;
  }

  #awaken(): void {
    if (!this.#timer && !this.#stopped) this.#begin(TURN_MS);
  }

  #begin(ms: number): void {
    this.#timer = setTimeout(() => void this.#run(), ms);
    this.#timer.unref();
  }

  /** Writes the remaining changes. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#lateCommits.stop();
    await Promise.all([this.#turn, this.keeper.stop(), this.log.stop()]);
    try {
      if (this.#hasWork()) await this.#write(true);
      if (this.#notedAt > 0 && this.#overflowedSince === undefined) await dropSearchWriter(this.#database, this.#id);
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'search tables not written on shutdown');
    }
  }

  /** Writes all changes of this process, including the changes to tasks that were just created. */
  async flush(): Promise<void> {
    if (!this.enabled) return;
    await this.#turn;
    await this.#write(true);
  }

  #run(): Promise<void> {
    const slow = setTimeout(() => void this.#note().catch(() => undefined), SLOW_TURN_MS);
    slow.unref();
    this.#turn = this.#write(false)
      .then(() => {
        this.#failing = false;
      })
      .catch((error: unknown) => {
        // Logged once, because every flush fails while the server is unreachable.
        if (!this.#failing) this.#logger.warn({ error: messageOf(error) }, 'search tables not written; retrying');
        this.#failing = true;
      })
      .finally(() => {
        clearTimeout(slow);
        this.#turn = undefined;
        this.#timer = undefined;
        if (this.#stopped || !this.#hasWork()) return;
        this.#begin(this.#failing ? RETRY_MS : TURN_MS);
      });
    return this.#turn;
  }

  #hasWork(): boolean {
    return this.#changed.size + this.#due.size > 0 || this.#overflowedSince !== undefined;
  }

  /** Removes and returns the tasks to write in this flush. */
  #take(all: boolean): string[] {
    this.#flushes += 1;
    const taken = [...this.#due];
    this.#due = new Set();
    this.#dueSince = undefined;
    const latest = all ? Infinity : Date.now() - WAIT_MS;
    for (const [taskUuid, since] of this.#changed) {
      if (since > latest) break;
      taken.push(taskUuid);
      this.#changed.delete(taskUuid);
    }
    return taken;
  }

  /** Returns the time of the oldest change that no flush has taken. */
  #since(): number | undefined {
    const [first] = this.#changed.values();
    return first === undefined || this.#dueSince === undefined
      ? (first ?? this.#dueSince)
      : Math.min(first, this.#dueSince);
  }

  async #write(all: boolean): Promise<void> {
    this.#writingSince = this.#since();
    const taken = this.#take(all);
    const overflowedSince = this.#overflowedSince;
    let written = 0;
    try {
      const size = all || taken.length > TASKS_AT_ONCE ? TASKS_AT_ONCE : PART;
      for (; written < taken.length; written += size) {
        const began = performance.now();
        await this.#writeSome(taken.slice(written, written + size), { all: false });
        if (size === PART && written + size < taken.length) await sleep(REST_PER_PART * (performance.now() - began));
      }
      if (overflowedSince !== undefined) {
        await this.keeper.compare(new Date(overflowedSince), 0);
        // If changes were dropped in the meantime, another comparison is needed.
        if (!this.#isFull()) this.#overflowedSince = undefined;
      }
    } catch (error) {
      for (const taskUuid of taken.slice(written)) {
        // The task may have changed again in the meantime. A statement cannot write a task twice.
        this.#changed.delete(taskUuid);
        this.#due.add(taskUuid);
      }
      this.#dueSince = this.#writingSince;
      throw error;
    } finally {
      this.#writingSince = undefined;
    }
    const isDue = Date.now() - this.#notedAt >= NOTE_MS;
    if (this.#since() !== undefined || this.#notedPending || isDue) await this.#note();
  }

  /** Announces the age of the oldest change that this process has not written. */
  async #note(): Promise<void> {
    const oldest = [this.#since(), this.#writingSince, this.#overflowedSince].filter((time) => time !== undefined);
    const pendingMs = oldest.length === 0 ? null : Date.now() - Math.min(...oldest);
    this.#notedAt = Date.now();
    this.#notedPending = pendingMs !== null;
    await noteSearchWriter(this.#database, this.#id, pendingMs);
  }

  /**
   * Writes these tasks. `all`: writes the steps of all of them. Adds the tasks to the log of changes in the same transaction,
   * so that the log misses nothing that the tables have.
   */
  async #writeSome(taskUuids: readonly string[], { all }: { all: boolean }): Promise<void> {
    await this.#database.transaction(SETTINGS, async (tx) => {
      const [, withSteps] = await Promise.all([
        lockSearch(tx),
        projectTasks(tx, taskUuids, all),
        this.log.writeAgain(tx, taskUuids),
      ]);
      if (withSteps.length > 0) await projectSteps(tx, withSteps);
    });
  }
}
