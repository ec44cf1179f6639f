import type { Database } from '../../db/database.ts';
import { messageOf, TaskerError } from '../../errors.ts';
import type { Logger } from '../../logging/logger.ts';
import { newestChange, readChanges } from '../../store/streams/task-changes.ts';
import type { ChangeLog } from './change-log.ts';
import {
  type ClosingReason,
  cursorOf,
  type Position,
  positionOf,
  type ResetReason,
  type StreamChange,
} from './changes.ts';
import { type Follower, hand, Member, Members, withDeleted } from './members.ts';
import { NewestStates } from './newest-states.ts';
import { RecentChanges } from './recent-changes.ts';

/** Time between two polls while nothing changes and notifications do not arrive. */
const POLL_MS = 1_000;
/** The same while notifications arrive: the poll only finds what a process announced before it heard of this one. */
const NOTIFIED_POLL_MS = 5_000;
/** Minimum time between two polls. */
const SOON_MS = 200;
/** After a read, the reader pauses for this multiple of its duration, at most `LONGEST_REST_MS`. */
const REST_PER_READ = 4;
const LONGEST_REST_MS = 3_000;
/** The same while more tasks are waiting to be sent than this. */
const MANY_PENDING = 1_000;
const REST_WITH_MANY = 1;
/** Interval at which other processes are asked to announce changes soon. They do so for 90 seconds. */
const WANT_MS = 30_000;
const ROWS_AT_ONCE = 100;
/** More than the log ever has. */
const MOST_ROWS = 100_000;
/** Number of tasks that are read together. A stream sends them in one piece, so more of them would delay other requests. */
const TASKS_AT_ONCE = 100;
/** Number of reads of missed tasks, and of pending tasks if there are many, between two polls. */
const READINGS_A_POLL = 4;
/** A stream that missed more tasks than this is reset. */
const MOST_MISSED = 50_000;
/** If this many changed tasks are waiting to be read, all streams are reset. */
const MOST_PENDING = 250_000;
/** Maximum number of streams in a process. */
const MOST_STREAMS = 5_000;

interface Joining {
  follower: Follower;
  after: string | undefined;
  admitted(following: Following): void;
  refused(error: unknown): void;
}

/** A stream that has begun. */
export interface Following {
  /** The position up to which it has received everything. Undefined while it receives what it missed. */
  position(): { revision: number; cursor: string } | undefined;
  /** Ends it, without telling its follower. */
  leave(): void;
}

/**
 * Reads the log of changes for all streams of this process. While there is no stream, it sends no statement. Otherwise it
 * polls soon after a notification, and every five seconds, or every second without notifications.
 */
export class ChangeFeed {
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #log: ChangeLog;
  readonly #members = new Members();
  readonly #recent = new RecentChanges();
  readonly #states: NewestStates;
  #joining: Joining[] = [];
  /** The streams that begin after this poll. */
  #admitting: Joining[] = [];
  /** Members that have yet to receive what they missed. */
  readonly #behind = new Set<Member>();
  /** Changed tasks that were read in the log and not sent yet, each with the position before its oldest unsent change. */
  readonly #pending = new Map<string, Position>();
  /** Whether the whole log is in memory. */
  #isWhole = false;
  /** The position up to which all changes were sent. */
  #sentTo: { revision: number; cursor: string } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isRunning = false;
  /** Whether to run again soon. */
  #woken = false;
  #earliest = 0;
  #wantedAt = Number.NEGATIVE_INFINITY;
  #failing = false;
  #closed = false;
  /** Whether notifications of new rows arrive. */
  isNotified: () => boolean = () => false;

  constructor(database: Database, logger: Logger, log: ChangeLog) {
    this.#database = database;
    this.#logger = logger;
    this.#log = log;
    this.#states = new NewestStates(database);
    log.onAnnounced = () => this.wake();
  }

  /** Number of streams. */
  get streams(): number {
    return this.#members.size + this.#joining.length + this.#admitting.length;
  }

  /**
   * Begins a stream. Resolves when it has begun. `after`: a position at which another stream ended; the stream then gets
   * what has changed since.
   * @throws TaskerError `stopped`; `not_ready` if there are too many streams
   */
  follow(follower: Follower, { after }: { after?: string | undefined } = {}): Promise<Following> {
    return new Promise((admitted, refused) => {
      if (this.#closed) throw new TaskerError('stopped', 'the server is stopping; connect again in a few seconds');
      if (this.streams >= MOST_STREAMS) {
        throw new TaskerError(
          'not_ready',
          `this server has ${MOST_STREAMS} streams, which is its maximum; close some, or use another server`,
        );
      }
      this.#joining.push({ follower, after, admitted, refused });
      this.wake();
    });
  }

  /** Gives up a stream that has not begun. */
  forget(follower: Follower): void {
    const isOther = (joining: Joining) => joining.follower !== follower;
    this.#joining = this.#joining.filter(isOther);
    this.#admitting = this.#admitting.filter(isOther);
  }

  /** Reads the log soon, because it has new rows. */
  wake(): void {
    this.#woken = true;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isRunning || this.#closed) return;
    clearTimeout(this.#timer);
    if (this.streams === 0) {
      this.#rest();
      return;
    }
    const now = performance.now();
    const ms = this.#woken ? Math.max(0, this.#earliest - now) : this.isNotified() ? NOTIFIED_POLL_MS : POLL_MS;
    this.#timer = setTimeout(() => void this.#run(), ms);
    this.#timer.unref();
  }

  /** No stream is left: forgets everything. */
  #rest(): void {
    this.#recent.clear();
    this.#states.clear();
    this.#pending.clear();
    this.#sentTo = undefined;
    this.#woken = false;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    this.#woken = false;
    const began = performance.now();
    // A stream that joins during the poll may know a later position than the poll reads.
    const joining = this.#joining;
    this.#joining = [];
    this.#admitting = joining;
    try {
      await this.#poll();
      await this.#sendPending();
      await this.#admit();
      await this.#sendMissed();
      this.#failing = false;
    } catch (error) {
      this.#joining.unshift(...this.#admitting.splice(0));
      // Logged once, because every poll fails while the server is unreachable.
      if (!this.#failing && !this.#closed) {
        this.#logger.warn({ error: messageOf(error) }, 'changes for streams not read; retrying');
      }
      this.#failing = true;
    } finally {
      this.#earliest = performance.now() + this.#restAfter(performance.now() - began);
      // A busy stream is also checked again soon.
      if (this.#behind.size > 0 || this.#pending.size > 0) this.#woken = true;
      this.#isRunning = false;
      this.#schedule();
    }
  }

  #restAfter(tookMs: number): number {
    if (this.#failing) return POLL_MS;
    const times = this.#pending.size > MANY_PENDING ? REST_WITH_MANY : REST_PER_READ;
    // The rest of the pending tasks would only grow during a longer pause.
    const least = this.#pending.size > 0 ? 0 : SOON_MS;
    return Math.min(LONGEST_REST_MS, Math.max(least, tookMs * times));
  }

  // ---- reading the log

  /** Adds the new rows of the log. */
  async #poll(): Promise<void> {
    const before = this.#recent.newest;
    if (!before) {
      this.#recent.beginAt(await newestChange(this.#database));
      this.#isWhole = false;
      this.#wanted();
      return;
    }
    for (let from = before, isFull = true; isFull && !this.#closed; ) {
      const want = performance.now() - this.#wantedAt >= WANT_MS;
      const rows = await readChanges(this.#database, { from: from.seq, limit: ROWS_AT_ONCE, want });
      if (want) this.#wanted();
      const [anchor, ...added] = rows;
      if (anchor?.seq !== from.seq || anchor.mark !== from.mark) {
        return this.#beginAgain(anchor && anchor.seq > from.seq ? 'too_many' : 'database_restored');
      }
      for (const row of added) {
        const before = this.#recent.newest!;
        this.#recent.add(row);
        if (row.tasks === null) this.#resetAll('too_many');
        for (const taskUuid of row.tasks ?? []) {
          if (this.#members.mayWant(taskUuid) && !this.#pending.has(taskUuid)) this.#pending.set(taskUuid, before);
        }
      }
      isFull = rows.length === ROWS_AT_ONCE;
      from = this.#recent.newest!;
    }
    if (this.#pending.size > MOST_PENDING) {
      this.#pending.clear();
      this.#resetAll('too_many');
    }
  }

  #wanted(): void {
    this.#wantedAt = performance.now();
    this.#log.want();
  }

  /** The log no longer has the row that was read last. */
  async #beginAgain(reason: ResetReason): Promise<void> {
    this.#recent.beginAt(await newestChange(this.#database));
    this.#isWhole = false;
    this.#pending.clear();
    this.#states.clear();
    this.#resetAll(reason);
  }

  /** Notifies all streams that changes were lost. Streams of one task get its state instead. */
  #resetAll(reason: ResetReason): void {
    for (const member of this.#members.all()) this.#reset(member, reason);
  }

  #reset(member: Member, reason: ResetReason): void {
    const { task } = member.follower.selection;
    if (task !== undefined) {
      member.miss([task]);
      this.#behind.add(member);
      return;
    }
    member.miss([]);
    this.#behind.delete(member);
    const { seq } = this.#recent.newest!;
    member.follower.receive([{ kind: 'reset', reason, revision: seq }], cursorOf(this.#recent.newest!));
  }

  // ---- sending

  /**
   * Sends a part of the pending tasks. Sending all of them together would keep the process from other work for too
   * long.
   */
  async #sendPending(): Promise<void> {
    const newest = this.#recent.newest!;
    const wantsSteps = (task: Parameters<Members['wantsSteps']>[0]) => this.#members.wantsSteps(task);
    for (let i = this.#pending.size > MANY_PENDING ? READINGS_A_POLL : 1; i > 0 && this.#pending.size > 0; i--) {
      const ids: string[] = [];
      for (const id of this.#pending.keys()) if (ids.push(id) >= TASKS_AT_ONCE) break;
      const changes = await this.#states.changes(ids, { revision: newest.seq, wantsSteps });
      for (const id of ids) this.#pending.delete(id);
      this.#members.deliver(changes, { revision: newest.seq, cursor: cursorOf(this.#sentUpTo(newest)) });
    }
    const sentUpTo = this.#sentUpTo(newest);
    this.#sentTo = { revision: sentUpTo.seq, cursor: cursorOf(sentUpTo) };
  }

  /** The position up to which nothing is pending. */
  #sentUpTo(newest: Position): Position {
    const [oldest] = this.#pending.values();
    return oldest ?? newest;
  }

  /** Begins the streams that have joined. They get changes after the newest row. */
  async #admit(): Promise<void> {
    const isOld = ({ after }: Joining) => {
      const position = after === undefined ? undefined : positionOf(after);
      return position !== undefined && this.#recent.isBefore(position);
    };
    if (!this.#isWhole && this.#admitting.some(isOld)) await this.#readWholeLog();
    for (const joining of this.#admitting.splice(0)) {
      const { follower, after } = joining;
      const member = new Member(follower);
      const problem = this.#findMissed(member, after);
      this.#members.add(member);
      const { revision, cursor } = this.#sentTo!;
      if (member.behind > 0) this.#behind.add(member);
      const resumed = after !== undefined && problem === undefined;
      const isWhole = member.behind === 0 && problem === undefined;
      follower.opened({ revision, cursor: isWhole ? cursor : undefined, resumed });
      if (problem) this.#reset(member, problem);
      joining.admitted({
        position: () => (member.behind === 0 ? this.#sentTo : undefined),
        leave: () => this.#leave(member),
      });
    }
  }

  /** Finds the tasks that changed after a position. Returns why that is not possible. */
  #findMissed(member: Member, after: string | undefined): ResetReason | undefined {
    const { task } = member.follower.selection;
    if (after === undefined) {
      if (task !== undefined) member.miss([task]);
      return undefined;
    }
    const position = positionOf(after);
    const problem = position ? this.#recent.problemWith(position) : 'unknown_id';
    if (problem || !position) return problem;
    if (task !== undefined) {
      if ((this.#recent.rowOf(task) ?? 0) > position.seq) member.miss([task]);
      return undefined;
    }
    const missed = this.#recent.since(position, MOST_MISSED);
    if (!missed) return 'too_many';
    member.miss(missed.tasks, missed.from);
    return undefined;
  }

  async #readWholeLog(): Promise<void> {
    const rows = await readChanges(this.#database, { from: 0, limit: MOST_ROWS, want: false });
    // Otherwise the log has changed since the poll, and the streams are reset.
    this.#recent.addOlder(rows);
    this.#isWhole = true;
  }

  /** Sends streams what they missed, a few tasks at a time. */
  async #sendMissed(): Promise<void> {
    for (let i = 0; i < READINGS_A_POLL && this.#behind.size > 0 && !this.#closed; i++) {
      const parts = this.#nextParts();
      const ids = new Set([...parts.values()].flat());
      if (ids.size === 0) return;
      const revision = this.#recent.newest!.seq;
      const { cursor } = this.#sentTo!;
      const wantsSteps = (task: Parameters<Member['wantsSteps']>[0]) => {
        for (const [member, part] of parts) if (part.includes(task.taskUuid) && member.wantsSteps(task)) return true;
        return false;
      };
      const states = await this.#states.states([...ids], { revision, wantsSteps });
      const byId = new Map(states.map((state) => [state.taskUuid, state]));
      for (const [member, part] of parts) {
        const changes: StreamChange[] = [];
        const deleted: string[] = [];
        for (const id of part) member.select(byId.get(id)!, { into: changes, deleted, isMissed: true });
        member.miss(member.missed, member.received + part.length);
        if (member.behind === 0) this.#behind.delete(member);
        hand(member, { changes: withDeleted(changes, deleted, revision), cursor });
      }
    }
  }

  /**
   * Returns the missed tasks to read next. Streams that a single read completes come first, and then the stream that is
   * furthest behind. Streams that have missed the same tasks receive them together.
   */
  #nextParts(): Map<Member, readonly string[]> {
    const parts = new Map<Member, readonly string[]>();
    const known = new Map<readonly string[], Map<number, readonly string[]>>();
    const rank = ({ behind }: Member) => (behind <= TASKS_AT_ONCE ? Number.MAX_SAFE_INTEGER : behind);
    const members = [...this.#behind].filter(({ follower }) => !follower.isBusy);
    let count = 0;
    for (const member of members.sort((a, b) => rank(b) - rank(a))) {
      const { missed, received } = member;
      const ofList = known.get(missed) ?? new Map<number, readonly string[]>();
      let part = ofList.get(received);
      if (!part) {
        if (count >= TASKS_AT_ONCE) continue;
        part = missed.slice(received, received + TASKS_AT_ONCE - count);
        count += part.length;
        known.set(missed, ofList.set(received, part));
      }
      parts.set(member, part);
    }
    return parts;
  }

  // ---- the end

  #leave(member: Member): void {
    this.#members.remove(member);
    this.#behind.delete(member);
    if (this.streams === 0) this.#schedule();
  }

  /** Ends all streams. */
  close(reason: ClosingReason = 'shutdown'): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const { refused } of [...this.#joining.splice(0), ...this.#admitting.splice(0)]) {
      refused(new TaskerError('stopped', 'the server is stopping; connect again in a few seconds'));
    }
    for (const member of [...this.#members.all()]) {
      this.#members.remove(member);
      member.follower.ended(reason);
    }
    this.#rest();
  }
}

export { CHANNEL_CHANGES, WANT } from '../../store/streams/task-changes.ts';
