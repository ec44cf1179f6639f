import type { Db } from '../db/statement.ts';
import type { ClaimedStepRow } from './claim-steps.ts';
import { KIND, type RecordedStep } from './record-steps.ts';
import { columns, sql } from './sql.ts';

// Reads all open tasks. An index on the owner of running steps would make the update of every step more expensive.
const ADOPT_STEPS = sql('adopt_steps')`
select s.task_uuid "taskUuid", s.idx, s.attempts, s.spared, s.max_attempts "maxAttempts", t.template_id "templateId", t.rank,
       t.revision, t.context, t.correlation_id "correlationId", t.parent_correlation_id "parentCorrelationId", t.initiator,
       t.source_system "sourceSystem", t.reason, t.tags, t.traceparent, t.created_at::text "createdAt", s.claim
  from tasker.task t join tasker.step s on s.task_uuid = t.task_uuid
 where t.done_at is null and s.state = 'in_progress' and s.claim = any ($1::bigint[])`;

/** A step that this worker claimed with a statement whose answer was lost. */
export interface AdoptedStepRow extends ClaimedStepRow {
  claim: number;
}

/** Returns the running steps with one of these claims. */
export async function adoptSteps(db: Db, tokens: readonly number[]): Promise<AdoptedStepRow[]> {
  const { rows } = await db.query<AdoptedStepRow>(ADOPT_STEPS, [`{${tokens.join(',')}}`]);
  return rows;
}

// A crash of the server may undo a claim, and the worker may claim the step again with the same attempt number. For a
// completed step, the fence shows whether it was this run. The time of the recording is that of the step's last end,
// unless the step was claimed again since.
const FIND_RECORDED = sql('find_recorded')`
select w.ord::int, case when s.attempts = w.attempt then tasker.iso(s.done_at) end "recordedAt"
  from unnest($1::uuid[], $2::int[], $3::int[], $4::bigint[], $5::boolean[])
       with ordinality w (task_uuid, idx, attempt, claim, completed, ord)
  join tasker.history h on h.task_uuid = w.task_uuid and h.idx = w.idx and h.attempt = w.attempt
  join tasker.step s on s.task_uuid = w.task_uuid and s.idx = w.idx
 where h.worker_id = w.claim >> 24
   and case when w.completed then h.outcome = 'completed' and s.claim = w.claim else h.outcome in ('failed', 'released') end`;

/** Returns which of these attempts their worker has recorded: indexes in the list, with the time if it is still known. */
export async function findRecorded(
  db: Db,
  steps: readonly (RecordedStep & { attempt: number })[],
): Promise<Map<number, string | null>> {
  const { rows } = await db.query<{ ord: number; recordedAt: string | null }>(FIND_RECORDED, [
    ...columns(steps, 'taskUuid', 'idx', 'attempt', 'claim'),
    `{${steps.map((step) => step.kind === KIND.completed).join(',')}}`,
  ]);
  return new Map(rows.map((row) => [row.ord - 1, row.recordedAt]));
}
