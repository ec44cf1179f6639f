import type { Db } from '../db/statement.ts';
import { sqlFile } from './sql.ts';
import type { StepKey } from './step-key.ts';
import type { TaskOrigin } from './tasks.ts';

const CLAIM_STEPS = sqlFile('claim_steps');
const CLAIM_STEPS_OF_SEVERAL = sqlFile('claim_steps_of_several');

/** A step that a worker holds, with its task. */
export interface ClaimedStepRow extends StepKey, TaskOrigin {
  attempts: number;
  spared: number;
  maxAttempts: number;
  templateId: number;
  rank: number;
  revision: number;
  tags: string[] | null;
  traceparent: string | null;
  /** As the server writes it: few handlers ask for it, and making dates of all takes time. */
  createdAt: string;
}

/** Who claims, and how much. */
export interface Claim {
  limit: number;
  /** The fence: a number that no crash can issue twice. */
  token: number;
  workerId: number;
  namespaceIds: readonly number[];
  /** Steps (template_id << 32 | idx) whose handler this worker does not have. */
  excluded: readonly bigint[];
}

/** What a claim took. */
export interface Claimed {
  /** The highest priority first. */
  steps: ClaimedStepRow[];
  /** Rows taken from the queue, those of steps that were cancelled meanwhile included. */
  taken: number;
  /** Rows were passed over because others hold them, and more may lie behind those. */
  passedOver: boolean;
}

/** Gives ready steps to one worker. */
export async function claimSteps(db: Db, claim: Claim): Promise<Claimed> {
  const statement = claim.namespaceIds.length > 1 ? CLAIM_STEPS_OF_SEVERAL : CLAIM_STEPS;
  const { rows } = await db.query<ClaimedStepRow & { taken: number | null; seen?: number | null }>(statement, [
    claim.limit,
    claim.token,
    claim.workerId,
    `{${claim.namespaceIds.join(',')}}`,
    `{${claim.excluded.join(',')}}`,
  ]);
  // The last row tells how much was taken: nulls sort last.
  const last = rows.pop()!;
  const taken = last.taken ?? 0;
  return { steps: rows, taken, passedOver: taken < claim.limit && (last.seen ?? 0) > taken };
}
