import type { Db } from '../db/statement.ts';
import { sqlFile } from './sql.ts';
import type { StepKey } from './step-key.ts';
import type { TaskOrigin } from './tasks.ts';

const CLAIM_STEPS = sqlFile('claim_steps');
const CLAIM_STEPS_OF_SEVERAL = sqlFile('claim_steps_of_several');

/** A claimed step, with its task. */
export interface ClaimedStepRow extends StepKey, TaskOrigin {
  attempts: number;
  spared: number;
  maxAttempts: number;
  /** The number of the rerun that this run belongs to. Null for the first run. */
  rerun: number | null;
  templateId: number;
  rank: number;
  revision: number;
  tags: string[] | null;
  traceparent: string | null;
  /** The text from the server. Parsed only when needed, because few handlers use it. */
  createdAt: string;
}

/** A claim: the worker, and the steps that it wants. */
export interface Claim {
  limit: number;
  /** The fence: a number that is never issued twice, even after a crash. */
  token: number;
  workerId: number;
  namespaceIds: readonly number[];
  /** Template steps (template_id << 32 | idx) for which this worker has no handler. */
  excluded: readonly bigint[];
}

/** The result of a claim. */
export interface Claimed {
  /** Highest priority first. */
  steps: ClaimedStepRow[];
  /** Number of rows taken from the queue, including those of steps that have been cancelled. */
  taken: number;
  /** Whether rows were skipped because other transactions have locked them. More rows may follow. */
  passedOver: boolean;
}

/** Claims ready steps for one worker. */
export async function claimSteps(db: Db, claim: Claim): Promise<Claimed> {
  const statement = claim.namespaceIds.length > 1 ? CLAIM_STEPS_OF_SEVERAL : CLAIM_STEPS;
  const { rows } = await db.query<ClaimedStepRow & { taken: number | null; seen?: number | null }>(statement, [
    claim.limit,
    claim.token,
    claim.workerId,
    `{${claim.namespaceIds.join(',')}}`,
    `{${claim.excluded.join(',')}}`,
  ]);
  // The last row contains the counts, because nulls sort last.
  const last = rows.pop()!;
  const taken = last.taken ?? 0;
  return { steps: rows, taken, passedOver: taken < claim.limit && (last.seen ?? 0) > taken };
}
