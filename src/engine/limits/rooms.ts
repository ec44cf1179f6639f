import type { HeldLimit, LimitKey, LimitRow, Pace } from '../../store/limits.ts';

/** Pause before the room of a limit with a rate is checked again whose admitted steps have not started. */
const UNSTARTED_MS = 50;

/** The end of a lack of room. `untilMs`: milliseconds since 1970, or null if an attempt has to end first. */
export interface Full {
  untilMs: number | null;
}

/** The room of one key of a limit. */
interface Room {
  limitId: number;
  key: string;
  /** Number of attempts that may be admitted. */
  left: number;
  /** Milliseconds between two starts. 0 if the limit has no rate. */
  intervalMs: number;
  burst: number;
  /** The time at which the next start would be due if all starts were evenly spaced. */
  dueMs: number;
  unstarted: number;
  changed: boolean;
}

/**
 * The room that limits have during an admission. A rate is kept by the generic cell rate algorithm. Admitted attempts
 * that have not started take part of the burst, so that a service never gets more than the burst at once.
 */
export class Rooms {
  readonly #limits: ReadonlyMap<number, LimitRow>;
  readonly #held: ReadonlyMap<string, HeldLimit>;
  readonly #nowMs: number;
  readonly #rooms = new Map<string, Room>();

  constructor(limits: readonly LimitRow[], held: readonly HeldLimit[], nowMs: number) {
    this.#limits = new Map(limits.map((limit) => [limit.id, limit]));
    this.#held = new Map(held.map((one) => [nameOf(one), one]));
    this.#nowMs = nowMs;
  }

  /** Returns the keys whose paces have not been added yet. */
  withoutPace(keys: readonly LimitKey[]): LimitKey[] {
    const wanted = new Map(keys.map((key) => [nameOf(key), key]));
    return [...wanted.values()].filter(
      (key) => this.#limits.get(key.limitId)?.rate != null && !this.#rooms.has(nameOf(key)),
    );
  }

  /** Adds the stored paces of keys. */
  addPaces(keys: readonly LimitKey[], paces: readonly Pace[]): void {
    const stored = new Map(paces.map((pace) => [nameOf(pace), pace.dueMs]));
    for (const key of keys) this.#roomOf(key, stored.get(nameOf(key)));
  }

  /** Returns when a key has room again. Undefined if it has room, or the limit no longer exists. */
  full(key: LimitKey): Full | undefined {
    const room = this.#roomOf(key);
    if (!room) return undefined;
    if (room.left <= 0) return { untilMs: null };
    if (room.intervalMs === 0 || room.dueMs - this.#nowMs <= (room.burst - 1) * room.intervalMs + 0.001)
      return undefined;
    const untilMs = room.dueMs - (room.burst - 1) * room.intervalMs;
    return { untilMs: room.unstarted >= room.burst ? Math.max(untilMs, this.#nowMs + UNSTARTED_MS) : untilMs };
  }

  /** Returns the number of attempts that a key has room for. */
  left(key: LimitKey): number {
    const room = this.#roomOf(key);
    if (!room) return Number.POSITIVE_INFINITY;
    const { left, intervalMs, burst, dueMs } = room;
    if (intervalMs === 0) return Math.max(0, left);
    return Math.max(0, Math.min(left, Math.floor(burst - (dueMs - this.#nowMs) / intervalMs + 1e-6)));
  }

  /** Takes room for one attempt. */
  take(key: LimitKey): void {
    const room = this.#roomOf(key);
    if (!room) return;
    room.left--;
    if (room.intervalMs === 0) return;
    room.dueMs += room.intervalMs;
    room.changed = true;
  }

  /** Returns the paces that have changed. */
  changedPaces(): Pace[] {
    return [...this.#rooms.values()]
      .filter(({ changed }) => changed)
      .map(({ limitId, key, dueMs }) => ({ limitId, key, dueMs }));
  }

  #roomOf(key: LimitKey, storedMs = 0): Room | undefined {
    const name = nameOf(key);
    const known = this.#rooms.get(name);
    const limit = this.#limits.get(key.limitId);
    if (known || !limit) return known;
    const { held, unstarted } = this.#held.get(name) ?? { held: 0, unstarted: 0 };
    const intervalMs = limit.rate === null ? 0 : 1_000 / limit.rate;
    const room: Room = {
      ...key,
      left: limit.concurrent === null ? Number.POSITIVE_INFINITY : limit.concurrent - held,
      intervalMs,
      burst: limit.burst,
      dueMs: Math.max(storedMs, this.#nowMs + unstarted * intervalMs),
      unstarted,
      // The burst does not refill while admitted attempts have not started.
      changed: intervalMs > 0 && unstarted > 0,
    };
    this.#rooms.set(name, room);
    return room;
  }
}

function nameOf({ limitId, key }: LimitKey): string {
  return `${limitId}/${key}`;
}
