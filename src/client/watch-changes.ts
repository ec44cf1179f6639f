import { RequestTimeoutError, TaskerClientError } from './client-errors.ts';
import { readEvents } from './event-stream.ts';
import { pause } from './pause.ts';
import type { Transport } from './transport.ts';

/** The filter of a change stream. Several values are separated by commas. */
export interface ChangesQuery {
  namespace?: string | undefined;
  name?: string | undefined;
  /** Task states. When a task leaves these states after it was sent, it is sent once more. */
  state?: string | undefined;
  tag?: string | undefined;
  /** `task` (default), `step`, or both. */
  kind?: string | undefined;
}

/** A change of a task or a step. */
export interface Change {
  /**
   * `task` or `step`: `data` is its state now. `deleted`: the task is gone. `reset`: changes were missed, so reload the
   * displayed data.
   */
  event: 'task' | 'step' | 'deleted' | 'reset';
  data: Record<string, unknown>;
  /** Pass it as `after` to continue from here. */
  id: string | undefined;
}

/** Options of `changes`. */
export interface ChangesOptions {
  signal?: AbortSignal | undefined;
  /** The `id` of the last change that was seen. Default: only changes from now on. */
  after?: string | undefined;
  /** Milliseconds for which an unreachable server is tolerated. Default 300,000. */
  outageMs?: number | undefined;
}

const CHANGES: ReadonlySet<string> = new Set(['task', 'step', 'deleted', 'reset']);
/** The server sends something at least every 15 seconds. */
const IDLE_MS = 45_000;

/** Returns the changes of all tasks, and continues after the last change when the connection is lost. */
export async function* watchChanges(
  transport: Transport,
  query: ChangesQuery,
  { after, outageMs = 300_000, signal = new AbortController().signal }: ChangesOptions,
): AsyncGenerator<Change> {
  let last = after;
  let retryMs = 1_000;
  let end = performance.now() + outageMs;
  for (;;) {
    try {
      const headers = { accept: 'text/event-stream', ...(last !== undefined && { 'last-event-id': last }) };
      const { body } = await transport.stream({
        method: 'GET',
        path: '/v1/stream',
        query: { ...query },
        headers,
        signal,
      });
      if (!body) return;
      for await (const { event, data, id, retryMs: wait } of readEvents(body, { signal, idleMs: IDLE_MS })) {
        end = performance.now() + outageMs;
        last = id ?? last;
        retryMs = wait ?? retryMs;
        if (CHANGES.has(event)) yield { event: event as Change['event'], data: dataOf(data), id };
      }
    } catch (error) {
      signal.throwIfAborted();
      // Any other error is treated as a lost connection.
      if (error instanceof TaskerClientError && !error.recoverable) throw error;
      if (performance.now() >= end) throw error;
    }
    signal.throwIfAborted();
    if (performance.now() >= end) throw new RequestTimeoutError('the stream of changes was not available', true);
    await pause(retryMs * (0.75 + Math.random() / 2), signal);
  }
}

function dataOf(text: string): Record<string, unknown> {
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}
