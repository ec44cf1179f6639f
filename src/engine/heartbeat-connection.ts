import { Database } from '../db/database.ts';
import type { DatabaseReach } from '../db/database-options.ts';
import { silentLogger } from '../logging/logger.ts';
import { heartbeat, type WorkerReport } from '../store/workers.ts';

/** A connection for heartbeats only, used by a separate thread. */
export interface HeartbeatConnection {
  /** Sends a heartbeat, as the engine does. Times out early enough for another heartbeat before the lease expires. */
  heartbeat(ids: readonly number[], leaseMs: number, report?: WorkerReport): Promise<{ alive: number[] }>;
  close(): Promise<void>;
}

/** Opens a connection with the first heartbeat, and a new one after a failed heartbeat. */
export function openHeartbeatConnection(reach: DatabaseReach): HeartbeatConnection {
  const database = Database.lazily({ ...reach, poolSize: 1, logger: silentLogger });
  return {
    heartbeat: (ids, leaseMs, report) => heartbeat(database.within(leaseMs / 4), ids, leaseMs, report),
    close: () => database.close(),
  };
}
