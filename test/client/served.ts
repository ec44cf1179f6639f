import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { type ClientOptions, createClient } from '../../src/client/index.ts';

/** A request that a {@link scripted} server received. */
export interface Received {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

/** Starts an HTTP server for one test. */
export async function httpServer(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

type Answer = (response: ServerResponse, request: Received) => void;

/**
 * Starts a server that responds to each request with the next entry of a script, and repeats the last entry. Returns
 * its client and the requests so far.
 */
export async function scripted(script: readonly Answer[], options: ClientOptions = {}) {
  const received: Received[] = [];
  const baseUrl = await httpServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      const one = { method: request.method!, url: request.url!, headers: request.headers, body };
      received.push(one);
      script[Math.min(received.length, script.length) - 1]!(response, one);
    });
  });
  return { baseUrl, received, client: createClient({ baseUrl, ...options }) };
}

/** Responds with JSON. */
export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Answer {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json', 'x-request-id': 'r-1', ...headers });
    response.end(JSON.stringify(body));
  };
}

/** Responds with an error of the API. */
export function refusal(
  status: number,
  code: string,
  more: { details?: object; headers?: Record<string, string> } = {},
) {
  return json({ error: { code, message: `refused: ${code}`, details: more.details } }, status, more.headers);
}

/** Drops the connection without a response. */
export const drop: Answer = (response) => {
  response.destroy();
};

/** Never responds. */
export const silence: Answer = () => {};
