import type { Database } from '../db/database.ts';
import { opening } from '../db/opening.ts';
import {
  type Attention,
  attention,
  MOST_WAITING,
  type OpenTasksRow,
  openTasks,
  type Rates,
  rates,
} from '../store/overview/status.ts';
import { failedWaitingTasks, type WaitsRow, waitsByKind } from '../store/overview/waits.ts';
import { listPauses, type PauseRow } from '../store/pauses/list.ts';
import { OVERVIEW_PLANS } from '../store/planner.ts';
import { type LastPruneRow, lastPrune } from '../store/retention/runs.ts';
import { lateSchedules } from '../store/schedules/schedules.ts';
import { searchLag } from '../store/search/projection.ts';

/** The state of an installation as stored, without its queues. */
export interface StatusFacts extends Attention {
  open: OpenTasksRow[];
  rates: Rates;
  lagMs: number;
  pauses: PauseRow[];
  waits: WaitsRow[];
  /** Waits that have been due for more than five seconds. */
  lateWaits: number;
  /** Schedules whose due time passed more than ten seconds ago. */
  lateSchedules: number;
  /** Waiting tasks in which a step has failed. */
  failedWaiting: { failed: number; exact: boolean };
  prune: LastPruneRow | undefined;
}

const READING = opening({ ...OVERVIEW_PLANS, statement_timeout: '10s' });

/** Maximum number of pauses to read. */
export const MOST_PAUSES = 1_000;

/** Reads the state of an installation. */
export async function statusFacts(database: Database, { rateSeconds }: { rateSeconds: number }): Promise<StatusFacts> {
  const [open, noted, rate, lagMs, pauses, waits, late, failedWaiting, prune] = await database.pipeline(READING, (tx) =>
    Promise.all([
      openTasks(tx),
      attention(tx),
      rates(tx, rateSeconds),
      searchLag(tx),
      listPauses(tx, MOST_PAUSES),
      waitsByKind(tx, MOST_WAITING),
      lateSchedules(tx),
      failedWaitingTasks(tx),
      lastPrune(tx),
    ]),
  );
  return {
    open,
    rates: rate,
    lagMs,
    pauses,
    waits: waits.kinds,
    lateWaits: waits.late,
    lateSchedules: late,
    failedWaiting,
    prune,
    ...noted,
  };
}
