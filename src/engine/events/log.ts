import { randomUUID } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import { regexOfPatterns } from '../../model/event-pattern.ts';
import { finishPart, type SetAside } from '../../store/events/finish.ts';
import { createGroup, EVENT_PARTS } from '../../store/events/groups.ts';
import { extendHolds, nextRetryMs, releaseHolds, type StillHeld } from '../../store/events/holds.ts';
import type { LogPlace } from '../../store/events/list.ts';
import {
  dropMember,
  keepMember,
  lockFreeGroup,
  lockGroupToLeave,
  lockNamedGroup,
  type MemberWishes,
} from '../../store/events/members.ts';
import { holdPart, type PartRows, readPart } from '../../store/events/parts.ts';
import { forgetDead, forgetEvents, lockGroups, oldParts } from '../../store/events/retention.ts';
import { finishRetries, holdRetries, type RetryEnd } from '../../store/events/retries.ts';
import { lockSequence, sequenceEvents } from '../../store/events/sequence.ts';
import { type GroupLook, workOfGroups } from '../../store/events/work-of-group.ts';
import type { TemplateStore } from '../template-store.ts';
import { type EventEnvelope, envelopesOf } from './envelope.ts';
import { EventGroups } from './groups.ts';
import { type LoggedEvent, loggedEvent } from './logged-event.ts';
import { type EventFilter, type FollowFilter, findEvent, findEvents, followEvents } from './search.ts';
import { EVENT_LIMITS, LONG_RUNNING, RELAXED_COMMIT, SETTINGS } from './settings.ts';

/** Maximum number of new events that one transaction assigns positions to. */
const SEQUENCED_AT_ONCE = 10_000;
/** Maximum number of events that are taken at a time. */
const TAKEN_AT_ONCE = 200;
/** Maximum number of lists in one transaction of `tidy`, which blocks replays. */
const LISTS_AT_ONCE = 200;
/** Maximum number of characters of an error that are stored. */
const LONGEST_ERROR = 4_000;

/** A position in a part of the log: all lists before `chunk` are done, and the first `done` ids of that list. */
export interface EventPosition {
  chunk: number;
  done: number;
}

/** An event to deliver. */
export interface TakenEvent extends LoggedEvent {
  /**
   * Whether this event must wait because an earlier event of its task waits for a retry; see {@link
   * PartOutcome.parked}.
   */
  parked: boolean;
  /** The group's position after this event. */
  after: EventPosition;
}

/** A part of the log that a process holds for a group. */
export interface TakenPart {
  groupId: number;
  part: number;
  /** The fencing token, which is different for each take. */
  hold: string;
  /**
   * The events, in order. Empty if none of the events is for this group. Finish the part even then, to advance the
   * group.
   */
  events: TakenEvent[];
  /** The group's position after all these events. */
  upTo: EventPosition;
}

/** A delivery, identified by its event. */
export interface EventReference {
  id: number;
  taskUuid: string;
}

/** A delivery that failed. */
export interface FailedDelivery extends EventReference {
  error: string;
  /** Milliseconds until the retry. */
  delayMs: number;
}

/** The outcome of a part's deliveries. */
export interface PartOutcome {
  /** The position up to which the part was handled: its `upTo`, or the `after` of an event. Default: `upTo`. */
  upTo?: EventPosition;
  /** Deliveries that failed on their first attempt and will be retried. */
  failed?: readonly FailedDelivery[];
  /** Deliveries that failed on their first attempt and will not be retried. */
  dead?: readonly (EventReference & { error: string })[];
  /**
   * Deliveries that wait for an earlier event of their task, which failed, is being delivered, or was already waiting.
   */
  parked?: readonly EventReference[];
  /** Deliveries that continue after the part is finished. The holder of the part keeps them for `leaseMs`, like retries. */
  slow?: { deliveries: readonly EventReference[]; leaseMs: number };
  /** How long the part stays held, in milliseconds. By default, it is released. */
  keepMs?: number;
}

/** An event to deliver again. */
export interface RetriedEvent extends LoggedEvent {
  /** Number of failed deliveries to this group. */
  attempts: number;
  /** Whether the delivery is part of a replay. */
  replayed: boolean;
  /** Whether the group receives events with this name. False if the member that subscribed to them has left. */
  wanted: boolean;
}

/** The outcome of retried deliveries. */
export interface RetryOutcome {
  delivered?: readonly EventReference[];
  /** `attempts` is the number of failed deliveries, including this one. */
  failed?: readonly (FailedDelivery & { attempts: number })[];
  dead?: readonly (EventReference & { attempts: number; error: string })[];
  /**
   * Deliveries that were not attempted and are left to other processes. This process can take them again after the
   * delay.
   */
  left?: readonly (EventReference & { attempts: number; delayMs: number })[];
}

/** A process that joins a group. */
export interface NewMember {
  /** The name of the group. */
  name: string;
  patterns: readonly string[];
  /** The first position of a new group. Default `now`. */
  from?: 'now' | 'beginning';
  /** The id of the process, a UUID. Default: a new one. */
  member?: string;
}

/**
 * The durable events, in one order for all readers, and the position of each group. All state is in the database, so
 * any process may run any operation at any time. If a process dies, the others wait at most until its lease expires.
 */
export class EventLog extends EventGroups {
  readonly #templates: TemplateStore;
  #sequencing: Promise<number> | undefined;
  #sequencingNext: Promise<number> | undefined;

  constructor(database: Database, templates: TemplateStore) {
    super(database);
    this.#templates = templates;
  }

  /**
   * Assigns positions to newly committed events, and returns their number. An event is not delivered before it has a
   * position. Concurrent callers in one process share a run that starts after their calls.
   */
  sequence(): Promise<number> {
    if (!this.#sequencing) {
      this.#sequencing = this.#sequence().finally(() => (this.#sequencing = undefined));
      return this.#sequencing;
    }
    const again = () => {
      this.#sequencingNext = undefined;
      return this.sequence();
    };
    this.#sequencingNext ??= this.#sequencing.then(again, again);
    return this.#sequencingNext;
  }

  async #sequence(): Promise<number> {
    for (let count = 0; ; ) {
      const { placed, full } = await this.database.pipeline(RELAXED_COMMIT, async (tx) => {
        const [, sequenced] = await Promise.all([lockSequence(tx), sequenceEvents(tx, SEQUENCED_AT_ONCE)]);
        return sequenced;
      });
      count += placed;
      if (!full) return count;
    }
  }

  /**
   * Adds a process to a group, and returns the id of the group. Creates the group if it does not exist: it starts with
   * events that are committed from `now` on (default), or with all stored events. A group receives the events that any
   * of its members subscribes to.
   */
  async joinGroup({ name, patterns, from = 'now', member = randomUUID() }: NewMember): Promise<number> {
    const wishes = wishesOf(member, patterns);
    const known = await this.database.transaction(SETTINGS, async (tx) => {
      const groupId = await lockNamedGroup(tx, name);
      if (groupId !== undefined) await keepMember(tx, { groupId, ...wishes });
      return groupId;
    });
    if (known !== undefined) return known;
    // Events that were committed earlier must be before the group's position.
    if (from === 'now') await this.sequence();
    return this.database.transaction(SETTINGS, async (tx) => {
      const groupId = await createGroup(tx, { name, ...wishes, fromBeginning: from === 'beginning' });
      await keepMember(tx, { groupId, ...wishes });
      return groupId;
    });
  }

  /**
   * Signals that a member is alive. A member that has been silent for three minutes, while others have not, is dropped,
   * and this call adds it again. Returns false, and writes nothing, if the group is currently locked or was removed.
   */
  signGroup({ groupId, member, patterns }: Omit<MemberWishes, 'matching'>): Promise<boolean> {
    return this.database.transaction(SETTINGS, async (tx) => {
      const locked = await lockFreeGroup(tx, groupId);
      if (locked) await keepMember(tx, { groupId, ...wishesOf(member, patterns) });
      return locked;
    });
  }

  /**
   * Ends a membership. The group then receives only the events that other members subscribe to. If no member is left,
   * its patterns stay unchanged.
   */
  async leaveGroup(of: Pick<MemberWishes, 'groupId' | 'member'>): Promise<void> {
    await this.database.transaction(SETTINGS, async (tx) => {
      if (await lockGroupToLeave(tx, of.groupId)) await dropMember(tx, of);
    });
  }

  /**
   * Takes a free part with events for the group, for `leaseMs`. Returns undefined if there is none.
   * @param holder the id of the process, a UUID
   * @param options `limit`: maximum number of events (200); `scan`: maximum number of ids that are read for them
   * (2,000)
   */
  async take(
    groupId: number,
    holder: string,
    { leaseMs, limit = TAKEN_AT_ONCE, scan = EVENT_LIMITS.scan }: { leaseMs: number; limit?: number; scan?: number },
  ): Promise<TakenPart | undefined> {
    const limits = { ...EVENT_LIMITS, scan, events: limit };
    const hold = randomUUID();
    const rows = await this.database.pipeline(RELAXED_COMMIT, async (tx) => {
      const held = holdPart(tx, { groupId, holder, hold, leaseMs });
      const [read] = await Promise.all([readPart(tx, { groupId, hold }, limits), held]);
      return read;
    });
    return rows && takenPart(rows, { groupId, hold });
  }

  /**
   * Advances the group. Returns false, and changes nothing, if another process has taken the part or the group was
   * removed. A call that is repeated after a lost response returns true if the first call released the part.
   */
  async finish(taken: TakenPart, outcome: PartOutcome = {}): Promise<boolean> {
    const { upTo = taken.upTo, failed = [], dead = [], parked = [], slow, keepMs = null } = outcome;
    const untried = { attempts: 0, delayMs: 0, error: null };
    const aside: SetAside[] = [
      ...failed.map((one) => ({ ...one, attempts: 1, next: 'after' as const, error: storable(one.error) })),
      ...dead.map((one) => ({ ...one, attempts: 1, next: 'dead' as const, delayMs: 0, error: storable(one.error) })),
      ...parked.map((one) => ({ ...one, ...untried, next: 'behind' as const })),
      ...(slow?.deliveries ?? []).map((one) => ({ ...one, ...untried, next: 'held' as const, delayMs: slow!.leaseMs })),
    ];
    const { groupId, part, hold } = taken;
    return this.database.pipeline(SETTINGS, (tx) => finishPart(tx, { groupId, part, hold, ...upTo, keepMs, aside }));
  }

  /**
   * Takes free deliveries that are due for a retry, for `leaseMs`, at most one per task. Ends deliveries of deleted
   * events, so that the next deliveries of their tasks continue; `gone` receives their number.
   *
   * @param matching the names that this process can handle, as a regular expression. Default: all. Events that only
   * other
   *   processes can handle are returned too, if those processes have not taken them for a while. The caller leaves them to
   *   the other processes, or drops them if the group no longer wants them.
   */
  async takeRetries(
    groupId: number,
    holder: string,
    {
      leaseMs,
      limit = TAKEN_AT_ONCE,
      matching = '',
      gone,
    }: { leaseMs: number; limit?: number; matching?: string; gone?: (count: number) => void },
  ): Promise<RetriedEvent[]> {
    const hold = { groupId, holder, leaseMs, limit, matching, bytes: EVENT_LIMITS.bytes };
    const held = await this.database.pipeline(RELAXED_COMMIT, (tx) => holdRetries(tx, hold));
    if (held.gone.length > 0) {
      await this.finishRetries(groupId, holder, { delivered: held.gone });
      gone?.(held.gone.length);
    }
    return held.events.map((row) => {
      const { attemptsBefore: attempts, replayed, wanted } = row;
      return { ...loggedEvent(row), attempts, replayed, wanted };
    });
  }

  /**
   * Ends deliveries that this process took. Skips deliveries that another process has since taken. Returns the number
   * of ended deliveries, and the number of their tasks in which the next delivery is now due.
   */
  async finishRetries(
    groupId: number,
    holder: string,
    { delivered = [], failed = [], dead = [], left = [] }: RetryOutcome,
  ): Promise<{ finished: number; next: number }> {
    const ends: RetryEnd[] = [
      ...delivered.map((one) => ({ ...one, attempts: 0, next: 'delivered' as const, error: null })),
      ...failed.map(({ delayMs, ...one }) => ({ ...one, next: delayMs, error: storable(one.error) })),
      ...dead.map((one) => ({ ...one, next: 'dead' as const, error: storable(one.error) })),
      ...left.map(({ delayMs, ...one }) => ({ ...one, next: delayMs, error: null })),
    ];
    if (ends.length === 0) return { finished: 0, next: 0 };
    return this.database.pipeline(SETTINGS, (tx) => finishRetries(tx, { groupId, holder }, ends));
  }

  /** Extends all holds of this process for the group, and returns them. */
  extend(groupId: number, holder: string, leaseMs: number): Promise<StillHeld> {
    return this.database.pipeline(RELAXED_COMMIT, (tx) => extendHolds(tx, { groupId, holder, leaseMs }));
  }

  /** Releases all holds of this process for the group. Other processes may take the work immediately. */
  async letGo(groupId: number, holder: string): Promise<void> {
    await this.database.pipeline(RELAXED_COMMIT, (tx) => releaseHolds(tx, { groupId, holder }));
  }

  /**
   * Returns the milliseconds until the next retry of the group is due. Held deliveries are due when their lease ends.
   * Null if there are none.
   */
  nextDueMs(groupId: number): Promise<number | null> {
    return this.database.pipeline(SETTINGS, (tx) => nextRetryMs(tx, groupId));
  }

  /** Returns the available work by group, with one statement. Removed groups are omitted. */
  look(groupIds: readonly number[]): Promise<Map<number, GroupLook>> {
    return this.database.pipeline(SETTINGS, (tx) => workOfGroups(tx, groupIds));
  }

  // ---- reading

  /** Returns events, newest first. @throws TaskerError `bad_request`, `invalid_uuid`, `timeout` */
  list(filter: EventFilter = {}): Promise<LoggedEvent[]> {
    return findEvents(this.database, filter);
  }

  /** Returns one event by its id. Undefined if it does not exist or was deleted. @throws TaskerError `invalid_uuid` */
  get(eventId: string): Promise<LoggedEvent | undefined> {
    return findEvent(this.database, eventId);
  }

  /**
   * Returns the events after a position, in the order of the log, and the next position. A caller that continues from
   * the next position misses no event. Without a position, returns no events and the end of the log.
   *
   * @example
   * for (let { place } = await log.follow(); ; ) {
   *   const next = await log.follow(place, { name: 'payment.*' });
   *   place = next.place;
   * }
   */
  async follow(place?: LogPlace, filter: FollowFilter = {}): Promise<{ events: LoggedEvent[]; place: LogPlace }> {
    await this.sequence();
    return followEvents(this.database, place, filter);
  }

  /**
   * Returns events as they are sent to other systems: with the current state of the task, the step, its definition and
   * the results of its ancestors.
   */
  envelope(events: readonly LoggedEvent[]): Promise<EventEnvelope[]> {
    return envelopesOf({ database: this.database, templates: this.#templates }, events);
  }

  /**
   * Deletes events that are older than `retentionMs` and that every group has passed, and returns their number. Keeps
   * events that wait for a retry and events with a more recent dead delivery. Several processes may call this method at
   * the same time. If a process dies during a call, the next call finishes its work.
   */
  async tidy({ retentionMs }: { retentionMs: number }): Promise<number> {
    // Without groups, no other call assigns positions to events, and events without a position are not found here.
    await this.sequence();
    // Locking the groups first prevents a deadlock with a redelivery or discard of a whole group.
    await this.database.pipeline(LONG_RUNNING, (tx) => Promise.all([lockGroups(tx), forgetDead(tx, retentionMs)]));
    let count = 0;
    const old = { parts: EVENT_PARTS, retentionMs, limit: LISTS_AT_ONCE };
    for (const part of await oldParts(this.database, old)) {
      for (let after = -1; ; ) {
        const portion = { part, after, retentionMs, limit: LISTS_AT_ONCE };
        const { events, far } = await this.database.pipeline(LONG_RUNNING, async (tx) => {
          const [, forgotten] = await Promise.all([lockGroups(tx), forgetEvents(tx, portion)]);
          return forgotten;
        });
        count += events;
        if (far === null) break;
        after = far;
      }
    }
    return count;
  }
}

/** Returns the position after an id. After the last id of a list, the position is the start of the next list. */
const after = ({ chunk, size, done }: { chunk: number; size: number; done: number }): EventPosition =>
  done >= size ? { chunk: chunk + 1, done: 0 } : { chunk, done };

function takenPart(
  { part, far, cut, events: rows }: PartRows,
  { groupId, hold }: { groupId: number; hold: string },
): TakenPart | undefined {
  if (!far) return undefined;
  const events = rows.map((row) => ({ ...loggedEvent(row), parked: row.parked, after: after(row) }));
  return { groupId, part, hold, events, upTo: cut ? events.at(-1)!.after : after(far) };
}

/** Sorts the patterns, so that the same patterns always result in the same expression. */
function wishesOf(member: string, patterns: readonly string[]) {
  const sorted = [...new Set(patterns)].sort();
  return { member, patterns: sorted, matching: regexOfPatterns(sorted) };
}

/** Shortens and cleans an error for a text column. */
const storable = (error: string) => error.slice(0, LONGEST_ERROR).toWellFormed().replaceAll('\0', '');

export type { StillHeld } from '../../store/events/holds.ts';
export type { LogPlace } from '../../store/events/list.ts';
export type { EventEnvelope } from './envelope.ts';
export type { EventFilter, FollowFilter } from './search.ts';
