import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { onTestFinished } from 'vitest';

/** The fate of a message that a worker sends. */
export type Fate =
  /** The message never reaches the server. */
  | 'lost'
  /** The server receives the message and commits, but the response is lost with the connection. */
  | 'answer_lost'
  /** The connection is cut while the server processes the message. */
  | 'cut'
  /** The server receives the message, but the response is held until {@link FaultyProxy.release}. */
  | 'held'
  /** A fatal error is added to the next response that ends with ReadyForQuery, and ends the connection, as when the server dies. */
  | 'ended'
  | undefined;

export interface FaultyProxy {
  /** The URL through the proxy. */
  url: string;
  /** Decides the fate of each chunk that a worker sends, which contains the names of its statements. */
  decide: (sent: Buffer) => Fate;
  /** How often each fate happened. */
  counts: Record<NonNullable<Fate>, number>;
  /** Blocks all traffic in both directions, including on new connections, until {@link thaw}. */
  freeze(): void;
  thaw(): void;
  /** Blocks all traffic on existing connections. New connections work, as behind a NAT that forgot the old connections. */
  silence(): void;
  /** Delivers the held responses. */
  release(): void;
  /** From now on, delivers each message of the server separately, a moment after the previous message. */
  inPieces: boolean;
  /** Cuts every connection. */
  cutAll(): void;
  /** Closes every connection and accepts no new connections. */
  close(): void;
}

const COMMITTED = Buffer.from('COMMIT\0');
const READY = Buffer.from('Z\0\0\0\u0005I');
const ENDED = Buffer.from('SFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0');

/** Starts a proxy between workers and a server, with which tests can break connections. */
export async function startProxy(serverUrl: string): Promise<FaultyProxy> {
  const target = new URL(serverUrl);
  const folder = target.searchParams.get('host');
  const upstream = () =>
    folder
      ? dial(path.join(folder, `.s.PGSQL.${target.port || '5432'}`))
      : dial(Number(target.port || '5432'), target.hostname);
  const pairs = new Set<Pair>();
  let frozen = false;
  const proxy: FaultyProxy = {
    url: '',
    inPieces: false,
    decide: () => undefined,
    counts: { lost: 0, answer_lost: 0, cut: 0, held: 0, ended: 0 },
    freeze() {
      frozen = true;
      for (const pair of pairs) pair.freeze();
    },
    thaw() {
      frozen = false;
      for (const pair of pairs) pair.thaw();
    },
    silence() {
      for (const pair of pairs) pair.freeze();
    },
    release() {
      for (const pair of pairs) pair.release();
    },
    cutAll() {
      for (const pair of pairs) pair.cut();
    },
    close() {
      server.close();
      proxy.cutAll();
    },
  };
  const server = createServer((client) => {
    const pair = new Pair(client, upstream(), proxy);
    pairs.add(pair);
    if (frozen) pair.freeze();
    client.once('close', () => pairs.delete(pair));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => proxy.close());
  const url = new URL(serverUrl);
  url.searchParams.delete('host');
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  proxy.url = url.toString();
  return proxy;
}

/** One connection of a worker and its counterpart at the server. */
class Pair {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #proxy: FaultyProxy;
  #fate: Fate;
  #heldAnswer: Buffer[] = [];
  #tail = Buffer.alloc(0);
  #piece = Buffer.alloc(0);
  #arrived = Promise.resolve();

  constructor(client: Socket, server: Socket, proxy: FaultyProxy) {
    this.#client = client;
    this.#server = server;
    this.#proxy = proxy;
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.once('close', () => this.cut());
    }
    client.on('data', (sent) => this.#sent(sent));
    server.on('data', (answer) => this.#answered(answer));
  }

  #sent(sent: Buffer): void {
    const fate = this.#proxy.decide(sent);
    if (fate) {
      this.#proxy.counts[fate]++;
      this.#fate = fate;
    }
    if (fate === 'lost') this.cut();
    else if (fate === 'cut') this.#server.write(sent, () => this.cut());
    else this.#server.write(sent);
  }

  #answered(answer: Buffer): void {
    if (this.#fate === 'held') {
      this.#heldAnswer.push(answer);
    } else if (this.#fate === 'answer_lost') {
      this.#tail = Buffer.concat([this.#tail.subarray(-COMMITTED.length), answer]);
      if (this.#tail.includes(COMMITTED)) this.cut();
    } else if (this.#fate === 'ended' && answer.subarray(-READY.length).equals(READY)) {
      this.#client.end(Buffer.concat([answer, Buffer.from('E\0\0\0'), Buffer.from([ENDED.length + 4]), ENDED]));
    } else if (this.#proxy.inPieces) this.#messages(answer);
    else this.#client.write(answer);
  }

  /** A message is one byte for its kind and four bytes for its length, which includes these four. */
  #messages(answer: Buffer): void {
    this.#piece = Buffer.concat([this.#piece, answer]);
    while (this.#piece.length > 4) {
      const length = 1 + this.#piece.readUInt32BE(1);
      if (this.#piece.length < length) return;
      const message = this.#piece.subarray(0, length);
      this.#piece = this.#piece.subarray(length);
      this.#arrived = this.#arrived.then(async () => {
        this.#client.write(message);
        await setTimeout(2);
      });
    }
  }

  freeze(): void {
    this.#client.pause();
    this.#server.pause();
  }

  thaw(): void {
    this.#client.resume();
    this.#server.resume();
  }

  release(): void {
    if (this.#fate !== 'held') return;
    this.#fate = undefined;
    for (const answer of this.#heldAnswer.splice(0)) this.#client.write(answer);
  }

  cut(): void {
    this.#client.destroy();
    this.#server.destroy();
  }
}
