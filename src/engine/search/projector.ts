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
import { SearchKeeper } from './keeper.ts';

/** Time between two turns. A search finds a change after one turn, or after two if its task was just created. */
const TURN_MS = 700;
/** Time after a turn that failed. */
const RETRY_MS = 3_000;
const TASKS_AT_ONCE = 2_000;
/** Maximum number of changed tasks to remember one by one. A comparison finds the others. */
const MOST_TASKS = 200_000;
/** During a turn that takes longer than this, the process announces its lag. */
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
  /** False: this process writes no search tables. Default true. */
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
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #mostTasks: number;
  readonly #id = uuidV7();
  #changed = new Set<string>();
  /** The time of the oldest unwritten change. */
  #since: number | undefined;
  /** The time of the oldest change that is being written. */
  #writingSince: number | undefined;
  /** The time since which changes are dropped, because there were too many. */
  #overflowedSince: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> | undefined;
  #notedAt = 0;
  /** The last note announced changes. */
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
      { write: (tasks) => this.#writeSome(tasks, true).then(() => undefined) },
    );
  }

  /** Keeps the tables complete together with other processes, until the stop. */
  start(): void {
    if (this.enabled && !this.#stopped) this.keeper.start();
  }

  /** Notes a task that changed. Costs only an entry in a set. */
  changed(taskUuid: string): void {
    if (!this.enabled) return;
    if (this.#changed.size >= this.#mostTasks) this.#overflowedSince ??= Date.now();
    else this.#changed.add(taskUuid);
    if (this.#timer || this.#stopped) return;
    this.#since ??= Date.now();
    this.#begin(TURN_MS);
  }

  #begin(ms: number): void {
    this.#timer = setTimeout(() => void this.#run(), ms);
    this.#timer.unref();
  }

  /** Writes the remaining changes. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await Promise.all([this.#turn, this.keeper.stop()]);
    try {
      if (this.#changed.size > 0) await this.#write(true);
      if (this.#notedAt > 0 && this.#overflowedSince === undefined) await dropSearchWriter(this.#database, this.#id);
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'search tables not written at the stop');
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
        // Logged once, because every turn fails while the server is unreachable.
        if (!this.#failing) this.#logger.warn({ error: messageOf(error) }, 'search tables not written; trying again');
        this.#failing = true;
      })
      .finally(() => {
        clearTimeout(slow);
        this.#turn = undefined;
        this.#timer = undefined;
        if (this.#stopped || (this.#changed.size === 0 && this.#overflowedSince === undefined)) return;
        this.#begin(this.#failing ? RETRY_MS : TURN_MS);
      });
    return this.#turn;
  }

  async #write(all: boolean): Promise<void> {
    const changed = [...this.#changed];
    this.#writingSince = this.#since ?? Date.now();
    this.#changed = new Set();
    this.#since = undefined;
    const overflowedSince = this.#overflowedSince;
    let written = 0;
    try {
      for (; written < changed.length; written += TASKS_AT_ONCE) {
        const some = changed.slice(written, written + TASKS_AT_ONCE);
        for (const young of await this.#writeSome(some, all)) this.#changed.add(young);
      }
      if (overflowedSince !== undefined) {
        await this.keeper.compare(new Date(overflowedSince));
        // If changes were dropped in the meantime, another comparison is needed.
        if (this.#changed.size < this.#mostTasks) this.#overflowedSince = undefined;
      }
    } catch (error) {
      for (let i = written; i < changed.length; i++) this.#changed.add(changed[i]!);
      this.#since = this.#writingSince;
      throw error;
    } finally {
      this.#writingSince = undefined;
    }
    if (this.#changed.size > 0) this.#since ??= Date.now();
    const isDue = Date.now() - this.#notedAt >= NOTE_MS;
    if (this.#since !== undefined || this.#notedPending || isDue) await this.#note();
  }

  /** Announces the age of the oldest change that this process has not written. */
  async #note(): Promise<void> {
    const oldest = [this.#since, this.#writingSince, this.#overflowedSince].filter((time) => time !== undefined);
    const pendingMs = oldest.length === 0 ? null : Date.now() - Math.min(...oldest);
    this.#notedAt = Date.now();
    this.#notedPending = pendingMs !== null;
    await noteSearchWriter(this.#database, this.#id, pendingMs);
  }

  /** Writes these tasks, and returns the ones that are too young. */
  async #writeSome(taskUuids: readonly string[], all: boolean): Promise<string[]> {
    return this.#database.transaction(SETTINGS, async (tx) => {
      const [, unfinished] = await Promise.all([lockSearch(tx), projectTasks(tx, taskUuids, all)]);
      const withSteps = unfinished.filter((task) => task.hasSteps).map((task) => task.taskUuid);
      if (withSteps.length > 0) await projectSteps(tx, withSteps);
      return unfinished.filter((task) => task.young).map((task) => task.taskUuid);
    });
  }
}
