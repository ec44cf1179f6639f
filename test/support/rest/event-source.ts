import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { until } from '../setup.ts';

/** An event of a stream. */
export interface ReadEvent {
  event: string;
  id: string | undefined;
  data: Record<string, unknown>;
}

/** A client of server-sent events that keeps everything it reads. */
export class TestEventSource {
  readonly events: ReadEvent[] = [];
  readonly comments: string[] = [];
  status = 0;
  body = '';
  retry: number | undefined;
  /** The seconds that a busy server requests before the next request. */
  retryAfter: string | null = null;
  lastId: string | undefined;
  isOver = false;
  readonly #abort = new AbortController();
  readonly #done: Promise<void>;

  private constructor(url: string, headers: Record<string, string>, reconnects: boolean) {
    this.#done = (reconnects ? this.#readAgain(url, headers) : this.#read(url, headers)).finally(() => {
      this.isOver = true;
    });
    onTestFinished(() => this.close());
  }

  /**
   * Connects, and waits until the stream has begun or was rejected. Retries after the `Retry-After` of a busy server.
   * `after`: the `Last-Event-ID`. `reconnects`: continues after the end of a connection, like a browser.
   */
  static async open(
    url: string,
    { after, reconnects = false }: { after?: string | undefined; reconnects?: boolean } = {},
  ): Promise<TestEventSource> {
    for (;;) {
      const source = new TestEventSource(url, after === undefined ? {} : { 'last-event-id': after }, reconnects);
      await until(
        () => source.events.length > 0 || source.isOver,
        (begun) => begun,
      );
      if (source.retryAfter === null) return source;
      await sleep(Number(source.retryAfter) * 1_000);
    }
  }

  async #readAgain(url: string, headers: Record<string, string>): Promise<void> {
    for (let from = headers; !this.#abort.signal.aborted; ) {
      await this.#read(url, from);
      if (this.lastId !== undefined) from = { 'last-event-id': this.lastId };
      await sleep(Math.min(this.retry ?? 0, 500));
    }
  }

  async #read(url: string, headers: Record<string, string>): Promise<void> {
    try {
      const answer = await fetch(url, { headers, signal: this.#abort.signal });
      this.status = answer.status;
      this.retryAfter = answer.headers.get('retry-after');
      if (answer.status !== 200) {
        this.body = await answer.text();
        return;
      }
      let text = '';
      for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
        text += chunk;
        const blocks = text.split('\n\n');
        text = blocks.pop()!;
        for (const block of blocks) this.#onBlock(block);
      }
    } catch {
      // The client or the server has closed the connection.
    }
  }

  #onBlock(block: string): void {
    const fields = new Map(
      block.split('\n').map((line) => {
        const at = line.indexOf(': ');
        return [line.slice(0, at), line.slice(at + 2)];
      }),
    );
    if (fields.has('')) this.comments.push(fields.get('')!);
    if (fields.has('retry')) this.retry = Number(fields.get('retry'));
    if (fields.has('id')) this.lastId = fields.get('id');
    if (!fields.has('event')) return;
    const data = JSON.parse(fields.get('data')!) as Record<string, unknown>;
    const event = fields.get('event')!;
    this.events.push({ event, id: fields.get('id'), data });
    const { task_uuid: task, name, revision } = data;
    if (event === 'task') this.#note(this.tasks, task as string, { state: data.status, revision });
    if (event === 'step') this.#note(this.steps, `${task}/${name}`, { state: data.current_state, revision });
  }

  /** The data of all events of a kind. */
  of(event: string): Record<string, unknown>[] {
    return this.events.filter((one) => one.event === event).map((one) => one.data);
  }

  /** The newest status of each task that was sent, by the greatest revision. */
  readonly tasks = new Map<string, string>();
  /** The newest state of each step that was sent, by `task/step`. */
  readonly steps = new Map<string, string>();
  readonly #revisions = new Map<string, number>();

  #note(newest: Map<string, string>, key: string, { state, revision }: { state: unknown; revision: unknown }): void {
    if ((this.#revisions.get(key) ?? 0) > (revision as number)) return;
    newest.set(key, state as string);
    this.#revisions.set(key, revision as number);
  }

  /** Closes the connection. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.#done;
  }
}
