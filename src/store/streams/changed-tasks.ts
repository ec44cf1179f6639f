import type { Db } from '../../db/statement.ts';
import { sql } from '../sql.ts';
import { type PackedTask, TASK_COUNTS, taskColumns } from '../tasks.ts';

// `edition` changes whenever the task, its steps or its pauses change, even if one change undoes another.
const CHANGED_TASKS = sql('changed_tasks')`
select ${taskColumns("'{}'")}, concat_ws(' ', t.xmin, c.starts, (
         select count(*) from tasker.pause p where p.task_uuid = t.task_uuid)) edition
  from unnest($1::uuid[]) w (id)
  cross join lateral (select xmin, x.* from tasker.task x where x.task_uuid = w.id offset 0) t
  join tasker.template m on m.id = t.template_id join tasker.namespace n on n.id = m.namespace_id ${TASK_COUNTS}`;

/** A task without its context. */
export interface ChangedTaskRow extends PackedTask {
  /** Differs from the previous version if the task was changed, even if all other fields are the same again. */
  edition: string;
}

/** Returns tasks without their contexts. Unknown ids are omitted. */
export async function changedTasks(db: Db, taskUuids: readonly string[]): Promise<ChangedTaskRow[]> {
  return (await db.query<ChangedTaskRow>(CHANGED_TASKS, [`{${taskUuids.join(',')}}`])).rows;
}

const CHANGED_STEPS = sql('changed_steps')`
select w.id "taskUuid", s.idx, tasker.step_name(bw.name, ts.name, s.idx) name, s.state::text, s.attempts, s.spared, s.max_attempts "maxAttempts",
       tasker.iso(s.started_at) "startedAt", tasker.iso(s.done_at) "doneAt",
       case when s.state = 'waiting_for_retry' then tasker.iso(s.next_at) end "nextAt"
  from unnest($1::uuid[]) w (id)
  cross join lateral (select template_id from tasker.task x where x.task_uuid = w.id offset 0) t
  cross join lateral (select * from tasker.step x where x.task_uuid = w.id offset 0) s
  join tasker.template_step ts on ts.template_id = t.template_id and ts.idx = tasker.template_idx(s.idx)
  left join lateral (
    select x.name from tasker.batch_worker x where x.task_uuid = w.id and x.idx = s.idx and s.idx >= 131072 offset 0) bw on true
 order by 1, 2`;

/** A step without its result. */
export interface ChangedStepRow {
  taskUuid: string;
  idx: number;
  name: string;
  state: string;
  /** Number of starts, including `spared` starts, which do not count towards `max_attempts`. */
  attempts: number;
  spared: number;
  maxAttempts: number;
  startedAt: string | null;
  doneAt: string | null;
  nextAt: string | null;
}

/** Returns all steps of tasks, without their results, in the order of tasks and templates. */
export async function changedSteps(db: Db, taskUuids: readonly string[]): Promise<ChangedStepRow[]> {
  return (await db.query<ChangedStepRow>(CHANGED_STEPS, [`{${taskUuids.join(',')}}`])).rows;
}
