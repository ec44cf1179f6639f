import type { Logger } from '../logging/logger.ts';
import type { Metrics } from '../metrics/metrics.ts';

/** How to reach the server, as data that can be passed to another thread. */
export type DatabaseReach = Pick<DatabaseOptions, 'url' | 'schema' | 'pipeline' | 'applicationName'>;

/** How to reach the server. */
export interface DatabaseOptions {
  url: string;
  /** A URL that does not lead through a transaction pooler, for LISTEN and migrations. Default: `url`. */
  directUrl?: string | undefined;
  /** The schema that contains the tables. Default `tasker`. */
  schema?: string | undefined;
  /** Maximum number of connections. Default 10. */
  poolSize?: number | undefined;
  /** Timeout of a connection attempt in milliseconds. Default 10,000. */
  acquireTimeoutMs?: number | undefined;
  /** Milliseconds after which an idle connection is closed; 0 means never. Default 300,000. */
  idleTimeoutMs?: number | undefined;
  /**
   * Whether to send several statements of a transaction in one round trip. Default true; turn it off for poolers that
   * cannot do this.
   */
  pipeline?: boolean | undefined;
  /** Milliseconds after which a statement times out and its connection is replaced. Default 60,000. */
  statementTimeoutMs?: number | undefined;
  applicationName?: string | undefined;
  logger: Logger;
  /** Receives the metrics. Default: none. */
  metrics?: Metrics | undefined;
}
