import type { Db } from '../db/statement.ts';
import type { ClaimedStepRow } from './claim-steps.ts';
import { KIND, type RecordedStep } from './record-steps.ts';
import { columns, sql } from './sql.ts';

// Reads all tasks with ready or running steps, each by key. An index on the owner of running steps would make the update of
// every step more expensive.
const ADOPT_STEPS = sql('adopt_steps')`
select s.task_uuid "taskUuid", s.idx, s.attempts, s.spared, s.max_attempts "maxAttempts", s.rerun,
       t.template_id "templateId", t.rank, t.revision, t.context, t.correlation_id "correlationId", t.parent_correlation_id "parentCorrelationId", t.initiator,
       t.source_system "sourceSystem", t.reason, t.tags, t.traceparent, to_json(t.created_at at time zone 'UTC') "createdAt", s.claim
  from (select task_uuid from tasker.task where state in ('steps_in_process', 'undoing') and done_at is null offset 0) a
 cross join lateral (
   select * from tasker.step x where x.task_uuid = a.task_uuid and x.state = 'in_progress' and x.claim = any ($1::bigint[]) offset 0) s
 cross join lateral (select * from tasker.task x where x.task_uuid = s.task_uuid offset 0) t`;

/** A step that this worker claimed with a statement whose response was lost. */
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
// step has been claimed again since. A rerun keeps the fence and the time in `earlier_step`. So a recording from before
// the rerun is found there, and is not mistaken for one of the new run.
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

const FIND_BEGUN = sql('find_begun_waits')`
select d.ord::int from unnest($1::uuid[], $2::int[], $3::int[], $4::bigint[]) with ordinality d (task_uuid, idx, attempt, claim, ord)
 cross join lateral (
   select 1 from tasker.wait w
    where w.task_uuid = d.task_uuid and w.idx = d.idx
      and ((w.attempt = d.attempt and w.claim = d.claim)
        or w.progress -> 'claims' @> jsonb_build_array(jsonb_build_array(d.attempt, d.claim))) offset 0) w`;

type Doubtful = RecordedStep & { attempt: number };

/**
 * Returns the indexes of the attempts in the list that their worker has recorded, or ended with a wait. Includes the
 * time if it is still known.
 */
export async function findRecorded(db: Db, steps: readonly Doubtful[]): Promise<Map<number, string | null>> {
  const [waits, others] = [steps.filter(isWait), steps.filter((step) => !isWait(step))];
  const found = new Map<Doubtful, string | null>();
  if (others.length > 0) {
    const { rows } = await db.query<{ ord: number; recordedAt: string | null }>(FIND_RECORDED, [
      ...columns(others, 'taskUuid', 'idx', 'attempt', 'claim'),
      `{${others.map((step) => step.kind === KIND.completed).join(',')}}`,
    ]);
    for (const row of rows) found.set(others[row.ord - 1]!, row.recordedAt);
  }
  if (waits.length > 0) {
    const { rows } = await db.query<{ ord: number }>(FIND_BEGUN, columns(waits, 'taskUuid', 'idx', 'attempt', 'claim'));
    for (const row of rows) found.set(waits[row.ord - 1]!, null);
  }
  return new Map(
    steps.flatMap((step, i): [number, string | null][] => (found.has(step) ? [[i, found.get(step)!]] : [])),
  );
}

const isWait = ({ kind }: Doubtful) => kind === KIND.waits;
