import pg from 'pg';
import { DEFAULTS } from '../config/defaults.ts';
import type { Logger } from '../logging/logger.ts';
import type { Metrics } from '../metrics/metrics.ts';

/** How to reach the server, in data: another thread can be told. */
export type DatabaseReach = Pick<DatabaseOptions, 'url' | 'pipeline' | 'applicationName'>;

/** How to reach the server. */
export interface DatabaseOptions {
  url: string;
  /** A connection that is not through a transaction pooler; LISTEN and migrations use it. Default: `url`. */
  directUrl?: string | undefined;
  /** Connections at most. Default 10. */
  poolSize?: number | undefined;
  /** Milliseconds that connecting may take. Default 10,000. */
  acquireTimeoutMs?: number | undefined;
  /** Milliseconds after which an idle connection is closed; 0: never. Default 300,000. */
  idleTimeoutMs?: number | undefined;
  /** Several statements of a transaction in one round trip. Default true; off for poolers that can't. */
  pipeline?: boolean | undefined;
  /** Milliseconds after which a statement is given up and its connection replaced. Default 60,000. */
  statementTimeoutMs?: number | undefined;
  applicationName?: string | undefined;
  logger: Logger;
  /** Where to count. Default: nowhere. */
  metrics?: Metrics | undefined;
}

const INT8 = 20;
const INT8_ARRAY = 1016;
const JSON_TYPES = new Set([114, 3802]);
const asIs = (text: string) => text;

/** Numbers for int8 (ids stay below 2^53), text for JSON; the rest as the driver does it. Nothing global is changed. */
const types = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (oid === INT8) return Number;
    if (oid === INT8_ARRAY) return (text: string) => (text === '{}' ? [] : text.slice(1, -1).split(',').map(Number));
    if (JSON_TYPES.has(oid)) return asIs;
    return pg.types.getTypeParser(oid, format as 'text');
  },
} as pg.CustomTypesConfig;

/** How the driver connects. @internal */
export function configOf(url: string, options: DatabaseOptions): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: options.applicationName ?? 'tasker-core',
    connectionTimeoutMillis: options.acquireTimeoutMs ?? DEFAULTS.acquireTimeoutMs,
    query_timeout: options.statementTimeoutMs ?? 60_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types,
  };
}
