/** A block of a stream of server-sent events. */
export interface ServerEvent {
  /** Its name. Default `message`. */
  event: string;
  data: string;
  /** The id to resume after. Undefined if the block has none. */
  id: string | undefined;
  /** Milliseconds to wait before reconnecting. Undefined if the block has none. */
  retryMs: number | undefined;
}

/** Options of {@link readEvents}. */
export interface ReadOptions {
  signal: AbortSignal;
  /** If no byte arrives for longer than this, the connection is considered lost. */
  idleMs: number;
}

/** Larger blocks are an error, so that a wrong server cannot fill the memory. */
const LARGEST_BLOCK = 8 * 1024 * 1024;

/** Reads the blocks of a stream until it ends. Comments only prove that the connection is alive. */
export async function* readEvents(body: ReadableStream<Uint8Array>, options: ReadOptions): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  const cancel = () => void reader.cancel().catch(() => undefined);
  options.signal.addEventListener('abort', cancel, { once: true });
  const blocks = new Blocks();
  const decoder = new TextDecoder();
  try {
    while (!options.signal.aborted) {
      const { done, value } = await readWithin(reader, options.idleMs);
      if (done) return;
      yield* blocks.add(decoder.decode(value, { stream: true }));
    }
  } finally {
    options.signal.removeEventListener('abort', cancel);
    cancel();
  }
}

async function readWithin(reader: ReadableStreamDefaultReader<Uint8Array>, ms: number) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const idle = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the stream sent nothing for ${ms / 1000} seconds`)), ms);
  });
  try {
    return await Promise.race([reader.read(), idle]);
  } finally {
    clearTimeout(timer);
  }
}

/** Splits the text of a stream into server-sent events. */
class Blocks {
  #rest = '';
  #next = empty();

  *add(text: string): Generator<ServerEvent> {
    this.#rest += text;
    if (this.#rest.length + this.#next.data.length > LARGEST_BLOCK)
      throw new Error('a block of the stream is too large');
    for (;;) {
      const end = /\r\n|\n|\r(?!$)/.exec(this.#rest);
      if (!end) return;
      const line = this.#rest.slice(0, end.index);
      this.#rest = this.#rest.slice(end.index + end[0].length);
      if (line !== '') this.#read(line);
      else {
        const block = this.#next;
        this.#next = empty();
        if (block.isThere)
          yield { event: block.event, data: block.data.replace(/\n$/, ''), id: block.id, retryMs: block.retryMs };
      }
    }
  }

  #read(line: string): void {
    if (line.startsWith(':')) return;
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    const block = this.#next;
    block.isThere = true;
    if (field === 'event') block.event = value;
    else if (field === 'data') block.data += `${value}\n`;
    else if (field === 'id' && !value.includes('\0')) block.id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) block.retryMs = Number(value);
  }
}

function empty() {
  return {
    isThere: false,
    event: 'message',
    data: '',
    id: undefined as string | undefined,
    retryMs: undefined as number | undefined,
  };
}
