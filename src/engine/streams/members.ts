import { oldestKeys } from '../../model/oldest-keys.ts';
import type { ClosingReason, StreamChange, StreamTask } from './changes.ts';
import type { TaskChanges } from './newest-states.ts';
import { type Selection, selects } from './stream-filter.ts';

/** Maximum number of sent tasks that a stream with a filter on states remembers. */
const MOST_SENT = 20_000;
/** Maximum number of ids in one `deleted`. */
const DELETED_AT_ONCE = 1_000;

/** Receives the changes of a stream. */
export interface Follower {
  readonly selection: Selection;
  /** Whether much is still queued for it. While it is busy, missed changes are not repeated. */
  readonly isBusy: boolean;
  /**
   * The stream begins. Without a cursor, it first gets what it missed. `resumed`: it continues at the requested
   * position.
   */
  opened(position: { revision: number; cursor: string | undefined; resumed: boolean }): void;
  /** Must not throw. `cursor`: the position after these changes, if it is safe to continue there. */
  receive(changes: readonly StreamChange[], cursor: string | undefined): void;
  /** The stream ends. */
  ended(reason: ClosingReason): void;
}

/** The changes for a stream. */
interface Parcel {
  into: StreamChange[];
  deleted: string[];
  isMissed: boolean;
}

/** A stream that gets changes. */
export class Member {
  readonly follower: Follower;
  /** Tasks that it has missed, or that it begins with. Streams that resume together share them. */
  missed: readonly string[] = [];
  /** How many of these tasks it has received. */
  received = 0;
  /** If the filter has states: the tasks that it has sent and that are in these states. */
  readonly #sent = new Set<string>();

  constructor(follower: Follower) {
    this.follower = follower;
  }

  /** Notes the tasks that it has missed, except the first `received`. */
  miss(tasks: readonly string[], received = 0): void {
    const isBehind = received < tasks.length;
    this.missed = isBehind ? tasks : [];
    this.received = isBehind ? received : 0;
  }

  /** Number of missed tasks that it has yet to receive. */
  get behind(): number {
    return this.missed.length - this.received;
  }

  /** Returns whether it wants the steps of this task. */
  wantsSteps(task: StreamTask): boolean {
    const { selection } = this.follower;
    return selection.wantsSteps && selects(selection, task);
  }

  /**
   * Adds the changes that it may see and has selected. `isMissed`: adds the task in any state, because its client may
   * have it in another state.
   */
  select({ taskUuid, facts, task, taskChange, stepChanges }: TaskChanges, { into, deleted, isMissed }: Parcel): void {
    const { selection } = this.follower;
    if (!task) {
      // The namespace of an unknown task can no longer be found. A stream of one task was allowed to see that task.
      const isVisible = facts ? selects(selection, facts) : selection.allowed === undefined;
      if (isVisible || selection.task !== undefined) deleted.push(taskUuid);
      return;
    }
    if (!selects(selection, task) || !(this.#wantsState(task) || isMissed)) return;
    if (taskChange && selection.wantsTasks) into.push(taskChange);
    if (selection.wantsSteps) for (const change of stepChanges) into.push(change);
  }

  #wantsState({ taskUuid, status }: StreamTask): boolean {
    const { states } = this.follower.selection;
    if (!states) return true;
    if (!states.has(status)) return this.#sent.delete(taskUuid);
    this.#sent.delete(taskUuid);
    this.#sent.add(taskUuid);
    for (const oldest of oldestKeys(this.#sent, MOST_SENT)) this.#sent.delete(oldest);
    return true;
  }
}

/** Streams that get the same changes. */
type Group = Set<Member>;

/** The streams of a process, by what they follow. */
export class Members {
  /** By {@link groupOf}. */
  readonly #groups = new Map<string | Selection, Group>();
  readonly #single = new Map<string, Set<Group>>();
  readonly #broad = new Set<Group>();
  size = 0;

  add(member: Member): void {
    const { selection } = member.follower;
    const key = groupOf(selection);
    let group = this.#groups.get(key);
    if (!group) {
      group = new Set();
      this.#groups.set(key, group);
      if (selection.task === undefined) this.#broad.add(group);
      else this.#single.set(selection.task, (this.#single.get(selection.task) ?? new Set()).add(group));
    }
    group.add(member);
    this.size++;
  }

  remove(member: Member): void {
    const { selection } = member.follower;
    const key = groupOf(selection);
    const group = this.#groups.get(key);
    if (!group?.delete(member)) return;
    this.size--;
    if (group.size > 0) return;
    this.#groups.delete(key);
    this.#broad.delete(group);
    if (selection.task === undefined) return;
    const ofTask = this.#single.get(selection.task);
    ofTask?.delete(group);
    if (ofTask?.size === 0) this.#single.delete(selection.task);
  }

  *all(): Generator<Member> {
    for (const group of this.#groups.values()) yield* group;
  }

  /** Returns whether a stream may want changes of this task. */
  mayWant(taskUuid: string): boolean {
    return this.#broad.size > 0 || this.#single.has(taskUuid);
  }

  /** Returns whether a stream wants the steps of this task. */
  wantsSteps(task: StreamTask): boolean {
    for (const group of this.#of(task.taskUuid)) if (oneOf(group).wantsSteps(task)) return true;
    return false;
  }

  *#of(taskUuid: string): Generator<Group> {
    yield* this.#broad;
    yield* this.#single.get(taskUuid) ?? [];
  }

  /** Passes changes to the streams that select them. `cursor`: the position after them. */
  deliver(
    changes: readonly TaskChanges[],
    { revision, cursor }: { revision: number; cursor: string | undefined },
  ): void {
    const parcels = new Map<Group, Parcel>();
    for (const change of changes) {
      for (const group of this.#of(change.taskUuid)) {
        const parcel = parcels.get(group) ?? { into: [], deleted: [], isMissed: false };
        parcels.set(group, parcel);
        oneOf(group).select(change, parcel);
      }
    }
    for (const [group, { into, deleted }] of parcels) {
      const given = withDeleted(into, deleted, revision);
      // A stream that does not read ends, which removes it.
      for (const member of [...group]) hand(member, { changes: given, cursor });
    }
  }
}

const oneOf = (group: Group): Member => group.values().next().value!;

/**
 * Returns the same key for selections that get the same changes. A stream with a filter on states has a key of its own,
 * because it also gets changes that depend on what it was sent.
 */
function groupOf(selection: Selection): string | Selection {
  if (selection.states) return selection;
  const given = Object.values(selection) as unknown[];
  return JSON.stringify(given.map((value) => (value instanceof Set ? [...(value as Set<string>)].sort() : value)));
}

/** Passes changes to a stream. It gets no position until it has received what it missed. */
export function hand(
  { follower, behind }: Member,
  { changes, cursor }: { changes: readonly StreamChange[]; cursor: string | undefined },
): void {
  if (changes.length > 0) follower.receive(changes, behind === 0 ? cursor : undefined);
}

/** Adds the deleted tasks to the other changes. */
export function withDeleted(changes: StreamChange[], deleted: readonly string[], revision: number): StreamChange[] {
  for (let i = 0; i < deleted.length; i += DELETED_AT_ONCE) {
    changes.push({ kind: 'deleted', taskUuids: deleted.slice(i, i + DELETED_AT_ONCE), revision });
  }
  return changes;
}
