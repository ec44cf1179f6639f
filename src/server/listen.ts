import type { Server, ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { ListenAddress } from '../config/value-forms.ts';
import { isTaskerError, messageOf, TaskerError } from '../errors.ts';
import { RequestQueue } from './request-queue.ts';

/**
 * Connections that wait to be accepted; the kernel may allow fewer. A client that finds none free tries again only after
 * a second, then after two, four, and so on.
 */
const MOST_UNACCEPTED = 4_096;

/** Handles requests, as a Hono app does. */
export interface Answering {
  /** `env`: the request and the response of Node, `incoming` and `outgoing`, and how long the request waited, `waitedMs`. */
  fetch(request: Request, env?: object): Response | Promise<Response>;
}

/** A listening server. */
export interface Listening {
  /** `http://127.0.0.1:8081` */
  url: string;
  port: number;
  /** Stops the server. Requests in progress have `lastAnswersMs` to finish before their connections are closed. */
  close(): Promise<void>;
}

/** The certificate of a server that speaks TLS, and its private key, as PEM. */
export interface TlsFiles {
  cert: Buffer;
  key: Buffer;
}

/** Options of {@link listen}. */
export interface ListenOptions {
  tls?: TlsFiles | undefined;
  /** How long a client may take to send a whole request. Default 30,000. */
  requestTimeoutMs?: number;
  /** How long {@link Listening.close} waits for requests in progress. Default 500. */
  lastAnswersMs?: number;
  /** How to choose another address, for the error if this one is unavailable. Default: how to do it for a worker. */
  otherAddress?: string;
}

/** Keeps the host, because another one could open the port to other machines. */
const addressOfWorker = (host: string) =>
  `choose another address with TASKER_WEB_BIND_ADDRESS (worker.web.bind_address) or --web ${host}:PORT, or turn it off with --web off`;

/**
 * Starts to listen, with TLS if there is a certificate.
 * @throws TaskerError `config_invalid` if the certificate cannot be used
 * @throws TaskerError `address_unavailable` if the port is in use or the address does not belong to this machine
 */
export async function listen(
  app: Answering,
  address: ListenAddress,
  { tls, requestTimeoutMs = 30_000, lastAnswersMs = 500, otherAddress }: ListenOptions = {},
): Promise<Listening> {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  const server = serverFor(app, tls);
  server.requestTimeout = requestTimeoutMs;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(unavailable(address, error, otherAddress ?? addressOfWorker(host))));
    server.listen({ port: address.port, host: address.host, backlog: MOST_UNACCEPTED }, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return { url: `${tls ? 'https' : 'http'}://${host}:${port}`, port, close: () => close(server, lastAnswersMs) };
}

/** Like {@link listen}, on a free port of the same host if the port is in use. `moved` is called before it. */
export async function listenOrMove(
  app: Answering,
  address: ListenAddress,
  { moved, ...options }: ListenOptions & { moved?: () => void } = {},
): Promise<Listening> {
  try {
    return await listen(app, address, options);
  } catch (error) {
    if (!isTaskerError(error) || (error.cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    moved?.();
    return listen(app, { ...address, port: 0 }, options);
  }
}

function serverFor(app: Answering, tls: TlsFiles | undefined): Server {
  const queue = new RequestQueue();
  const fetch = (request: Request, env: object) =>
    queue.enter((waitedMs) => {
      // The client has disconnected before the turn of its request.
      if ((env as { outgoing: ServerResponse }).outgoing.destroyed) return new Response(null, { status: 499 });
      return app.fetch(request, Object.assign(env, { waitedMs }));
    });
  const server = adaptorServer(fetch, tls);
  queue.watch(server);
  return server;
}

function adaptorServer(fetch: (request: Request, env: object) => Promise<Response>, tls: TlsFiles | undefined): Server {
  if (!tls) return createAdaptorServer({ fetch }) as Server;
  try {
    const serverOptions = { ...tls, minVersion: 'TLSv1.2' as const };
    return createAdaptorServer({ fetch, createServer: createSecureServer, serverOptions }) as Server;
  } catch (error) {
    throw new TaskerError('config_invalid', `the certificate or its key cannot be used: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function close(server: Server, lastAnswersMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const cutting = setTimeout(() => server.closeAllConnections(), lastAnswersMs);
    server.close((error) => {
      clearTimeout(cutting);
      if (error) reject(error);
      else resolve();
    });
    server.closeIdleConnections();
  });
}

function unavailable({ host, port }: ListenAddress, error: NodeJS.ErrnoException, otherAddress: string): TaskerError {
  const why: Record<string, string> = {
    EADDRINUSE: 'is in use by another program, perhaps another worker or server',
    EACCES: 'may not be opened by this user; ports below 1024 need root',
    EADDRNOTAVAIL: 'is not on an address of this machine',
    ENOTFOUND: 'is on an unknown host',
  };
  return new TaskerError(
    'address_unavailable',
    `port ${port} of ${host} ${why[error.code ?? ''] ?? `cannot be opened (${error.message})`}; ${otherAddress}`,
    { cause: error },
  );
}
