import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../db/database.ts';
import { opening } from '../../db/opening.ts';
import type { Db } from '../../db/statement.ts';
import { messageOf } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import {
  type Compared,
  type ComparedSlice,
  compareCreatedTasks,
  compareFoundTasks,
  compareOpenTasks,
  deadSearchWriters,
  dropSearchWriters,
  FIRST_ID,
  firstRunningTransaction,
  leaveSearchTurn,
  noteCompared,
  sameOpenTasks,
  takeSearchTurn,
} from '../../store/search/keep.ts';

/** Interval at which each process checks whether it is its turn, and announces that it is alive. */
const LOOK_MS = 15_000;
/**
 * A process that has announced nothing for this long is considered dead. Another process then searches for the changes
 * that it did not write.
 */
const SILENT_MS = 45_000;
/** The turn of a process expires after this time, in case the process died. */
const TURN_MS = 60_000;
/** Minimum time between two comparisons, unless a process died. */
const COMPARE_MS = 60_000;
/**
 * The pause after a comparison is at least its duration times this, so comparisons take at most half a percent of a
 * core.
 */
const PAUSE_PER_COMPARISON = 200;
/** A comparison skips tasks that are younger than this, because their process will write them soon. */
const YOUNG_MS = 5_000;
/** Number of tasks that one statement compares, and the pause after it. */
const COMPARED_AT_ONCE = 5_000;
const COMPARE_PAUSE_MS = 20;
/** Number of open tasks among which one statement looks for changed tasks. */
const SCANNED_AT_ONCE = 100_000;
/** Number of tasks that are written at a time. */
const WRITTEN_AT_ONCE = 1_000;
/**
 * The id of a task begins with the time on the clock of the process that created it. Clocks may differ by this much.
 */
const CLOCKS_MS = 300_000;

const COMPARING = opening({ statement_timeout: '30s', max_parallel_workers_per_gather: '0', jit: 'off' });

/**
 * Completes the tables that searches read. One process at a time compares the tables with the live ones. It compares immediately after a process has died. Otherwise it compares
 * periodically, because some programs do not write these tables.
 */
export class SearchKeeper {
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #id: string;
  readonly #write: (taskUuids: readonly string[]) => Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #compareAt = 0;
  /** The current counters of the tables, and when this process first read them. */
  #counted: { counters: string | null; at: number } | undefined;
  /** The counters when the last comparison began, if it omitted no task that they count. */
  #complete: string | null = null;
  #hasTurn = false;
  #stopped = false;

  constructor(
    { database, logger, id }: { database: Database; logger: Logger; id: string },
    { write }: { write(taskUuids: readonly string[]): Promise<void> },
  ) {
    this.#database = database;
    this.#logger = logger;
    this.#id = id;
    this.#write = write;
  }

  /** Looks for work periodically, until it is stopped. */
  start(): void {
    if (this.#timer || this.#stopped) return;
    // The second run compares, because it knows whether the counters have changed.
    this.#compareAt = performance.now() + YOUNG_MS;
    // The first run comes early, because a process may have died while no other one was running.
    this.#next(1_000);
  }

  #next(ms: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#running = this.look()
        .catch((error: unknown) => {
          if (!this.#stopped)
            this.#logger.debug({ error: messageOf(error) }, 'maintenance of the search tables failed');
        })
        .finally(() => this.#next(LOOK_MS));
    }, ms);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
    // If this fails, the turn expires after a minute.
    if (this.#hasTurn) await leaveSearchTurn(this.#database, this.#id).catch(() => undefined);
  }

  /**
   * Does the work that is due, if it is this process's turn. `silentMs`: how long a process must be silent to be
   * considered dead.
   */
  async look({ silentMs = SILENT_MS }: { silentMs?: number } = {}): Promise<void> {
    const turn = await takeSearchTurn(this.#database, this.#id, TURN_MS);
    this.#hasTurn = turn !== undefined;
    if (!turn) return;
    const { counters } = turn;
    if (counters !== this.#counted?.counters) this.#counted = { counters, at: performance.now() };
    const dead = await deadSearchWriters(this.#database, silentMs);
    const isDue =
      performance.now() >= this.#compareAt && Date.parse(turn.now) - Date.parse(turn.comparedAt) >= COMPARE_MS;
    if (isDue && dead.ids.length === 0 && counters !== null && counters === this.#complete) {
      // Nothing was counted since the last comparison. What was not counted yet makes the next one due.
      await noteCompared(this.#database, { id: this.#id, at: turn.now, comparedTo: turn.comparedTo });
      this.#compareAt = performance.now() + COMPARE_MS;
    } else if (dead.ids.length > 0 || isDue) {
      // A change counts only after its commit. So if nothing was counted in the meantime, no counted task is young.
      const omitsYoung = performance.now() - this.#counted.at < YOUNG_MS;
      const began = performance.now();
      const since = Math.min(Date.parse(turn.comparedAt), Date.parse(dead.since ?? turn.comparedAt));
      const { found, comparedTo } = await this.#compare(new Date(since), YOUNG_MS, turn.comparedTo);
      if (this.#stopped) return;
      await noteCompared(this.#database, { id: this.#id, at: turn.now, comparedTo });
      if (dead.ids.length > 0) {
        await dropSearchWriters(this.#database, dead.ids);
        this.#logger.debug({ processes: dead.ids.length, tasks: found }, 'search tables repaired after a lost process');
      }
      this.#complete = omitsYoung ? null : counters;
      const took = performance.now() - began;
      this.#compareAt = performance.now() + Math.max(COMPARE_MS, took * PAUSE_PER_COMPARISON);
    }
  }

  /**
   * Writes the tasks whose rows are missing or outdated. Compares open tasks, tasks that are open in the tables, and
   * tasks created since the given time. Tasks younger than `youngMs` are omitted. Returns the number of tasks written.
   */
  async compare(since: Date, youngMs = YOUNG_MS): Promise<number> {
    return (await this.#compare(since, youngMs, null)).found;
  }

  /**
   * Like {@link compare}, but omits tasks that have no active steps and were not changed since the transaction `known`.
   * Returns the value of `known` for the next comparison.
   */
  async #compare(
    since: Date,
    youngMs: number,
    known: string | null,
  ): Promise<{ found: number; comparedTo: string | null }> {
    const begun = await this.#database.pipeline(COMPARING, firstRunningTransaction);
    let furthest = 0;
    const open: Comparison = async (tx, slice) => {
      const compared = await compareOpenTasks(tx, { ...slice, scanned: SCANNED_AT_ONCE, comparedTo: known, begun });
      furthest = Math.max(furthest, compared.ahead);
      return compared;
    };
    let found = await this.#inSlices(open, { after: FIRST_ID, youngMs });
    const same = known !== null && (await this.#database.pipeline(COMPARING, sameOpenTasks));
    if (!same) found += await this.#inSlices(compareFoundTasks, { after: FIRST_ID, youngMs });
    found += await this.#inSlices(compareCreatedTasks, { after: firstIdAt(since), youngMs });
    // Young tasks were omitted, so the next comparison must not leave them out.
    const comparedTo = BigInt(begun) - BigInt(furthest);
    return { found, comparedTo: comparedTo > 0n ? String(comparedTo) : null };
  }

  async #inSlices(compare: Comparison, { after, youngMs }: { after: string; youngMs: number }): Promise<number> {
    let found = 0;
    for (let from = after; !this.#stopped; ) {
      const slice = { after: from, limit: COMPARED_AT_ONCE, youngMs };
      const { missing, last } = await this.#database.pipeline(COMPARING, (tx) => compare(tx, slice));
      for (let i = 0; i < missing.length; i += WRITTEN_AT_ONCE) {
        await this.#write(missing.slice(i, i + WRITTEN_AT_ONCE));
      }
      found += missing.length;
      if (last === null) break;
      from = last;
      await sleep(COMPARE_PAUSE_MS);
    }
    return found;
  }
}

type Comparison = (db: Db, slice: ComparedSlice) => Promise<Compared>;

/** Returns the smallest id that a task created since this time can have. */
function firstIdAt(since: Date): string {
  const hex = Math.max(0, since.getTime() - CLOCKS_MS)
    .toString(16)
    .padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7000-8000-000000000000`;
}
