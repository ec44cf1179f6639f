import type { Database } from '../../db/database.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { lateTasks } from '../../store/streams/task-changes.ts';

const FIRST_MS = 100;
const LOOK_MS = 1_000;
/** Maximum number of tasks to search for. Others are found when the search tables are compared. */
const MOST_TASKS = 10_000;

/**
 * Polls for tasks created in callers' transactions until those transactions commit or roll back. Only the caller knows
 * when that happens.
 */
export class LateCommits {
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #onFound: (taskUuid: string) => void;
  /** For each task: a transaction number greater than that of its transaction. Undefined before the first lookup. */
  readonly #tasks = new Map<string, bigint | undefined>();
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;
  #stopped = false;

  constructor(database: Database, logger: Logger, onFound: (taskUuid: string) => void) {
    this.#database = database;
    this.#logger = logger;
    this.#onFound = onFound;
  }

  /** Number of tasks that are being searched for. */
  get size(): number {
    return this.#tasks.size;
  }

  /** Adds a task that was inserted in a transaction that is still open. */
  watch(taskUuid: string): void {
    if (this.#stopped || this.#tasks.size >= MOST_TASKS) return;
    this.#tasks.set(taskUuid, undefined);
    if (!this.#isLooking) this.#next(FIRST_MS);
  }

  #next(ms: number): void {
    if (this.#timer || this.#stopped || this.#tasks.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#isLooking = true;
      this.#look()
        .catch((error: unknown) => this.#logger.debug({ error: messageOf(error) }, 'new task lookup failed; retrying'))
        .finally(() => {
          this.#isLooking = false;
          this.#next(LOOK_MS);
        });
    }, ms);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const ids = [...this.#tasks.keys()];
    const isNew = ids.some((id) => this.#tasks.get(id) === undefined);
    const { found, oldest, newest } = await lateTasks(this.#database, ids, { number: isNew });
    for (const id of found) {
      this.#tasks.delete(id);
      this.#onFound(id);
    }
    for (const id of ids) {
      if (!this.#tasks.has(id)) continue;
      const bound = this.#tasks.get(id);
      if (bound === undefined) this.#tasks.set(id, newest);
      // No transaction of that time is running, and the task is not there: the creation was rolled back.
      else if (oldest >= bound) this.#tasks.delete(id);
    }
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}
