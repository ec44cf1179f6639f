import type { Db } from '../db/statement.ts';
import type { ClaimedStepRow } from './claim-steps.ts';
import { KIND, type RecordedStep } from './record-steps.ts';
import { columns, sql } from './sql.ts';

// Reads all open tasks. An index on the owner of running steps would make the update of every step more expensive.
const ADOPT_STEPS = sql('adopt_steps')`
select s.task_uuid "taskUuid", s.idx, s.attempts, s.spared, s.max_attempts "maxAttempts", s.rerun,
       t.template_id "templateId", t.rank, t.revision, t.context, t.correlation_id "correlationId", t.parent_correlation_id "parentCorrelationId", t.initiator,
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
// completed step, the fence shows whether it was this run. The recording happened when the step last ended, unless the
// step has been claimed again since. A rerun keeps the fence and the time in `earlier_step`: a recording from before the
// rerun is found there, and is never mistaken for a recording of the new run.
const FIND_RECORDED = sql('find_recorded')`
select w.ord::int, tasker.iso(case when e.attempts = w.attempt then e.done_at
         when s.attempts = w.attempt and coalesce(s.earlier_attempts, 0) < w.attempt then s.done_at end) "recordedAt"
  from unnest($1::uuid[], $2::int[], $3::int[], $4::bigint[], $5::boolean[])
       with ordinality w (task_uuid, idx, attempt, claim, completed, ord)
  join tasker.history h on h.task_uuid = w.task_uuid and h.idx = w.idx and h.attempt = w.attempt
  left join tasker.step s on s.task_uuid = w.task_uuid and s.idx = w.idx
  left join lateral (
    select e.attempts, e.claim, e.done_at from tasker.earlier_step e
     where e.task_uuid = w.task_uuid and e.idx = w.idx and e.attempts >= w.attempt order by e.rerun limit 1) e on true
 where h.worker_id = w.claim >> 24
   and case when w.completed then h.outcome = 'completed' and w.claim in (s.claim, case when e.attempts = w.attempt then e.claim end) else h.outcome in ('failed', 'released') end`;

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
