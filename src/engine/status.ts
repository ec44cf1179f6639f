import type { Database } from '../db/database.ts';
import { opening } from '../db/opening.ts';
import {
  type Attention,
  attention,
  openTasks,
  type QueueHead,
  queuedSteps,
  queueHeads,
  type Rates,
  type ReadyRow,
  type RunningRow,
  rates,
  runningSteps,
} from '../store/overview/status.ts';
import { searchLag } from '../store/search/projection.ts';
import { listWorkers, type WorkerRow } from '../store/workers.ts';

/** The state of an installation, as stored. */
export interface StatusFacts extends Attention {
  workers: WorkerRow[];
  queued: ReadyRow[];
  heads: QueueHead[];
  running: RunningRow[];
  open: { state: string; count: number }[];
  rates: Rates;
  lagMs: number;
}

const READING = opening({
  plan_cache_mode: 'force_custom_plan',
  jit: 'off',
  max_parallel_workers_per_gather: '0',
  statement_timeout: '10s',
});

/** Reads the state of an installation on two connections. */
export async function statusFacts(database: Database, { rateSeconds }: { rateSeconds: number }): Promise<StatusFacts> {
  const [[queued, heads], [open, running, noted, rate, lagMs, workers]] = await Promise.all([
    database.pipeline(READING, (tx) => Promise.all([queuedSteps(tx), queueHeads(tx)])),
    database.pipeline(READING, (tx) =>
      Promise.all([
        openTasks(tx),
        runningSteps(tx),
        attention(tx),
        rates(tx, rateSeconds),
        searchLag(tx).then((lag) => lag.lagMs),
        listWorkers(tx),
      ]),
    ),
  ]);
  return { workers, queued, heads, running, open, rates: rate, lagMs, ...noted };
}
