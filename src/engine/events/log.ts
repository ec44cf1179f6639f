import { randomUUID } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import { regexOfPatterns } from '../../model/event-pattern.ts';
import { finishPart, type SetAside } from '../../store/events/finish.ts';
import { createGroup, EVENT_PARTS } from '../../store/events/groups.ts';
import { extendHolds, nextRetryMs, releaseHolds, type StillHeld } from '../../store/events/holds.ts';
import type { LogPlace } from '../../store/events/list.ts';
import { type GroupLook, lookIntoEvents } from '../../store/events/look.ts';
import {
  dropMember,
  keepMember,
  lockFreeGroup,
  lockGroupToLeave,
  lockNamedGroup,
  type MemberWishes,
} from '../../store/events/members.ts';
import { holdPart, type PartRows, readPart } from '../../store/events/parts.ts';
import { forgetDead, forgetEvents, lockGroups } from '../../store/events/retention.ts';
import { finishRetries, holdRetries, type RetryEnd } from '../../store/events/retries.ts';
import { lockSequence, sequenceEvents } from '../../store/events/sequence.ts';
import type { TemplateStore } from '../template-store.ts';
import { EventActs } from './acts.ts';
import { type EventEnvelope, envelopesOf } from './envelope.ts';
import { type LoggedEvent, loggedEvent } from './logged-event.ts';
import { type EventFilter, type FollowFilter, findEvent, findEvents, followEvents } from './search.ts';
import { EVENT_LIMITS, LONG_RUNNING, RELAXED_COMMIT, SETTINGS } from './settings.ts';

/** New events that get their places in one transaction. */
const SEQUENCED_AT_ONCE = 10_000;
/** Events that a take brings. */
const TAKEN_AT_ONCE = 200;
/** Lists that are looked at in one transaction, which holds up whoever asks for a replay. */
const LISTS_AT_ONCE = 200;
/** Characters of an error that are kept. */
const LONGEST_ERROR = 4_000;

/** A place in a part of the log: the first `done` ids of list `chunk` are done, and all lists before it. */
export interface EventPosition {
  chunk: number;
  done: number;
}

/** An event to deliver. */
export interface TakenEvent extends LoggedEvent {
  /** An earlier event of its task waits to be delivered again: this one must wait behind it, see {@link PartOutcome.parked}. */
  parked: boolean;
  /** Where the group stands when this event and those before it are done. */
  after: EventPosition;
}

/** What a process holds of the log, for a group. */
export interface TakenPart {
  groupId: number;
  part: number;
  /** The fence: another one at each take. */
  hold: string;
  /** In order. May be none, if none of those looked at is for this group: finish it then too, so that the group gets on. */
  events: TakenEvent[];
  /** Where the group stands when all of them are done. */
  upTo: EventPosition;
}

/** A delivery by its event. */
export interface EventReference {
  id: number;
  taskUuid: string;
}

/** A delivery that failed. */
export interface FailedDelivery extends EventReference {
  error: string;
  /** Until it is tried again. */
  delayMs: number;
}

/** What became of what was taken. */
export interface PartOutcome {
  /** How far it was handled: `upTo` of the part, or `after` of an event. Default: `upTo`. */
  upTo?: EventPosition;
  /** Their first delivery failed. */
  failed?: readonly FailedDelivery[];
  /** Their first delivery failed, and there will be no other. */
  dead?: readonly (EventReference & { error: string })[];
  /** They wait behind an event of their task: one that failed or goes on here, or one that waited before. */
  parked?: readonly EventReference[];
  /** Their first delivery goes on, beside the part: they are held for `leaseMs` by whoever holds the part, as repetitions are. */
  slow?: { deliveries: readonly EventReference[]; leaseMs: number };
  /** Milliseconds for which the part stays held; default: it is let go. */
  keepMs?: number;
}

/** An event to deliver again. */
export interface RetriedEvent extends LoggedEvent {
  /** Deliveries to this group that failed. */
  attempts: number;
  /** An operator asked for it. */
  replayed: boolean;
  /** The group gets events of its name. Not so: whoever asked for it works for the group no more. */
  wanted: boolean;
}

/** What became of deliveries that were tried again. */
export interface RetryOutcome {
  delivered?: readonly EventReference[];
  /** `attempts`: deliveries that failed, this one among them. */
  failed?: readonly (FailedDelivery & { attempts: number })[];
  dead?: readonly (EventReference & { attempts: number; error: string })[];
  /** They were not tried, and are left to other processes; here they come again only later. */
  left?: readonly (EventReference & { attempts: number; delayMs: number })[];
}

/** A process that begins to work for a group. */
export interface NewMember {
  /** The group's. */
  name: string;
  patterns: readonly string[];
  /** Where a new group begins. Default `now`. */
  from?: 'now' | 'beginning';
  /** The process, a UUID. Default: one that no other process is known by. */
  member?: string;
}

/**
 * The durable events, in an order that all readers share, and how far each group of readers came. Everything is in the
 * database: any process may do any of it at any time, and one that dies half-way leaves nothing that others wait for longer
 * than its lease.
 */
export class EventLog extends EventActs {
  readonly #templates: TemplateStore;
  #sequencing: Promise<number> | undefined;
  #sequencingNext: Promise<number> | undefined;

  constructor(database: Database, templates: TemplateStore) {
    super(database);
    this.#templates = templates;
  }

  /**
   * Gives their places to events that were committed since; answers how many. Until an event has its place nobody gets it.
   * Callers in one process share a run, one that began after their call.
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
   * Makes a process a member of a group, which is made if there is none; answers with the group's id. A new group begins with
   * what is committed from `now` (default) on, or with all that is kept. A group gets what any of its members asks for.
   */
  async joinGroup({ name, patterns, from = 'now', member = randomUUID() }: NewMember): Promise<number> {
    const wishes = wishesOf(member, patterns);
    const known = await this.database.transaction(SETTINGS, async (tx) => {
      const groupId = await lockNamedGroup(tx, name);
      if (groupId !== undefined) await keepMember(tx, { groupId, ...wishes });
      return groupId;
    });
    if (known !== undefined) return known;
    // What was committed before has its place before the group's.
    if (from === 'now') await this.sequence();
    return this.database.transaction(SETTINGS, async (tx) => {
      const groupId = await createGroup(tx, { name, ...wishes, fromBeginning: from === 'beginning' });
      await keepMember(tx, { groupId, ...wishes });
      return groupId;
    });
  }

  /**
   * Says that a member still works for its group: one that was not heard of for three minutes, while others were, is none any
   * more, and becomes one again by this. False: the group is locked just now, or is gone; nothing was said.
   */
  signGroup({ groupId, member, patterns }: Omit<MemberWishes, 'matching'>): Promise<boolean> {
    return this.database.transaction(SETTINGS, async (tx) => {
      const locked = await lockFreeGroup(tx, groupId);
      if (locked) await keepMember(tx, { groupId, ...wishesOf(member, patterns) });
      return locked;
    });
  }

  /** Ends a membership: the group gets what the others ask for. That of the last one leaves the group as it is. */
  async leaveGroup(of: Pick<MemberWishes, 'groupId' | 'member'>): Promise<void> {
    await this.database.transaction(SETTINGS, async (tx) => {
      if (await lockGroupToLeave(tx, of.groupId)) await dropMember(tx, of);
    });
  }

  /**
   * Takes a part in which something waits for the group and that nobody holds, for `leaseMs`. Undefined: there is none.
   * @param holder the process, a UUID
   * @param options `limit`: events that are given out (200); `scan`: ids that are looked at for them (2,000)
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
   * Moves the group on. False: another process has taken the part over, or the group was removed; nothing was changed. Asked
   * again because its answer was lost, it is true if the part was let go with it.
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
   * Takes deliveries that are due again and that nobody holds, for `leaseMs`: of a task never more than one. Those of events
   * that are not there any more end here, so that the next of their tasks go on; `gone` is told how many.
   * @param matching names that this process can handle, as a regular expression; default: all. What only others can comes
   *   when they have not taken it for a while, to be left to them, or dropped if nobody wants it.
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
   * Ends deliveries that were taken; those that another process has taken over are left out. Answers how many ended, and in
   * how many of their tasks another one is due now.
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

  /** Holds for longer all that is held of the group under this holder; answers what that is. */
  extend(groupId: number, holder: string, leaseMs: number): Promise<StillHeld> {
    return this.database.pipeline(RELAXED_COMMIT, (tx) => extendHolds(tx, { groupId, holder, leaseMs }));
  }

  /** Lets go of all that this process holds of the group: others may take it at once. */
  async letGo(groupId: number, holder: string): Promise<void> {
    await this.database.pipeline(RELAXED_COMMIT, (tx) => releaseHolds(tx, { groupId, holder }));
  }

  /** Milliseconds until a delivery of the group is due again, held ones as if given up; null: none waits. */
  nextDueMs(groupId: number): Promise<number | null> {
    return this.database.pipeline(SETTINGS, (tx) => nextRetryMs(tx, groupId));
  }

  /** What there is to do for groups, in one statement; one that was removed is not there. */
  look(groupIds: readonly number[]): Promise<Map<number, GroupLook>> {
    return this.database.pipeline(SETTINGS, (tx) => lookIntoEvents(tx, groupIds));
  }

  // ---- for those who look

  /** Events, the newest first. @throws TaskerError `bad_request`, `invalid_uuid`, `timeout` */
  list(filter: EventFilter = {}): Promise<LoggedEvent[]> {
    return findEvents(this.database, filter);
  }

  /** One event by its own id. Undefined: there is none, or it is forgotten. @throws TaskerError `invalid_uuid` */
  get(eventId: string): Promise<LoggedEvent | undefined> {
    return findEvent(this.database, eventId);
  }

  /**
   * What came after a place, in the order in which it came; without a place, nothing, and where the log ends now. Whoever
   * goes on with the place that it answers misses nothing.
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
   * Events as they go over the wire: with the task, the step, its declaration and the results of the steps above it, as
   * they are now.
   */
  envelope(events: readonly LoggedEvent[]): Promise<EventEnvelope[]> {
    return envelopesOf({ database: this.database, templates: this.#templates }, events);
  }

  /**
   * Forgets events that are older than this and that every group is past, but what waits to be delivered again, or was
   * given up less long ago; answers how many. Any process may call it, at any time: two at once are fine, and one that
   * dies half-way is continued.
   */
  async tidy({ retentionMs }: { retentionMs: number }): Promise<number> {
    // Without groups nobody gives places; what has none is not found here.
    await this.sequence();
    // Whoever redelivers or discards all of a group meets it at the group, not at one dead letter and another.
    await this.database.pipeline(LONG_RUNNING, (tx) => Promise.all([lockGroups(tx), forgetDead(tx, retentionMs)]));
    let count = 0;
    for (let part = 0; part < EVENT_PARTS; part++) {
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

/** Of lists that are done to their end the next one begins. */
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

/** In one order, so that the same patterns are the same wishes. */
function wishesOf(member: string, patterns: readonly string[]) {
  const sorted = [...new Set(patterns)].sort();
  return { member, patterns: sorted, matching: regexOfPatterns(sorted) };
}

/** What a text column takes. */
const storable = (error: string) => error.slice(0, LONGEST_ERROR).toWellFormed().replaceAll('\0', '');

export type { StillHeld } from '../../store/events/holds.ts';
export type { LogPlace } from '../../store/events/list.ts';
export type { EventEnvelope } from './envelope.ts';
export type { EventFilter, FollowFilter } from './search.ts';
