import { oldestKeys } from '../../model/oldest-keys.ts';
import type { ChangeRow } from '../../store/streams/task-changes.ts';
import type { Position, ResetReason } from './changes.ts';

/** Maximum number of tasks to remember. The log itself has about as many. */
const MOST_TASKS = 250_000;

/** Lists with at most this many tasks are not shared. */
const SHORT = 1_000;

/**
 * The part of the log of changes that this process has read: for each task, its last row. Streams that resume find here what
 * they have missed.
 */
export class RecentChanges {
  /** In the order of the rows. */
  readonly #rows = new Map<string, number>();
  readonly #marks = new Map<number, number>();
  /** The tasks that changed last, and their row numbers, in the order of the rows. Undefined if more have changed since. */
  #last: { tasks: readonly string[]; seqs: readonly number[] } | undefined;
  /** The number of the oldest row after which all rows are known. */
  #from = 0;
  #newest: Position | undefined;
  /** The number of the last row that reports lost changes. */
  #lostAt = 0;

  /** The newest row that was read. Undefined before the first one. */
  get newest(): Position | undefined {
    return this.#newest;
  }

  /** Begins behind a row. */
  beginAt({ seq, mark }: Position): void {
    this.#last = undefined;
    this.#rows.clear();
    this.#marks.clear();
    this.#from = seq;
    this.#newest = { seq, mark };
    this.#marks.set(seq, mark);
  }

  /** Forgets everything. */
  clear(): void {
    this.#last = undefined;
    this.#rows.clear();
    this.#marks.clear();
    this.#newest = undefined;
  }

  /** Adds the next row. */
  add({ seq, mark, tasks }: ChangeRow): void {
    this.#last = undefined;
    this.#newest = { seq, mark };
    this.#marks.set(seq, mark);
    if (tasks === null) this.#lostAt = seq;
    for (const taskUuid of tasks ?? []) {
      this.#rows.delete(taskUuid);
      this.#rows.set(taskUuid, seq);
    }
    this.#trim();
  }

  #trim(): void {
    const before = this.#from;
    for (const taskUuid of oldestKeys(this.#rows, MOST_TASKS)) {
      this.#from = Math.max(this.#from, this.#rows.get(taskUuid)!);
      this.#rows.delete(taskUuid);
    }
    for (const seq of oldestKeys(this.#marks, MOST_TASKS)) this.#from = Math.max(this.#from, seq + 1);
    if (this.#from === before) return;
    // A position before the oldest known row is useless.
    for (const seq of this.#marks.keys()) {
      if (seq >= this.#from) break;
      this.#marks.delete(seq);
    }
  }

  /** Adds the rows of the log up to the newest one, oldest first. Returns false if the log has changed since. */
  addOlder(rows: readonly ChangeRow[]): boolean {
    const newest = this.#newest;
    if (!newest || !rows.some(({ seq, mark }) => seq === newest.seq && mark === newest.mark)) return false;
    this.beginAt(rows[0]!);
    for (const row of rows) if (row.seq <= newest.seq) this.add(row);
    return true;
  }

  /** Returns whether a position may be before the rows that are known here. */
  isBefore({ seq }: Position): boolean {
    return seq < this.#from;
  }

  /** Returns why a stream cannot continue at a position. Undefined if it can. */
  problemWith({ seq, mark }: Position): ResetReason | undefined {
    if (this.isBefore({ seq, mark })) return 'too_old';
    const own = this.#marks.get(seq);
    if (own === undefined && seq <= (this.#newest?.seq ?? 0)) return 'unknown_id';
    if (own !== mark) return 'database_restored';
    return seq < this.#lostAt ? 'too_many' : undefined;
  }

  /** The number of the last row with a task. Undefined if none is known. */
  rowOf(taskUuid: string): number | undefined {
    return this.#rows.get(taskUuid);
  }

  /**
   * Returns the tasks that changed after a position: those of `tasks` from the index `from` on. All calls between two
   * rows share the list, unless the rest is short. Undefined if more than `most` tasks changed.
   */
  since({ seq }: Position, most: number): { tasks: readonly string[]; from: number } | undefined {
    if (!this.#last) {
      const rows = [...this.#rows].slice(-most - 1);
      this.#last = { tasks: rows.map(([taskUuid]) => taskUuid), seqs: rows.map(([, row]) => row) };
    }
    const { tasks, seqs } = this.#last;
    const from = seqs.findLastIndex((row) => row <= seq) + 1;
    const count = tasks.length - from;
    if (count > most) return undefined;
    // A short remainder is copied, so that a stream that missed few changes does not keep the whole list in memory.
    return count > SHORT ? { tasks, from } : { tasks: tasks.slice(from), from: 0 };
  }
}
