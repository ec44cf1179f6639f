import { type AddressInfo, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** How a fake server answers a connection. */
export type Manner =
  /** Closes each connection immediately. */
  | { kind: 'closes' }
  /** Rejects user and password. */
  | { kind: 'refuses'; code: string; message: string }
  /** Asks for a password, and leaves the connection open. */
  | { kind: 'asks' }
  /** Accepts every user, and reports this version. */
  | { kind: 'version'; number: string };

/** Starts a TCP server that speaks just enough of PostgreSQL's protocol for a test. Returns its URL. */
export async function fakePostgres(manner: Manner): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    if (manner.kind === 'closes') socket.destroy();
    else socket.on('data', (data) => answer(socket, data, manner));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `postgres://ada:secret@127.0.0.1:${(server.address() as AddressInfo).port}/shop`;
}

function answer(socket: Socket, data: Buffer, manner: Exclude<Manner, { kind: 'closes' }>): void {
  if (data.subarray(0, 1).toString() === 'X') return;
  if (manner.kind === 'refuses') {
    socket.end(message('E', text('SFATAL'), text(`C${manner.code}`), text(`M${manner.message}`), text('')));
    return;
  }
  if (manner.kind === 'asks') {
    const begins =
      data[0] === 0 ? [int32(10), text('SCRAM-SHA-256'), text('')] : [int32(11), Buffer.from('r=a,s=eA==,i=1')];
    socket.write(message('R', ...begins));
    return;
  }
  const ready = message('Z', Buffer.from('I'));
  // The first message has no type byte, and starts with its length.
  if (data[0] === 0) socket.write(Buffer.concat([message('R', int32(0)), ready]));
  else {
    const column = [text('server_version_num'), int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(0)];
    const value = Buffer.from(manner.number);
    socket.write(
      Buffer.concat([
        message('T', int16(1), ...column),
        message('D', int16(1), int32(value.length), value),
        message('C', text('SHOW')),
        ready,
      ]),
    );
  }
}

function message(letter: string, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(letter), int32(body.length + 4), body]);
}

const text = (value: string): Buffer => Buffer.from(`${value}\0`);

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeInt16BE(value);
  return buffer;
}
