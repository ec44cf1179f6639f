import type { ChangeFeed, Following } from '../../engine/streams/change-feed.ts';
import type { ClosingReason, StreamChange } from '../../engine/streams/changes.ts';
import type { Follower } from '../../engine/streams/members.ts';
import { readStreamFilter, type Selection, type StreamFilter } from '../../engine/streams/stream-filter.ts';
import { TaskerError } from '../../errors.ts';

/** Above this number of unread changes, missed changes are not repeated. */
const BUSY = 1_000;
/** Above this number, the unread changes are dropped and replaced by a `reset`. */
const MOST_UNREAD = 50_000;

/** Options of {@link Tasker.watchTasks}. */
export interface WatchTasksOptions {
  /** Ends the iteration. */
  signal?: AbortSignal | undefined;
  /** The `cursor` of a change: continues after it, even in another process. */
  after?: string | undefined;
}

/** Yields changes of tasks until the signal fires. @throws TaskerError `bad_request`, `invalid_uuid`, `stopped` */
export async function* watchTasks(
  feed: ChangeFeed,
  filter: StreamFilter,
  { signal, after }: WatchTasksOptions,
): AsyncGenerator<StreamChange> {
  const unread = new Unread(readStreamFilter(filter));
  const stop = () => unread.stop();
  signal?.addEventListener('abort', stop, { once: true });
  let following: Following | undefined;
  try {
    if (signal?.aborted) return;
    following = await feed.follow(unread, { after });
    for (;;) {
      const change = await unread.next();
      if (!change) break;
      yield change;
    }
    if (unread.reason === 'shutdown') throw new TaskerError('stopped', 'this tasker was stopped while watching tasks');
  } finally {
    signal?.removeEventListener('abort', stop);
    following?.leave();
  }
}

/** The changes that the reader of an iteration has not read yet. */
class Unread implements Follower {
  readonly selection: Selection;
  reason: ClosingReason | undefined;
  #changes: StreamChange[] = [];
  #read = 0;
  #over = false;
  #wake: (() => void) | undefined;

  constructor(selection: Selection) {
    this.selection = selection;
  }

  get #size(): number {
    return this.#changes.length - this.#read;
  }

  get isBusy(): boolean {
    return this.#size > BUSY;
  }

  opened(): void {}

  receive(changes: readonly StreamChange[], cursor: string | undefined): void {
    const last = changes.length - 1;
    if (this.#size + changes.length > MOST_UNREAD) {
      this.#changes = [{ kind: 'reset', reason: 'too_many', revision: changes[last]!.revision }];
      this.#read = 0;
    } else {
      changes.forEach((change, i) => {
        this.#changes.push(i === last && cursor !== undefined ? { ...change, cursor } : change);
      });
    }
    this.#wake?.();
  }

  ended(reason: ClosingReason): void {
    this.reason = reason;
    this.stop();
  }

  stop(): void {
    this.#over = true;
    this.#wake?.();
  }

  /** Returns the next change. Undefined at the end. */
  async next(): Promise<StreamChange | undefined> {
    while (this.#size === 0) {
      this.#changes = [];
      this.#read = 0;
      if (this.#over) return undefined;
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
    return this.#changes[this.#read++];
  }
}
