import type { ChangeFeed, Following } from '../../engine/streams/change-feed.ts';
import type { ClosingReason, StreamChange } from '../../engine/streams/changes.ts';
import type { Follower } from '../../engine/streams/members.ts';
import type { Selection } from '../../engine/streams/stream-filter.ts';
import { TaskerError } from '../../errors.ts';
import { waitAtMost } from '../../time/wait-at-most.ts';
import { changeJson } from './stream-json.ts';

/** A client that has not read this many bytes is cut off at the next change. */
const MOST_UNREAD_BYTES = 256 * 1024;
/** If the client missed more than this number of bytes, missed changes are not repeated. */
const BUSY_BYTES = 64 * 1024;
const HEARTBEAT_MS = 15_000;
/** Credentials are checked when a stream begins. So a stream ends after this time, and the client reconnects. */
const LONGEST_MS = 15 * 60_000;
/** How long a request waits until the stream begins. */
const OPENING_MS = 10_000;
/** Delay after which clients reconnect. It varies, so that they do not all reconnect at the same time. */
const RETRY_MS = { from: 500, to: 3_000 };

/** Settings of an {@link EventStream} that tests change. */
export interface EventStreamLimits {
  heartbeatMs?: number;
  longestMs?: number;
  mostUnreadBytes?: number;
}

// Kept on the changes themselves. The entries of a WeakMap survive until the next full garbage collection; at a thousand
// changes a second, these took half of the memory, and delayed requests.
const TEXT = Symbol('text');
const BATCH = Symbol('batch');
type Rendered = StreamChange & { [TEXT]?: string };
type RenderedBatch = readonly StreamChange[] & { [BATCH]?: { cursor: string | undefined; bytes: Uint8Array } };
const encoder = new TextEncoder();

/** The block of a change, without its end. */
function textOf(change: Rendered): string {
  if (change[TEXT] !== undefined) return change[TEXT];
  const { event, data } = changeJson(change);
  const text = block(event, data);
  change[TEXT] = text;
  return text;
}

function block(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n`;
}

/** The bytes of several changes. Streams that get the same ones share them. `cursor`: the id of the last change. */
function bytesOf(changes: RenderedBatch, cursor: string | undefined): Uint8Array {
  const known = changes[BATCH];
  if (known && known.cursor === cursor) return known.bytes;
  const id = cursor === undefined ? '' : `id: ${cursor}\n`;
  const last = changes.length - 1;
  const bytes = encoder.encode(changes.map((change, i) => `${i === last ? id : ''}${textOf(change)}\n`).join(''));
  changes[BATCH] = { cursor, bytes };
  return bytes;
}

function retry(): string {
  return `retry: ${Math.round(RETRY_MS.from + Math.random() * (RETRY_MS.to - RETRY_MS.from))}\n`;
}

/** A stream of server-sent events for one client. */
export class EventStream implements Follower {
  readonly selection: Selection;
  readonly body: ReadableStream<Uint8Array>;
  readonly #limits: Required<EventStreamLimits>;
  readonly #cut: (() => void) | undefined;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #following: Following | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #renewal: NodeJS.Timeout | undefined;
  #isOver = false;
  /** Whether something was sent since the last heartbeat. */
  #isFresh = false;
  #lastId: string | undefined;

  private constructor(selection: Selection, limits: EventStreamLimits, cut: (() => void) | undefined) {
    this.selection = selection;
    this.#cut = cut;
    this.#limits = {
      heartbeatMs: HEARTBEAT_MS,
      longestMs: LONGEST_MS,
      mostUnreadBytes: MOST_UNREAD_BYTES,
      ...limits,
    };
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        cancel: () => this.#leave(),
      },
      { highWaterMark: this.#limits.mostUnreadBytes, size: (chunk) => chunk?.byteLength ?? 0 },
    );
  }

  /**
   * Begins a stream. `after`: the `Last-Event-ID` of the client. `cut`: closes the connection, even if data is still to
   * be sent.
   * @throws TaskerError `stopped`, `not_ready`
   */
  static async begin(
    feed: ChangeFeed,
    selection: Selection,
    {
      after,
      cut,
      limits = {},
    }: { after: string | undefined; cut?: (() => void) | undefined; limits?: EventStreamLimits },
  ): Promise<EventStream> {
    const stream = new EventStream(selection, limits, cut);
    const begun = feed.follow(stream, { after });
    if (!(await waitAtMost(OPENING_MS, begun))) {
      feed.forget(stream);
      begun.then((following) => following.leave()).catch(() => {});
      throw new TaskerError('not_ready', 'the stream could not begin in time; the database may be slow');
    }
    stream.#start(await begun);
    return stream;
  }

  #start(following: Following): void {
    this.#following = following;
    if (this.#isOver) {
      this.#leave();
      return;
    }
    this.#heartbeat = setInterval(() => this.#beat(), this.#limits.heartbeatMs);
    this.#heartbeat.unref();
    // Random, so that streams that reconnected together after a restart do not all end together.
    this.#renewal = setTimeout(() => this.ended('renew'), this.#limits.longestMs * (1 - Math.random() / 4));
    this.#renewal.unref();
  }

  /** Number of bytes that the client has not read. */
  get #unread(): number {
    return this.#limits.mostUnreadBytes - (this.#controller.desiredSize ?? 0);
  }

  get isBusy(): boolean {
    return this.#unread > BUSY_BYTES;
  }

  opened({ revision, cursor, resumed }: { revision: number; cursor: string | undefined; resumed: boolean }): void {
    this.#send(`${retry()}${this.#idLine(cursor)}${block('open', { revision, resumed })}\n`);
  }

  receive(changes: readonly StreamChange[], cursor: string | undefined): void {
    if (cursor !== undefined) this.#lastId = cursor;
    this.#send(bytesOf(changes, cursor));
  }

  #idLine(cursor: string | undefined): string {
    if (cursor === undefined) return '';
    this.#lastId = cursor;
    return `id: ${cursor}\n`;
  }

  /** Keeps the connection open, and advances the position of the client, so that it does not become too old. */
  #beat(): void {
    const position = this.#following?.position();
    if (position && position.cursor !== this.#lastId) {
      this.#send(`${this.#idLine(position.cursor)}${block('position', { revision: position.revision })}\n`);
    } else if (!this.#isFresh) this.#send(': heartbeat\n\n');
    this.#isFresh = false;
  }

  #send(given: string | Uint8Array): void {
    if (this.#isOver) return;
    // A single batch may be larger than the limit, if the client has read everything before it.
    if (this.#unread >= this.#limits.mostUnreadBytes) {
      this.ended('slow');
      return;
    }
    this.#controller.enqueue(typeof given === 'string' ? encoder.encode(given) : given);
    this.#isFresh = true;
  }

  ended(reason: ClosingReason): void {
    if (this.#isOver) return;
    this.#leave();
    if (reason === 'slow') {
      // A client that does not read would not receive a last event, and its queued data would stay in memory.
      if (this.#cut) this.#cut();
      else this.#controller.error(new Error('the client does not read its stream'));
      return;
    }
    this.#controller.enqueue(encoder.encode(`${retry()}${block('closing', { reason })}\n`));
    this.#controller.close();
  }

  #leave(): void {
    this.#isOver = true;
    clearInterval(this.#heartbeat);
    clearTimeout(this.#renewal);
    this.#following?.leave();
  }
}
