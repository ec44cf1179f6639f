import { Socket } from 'node:net';
import pg from 'pg';
import { hostsOf } from '../config/database-hosts.ts';
import { DEFAULTS } from '../config/defaults.ts';
import type { DatabaseOptions } from './database-options.ts';
import { clientsOf, HostFinder } from './host-finder.ts';

const INT8 = 20;
const INT8_ARRAY = 1016;
const JSON_TYPES = new Set([114, 3802]);
const asIs = (text: string) => text;

/**
 * Parses int8 as a number, since ids stay below 2^53, and leaves JSON as text. The driver's globals are not changed.
 */
const types = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (oid === INT8) return Number;
    if (oid === INT8_ARRAY) return (text: string) => (text === '{}' ? [] : text.slice(1, -1).split(',').map(Number));
    if (JSON_TYPES.has(oid)) return asIs;
    return pg.types.getTypeParser(oid, format as 'text');
  },
} as pg.CustomTypesConfig;

/** The settings of a connection. */
export interface DriverConfig extends pg.ClientConfig {
  /** For URLs of several hosts: the class that finds the suitable host. */
  Client?: typeof pg.Client;
}

const finders = new WeakMap<DatabaseOptions, Map<string, { finder: HostFinder; Client: typeof pg.Client }>>();

/** Makes new connections search for the host again. */
export function forgetHosts(options: DatabaseOptions): void {
  for (const { finder } of finders.get(options)?.values() ?? []) finder.forget();
}

/** Returns the configuration of the driver. */
export function configOf(url: string, options: DatabaseOptions): DriverConfig {
  const hosts = hostsOf(url);
  const config = {
    application_name: options.applicationName ?? 'tasker-core',
    connectionTimeoutMillis: options.acquireTimeoutMs ?? DEFAULTS.acquireTimeoutMs,
    query_timeout: options.statementTimeoutMs ?? 60_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types,
  };
  if (!hosts || (hosts.urls.length === 1 && hosts.target === undefined)) return { connectionString: url, ...config };
  const known = finders.get(options) ?? new Map();
  finders.set(options, known);
  if (!known.has(url)) {
    const finder = new HostFinder(hosts, config);
    known.set(url, { finder, Client: clientsOf(finder) });
  }
  return { connectionString: hosts.urls[0]!, ...config, Client: known.get(url).Client };
}

/** Creates a pool. Its sockets are kept in `sockets` while they are open. */
export function poolOf(options: DatabaseOptions, { sockets, max }: { sockets: Set<Socket>; max: number }): pg.Pool {
  return new pg.Pool({
    ...configOf(options.url, options),
    stream: () => keptIn(sockets),
    pipeline: options.pipeline ?? true,
    max,
    idleTimeoutMillis: options.idleTimeoutMs ?? DEFAULTS.idleTimeoutMs,
  } as pg.PoolConfig);
}

/** Returns a new socket, which is in `sockets` while it is open. */
export function keptIn(sockets: Set<Socket>): Socket {
  const socket = new Socket();
  sockets.add(socket);
  return socket.once('close', () => sockets.delete(socket));
}

/** Returns the address of a replica. Several hosts without a target mean a standby here, not the primary. */
export function preferringStandbys(url: string): string {
  const hosts = hostsOf(url);
  if (!hosts || hosts.urls.length < 2 || hosts.target !== undefined) return url;
  return `${url}${url.includes('?') ? '&' : '?'}target_session_attrs=prefer-standby`;
}
