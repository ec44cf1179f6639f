// An HTTP client that uses little CPU, because it shares two cores with the server that it measures. Each connection
// sends one request at a time, and reads bodies with a content length and chunked bodies.
import net from 'node:net';

const HEAD_END = Buffer.from('\r\n\r\n');
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

/** Returns the bytes of a request. */
export function requestBytes(method, path, body, type = 'application/json') {
  const head = `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n`;
  if (body === undefined) return Buffer.from(`${head}\r\n`);
  return Buffer.from(`${head}content-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

/** Returns the response at the beginning of the received bytes, or undefined if the response is incomplete. */
function answerIn(bytes) {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end);
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  const from = end + HEAD_END.length;
  if (length === undefined) {
    const isChunked = /\r\ntransfer-encoding: chunked/i.test(head);
    if (isChunked && !bytes.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK)) return undefined;
  } else if (bytes.length < from + Number(length)) return undefined;
  return {
    status: Number(head.slice(9, 12)),
    retryAfter: /\r\nretry-after: (\d+)/i.exec(head)?.[1],
    isLast: /\r\nconnection: close/i.test(head),
    body: bytes.toString('utf8', from),
  };
}

/** A connection. `ask` sends a request, and resolves with the response. */
class Connection {
  #socket;
  #received = [];
  #waiting;
  isUsable = true;

  constructor(port) {
    this.#socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (bytes) => this.#read(bytes));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('the connection was closed')));
  }

  ask(bytes) {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(bytes);
    });
  }

  close() {
    this.#socket.destroy();
  }

  #read(bytes) {
    this.#received.push(bytes);
    const answer = answerIn(this.#received.length === 1 ? bytes : Buffer.concat(this.#received));
    if (!answer) return;
    this.#received = [];
    if (answer.isLast) this.isUsable = false;
    const { resolve } = this.#waiting;
    this.#waiting = undefined;
    resolve(answer);
  }

  #fail(error) {
    this.isUsable = false;
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}

/** A pool of up to `most` connections to a port. */
export class Connections {
  #port;
  #most;
  #free = [];
  #open = 0;

  constructor(url, most) {
    this.#port = Number(new URL(url).port);
    this.#most = most;
  }

  /** Whether a request can be sent now. */
  get hasFree() {
    return this.#free.length > 0 || this.#open < this.#most;
  }

  /** Sends a request. Rejects if the connection is lost. */
  async ask(bytes) {
    const connection = this.#take();
    try {
      return await connection.ask(bytes);
    } finally {
      if (connection.isUsable) this.#free.push(connection);
      else this.#open--;
    }
  }

  #take() {
    for (let found = this.#free.pop(); found; found = this.#free.pop()) {
      if (found.isUsable) return found;
      this.#open--;
    }
    this.#open++;
    return new Connection(this.#port);
  }

  close() {
    for (const connection of this.#free) connection.close();
  }
}

/** Calls `send` repeatedly from `lanes` callers for some seconds. Each waits for its response. Returns the times. */
export async function closedLoop({ lanes, seconds }, send) {
  const times = [];
  const end = performance.now() + seconds * 1000;
  const lane = async (number) => {
    while (performance.now() < end) {
      const from = performance.now();
      await send(number);
      times.push(performance.now() - from);
    }
  };
  const from = performance.now();
  await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
  return { times: times.sort((a, b) => a - b), seconds: (performance.now() - from) / 1000 };
}

/**
 * Calls `send` at a fixed rate for some seconds, whether or not earlier calls have ended. `send` gets the time at which it
 * should have been called, so that the response time includes a delay of this program.
 */
export async function openLoop({ perSecond, seconds }, send) {
  const from = performance.now();
  const total = Math.round(perSecond * seconds);
  const calls = [];
  await new Promise((resolve) => {
    const tick = () => {
      const due = Math.min(total, Math.floor(((performance.now() - from) / 1000) * perSecond));
      while (calls.length < due) calls.push(send(from + (calls.length / perSecond) * 1000));
      if (calls.length < total) setTimeout(tick, 1);
      else resolve();
    };
    tick();
  });
  await Promise.all(calls);
}
