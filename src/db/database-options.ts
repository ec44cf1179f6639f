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
