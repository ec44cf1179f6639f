import { InvalidRequestError, NotFoundError, RequestTimeoutError, TaskerClientError } from './client-errors.ts';
import { readEvents, type ServerEvent } from './event-stream.ts';
import { path } from './path.ts';
import { pause } from './pause.ts';
import type { Transport } from './transport.ts';
import type { TaskResponse } from './types.ts';

/** Options of `tasks.wait` and `tasks.watch`. */
export interface FollowOptions {
  /** Ends the call, which then throws the reason of the signal. */
  signal?: AbortSignal | undefined;
  /** Milliseconds after which the call throws {@link RequestTimeoutError}. Default: no limit. */
  timeoutMs?: number | undefined;
  /** Milliseconds for which an unreachable server is tolerated, such as during its restart. Default 300,000. */
  outageMs?: number | undefined;
}

/** Options of `tasks.wait`. */
export interface WaitForTaskOptions extends FollowOptions {
  /**
   * `waiting`: the call also returns when the task waits for something outside, such as an approval, a signal, a time or
   * its start, and no step of it runs or will be retried. Default `ended`.
   */
  until?: 'ended' | 'waiting' | undefined;
}

/** States in which a task stays, permanently or until an operator acts. */
const RESTING: ReadonlySet<string> = new Set([
  'complete',
  'error',
  'cancelled',
  'resolved_manually',
  'blocked_by_failures',
  'undone',
]);

/** Pauses between reads without a stream. The pauses grow while nothing changes. */
const POLL_MS = { first: 200, longest: 2_000 };
/** With a stream, the task is still read occasionally, in case the stream is stuck. */
const CHECK_MS = 60_000;
/** The server sends something at least every 15 seconds. */
const IDLE_MS = 45_000;
const OUTAGE_MS = 300_000;
const RECONNECT_MS = 1_000;

/** Waits until a task is in one of these states, or until it waits, and returns it. */
export async function waitForTask(
  transport: Transport,
  uuid: string,
  { until = 'ended', ...options }: WaitForTaskOptions,
): Promise<TaskResponse> {
  const waits = until === 'waiting';
  if (!waits && until !== 'ended') throw invalidOption(`until: ${JSON.stringify(until)} must be ended or waiting`);
  let last: TaskResponse | undefined;
  const isNews = (event: ServerEvent) => hasRested(event, waits);
  const aim = waits ? 'end or begin to wait' : 'end';
  for await (const task of follow(transport, uuid, { ...options, aim, isNews })) {
    last = task;
    if (waits && isWaiting(task)) break;
  }
  return last!;
}

/** A task that waits for its start is in `pending`. */
function isWaiting({ status, starts_at: startsAt }: Pick<TaskResponse, 'status' | 'starts_at'>): boolean {
  return status === 'waiting' || (startsAt ?? null) !== null;
}

/** Yields the task after each change, until it is in one of these states. */
export function watchTask(transport: Transport, uuid: string, options: FollowOptions): AsyncGenerator<TaskResponse> {
  return follow(transport, uuid, { ...options, aim: 'end', isNews: () => true });
}

/** `waits`: whether a task that waits counts too. */
function hasRested({ event, data }: ServerEvent, waits: boolean): boolean {
  if (event !== 'task') return event !== 'step';
  try {
    const { status } = JSON.parse(data) as { status: string };
    return RESTING.has(status) || (waits && status === 'waiting');
  } catch {
    return true;
  }
}

interface Following extends FollowOptions {
  /** The event that the call waits for, as the error of a timeout names it. */
  aim: string;
  /** Returns whether to read the task after this event. */
  isNews(event: ServerEvent): boolean;
}

/**
 * Reads the task whenever the stream reports a change. Polls without a stream. If the server lacks the route or a proxy
 * buffers streams, the call therefore only becomes slower.
 */
async function* follow(transport: Transport, uuid: string, options: Following): AsyncGenerator<TaskResponse> {
  const { timeoutMs, signal } = options;
  if (timeoutMs !== undefined && !(timeoutMs >= 0)) {
    throw invalidOption(`timeoutMs: ${timeoutMs} must be a number of at least 0`);
  }
  signal?.throwIfAborted();
  const ending = new AbortController();
  const stop = () => ending.abort(signal?.reason);
  signal?.addEventListener('abort', stop, { once: true });
  let last: TaskResponse | undefined;
  const timer =
    timeoutMs === undefined || timeoutMs >= 2 ** 31
      ? undefined
      : setTimeout(() => ending.abort(tooLate(uuid, options, last)), timeoutMs);
  const bell = new Bell();
  const reads = new TaskReads(transport, uuid, { signal: ending.signal, outageMs: options.outageMs ?? OUTAGE_MS });
  try {
    let listening: Listening | undefined;
    for (let pollMs = POLL_MS.first; ; ) {
      const from = performance.now();
      const task = await reads.next();
      const took = performance.now() - from;
      if (task) {
        last = task;
        pollMs = POLL_MS.first;
        yield task;
        if (RESTING.has(task.status)) return;
      }
      // The stream is opened only now, because most waits are for tasks that have already ended.
      listening ??= listen({ transport, uuid, bell, signal: ending.signal, isNews: options.isNews });
      await bell.wait(listening.live ? CHECK_MS : pollMs, ending.signal);
      if (!listening.live) pollMs = Math.min(POLL_MS.longest, pollMs * 1.5);
      // Reading a large task that changes all the time takes at most half of the time.
      await pause(took, ending.signal);
    }
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
    ending.abort();
  }
}

function invalidOption(message: string): InvalidRequestError {
  return new InvalidRequestError(message, false, { code: 'INVALID_OPTION' });
}

function tooLate(uuid: string, { aim, timeoutMs = 0 }: Following, last: TaskResponse | undefined): RequestTimeoutError {
  const state = last === undefined ? '' : `: it is in ${last.status}`;
  return new RequestTimeoutError(`task ${uuid} did not ${aim} within ${timeoutMs / 1000} seconds${state}`, true, {
    code: 'TIMEOUT',
    details: last === undefined ? {} : { status: last.status },
  });
}

/** Reads a task, and returns it only if it changed. */
class TaskReads {
  readonly #transport: Transport;
  readonly #uuid: string;
  readonly #signal: AbortSignal;
  readonly #outageMs: number;
  #etag: string | null = null;
  #text = '';

  constructor(transport: Transport, uuid: string, { signal, outageMs }: { signal: AbortSignal; outageMs: number }) {
    this.#transport = transport;
    this.#uuid = uuid;
    this.#signal = signal;
    this.#outageMs = outageMs;
  }

  /** Returns the task, or undefined if it is the same as before. */
  async next(): Promise<TaskResponse | undefined> {
    const { body, headers } = await this.#read();
    if (body === undefined) return undefined;
    this.#etag = headers.get('etag');
    const text = JSON.stringify(body);
    if (text === this.#text) return undefined;
    this.#text = text;
    return body;
  }

  /** Keeps reading through a server outage, even if the first read fails. */
  async #read() {
    const end = performance.now() + this.#outageMs;
    for (let wait = RECONNECT_MS; ; wait = Math.min(10_000, wait * 2)) {
      try {
        return await this.#transport.send<TaskResponse>({
          method: 'GET',
          path: path`/v1/tasks/${this.#uuid}`,
          headers: this.#etag === null ? {} : { 'if-none-match': this.#etag },
          signal: this.#signal,
        });
      } catch (error) {
        const passes = error instanceof TaskerClientError && error.recoverable;
        const pauseMs = passes ? Math.max(wait, error.retryAfterMs ?? 0) : 0;
        if (!passes || performance.now() + pauseMs >= end) throw error;
        await pause(pauseMs, this.#signal);
      }
    }
  }
}

/** Wakes one waiter. Without a waiter, the wake-up is kept for the next one. */
class Bell {
  #rang = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rang = true;
    this.#wake?.();
  }

  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rang) {
      const rung = new AbortController();
      this.#wake = () => rung.abort();
      const stop = () => rung.abort();
      signal.addEventListener('abort', stop, { once: true });
      await pause(ms, rung.signal).catch(() => undefined);
      signal.removeEventListener('abort', stop);
      this.#wake = undefined;
    }
    signal.throwIfAborted();
    this.#rang = false;
  }
}

interface Listening {
  /** Whether the stream is open, so that polling can be rare. */
  live: boolean;
}

interface Listener {
  transport: Transport;
  uuid: string;
  bell: Bell;
  signal: AbortSignal;
  isNews(event: ServerEvent): boolean;
}

/** Listens to the stream of a task in the background, and reports each change. */
function listen(listener: Listener): Listening {
  const listening = { live: false };
  void keepListening(listener, listening);
  return listening;
}

/** Never throws: the reads report the same failures. */
async function keepListening(listener: Listener, listening: Listening): Promise<void> {
  const place = { lastId: undefined as string | undefined, retryMs: RECONNECT_MS };
  while (!listener.signal.aborted) {
    const goesOn = await listenOnce(listener, listening, place).catch(isWorthRepeating);
    listening.live = false;
    listener.bell.ring();
    if (!goesOn) return;
    await pause(place.retryMs * (0.75 + Math.random() / 2), listener.signal).catch(() => undefined);
  }
}

/**
 * Returns whether a retry may fix the error. It cannot if the server has no streams, or the credential may not read them.
 */
function isWorthRepeating(error: unknown): boolean {
  return !(error instanceof TaskerClientError) || (error.recoverable && !(error instanceof NotFoundError));
}

async function listenOnce(
  { transport, uuid, bell, signal, isNews }: Listener,
  listening: Listening,
  place: { lastId: string | undefined; retryMs: number },
): Promise<boolean> {
  const response = await transport.stream({
    method: 'GET',
    path: path`/v1/tasks/${uuid}/stream`,
    headers: { accept: 'text/event-stream', ...(place.lastId !== undefined && { 'last-event-id': place.lastId }) },
    signal,
  });
  if (!response.body || !response.headers.get('content-type')?.startsWith('text/event-stream')) {
    await response.body?.cancel();
    return false;
  }
  for await (const event of readEvents(response.body, { signal, idleMs: IDLE_MS })) {
    if (event.id !== undefined) place.lastId = event.id;
    if (event.retryMs !== undefined) place.retryMs = event.retryMs;
    listening.live = true;
    if (event.event === 'closing') return true;
    if (CHANGES.has(event.event) && isNews(event)) bell.ring();
  }
  return true;
}

/** If the task changed between the read and the opening of the stream, the stream sends the task. */
const CHANGES: ReadonlySet<string> = new Set(['task', 'step', 'deleted', 'reset']);
