import { connect, createServer, type Server, type Socket } from 'node:net';

const NOTIFICATION = 'A'.charCodeAt(0);

/** Forwards the server's messages except notifications. A message consists of a type letter, a length and a content. */
function withoutNotifications(forward: (bytes: Buffer) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5 && rest.length >= 1 + rest.readInt32BE(1)) {
      const end = 1 + rest.readInt32BE(1);
      if (rest[0] !== NOTIFICATION) forward(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
  };
}

/** Starts a proxy to a PostgreSQL server that drops notifications, as a transaction pooler does. */
export async function deafProxy(url: string): Promise<{ url: string; close(): void }> {
  const target = new URL(url);
  const socketFolder = target.searchParams.get('host');
  const port = Number(target.port || 5432);
  const sockets = new Set<Socket>();
  const server: Server = createServer((client) => {
    const upstream = socketFolder
      ? connect(`${socketFolder}/.s.PGSQL.${port}`)
      : connect({ host: target.hostname, port });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    client.pipe(upstream);
    upstream.on(
      'data',
      withoutNotifications((bytes) => client.write(bytes)),
    );
    upstream.on('close', () => client.end());
    client.on('close', () => upstream.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const own = new URL(url);
  own.host = `127.0.0.1:${(server.address() as { port: number }).port}`;
  own.searchParams.delete('host');
  return {
    url: own.toString(),
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
