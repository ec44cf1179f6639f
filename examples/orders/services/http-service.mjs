import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const LARGEST_BODY = 100_000;

/** The response of a route. */
export const answer = (status, body, headers = {}) => ({ status, body, headers });

/** A refusal with a message, which the caller should not retry. */
export const refusal = (status, code, message) => answer(status, { code, message });

/**
 * Starts a small JSON server on a free port of 127.0.0.1. A route receives the body, the idempotency key and the socket, which
 * it may close. It returns an {@link answer}, or undefined if the server must never respond.
 *
 * @param {Record<string, (request: {body: any, key: string, socket: import('node:net').Socket}) => unknown>} routes
 *   by path
 * @returns {Promise<{url: string, close: () => Promise<void>}>}
 */
export async function startHttpService(routes) {
  const server = createServer((request, response) => {
    serve(routes, request, response).catch((error) => {
      if (response.destroyed) return; // the caller gave up, or the route closed the connection
      send(response, answer(500, { code: 'bug', message: String(error) }));
    });
  });
  server.keepAliveTimeout = 0; // callers close idle connections; if the server did, their next request could fail
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function serve(routes, request, response) {
  const route = request.method === 'POST' ? routes[request.url] : undefined;
  if (!route) return send(response, refusal(404, 'not_found', `there is no ${request.method} ${request.url}`));
  const key = request.headers['idempotency-key'];
  if (!key) return send(response, refusal(400, 'key_missing', 'the header idempotency-key is missing'));

  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > LARGEST_BODY) return send(response, refusal(413, 'too_large', 'the body is too large'));
  }
  await sleep(latency(key));
  const given = await route({ body: JSON.parse(text), key, socket: request.socket });
  if (given) send(response, given);
}

function send(response, { status, body, headers }) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** Returns a delay between 20 and 83 ms, which depends only on the key. */
function latency(key) {
  let hash = 0;
  for (const char of key) hash = (hash * 31 + char.charCodeAt(0)) % 997;
  return 20 + (hash % 64);
}
