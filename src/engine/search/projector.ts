import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { uuidV7 } from '../../model/ids.ts';
import { PINNED_PLANS } from '../../store/planner.ts';
import {
  dropSearchWriter,
  findUnprojected,
  lockSearch,
  noteSearchWriter,
  projectSteps,
  projectTasks,
  takeDeadSearchWriters,
} from '../../store/search/projection.ts';

/** Between two turns. A change can be searched for after one, or two if its task was just created. */
const TURN_MS = 700;
const TASKS_AT_ONCE = 2_000;
/** More changed tasks than these are not remembered one by one: the comparison finds them. */
const MOST_TASKS = 200_000;
/** A process that is not heard of for so long is dead, and another one looks for what it did not write. */
const SILENT_MS = 60_000;
const NOTE_MS = 15_000;

const SETTINGS = opening({
  ...PINNED_PLANS,
  synchronous_commit: 'off',
  statement_timeout: '20s',
  idle_in_transaction_session_timeout: '20s',
});
const COMPARING = opening({ statement_timeout: '60s', max_parallel_workers_per_gather: '0' });

const FIRST = '00000000-0000-0000-0000-000000000000';

/**
 * Writes the tables that searches read, after the commit of what changed: tasks that this process created, recorded or
 * acted on. A process that dies leaves a note, from which another one finds what is missing.
 */
export class SearchProjector {
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #id = uuidV7();
  #changed = new Set<string>();
  /** When the oldest of the changes was made. */
  #since: number | undefined;
  #overflowed = false;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> | undefined;
  #notedAt = 0;
  #stopped = false;

  constructor(database: Database, logger: Logger) {
    this.#database = database;
    this.#logger = logger;
  }

  /** Takes note of a task that changed. Costs nothing but an entry in a set. */
  changed(taskUuid: string): void {
    if (this.#changed.size >= MOST_TASKS) this.#overflowed = true;
    else this.#changed.add(taskUuid);
    if (this.#timer || this.#stopped) return;
    this.#since ??= Date.now();
    this.#timer = setTimeout(() => void this.#run(), TURN_MS);
    this.#timer.unref();
  }

  /** Writes what is left. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#turn;
    try {
      if (this.#changed.size > 0) await this.#write(true);
      if (this.#notedAt > 0 && !this.#overflowed) await dropSearchWriter(this.#database, this.#id);
    } catch (error) {
      this.#logger.debug({ error: messageOf(error) }, 'search tables not written at the stop');
    }
  }

  /** Writes all changes of this process, also those of tasks that were just created. */
  async flush(): Promise<void> {
    await this.#turn;
    await this.#write(true);
  }

  #run(): Promise<void> {
    this.#turn = this.#write(false)
      .catch((error: unknown) => this.#logger.warn({ error: messageOf(error) }, 'search tables not written'))
      .finally(() => {
        this.#turn = undefined;
        this.#timer = undefined;
        if (this.#changed.size === 0 || this.#stopped) return;
        this.#timer = setTimeout(() => void this.#run(), TURN_MS);
        this.#timer.unref();
      });
    return this.#turn;
  }

  async #write(all: boolean): Promise<void> {
    const changed = [...this.#changed];
    const since = this.#since ?? Date.now();
    this.#changed = new Set();
    this.#since = undefined;
    let written = 0;
    try {
      for (; written < changed.length; written += TASKS_AT_ONCE) {
        for (const young of await this.#writeSome(changed.slice(written, written + TASKS_AT_ONCE), all)) {
          this.#changed.add(young);
        }
      }
    } catch (error) {
      for (let i = written; i < changed.length; i++) this.#changed.add(changed[i]!);
      this.#since = since;
      throw error;
    }
    if (this.#changed.size > 0) this.#since ??= Date.now();
    await this.#note();
  }

  /** Returns the tasks that are too young. */
  async #writeSome(taskUuids: readonly string[], all: boolean): Promise<string[]> {
    return this.#database.transaction(SETTINGS, async (tx) => {
      const [, unfinished] = await Promise.all([lockSearch(tx), projectTasks(tx, taskUuids, all)]);
      const withSteps = unfinished.filter((task) => task.hasSteps).map((task) => task.taskUuid);
      if (withSteps.length > 0) await projectSteps(tx, withSteps);
      return unfinished.filter((task) => task.young).map((task) => task.taskUuid);
    });
  }

  async #note(): Promise<void> {
    const pendingMs = this.#since === undefined ? null : Date.now() - this.#since;
    if (pendingMs === null && Date.now() - this.#notedAt < NOTE_MS) return;
    this.#notedAt = Date.now();
    await noteSearchWriter(this.#database, this.#id, this.#overflowed ? 0 : pendingMs);
  }

  /** Finds and writes what processes that died have not written. Returns how many tasks that were. */
  async repair(since?: Date): Promise<number> {
    const from = since?.toISOString() ?? (await takeDeadSearchWriters(this.#database, SILENT_MS));
    if (from === null) return 0;
    const createdAfter = firstIdAt(Date.parse(from) - 3_600_000);
    let after = FIRST;
    let found = 0;
    for (;;) {
      const limits = { after, createdAfter, limit: TASKS_AT_ONCE };
      const missing = await this.#database.transaction(COMPARING, (tx) => findUnprojected(tx, limits));
      if (missing.length > 0) await this.#writeSome(missing, true);
      found += missing.length;
      if (missing.length < TASKS_AT_ONCE) return found;
      after = missing.at(-1)!;
      await sleep(10);
    }
  }
}

/** The smallest id that a task created at this time can have. */
function firstIdAt(ms: number): string {
  const hex = Math.max(0, ms).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7000-8000-000000000000`;
}
