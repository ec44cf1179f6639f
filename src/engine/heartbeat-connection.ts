import type { DatabaseReach } from '../db/connection-config.ts';
import { Database } from '../db/database.ts';
import { silentLogger } from '../logging/logger.ts';
import { heartbeat } from '../store/workers.ts';

/** A connection that does nothing but prove that workers live, for a thread of its own. */
export interface HeartbeatConnection {
  /** As the engine's: given up while there is time for another before the lease is over. */
  heartbeat(ids: readonly number[], leaseMs: number): Promise<{ alive: number[] }>;
  close(): Promise<void>;
}

/** Connects with the first heartbeat, and again after one that failed. */
export function openHeartbeatConnection(reach: DatabaseReach): HeartbeatConnection {
  const database = Database.lazily({ ...reach, poolSize: 1, logger: silentLogger });
  return {
    heartbeat: (ids, leaseMs) => heartbeat(database.within(leaseMs / 4), ids, leaseMs),
    close: () => database.close(),
  };
}
