import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** A request that arrived. */
export interface Received {
  headers: IncomingHttpHeaders;
  url: string;
  body: string;
  /** The client's port, which is the same for all requests of one connection. */
  from: number | undefined;
}

/** Starts an HTTP server on loopback that records requests and sends the given responses. Stops when the test ends. */
export async function httpReceiver(
  answer: (response: ServerResponse, received: Received) => void = (response) => response.end(),
): Promise<{ url: string; port: number; received: Received[] }> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { headers, url = '', socket } = request;
      const one = { headers, url, body: Buffer.concat(chunks).toString(), from: socket.remotePort };
      received.push(one);
      answer(response, one);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${port}/in`, port, received };
}
