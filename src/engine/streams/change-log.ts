import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import type { Db } from '../../db/statement.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { type Announcement, announceChanges, pruneChanges } from '../../store/streams/task-changes.ts';

/** Time between two announcements. */
const TURN_MS = 200;
const RETRY_MS = 2_000;
/** How long a request for early announcements holds. A server with streams repeats it every 30 seconds. */
const WANTED_MS = 90_000;
const TASKS_AT_ONCE = 5_000;
/** Maximum number of changed tasks to remember. */
const MOST_TASKS = 200_000;
/** The process that writes a row whose number is a multiple of this prunes the log. */
const ROWS_A_PRUNING = 256;

// If the search tables are on, they announce the same changes again. So a crash may lose these rows.
const RELAXED = opening({ synchronous_commit: 'off', statement_timeout: '20s' });
const DURABLE = opening({ statement_timeout: '20s' });

/**
 * Announces the tasks that this process changed, for streams. Writing the search tables announces them too. This log
 * announces them earlier while any server has streams. While no server has streams, it announces no tasks. If search is
 * turned off, it then announces once that changes were lost, so that streams that resume later get a `reset`.
 */
export class ChangeLog {
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #alone: boolean;
  readonly #mostTasks: number;
  #ids = new Set<string>();
  #lost = false;
  /** Tasks that were announced and have not changed since, each with its row. */
  readonly #early = new Map<string, Announcement>();
  #wantedUntil = Number.NEGATIVE_INFINITY;
  #isActive = false;
  /** Whether a task changed that was not noted, and that the search tables do not announce. */
  #missed = false;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> | undefined;
  #failing = false;
  #stopped = false;
  /** Number of times that noted tasks were taken to be announced, or that the log began or stopped to note tasks. */
  announcements = 0;
  /** Called after this process has announced changes. */
  onAnnounced: () => void = () => {};

  /** `alone`: search is turned off, so only this log announces the changes of this process. */
  constructor(
    database: Database,
    logger: Logger,
    { alone, mostTasks = MOST_TASKS }: { alone: boolean; mostTasks?: number },
  ) {
    this.#database = database;
    this.#logger = logger;
    this.#alone = alone;
    this.#mostTasks = mostTasks;
  }

  /** Whether a server has streams, as far as this process has heard. */
  get isWanted(): boolean {
    return performance.now() < this.#wantedUntil;
  }

  /** Announces changes early for the next 90 seconds. */
  want(): void {
    this.#wantedUntil = performance.now() + WANTED_MS;
    this.#isActive = !this.#stopped;
    this.announcements += 1;
    // A stream that began before this process heard of it has not received these changes.
    this.#lost ||= this.#missed;
    this.#missed = false;
    if (this.#lost) this.#awaken();
  }

  /** Records that a task changed. */
  noted(taskUuid: string): void {
    this.#early.delete(taskUuid);
    if (this.#isActive && this.#ids.size < this.#mostTasks) this.#ids.add(taskUuid);
    else if (this.#isActive) this.#lost = true;
    else if (this.#missed || !this.#alone) return;
    else this.#missed = this.#lost = true;
    this.#awaken();
  }

  #awaken(): void {
    if (!this.#timer && !this.#turn && !this.#stopped) this.#begin(TURN_MS);
  }

  #begin(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#turn = this.#run();
    }, ms);
    this.#timer.unref();
  }

  async #run(): Promise<void> {
    try {
      await this.#announceAll();
      this.#failing = false;
    } catch (error) {
      // Logged once, because every flush fails while the server is unreachable.
      if (!this.#failing) this.#logger.debug({ error: messageOf(error) }, 'changes not announced; retrying');
      this.#failing = true;
    } finally {
      this.#turn = undefined;
      if (!this.isWanted) this.#forget();
      if ((this.#ids.size > 0 || this.#lost) && !this.#stopped) this.#begin(this.#failing ? RETRY_MS : TURN_MS);
    }
  }

  /**
   * Stops recording tasks. Discards the recorded ones, because writing the search tables announces them. If search is
   * turned off, they are kept and announced by the next turn.
   */
  #forget(): void {
    this.announcements += 1;
    this.#isActive = false;
    this.#early.clear();
    if (this.#alone) return;
    this.#ids.clear();
    this.#lost = false;
  }

  /**
   * Announces the changes up to now. Later changes wait for the next turn, because under load there are some at the end
   * of every transaction, and each transaction waits for the disk.
   */
  async #announceAll(): Promise<void> {
    this.announcements += 1;
    const all = [...this.#ids];
    const lost = this.#lost;
    this.#ids.clear();
    this.#lost = false;
    let announced = 0;
    try {
      for (; announced < all.length; announced += TASKS_AT_ONCE) {
        const ids = all.slice(announced, announced + TASKS_AT_ONCE);
        const row = await this.#database.pipeline(this.#alone ? DURABLE : RELAXED, (tx) => this.write(tx, ids));
        if (row && !this.#alone) this.#announcedEarly(ids, row);
      }
      // If the search tables are on, they know the lost changes.
      if (lost && this.#alone) await this.#database.pipeline(DURABLE, (tx) => this.write(tx, null));
    } catch (error) {
      for (const id of all.slice(announced)) this.#ids.add(id);
      this.#lost ||= lost;
      throw error;
    }
    if (all.length > 0 || lost) this.onAnnounced();
  }

  /** Remembers announced tasks, unless they have changed in the meantime. */
  #announcedEarly(taskUuids: readonly string[], row: Announcement): void {
    if (this.#early.size > this.#mostTasks) this.#early.clear();
    for (const taskUuid of taskUuids) if (!this.#ids.has(taskUuid)) this.#early.set(taskUuid, row);
  }

  /**
   * Adds the tasks of the search tables, like {@link write}, but omits tasks that this process has already announced.
   * Otherwise all streams would read each changed task twice. If a crash loses an announcement, it also loses the later
   * commit of the search tables, and the comparison that repairs them announces the tasks.
   */
  async writeAgain(db: Db, taskUuids: readonly string[]): Promise<void> {
    const announced = new Map<string, Announcement>();
    for (const taskUuid of taskUuids) {
      const row = this.#early.get(taskUuid);
      // Removed, because a retry of a failed transaction announces all of them.
      if (row && this.#early.delete(taskUuid)) announced.set(taskUuid, row);
    }
    const rest = taskUuids.filter((taskUuid) => !announced.has(taskUuid));
    await this.write(db, rest, announced.size === 0 ? undefined : announced);
  }

  /**
   * Adds tasks to the log, in the transaction of the caller, and returns the row. Until its commit, no other process can
   * add any. Null if changes were lost.
   */
  async write(
    db: Db,
    taskUuids: readonly string[] | null,
    announced?: ReadonlyMap<string, Announcement>,
  ): Promise<Announcement | undefined> {
    const row = await announceChanges(db, taskUuids, { notify: this.isWanted, announced });
    if (row === undefined || row.seq % ROWS_A_PRUNING !== 0) return row;
    setImmediate(() => {
      if (this.#stopped) return;
      pruneChanges(this.#database).catch((error: unknown) =>
        this.#logger.debug({ error: messageOf(error) }, 'log of changes not pruned'),
      );
    });
    return row;
  }

  /** Announces the changes that are left. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#isActive = false;
    clearTimeout(this.#timer);
    await this.#turn;
    await this.flush().catch((error: unknown) =>
      this.#logger.debug({ error: messageOf(error) }, 'changes not announced at shutdown'),
    );
  }

  /** Announces all changes of this process. */
  async flush(): Promise<void> {
    await this.#turn;
    await this.#announceAll();
  }
}
