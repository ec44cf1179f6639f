import type { Db, Statement } from '../db/database.ts';
import type { ClaimedStepRow } from './claim-steps.ts';
import type { RecordedStep } from './record-steps.ts';

// Through the open tasks: there is no index on the owner of running steps (it would cost each step its cheap update).
const ADOPT_STEPS: Statement = {
  name: 'adopt_steps',
  text: `
select s.task_uuid, s.idx, s.attempts, s.spared, s.max_attempts, t.template_id, t.rank, t.revision, t.context, t.correlation_id,
       t.parent_correlation_id, t.initiator, t.source_system, t.reason, t.tags, t.created_at, s.claim
  from tasker.task t join tasker.step s on s.task_uuid = t.task_uuid
 where t.done_at is null and s.state = 'in_progress' and s.claim = any ($1::bigint[])`,
};

/** A step that was claimed for this worker by a statement whose answer was lost. */
export interface AdoptedStepRow extends ClaimedStepRow {
  claim: number;
}

/** Running steps that hold one of these claims. */
export async function adoptSteps(db: Db, tokens: readonly number[]): Promise<AdoptedStepRow[]> {
  const { rows } = await db.query<AdoptedStepRow>(ADOPT_STEPS, [`{${tokens.join(',')}}`]);
  return rows;
}

const FIND_RECORDED: Statement = {
  name: 'find_recorded',
  text: `
select w.ord::int
  from unnest($1::uuid[], $2::int[], $3::int[], $4::bigint[]) with ordinality w (task_uuid, idx, attempt, worker_id, ord)
  join tasker.history h on h.task_uuid = w.task_uuid and h.idx = w.idx and h.attempt = w.attempt
 where h.worker_id = w.worker_id and h.outcome in ('completed', 'failed', 'released')`,
};

/** Which of these attempts were recorded by their worker: positions in the list. */
export async function findRecorded(
  db: Db,
  steps: readonly (RecordedStep & { attempt: number })[],
): Promise<Set<number>> {
  const { rows } = await db.query<{ ord: number }>(FIND_RECORDED, [
    `{${steps.map((step) => step.taskUuid).join(',')}}`,
    `{${steps.map((step) => step.idx).join(',')}}`,
    `{${steps.map((step) => step.attempt).join(',')}}`,
    `{${steps.map((step) => Math.floor(step.claim / 2 ** 24)).join(',')}}`,
  ]);
  return new Set(rows.map((row) => row.ord - 1));
}
